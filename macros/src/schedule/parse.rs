//! Parse: tokens to statements, as they are written. Nothing is judged here but the grammar:
//!
//! ```text
//! declaration = head statement*
//! statement   = ("peak" expr [["sqrt"] "per" expr unit] | phase ("->" phase)*) ";"
//! phase       = name ["(" arguments ")"]
//! ```

use proc_macro2::{Ident, TokenTree};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use super::ir::Law;
use super::phases::PHASES;
use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{self, Call, Expr, Head, Unit};

pub struct Declaration {
    pub head: Head,
    pub peaks: Vec<Peak>,
    pub chains: Vec<Vec<Call>>,
    /// Whether a statement could not be read, so that a missing one may be that.
    pub broken: bool,
}

pub struct Peak {
    pub pos: Pos,
    pub value: Expr,
    pub scaling: Option<Scaling>,
}

pub struct Scaling {
    pub law: Law,
    pub per: Expr,
    pub unit: Option<(Unit, Pos)>,
}

enum Statement {
    Peak(Peak),
    Chain(Vec<Call>),
}

pub fn declaration(input: ParseStream, report: &Report) -> syn::Result<Declaration> {
    Ok(body(Head::parse(input, report)?, input, report))
}

/// The statements behind the head.
pub fn body(head: Head, input: ParseStream, report: &Report) -> Declaration {
    let mut declaration = Declaration {
        head,
        peaks: Vec::new(),
        chains: Vec::new(),
        broken: false,
    };
    while !input.is_empty() {
        match syntax::statement(input, report, |input| statement(input, report)) {
            Some(Statement::Peak(peak)) => declaration.peaks.push(peak),
            Some(Statement::Chain(chain)) => declaration.chains.push(chain),
            None => declaration.broken = true,
        }
    }
    declaration
}

fn statement(input: ParseStream, report: &Report) -> syn::Result<Statement> {
    let ahead = input.fork();
    let Ok(word) = ahead.call(Ident::parse_any) else {
        return Err(input.error("expected `peak` or a phase here"));
    };
    let chained = ahead.is_empty()
        || ahead.peek(syn::token::Paren)
        || ahead.peek(Token![->])
        || ahead.peek(Token![;]);
    if word == "peak" {
        peak(input).map(Statement::Peak)
    } else if chained && input.peek(syn::Ident) {
        chain(input, report).map(Statement::Chain)
    } else {
        let words = PHASES.iter().map(|phase| phase.name).chain(["peak"]);
        let hint = suggest::hint(&word.to_string(), "the phases are", words);
        let message = format!("expected `peak` or a phase, found `{word}`{hint}");
        Err(syn::Error::new(word.span(), message))
    }
}

fn peak(input: ParseStream) -> syn::Result<Peak> {
    let keyword: Ident = input.parse()?;
    let value = Expr::parse(input)?;
    let mut peak = Peak {
        pos: Pos::from(&keyword).to(value.pos),
        value,
        scaling: None,
    };
    if !input.peek(syn::Ident) {
        return Ok(peak);
    }
    let mut word: Ident = input.parse()?;
    let law = if word == "sqrt" {
        word = input.parse()?;
        Law::Sqrt
    } else {
        Law::Linear
    };
    if word != "per" {
        let message = format!(
            "expected `;`, `per 256 examples;` or `sqrt per 256 examples;` here, found `{word}`",
        );
        return Err(syn::Error::new(word.span(), message));
    }
    let per = Expr::parse(input)?;
    let unit = Unit::parse(input)?;
    peak.scaling = Some(Scaling { law, per, unit });
    Ok(peak)
}

fn chain(input: ParseStream, report: &Report) -> syn::Result<Vec<Call>> {
    let mut chain = vec![Call::parse(input, report)?];
    while input.peek(Token![->]) {
        let arrow: Token![->] = input.parse()?;
        if !input.peek(syn::Ident) {
            let found = input.fork().parse::<TokenTree>();
            let found = found.map(|token| format!(", found `{}`", syntax::shown(&token)));
            let message = format!("expected a phase after `->`{}", found.unwrap_or_default());
            return Err(syn::Error::new_spanned(arrow, message));
        }
        chain.push(Call::parse(input, report)?);
    }
    Ok(chain)
}
