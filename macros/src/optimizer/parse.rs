//! Parse: tokens to statements, as they are written. Nothing is judged here but the grammar.

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{self, Call, Head};

/// A declaration as it was written.
pub struct Declaration {
    pub head: Head,
    pub statements: Vec<Statement>,
    /// Whether a statement could not be read: what seems to be missing may be in it.
    pub broken: bool,
}

pub enum Statement {
    /// `update rule(..) for target, ..`
    Update {
        call: Call,
        targets: Option<Vec<Target>>,
        pos: Pos,
    },
    /// `clip rule(..)`
    Clip { call: Call, pos: Pos },
}

pub enum Target {
    Kind(Ident),
    Path(LitStr),
    /// What cannot be read, and was reported.
    Unread,
}

const STATEMENTS: [&str; 2] = ["update", "clip"];

/// Statements that the language will have.
const LATER: [&str; 3] = ["sharpness", "average", "switch"];

pub fn declaration(input: ParseStream, report: &Report) -> syn::Result<Declaration> {
    let head = Head::parse(input, report)?;
    let mut statements = Vec::new();
    let mut broken = false;
    while !input.is_empty() {
        match syntax::statement(input, report, |input| Statement::parse(input, report)) {
            Some(statement) => statements.push(statement),
            None => broken = true,
        }
    }
    Ok(Declaration {
        head,
        statements,
        broken,
    })
}

impl Statement {
    fn parse(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        let keyword = Ident::parse_any(input).map_err(|error| {
            let known = suggest::list(&STATEMENTS);
            syn::Error::new(
                error.span(),
                format!("expected a statement, one of {known}"),
            )
        })?;
        let word = keyword.to_string();
        match word.as_str() {
            "update" => {
                let call = Call::parse(input, report)?;
                let mut targets = None;
                if input.peek(Token![for]) {
                    input.parse::<Token![for]>()?;
                    targets = Some(self::targets(input, report));
                }
                let pos = Pos::from(&keyword).to(call.pos);
                Ok(Statement::Update { call, targets, pos })
            }
            "clip" => {
                let call = Call::parse(input, report)?;
                let pos = Pos::from(&keyword).to(call.pos);
                Ok(Statement::Clip { call, pos })
            }
            later if LATER.contains(&later) => {
                let message = format!("`{later}` is not part of the optimizer language yet");
                Err(syn::Error::new(keyword.span(), message))
            }
            _ => {
                let hint = suggest::hint(&word, "an optimizer is made of", STATEMENTS);
                let message = format!("unknown statement `{word}`{hint}");
                Err(syn::Error::new(keyword.span(), message))
            }
        }
    }
}

/// The targets of a rule; what cannot be read is reported, and the others are read.
fn targets(input: ParseStream, report: &Report) -> Vec<Target> {
    let mut targets = Vec::new();
    loop {
        match Target::parse(input) {
            Ok(target) => targets.push(target),
            Err(error) => {
                report.syn(error);
                targets.push(Target::Unread);
                while !(input.is_empty() || input.peek(Token![,]) || input.peek(Token![;])) {
                    let _ = input.parse::<TokenTree>();
                }
            }
        }
        if input.parse::<Token![,]>().is_err() {
            return targets;
        }
    }
}

impl Target {
    fn parse(input: ParseStream) -> syn::Result<Target> {
        if input.peek(LitStr) {
            return Ok(Target::Path(input.parse()?));
        }
        if input.peek(Ident::peek_any) {
            return Ok(Target::Kind(input.call(Ident::parse_any)?));
        }
        Err(input.error("expected `bias`, `norm` or a path in quotes such as \"head.*\""))
    }
}
