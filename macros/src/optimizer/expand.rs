//! Expand: the IR to code. Nothing is decided here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::ir::{Choice, Recipe, Rule, Target, Time, Value};
use super::rules::{Kind, Param, SGD, STATEMENTS};
use crate::schedule::rules::Unit;
use crate::syntax::{Config, Head};

/// The configuration and its `Optimizer`. An empty recipe stands for plain SGD: the declaration
/// has a mistake, and its types are only there so that their users do not fail as well.
pub fn tokens(head: &Head, recipe: &Recipe) -> TokenStream {
    let name = &head.name;
    let config = Config {
        head,
        name,
        attrs: (!head.derived).then_some(&head.attrs),
    }
    .expand();
    let plain = Rule {
        update: Choice {
            spec: &SGD,
            values: SGD.params.iter().map(|_| None).collect(),
        },
        lr: None,
        targets: Vec::new(),
    };
    let rules: Vec<TokenStream> = match recipe.rules.as_slice() {
        [] => vec![rule(&plain, head)],
        rules => rules.iter().map(|one| rule(one, head)).collect(),
    };
    let said = STATEMENTS.iter().map(|statement| {
        let field = format_ident!("{}", statement.keyword);
        let said = recipe
            .said
            .iter()
            .filter(|(by, _)| by.keyword == statement.keyword);
        let mut said = said.map(|(by, what)| choice(by.of, what, head));
        // Where all choices exclude each other there is at most one.
        let value = match (statement.choices, said.next()) {
            ([_], None) => quote!(::core::option::Option::None),
            ([_], Some(said)) => quote!(::core::option::Option::Some(#said)),
            (_, first) => {
                let said = first.into_iter().chain(said);
                quote!(::core::convert::From::from([#(#said),*]))
            }
        };
        quote!(#field: #value)
    });
    let switches = recipe.switches.iter().map(|(at, to)| {
        let at = time(at, head);
        let rule = rule(to, head);
        quote!(::kiln::optim::Switch { at: #at, rule: #rule })
    });
    quote! {
        #config

        impl ::kiln::optim::Optimizer for #name {
            fn recipe(&self) -> ::kiln::optim::Recipe {
                ::kiln::optim::Recipe {
                    rules: ::core::convert::From::from([#(#rules),*]),
                    #(#said,)*
                    switches: ::core::convert::From::from([#(#switches),*]),
                }
            }
        }
    }
}

fn rule(rule: &Rule, head: &Head) -> TokenStream {
    let update = choice("Update", &rule.update, head);
    let lr = match rule.lr {
        Some(expr) => expr.float_tokens(head, &quote!(self)),
        None => quote!(1.0),
    };
    let targets = rule.targets.iter().map(|target| match target {
        Target::Bias => quote!(::kiln::optim::Target::Bias),
        Target::Norm => quote!(::kiln::optim::Target::Norm),
        Target::Embedding => quote!(::kiln::optim::Target::Embedding),
        Target::Path(path) => {
            quote!(::kiln::optim::Target::Path(::core::convert::From::from(#path)))
        }
    });
    quote! {
        ::kiln::optim::Rule {
            update: #update,
            lr: #lr,
            targets: ::core::convert::From::from([#(#targets),*]),
        }
    }
}

/// A variant of the enum `of`, with its fields.
fn choice(of: &str, choice: &Choice, head: &Head) -> TokenStream {
    let of = format_ident!("{of}");
    let variant = format_ident!("{}", choice.spec.variant);
    let params = choice.spec.params.iter().zip(&choice.values);
    let fields = params.map(|(param, given)| {
        let field = format_ident!("{}", param.name);
        let value = match given {
            Some(given) => value(param, given, head),
            None => default(param),
        };
        quote!(#field: #value)
    });
    quote!(::kiln::optim::#of::#variant { #(#fields),* })
}

fn value(param: &Param, value: &Value, head: &Head) -> TokenStream {
    let owner = quote!(self);
    match value {
        Value::Number(expr) => expr.float_tokens(head, &owner),
        Value::Count(expr) => {
            let value = expr.float_tokens(head, &owner);
            quote!((#value as ::core::primitive::usize))
        }
        Value::Flag(expr) => expr.bool_tokens(&owner),
        Value::Word(variant) => word(param, variant),
        Value::Time(at) => time(at, head),
    }
}

fn default(param: &Param) -> TokenStream {
    match param.kind {
        Kind::Number(_, default) => {
            let default = default.unwrap_or_default();
            quote!(#default)
        }
        Kind::Count(default) => {
            let default = default as usize;
            quote!(#default)
        }
        Kind::Flag { default, .. } => quote!(#default),
        Kind::Word { words, .. } => words
            .first()
            .map_or(TokenStream::new(), |(_, variant)| word(param, variant)),
        // It cannot be left out.
        Kind::Time => TokenStream::new(),
    }
}

fn word(param: &Param, variant: &str) -> TokenStream {
    let Kind::Word { of, .. } = param.kind else {
        return TokenStream::new();
    };
    let (of, variant) = (format_ident!("{of}"), format_ident!("{variant}"));
    quote!(::kiln::optim::#of::#variant)
}

fn time(at: &Time, head: &Head) -> TokenStream {
    let value = at.value.float_tokens(head, &quote!(self));
    let unit = format_ident!(
        "{}",
        match at.unit {
            Unit::Steps => "Steps",
            Unit::Epochs => "Epochs",
            Unit::Percent => "Percent",
        }
    );
    quote!(::kiln::schedule::Time::#unit(#value))
}
