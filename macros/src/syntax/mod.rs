//! What the three languages share: the head with its hyper-parameters, the configuration that comes
//! of it, expressions, calls.

mod args;
mod config;
mod derive;
mod expr;
mod head;
mod value;

pub use args::{Bound, Param, Signature};
pub use config::Config;
pub use derive::Derive;
pub use expr::{Compare, Expr, Node, Number, Op};
pub use head::{Head, HyperType, Local, LocalKind, local};
pub use value::{Call, Unit, Value, ValueKind};

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::ParseStream;

use crate::report::Report;

/// Runs `parse` over the whole input; what fails is reported.
///
/// A declaration is handed on even where syn finds tokens that a broken list left behind: what
/// broke the list was reported by then.
pub fn parse<T>(
    input: TokenStream,
    report: &Report,
    parse: impl FnOnce(ParseStream) -> syn::Result<T>,
) -> Option<T> {
    let mut parsed = None;
    let result = syn::parse::Parser::parse2(
        |input: ParseStream| {
            parsed = Some(parse(input)?);
            Ok(())
        },
        input,
    );
    if let Err(error) = result
        && (parsed.is_none() || report.is_clean())
    {
        report.syn(error);
    }
    parsed
}

/// Runs `parse` up to the next `;` and reports what fails, so that one broken statement does not
/// hide the mistakes of those behind it.
pub fn statement<T>(
    input: ParseStream,
    report: &Report,
    parse: impl FnOnce(ParseStream) -> syn::Result<T>,
) -> Option<T> {
    statement_before(input, report, &[], parse)
}

/// A [`statement`]; where one of the `keywords` follows in place of its `;`, that is where the
/// next one begins.
pub fn statement_before<T>(
    input: ParseStream,
    report: &Report,
    keywords: &[&str],
    parse: impl FnOnce(ParseStream) -> syn::Result<T>,
) -> Option<T> {
    let tokens = input.fork();
    let parsed = parse(input).and_then(|statement| {
        if input.peek(syn::Token![;]) || input.is_empty() {
            return Ok((statement, true));
        }
        let found: TokenTree = input.fork().parse()?;
        let error = input.error(format!("expected `;` here, found `{}`", shown(&found)));
        if !keywords.contains(&found.to_string().as_str()) {
            return Err(error);
        }
        report.syn(error);
        Ok((statement, false))
    });
    let statement = match parsed {
        Ok((statement, false)) => return Some(statement),
        Ok((statement, true)) => {
            if input.is_empty() {
                // The end of the input has no place of its own: the last token stands for it.
                let mut last = None;
                while let Ok(token) = tokens.parse::<TokenTree>() {
                    last = Some(token);
                }
                let pos = last
                    .as_ref()
                    .map_or(input.span().into(), crate::report::Pos::from);
                report.error(pos, "expected `;` at the end of this statement");
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
