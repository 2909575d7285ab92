//! Expand: the IR to code. Nothing is decided here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::ir::{Recipe, Rule, Target};
use super::rules::{RULES, Value};
use crate::syntax::{Config, Expr, Head};

/// The configuration and its `Optimizer`. An empty recipe stands for plain SGD: the declaration
/// has a mistake, and its types are only there so that their users do not fail as well.
pub fn tokens(head: &Head, recipe: &Recipe) -> TokenStream {
    let name = &head.name;
    let config = Config {
        head,
        name,
        attrs: &head.attrs,
    }
    .expand();
    let plain = Rule {
        rule: &RULES[0],
        values: vec![None; RULES[0].values.len()],
        targets: Vec::new(),
    };
    let rules: Vec<TokenStream> = match recipe.rules.as_slice() {
        [] => vec![rule(&plain, head)],
        rules => rules.iter().map(|one| rule(one, head)).collect(),
    };
    let clip = match recipe.max_norm {
        Some(expr) => {
            let max_norm = expr.float_tokens(head, &quote!(self));
            quote! {
                ::core::option::Option::Some(::kiln::optim::Clip::GlobalNorm { max_norm: #max_norm })
            }
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #config

        impl ::kiln::optim::Optimizer for #name {
            fn recipe(&self) -> ::kiln::optim::Recipe {
                ::kiln::optim::Recipe {
                    rules: ::core::convert::From::from([#(#rules),*]),
                    clip: #clip,
                }
            }
        }
    }
}

fn rule(rule: &Rule, head: &Head) -> TokenStream {
    let variant = format_ident!("{}", rule.rule.variant);
    let params = rule.rule.signature.params.iter();
    let values = rule.rule.values.iter().zip(&rule.values);
    let fields = params.zip(values).map(|(param, (kind, given))| {
        let field = format_ident!("{}", param.name);
        let value = value(kind, *given, head);
        quote!(#field: #value)
    });
    let targets = rule.targets.iter().map(|target| match target {
        Target::Bias => quote!(::kiln::optim::Target::Bias),
        Target::Norm => quote!(::kiln::optim::Target::Norm),
        Target::Path(path) => {
            quote!(::kiln::optim::Target::Path(::core::convert::From::from(#path)))
        }
    });
    quote! {
        ::kiln::optim::Rule {
            update: ::kiln::optim::Update::#variant { #(#fields),* },
            targets: ::core::convert::From::from([#(#targets),*]),
        }
    }
}

fn value(kind: &Value, given: Option<&Expr>, head: &Head) -> TokenStream {
    match (kind, given) {
        (Value::Number { .. }, Some(expr)) => expr.float_tokens(head, &quote!(self)),
        (Value::Flag { .. }, Some(expr)) => expr.bool_tokens(&quote!(self)),
        (Value::Number { default, .. }, None) => quote!(#default),
        (Value::Flag { default, .. }, None) => quote!(#default),
    }
}
