//! `#[derive(Model)]`: a struct whose fields are the layers, in order, as a declaration.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Token, Type};

use super::ir::{FieldKind, Network};
use super::parse::{Declaration, Label, Source, SourceKind, Statement, Step, StepKind};
use crate::report::Report;
use crate::suggest;
use crate::syntax::{self, Head};

/// A struct as a declaration.
pub struct Struct {
    pub declaration: Declaration,
    /// The names and types of the fields.
    pub fields: Vec<(Ident, Type)>,
}

/// Reads a struct; `None` where nothing can be made of it.
pub fn parse(input: DeriveInput, report: &Report) -> Option<Struct> {
    let DeriveInput {
        attrs,
        vis,
        ident,
        generics,
        data,
    } = input;
    if !generics.params.is_empty() {
        let message = "a network takes no generics or lifetimes: its sizes are written in its \
                       layers; leave these out";
        report.syn(syn::Error::new_spanned(&generics.params, message));
        return None;
    }
    let fields = match data {
        Data::Struct(data) => match data.fields {
            Fields::Named(fields) => fields.named,
            _ => {
                let message = "`#[derive(Model)]` needs a struct with named fields, one for each \
                               layer: their names are the parameter paths";
                report.error(&ident, message);
                return None;
            }
        },
        _ => {
            let message = "`#[derive(Model)]` needs a struct whose fields are the layers";
            report.error(&ident, message);
            return None;
        }
    };
    let mut broken = false;
    let [input, loss] = settings(&attrs, &ident, report).unwrap_or_else(|| {
        broken = true;
        [const { None }; 2]
    });
    let mut chain = Vec::new();
    let mut types = Vec::new();
    for field in fields {
        match step(&field, report) {
            Some(step) => chain.push(step),
            None => broken = true,
        }
        types.extend(field.ident.map(|name| (name, field.ty)));
    }
    if types.is_empty() {
        let message =
            format!("`{ident}` holds no layer; write one: `#[layer(linear(10))] head: Linear`");
        report.error(&ident, message);
        broken = true;
    }
    let [source, output] = ["input", "output"].map(|name| Ident::new(name, Span::call_site()));
    let chain = Statement::Let {
        name: output.clone(),
        assertion: None,
        source: Source {
            kind: SourceKind::Name(source.clone()),
            pos: (&ident).into(),
        },
        chain,
    };
    let input = input.unwrap_or(Statement::Unread { name: source });
    let output = Statement::Output {
        names: vec![output],
    };
    let statements = [input, chain, output].into_iter().chain(loss).collect();
    Some(Struct {
        declaration: Declaration {
            head: Head::of(Vec::new(), vis, ident),
            statements,
            broken,
        },
        fields: types,
    })
}

/// `#[model(input = [1, 28, 28], loss = cross_entropy)]`: the input and the loss.
fn settings(attrs: &[Attribute], name: &Ident, report: &Report) -> Option<[Option<Statement>; 2]> {
    const KEYS: [&str; 2] = ["input", "loss"];
    let mut attrs = attrs.iter().filter(|attr| attr.path().is_ident("model"));
    let Some(attr) = attrs.next() else {
        let message = format!(
            "`{name}` needs the shape of its input: `#[model(input = [1, 28, 28], loss = \
             cross_entropy)]`"
        );
        report.error(name, message);
        return None;
    };
    if let Some(second) = attrs.next() {
        let message = "this is the second `#[model(..)]`; write all of it into the first";
        report.syn(syn::Error::new_spanned(second, message));
    }
    let mut input = None;
    let mut loss = None;
    let mut whole = true;
    let parsed = attr.parse_args_with(|tokens: ParseStream| {
        while !tokens.is_empty() {
            let key: Ident = tokens.parse()?;
            tokens.parse::<Token![=]>()?;
            let twice = key == "input" && input.is_some() || key == "loss" && loss.is_some();
            if twice {
                report.error(&key, format!("`#[model(..)]` is given `{key}` twice"));
            }
            match key.to_string().as_str() {
                "input" => {
                    let name = Ident::new("input", Span::call_site());
                    input = Some(Statement::input(name, tokens)?);
                }
                "loss" => {
                    loss = Some(Statement::loss(key, tokens, report)?);
                }
                word => {
                    let hint = suggest::hint(word, "it has", KEYS);
                    report.error(&key, format!("`#[model(..)]` has no `{word}`{hint}"));
                    whole = false;
                    syntax::skip_past(tokens, ',');
                    continue;
                }
            }
            if !tokens.is_empty() {
                tokens.parse::<Token![,]>()?;
            }
        }
        Ok(())
    });
    if let Err(error) = parsed {
        report.syn(error);
        return None;
    }
    if input.is_none() && whole {
        let message = format!("`{name}` needs `input = [1, 28, 28]`, the shape of one example");
        report.syn(syn::Error::new_spanned(attr, message));
        return None;
    }
    whole.then_some([input, loss])
}

/// `#[layer(conv2d(6, kernel: 5))] name: Conv2d`
fn step(field: &Field, report: &Report) -> Option<Step> {
    let name = field.ident.as_ref()?;
    let mut attrs = field.attrs.iter();
    let Some(attr) = attrs.find(|attr| attr.path().is_ident("layer")) else {
        let message = format!(
            "the field `{name}` needs its layer, as in `#[layer(relu)] {name}: Relu`; every field \
             is one"
        );
        report.error(name, message);
        return None;
    };
    if let Some(second) = attrs.find(|attr| attr.path().is_ident("layer")) {
        let message = format!("`{name}` has a layer already; give this one a field of its own");
        report.syn(syn::Error::new_spanned(second, message));
    }
    let step = attr.parse_args_with(|tokens: ParseStream| {
        let step = Step::parse(tokens, report, 0)?;
        match tokens.is_empty() {
            true => Ok(step),
            false => {
                Err(tokens.error("a field is one layer; give the next one a field of its own"))
            }
        }
    });
    let step = step.map_err(|error| report.syn(error)).ok()?;
    let single = matches!(step.kind, StepKind::Layer(_) | StepKind::Own(_));
    if !single || step.label.is_some() {
        let message = "a field is one layer, such as `conv2d(6, kernel: 5)`; blocks and labels \
                       are for `model!`";
        report.error(step.pos, message);
        return None;
    }
    Some(Step {
        label: Some(Label {
            name: name.clone(),
            number: None,
        }),
        ..step
    })
}

/// Reports each field whose type is not that of its layer, by name: what the name stands for only
/// rustc knows.
pub fn compare(fields: &[(Ident, Type)], network: &Network, report: &Report) {
    for (name, found) in fields {
        let path = [name.unraw().to_string()];
        let mut layers = network.blocks[0].fields.iter();
        let layer = layers.find(|field| field.path == path);
        let Some(FieldKind::Layer { ty, .. }) = layer.map(|field| &field.kind) else {
            continue;
        };
        let last = |path: &syn::Path| path.segments.last().map(|last| last.ident.to_string());
        let expected = syn::parse2(ty.clone()).ok().and_then(|path| last(&path));
        // What a macro of the user's put there is a group.
        let mut inner = found;
        while let Type::Group(group) = inner {
            inner = &group.elem;
        }
        let found_name = match inner {
            Type::Path(path) => last(&path.path),
            _ => None,
        };
        if let Some(expected) = expected.filter(|name| found_name.as_ref() != Some(name)) {
            let message =
                format!("this layer is of the type `{expected}`; write `{name}: {expected}`");
            report.syn(syn::Error::new_spanned(found, message));
        }
    }
}
