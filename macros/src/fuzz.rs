//! Declarations that nobody would write: random tokens, and mutations of what the documentation
//! and the tests declare. Whatever goes in, Rust comes out, an error or an expansion, and never a
//! panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::{model, optimizer, schedule};

/// A parser to be tried.
pub struct Language {
    pub name: &'static str,
    pub expand: fn(TokenStream) -> TokenStream,
    /// What is mutated: valid declarations, or nearly.
    pub declarations: Vec<String>,
    /// What may be written beside the words of the declarations.
    pub words: Vec<String>,
}

/// What became of some cases.
#[derive(Debug, Default)]
pub struct Outcome {
    pub cases: usize,
    /// How many of them had no mistake.
    pub accepted: usize,
    /// The longest time that one took, and its seed.
    slowest: (Duration, u64),
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.cases += other.cases;
        self.accepted += other.accepted;
        self.slowest = self.slowest.max(other.slowest);
    }
}

/// The Rust in these files and folders of the repository, and in the Markdown there.
pub fn sources(paths: &[&str]) -> Vec<String> {
    fn read(path: &Path, found: &mut Vec<String>) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let text = || std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        match extension {
            Some("rs") => found.push(text()),
            // Between the fences.
            Some("md") => {
                let text = text();
                let code = text.split("```").skip(1).step_by(2);
                let code = code.map(|code| code.split_once('\n').map_or("", |(_, code)| code));
                found.extend(code.map(str::to_owned));
            }
            _ if path.is_dir() => {
                let inside = path.read_dir().unwrap_or_else(|e| panic!("{path:?}: {e}"));
                let inside = inside.map(|entry| entry.expect("a readable folder").path());
                let mut inside: Vec<_> = inside.collect();
                inside.sort();
                inside.iter().for_each(|path| read(path, found));
            }
            _ => {}
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for path in paths {
        let path = root.join(path);
        assert!(path.exists(), "{path:?}");
        read(&path, &mut found);
    }
    found
}

/// The arguments of the calls of `name!`.
pub fn calls(sources: &[String], name: &str) -> Vec<String> {
    fn collect(tokens: TokenStream, name: &str, found: &mut Vec<String>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token {
                match &tokens[..at] {
                    [.., TokenTree::Ident(word), TokenTree::Punct(mark)]
                        if word == name && mark.as_char() == '!' =>
                    {
                        found.push(group.stream().to_string());
                    }
                    _ => collect(group.stream(), name, found),
                }
            }
        }
    }
    let mut found = Vec::new();
    // What is no Rust is the text of an error or a grammar.
    for tokens in sources.iter().filter_map(|source| source.parse().ok()) {
        collect(tokens, name, &mut found);
    }
    found
}

impl Language {
    /// Tries `cases` cases, whose seeds begin with `seed`.
    ///
    /// # Panics
    ///
    /// At a case that is wrong; it is printed with its seed.
    pub fn run(&self, seed: u64, cases: u64) -> Outcome {
        const THREADS: u64 = 4;
        let mut all = Outcome::default();
        std::thread::scope(|scope| {
            let threads = (0..THREADS).map(|thread| {
                // Tokens do not go from one thread to another.
                scope.spawn(move || {
                    let mut outcome = Outcome::default();
                    let mut random = Random::new(self);
                    for case in (thread..cases).step_by(THREADS as usize) {
                        outcome.add(self.case(&mut random, seed.wrapping_add(case)));
                    }
                    outcome
                })
            });
            for thread in threads.collect::<Vec<_>>() {
                match thread.join() {
                    Ok(outcome) => all.add(outcome),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        all
    }

    fn case(&self, random: &mut Random, seed: u64) -> Outcome {
        random.state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tokens = random.declaration();
        let given = tokens.clone();
        let start = Instant::now();
        let expand = AssertUnwindSafe(|| (self.expand)(tokens));
        let tried = || format!("`{}!` of seed {seed}: {given}", self.name);
        let code = catch_unwind(expand).unwrap_or_else(|_| panic!("a panic in {}", tried()));
        let slowest = (start.elapsed(), seed);
        let file: syn::File = syn::parse2(code)
            .unwrap_or_else(|error| panic!("{error} in what became of {}", tried()));
        assert!(!file.items.is_empty(), "nothing came of {}", tried());
        let wrong = |item: &syn::Item| match item {
            syn::Item::Macro(item) => item
                .mac
                .path
                .segments
                .iter()
                .any(|s| s.ident == "compile_error"),
            _ => false,
        };
        Outcome {
            cases: 1,
            accepted: usize::from(!file.items.iter().any(wrong)),
            slowest,
        }
    }
}

/// Draws declarations.
struct Random {
    /// Of a linear congruential generator, Knuth's MMIX.
    state: u64,
    declarations: Vec<TokenStream>,
    words: Vec<Ident>,
}

impl Random {
    fn new(language: &Language) -> Random {
        fn collect(tokens: TokenStream, words: &mut Vec<Ident>) {
            for token in tokens {
                match token {
                    TokenTree::Ident(word) => words.push(word),
                    TokenTree::Group(group) => collect(group.stream(), words),
                    _ => {}
                }
            }
        }
        const WORDS: &[&str] = &[
            "true", "usize", "f64", "bool", "struct", "pub", "fn", "in", "if", "else", "as",
            "self", "Self", "crate", "super", "_", "__", "config", "device", "observer", "summary",
            "int", "any", "same",
        ];
        let declarations = language.declarations.iter();
        let declarations = declarations.map(|text| text.parse().expect("tokens"));
        let declarations: Vec<TokenStream> = declarations.collect();
        let known = WORDS
            .iter()
            .copied()
            .chain(language.words.iter().map(String::as_str));
        let mut words: Vec<_> = known
            .map(|word| Ident::new(word, Span::call_site()))
            .collect();
        declarations
            .iter()
            .cloned()
            .for_each(|tokens| collect(tokens, &mut words));
        words.sort();
        words.dedup();
        Random {
            state: 0,
            declarations,
            words,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit.max(1)
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn declaration(&mut self) -> TokenStream {
        if self.below(8) == 0 {
            let head = self.one_of(&["", "pub struct Net { n: usize = 4 }"]);
            let mut tokens: TokenStream = head.parse().expect("tokens");
            tokens.extend(self.tokens(40));
            return tokens;
        }
        let mut tokens = self.some();
        for _ in 0..=self.below(2) {
            tokens = self.mutate(tokens);
        }
        tokens
    }

    /// One of the declarations.
    fn some(&mut self) -> TokenStream {
        let place = self.below(self.declarations.len());
        self.declarations[place].clone()
    }

    fn token(&mut self) -> TokenTree {
        const LITERALS: &[&str] = &[
            "0",
            "1",
            "2",
            "3",
            "10",
            "0.1",
            "1.5",
            "1e308",
            "1e-320",
            "65536",
            "65537",
            "2147483647",
            "2147483648",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999999999999999",
            "5steps",
            "3usize",
            "3u8",
            "1.0f64",
            "0x10",
            "\"five\"",
            "\"head.*\"",
            "\"\u{202e}\"",
            "'c'",
            "b\"x\"",
        ];
        const PUNCTS: &[char] = &[
            ';', ',', ':', '-', '>', '/', '*', '+', '=', '#', '<', '%', '.', '!', '\'',
        ];
        match self.below(5) {
            0 | 1 => {
                let word = self.below(self.words.len());
                self.words[word].clone().into()
            }
            2 => TokenTree::Literal(self.one_of(LITERALS).parse::<Literal>().expect("a literal")),
            3 => {
                let spacing = self.one_of(&[Spacing::Alone, Spacing::Joint]);
                Punct::new(self.one_of(PUNCTS), spacing).into()
            }
            _ => {
                let delimiter = self.delimiter();
                Group::new(delimiter, self.tokens(3)).into()
            }
        }
    }

    fn tokens(&mut self, most: usize) -> TokenStream {
        (0..self.below(most)).map(|_| self.token()).collect()
    }

    fn delimiter(&mut self) -> Delimiter {
        use Delimiter::{Brace, Bracket, None, Parenthesis};
        self.one_of(&[Parenthesis, Brace, Bracket, None])
    }

    /// A few tokens that stand behind each other in one of the declarations, at any depth.
    fn piece(&mut self) -> TokenStream {
        let mut tokens: Vec<TokenTree> = self.some().into_iter().collect();
        loop {
            let first = self.below(tokens.len());
            match tokens.get(first) {
                Some(TokenTree::Group(group)) if self.below(4) > 0 => {
                    tokens = group.stream().into_iter().collect();
                }
                _ => {
                    let count = 1 + self.below(8);
                    return tokens.into_iter().skip(first).take(count).collect();
                }
            }
        }
    }

    /// `tokens` with one of them, at any depth, taken out, doubled, replaced, swapped with its
    /// neighbour, preceded by others, buried under brackets, or the last.
    fn mutate(&mut self, tokens: TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let place = self.below(tokens.len());
        if let Some(TokenTree::Group(group)) = tokens.get(place)
            && self.below(4) > 0
        {
            let group = Group::new(group.delimiter(), self.mutate(group.stream()));
            tokens[place] = group.into();
            return tokens.into_iter().collect();
        }
        if tokens.is_empty() {
            return self.token().into();
        }
        match self.below(10) {
            0 => drop(tokens.remove(place)),
            1 => tokens.insert(place, tokens[place].clone()),
            2 | 3 => tokens[place] = self.token(),
            4 => tokens.truncate(place),
            5 if place > 0 => tokens.swap(place - 1, place),
            6 => {
                for _ in 0..self.below(100) {
                    let delimiter = self.delimiter();
                    let inside: TokenStream = tokens[place].clone().into();
                    tokens[place] = Group::new(delimiter, inside).into();
                }
            }
            7 | 8 => {
                let replaced = place + self.below(2);
                tokens.splice(place..replaced, self.piece());
            }
            _ => tokens.insert(place, self.token()),
        }
        tokens.into_iter().collect()
    }
}

fn languages() -> [Language; 4] {
    [
        model::tests::language(),
        model::tests::derived(),
        schedule::tests::language(),
        optimizer::tests::language(),
    ]
}

#[test]
fn no_declaration_makes_a_macro_panic() {
    let cases = [64_000, 8_000, 16_000, 16_000];
    for (language, cases) in languages().iter().zip(cases) {
        let outcome = language.run(1, cases);
        println!("{}!: {outcome:?}", language.name);
        // Else the mutations would only ever reach the first of the checks.
        assert!(
            outcome.accepted > outcome.cases / 1000,
            "{}: {outcome:?}",
            language.name
        );
    }
}

/// Goes on for `KILN_FUZZ_SECONDS` (60) from `KILN_FUZZ_SEED` (1) on.
#[test]
#[ignore = "it goes on for as long as it is told to"]
fn no_declaration_makes_a_macro_panic_for_a_long_time() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|error| panic!("{name}={value}: {error}")),
        Err(_) => default,
    };
    let time = Duration::from_secs(number("KILN_FUZZ_SECONDS", 60));
    let mut seed = number("KILN_FUZZ_SEED", 1);
    let languages = languages();
    let mut outcomes: [Outcome; 4] = Default::default();
    let start = Instant::now();
    while start.elapsed() < time {
        const CASES: u64 = 4_000;
        for (language, outcome) in languages.iter().zip(&mut outcomes) {
            outcome.add(language.run(seed, CASES));
        }
        seed = seed.wrapping_add(CASES);
    }
    for (language, outcome) in languages.iter().zip(outcomes) {
        println!("{}!: {outcome:?}; the next seed is {seed}", language.name);
    }
}
