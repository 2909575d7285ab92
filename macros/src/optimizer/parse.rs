//! Parse: tokens to statements, as they are written. Nothing is judged here but the grammar.

use proc_macro2::{Ident, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use super::rules;
use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{self, Call, Head, Value};

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
    /// `switch at time to rule(..) for target, ..`
    Switch {
        at: Value,
        call: Call,
        targets: Option<Vec<Target>>,
        pos: Pos,
    },
    /// `clip rule(..)` and its like.
    Other {
        statement: &'static rules::Statement,
        call: Call,
        pos: Pos,
    },
}

pub enum Target {
    Kind(Ident),
    Path(LitStr),
    /// What cannot be read, and was reported.
    Unread,
}

/// The words that a statement begins with.
fn keywords() -> Vec<&'static str> {
    let others = rules::STATEMENTS.iter().map(|statement| statement.keyword);
    ["update"]
        .into_iter()
        .chain(others)
        .chain(["switch"])
        .collect()
}

pub fn declaration(input: ParseStream, report: &Report) -> syn::Result<Declaration> {
    Ok(body(Head::parse(input, report)?, input, report))
}

/// The statements behind the head.
pub fn body(head: Head, input: ParseStream, report: &Report) -> Declaration {
    let mut statements = Vec::new();
    let mut broken = false;
    while !input.is_empty() {
        match syntax::statement(input, report, |input| Statement::parse(input, report)) {
            Some(statement) => statements.push(statement),
            None => broken = true,
        }
    }
    Declaration {
        head,
        statements,
        broken,
    }
}

impl Statement {
    fn parse(input: ParseStream, report: &Report) -> syn::Result<Statement> {
        let keyword = Ident::parse_any(input).map_err(|error| {
            let known = suggest::list(&keywords());
            syn::Error::new(
                error.span(),
                format!("expected a statement, one of {known}"),
            )
        })?;
        let word = keyword.to_string();
        let start = Pos::from(&keyword);
        if word == "update" {
            let call = Call::parse(input, report)?;
            let targets = for_targets(input, report)?;
            let pos = start.to(call.pos);
            return Ok(Statement::Update { call, targets, pos });
        }
        if word == "switch" {
            const FORM: &str = "`switch at 80 % to sgd(momentum: 0.9);`";
            self::word(input, "at", FORM)?;
            let at = Value::parse(input)?;
            self::word(input, "to", FORM)?;
            if !input.peek(Ident::peek_any) {
                return Err(input.error(format!("expected an update rule here: {FORM}")));
            }
            let call = Call::parse(input, report)?;
            let targets = for_targets(input, report)?;
            let pos = start.to(call.pos);
            return Ok(Statement::Switch {
                at,
                call,
                targets,
                pos,
            });
        }
        let mut others = rules::STATEMENTS.iter();
        let Some(statement) = others.find(|statement| statement.keyword == word) else {
            let hint = suggest::hint(&word, "an optimizer is made of", keywords());
            let message = format!("unknown statement `{word}`{hint}");
            return Err(syn::Error::new(keyword.span(), message));
        };
        let call = Call::parse(input, report)?;
        let pos = start.to(call.pos);
        Ok(Statement::Other {
            statement,
            call,
            pos,
        })
    }
}

/// The word `wanted` of a statement of that form.
fn word(input: ParseStream, wanted: &str, form: &str) -> syn::Result<()> {
    let here = input.fork().call(Ident::parse_any);
    if here.is_ok_and(|word| word == wanted) {
        input.call(Ident::parse_any)?;
        return Ok(());
    }
    Err(input.error(format!("expected `{wanted}` here: {form}")))
}

fn for_targets(input: ParseStream, report: &Report) -> syn::Result<Option<Vec<Target>>> {
    if !input.peek(Token![for]) {
        return Ok(None);
    }
    input.parse::<Token![for]>()?;
    Ok(Some(targets(input, report)))
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
        Err(input
            .error("expected `bias`, `norm`, `embedding` or a path in quotes such as \"head.*\""))
    }
}
