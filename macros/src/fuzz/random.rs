//! Random tokens, and declarations that were mutated.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use super::Language;

/// Draws declarations.
pub struct Random {
    /// Of a linear congruential generator, Knuth's MMIX.
    pub state: u64,
    declarations: Vec<TokenStream>,
    words: Vec<Ident>,
}

impl Random {
    pub fn new(language: &Language) -> Random {
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

    pub fn declaration(&mut self) -> TokenStream {
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
