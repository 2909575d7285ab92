//! What the three languages share: the head with its hyper-parameters, expressions, calls.

mod args;
mod expr;
mod head;
mod value;

pub use args::{Bound, Param, Signature};
pub use expr::{Expr, Number, Op};
pub use head::{Config, Head, Hyper, HyperType};
pub use value::{Arg, Call, Unit, Value, ValueKind};

use proc_macro2::TokenTree;
use syn::parse::ParseStream;

use crate::report::{Pos, Report};

/// Runs `parse` up to the next `;` and reports what fails, so that one broken statement does not
/// hide the mistakes of those behind it.
pub fn statement<T>(
    input: ParseStream,
    report: &Report,
    parse: impl FnOnce(ParseStream) -> syn::Result<T>,
) -> Option<T> {
    let start = input.fork();
    let parsed = parse(input).and_then(|statement| {
        if input.peek(syn::Token![;]) || input.is_empty() {
            Ok(statement)
        } else {
            let found: TokenTree = input.fork().parse()?;
            Err(input.error(format!("expected `;` here, found `{}`", shown(&found))))
        }
    });
    let statement = match parsed {
        Ok(statement) => {
            if input.is_empty() {
                report.error(last(&start), "expected `;` at the end of this statement");
            }
            Some(statement)
        }
        Err(error) => {
            report.syn(error);
            None
        }
    };
    skip_past(input, ';');
    statement
}

/// Where the last token of `input` stands.
fn last(input: ParseStream) -> Pos {
    let mut last = Pos::from(input.span());
    while let Ok(token) = input.parse::<TokenTree>() {
        last = match &token {
            TokenTree::Group(group) => group.span_close().into(),
            token => token.span().into(),
        };
    }
    last
}

/// Skips tokens up to and including the next `punct`.
pub fn skip_past(input: ParseStream, punct: char) {
    while let Ok(token) = input.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Punct(found) if found.as_char() == punct) {
            return;
        }
    }
}

/// A token as a message shows it; a group by its opening bracket alone.
pub fn shown(token: &TokenTree) -> String {
    match token {
        TokenTree::Group(group) => match group.delimiter() {
            proc_macro2::Delimiter::Parenthesis => "(".into(),
            proc_macro2::Delimiter::Brace => "{".into(),
            proc_macro2::Delimiter::Bracket => "[".into(),
            proc_macro2::Delimiter::None => group.stream().to_string(),
        },
        other => other.to_string(),
    }
}
