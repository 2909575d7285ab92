//! Declarations that nobody would write: random tokens, and mutations of what the documentation
//! and the tests declare. Whatever goes in, Rust comes out, an error or an expansion, and never a
//! panic.

mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

use self::random::Random;
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

/// `model!`
fn networks() -> Language {
    let sources = sources(&["runtime/src", "tests/tests", "models/src"]);
    let mut declarations = calls(&sources, "model");
    declarations.extend(model::tests::DECLARATIONS.map(str::to_owned));
    // A long one takes the time of several and has nothing in it that they have not.
    declarations.retain(|declaration| declaration.len() < 1_500);
    let names = model::layers::all().flat_map(|layer| {
        let params = layer.signature.params.iter().map(|param| param.name);
        [layer.name].into_iter().chain(params)
    });
    Language {
        name: "model",
        expand: model::expand,
        declarations,
        words: names.map(str::to_owned).collect(),
    }
}

/// `#[derive(Model)]`
fn derived() -> Language {
    let sources = sources(&["runtime/src/model", "tests/tests/derive.rs", "tests/ui"]);
    let files = sources
        .iter()
        .filter_map(|source| syn::parse_file(source).ok());
    let structs = files.flat_map(|file| file.items).filter(|item| match item {
        syn::Item::Struct(item) => item.attrs.iter().any(|attr| attr.path().is_ident("model")),
        _ => false,
    });
    let declarations: Vec<_> = structs
        .map(|item| item.into_token_stream().to_string())
        .collect();
    assert!(!declarations.is_empty());
    Language {
        name: "derive(Model)",
        expand: |tokens| match syn::parse2(tokens) {
            Ok(input) => model::derive(input),
            Err(error) => error.to_compile_error(),
        },
        declarations,
        ..networks()
    }
}

fn languages() -> [Language; 4] {
    [
        networks(),
        derived(),
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
