//! Diagnostics: every mistake of a declaration is collected, and all are reported in one compile.

use std::cell::RefCell;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// A place in the declaration: the span of its first and of its last token.
///
/// On stable Rust two spans cannot be joined; an error that names the first and the last token is
/// underlined from one to the other.
#[derive(Clone, Copy, Debug)]
pub struct Pos {
    first: Span,
    last: Span,
}

impl Pos {
    /// Its first token.
    pub fn start(self) -> Span {
        self.first
    }

    /// The place from the start of `self` to the end of `end`.
    pub fn to(self, end: impl Into<Pos>) -> Pos {
        Pos {
            first: self.first,
            last: end.into().last,
        }
    }
}

impl From<Span> for Pos {
    fn from(span: Span) -> Self {
        Pos {
            first: span,
            last: span,
        }
    }
}

impl From<&Ident> for Pos {
    fn from(ident: &Ident) -> Self {
        ident.span().into()
    }
}

impl From<&TokenTree> for Pos {
    fn from(token: &TokenTree) -> Self {
        match token {
            TokenTree::Group(group) => Pos::from(group.span_open()).to(group.span_close()),
            other => other.span().into(),
        }
    }
}

/// The mistakes found so far.
///
/// After serde_derive's `Ctxt`: dropping a report that nobody turned into tokens is a bug of this
/// crate, so it cannot be forgotten.
pub struct Report {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Report {
    pub fn new() -> Self {
        Report {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    /// Notes a mistake at `pos`.
    pub fn error(&self, pos: impl Into<Pos>, message: impl std::fmt::Display) {
        let Pos { first, last } = pos.into();
        let ends = [Ident::new("first", first), Ident::new("last", last)];
        let tokens: TokenStream = ends.into_iter().map(Ident::into_token_stream).collect();
        self.syn(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake that syn found.
    pub fn syn(&self, error: syn::Error) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.push(error);
        }
    }

    /// How many mistakes were found so far.
    pub fn count(&self) -> usize {
        self.errors.borrow().as_ref().map_or(0, Vec::len)
    }

    /// Takes back what was found since there were `count` mistakes.
    pub fn forget(&self, count: usize) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.truncate(count);
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.count() == 0
    }

    /// One `compile_error!` per mistake, in the order of the declaration.
    pub fn into_tokens(self) -> TokenStream {
        let mut errors = self.errors.borrow_mut().take().unwrap_or_default();
        // Outside of the compiler, in this crate's own tests, a token has no place.
        if proc_macro::is_available() {
            errors.sort_by_key(|error| {
                let start = error.span().unwrap();
                (start.line(), start.column())
            });
        }
        errors.iter().map(syn::Error::to_compile_error).collect()
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.errors.borrow().is_some() && !std::thread::panicking() {
            unreachable!("a report was dropped without being turned into tokens");
        }
    }
}

/// A call at the place of what the user wrote: of a function with a path of theirs in the middle of
/// its name. That path and the arguments keep the places that they have.
pub fn call_at(
    at: Span,
    [before, behind]: [TokenStream; 2],
    path: &syn::Path,
    arguments: TokenStream,
) -> TokenStream {
    let mut call = located(before, at);
    call.extend([path.to_token_stream(), located(behind, at)]);
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(Span::call_site().located_at(at));
    call.extend([TokenTree::Group(arguments)]);
    call
}

/// The tokens at the place of what the user wrote, for what rustc says of them.
pub fn located(tokens: TokenStream, at: Span) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let span = group.span().located_at(at);
            let mut group = Group::new(group.delimiter(), located(group.stream(), at));
            group.set_span(span);
            TokenTree::Group(group)
        }
        mut token => {
            token.set_span(token.span().located_at(at));
            token
        }
    });
    tokens.collect()
}
