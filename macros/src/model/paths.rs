//! The names that follow from parameter paths: of fields, of the bodies of `repeat`s, in messages.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use quote::format_ident;

use super::ir::{Block, Field, FieldKind};
use crate::report::Report;

/// `stem.0` gives `stem_0`.
pub fn field_name(path: &[String]) -> Ident {
    let ident = match path.join("_") {
        path if path.is_empty() => "layer".to_owned(),
        path if path.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("layer_{path}")
        }
        path => path,
    };
    // What is no name by itself is a keyword, and a few cannot be raw.
    syn::parse_str(&ident).unwrap_or_else(|_| match ident.as_str() {
        "self" | "Self" | "super" | "crate" | "_" => format_ident!("{ident}_"),
        _ => format_ident!("r#{ident}"),
    })
}

/// `DigitNet` and `body.0` give `DigitNetBody0Block`; a name that is taken, as `b.10` takes that
/// of `b1.0`, is numbered in the order of the declaration.
pub fn body_name(blocks: &[Block], at: usize, path: &[String]) -> Ident {
    let outer = blocks[at].name.to_string();
    let outer = outer.strip_suffix("Block").unwrap_or(&outer);
    let mut name = outer.to_owned();
    for segment in path.iter().flat_map(|segment| segment.split('_')) {
        let mut letters = segment.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.extend(letters);
    }
    name.push_str("Block");
    let taken = |name: &str| blocks.iter().any(|block| block.name == name);
    let mut unique = name.clone();
    let mut number = 2;
    while taken(&unique) {
        unique = format!("{name}{number}");
        number += 1;
    }
    format_ident!("{unique}", span = blocks[0].name.span())
}

/// The `path` of a layer in a block, for messages.
pub fn shown(blocks: &[Block], at: usize, path: &[String]) -> String {
    let mut path = path.join(".");
    if at > 0 {
        path = format!(
            "in {}{}{path}",
            blocks[at].name,
            if path.is_empty() { "" } else { ", " }
        );
    }
    path
}

/// Paths and field names must tell the layers apart.
pub fn tell_apart(blocks: &[Block], doubled: &BTreeSet<String>, report: &Report) {
    for block in blocks {
        for (i, field) in block.fields.iter().enumerate() {
            let clash = |other: &Field| {
                // Repetitions that are written out stand beside the others.
                if beside(field, other) || beside(other, field) {
                    return false;
                }
                let shorter = field.path.len().min(other.path.len());
                other.ident == field.ident || other.path[..shorter] == field.path[..shorter]
            };
            if field.ident == "config" {
                let message = "a layer cannot have the path `config`; choose another name";
                report.error(field.pos, message);
            }
            if field.path.last().is_some_and(|name| doubled.contains(name))
                || field
                    .path
                    .first()
                    .is_some_and(|name| doubled.contains(name))
            {
                continue;
            }
            if let Some(other) = block.fields[..i].iter().find(|other| clash(other)) {
                let message = format!(
                    "the layers at `{}` and `{}` would mix up their parameter paths; \
                     choose another label",
                    other.path.join("."),
                    field.path.join("."),
                );
                report.error(field.pos, message);
            }
        }
    }
}

/// Whether `field` is a layer of the repetitions that are written out before those of `rest`.
fn beside(rest: &Field, field: &Field) -> bool {
    let FieldKind::Repeat(repeat) = &rest.kind else {
        return false;
    };
    let number = field.path.strip_prefix(rest.path.as_slice());
    let number = number.and_then(|path| path.first()?.parse::<usize>().ok());
    number.is_some_and(|number| number < repeat.written)
}
