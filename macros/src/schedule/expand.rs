//! Expand: the IR to code, the configuration and its `kiln::schedule::Schedule`. Nothing is decided
//! here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::ir::{Field, Law, Phase, Plan, Schedule, Time};
use super::rules::Unit;
use crate::syntax::{Config, Head};

pub fn expand(schedule: &Schedule) -> TokenStream {
    let Schedule { head, plan } = schedule;
    let name = &head.name;
    let config = Config {
        head,
        name,
        attrs: (!head.derived).then_some(&head.attrs),
    }
    .expand();
    let plan = match plan {
        Some(plan) => plan.expand(head),
        // Beside an error: nothing that would be one more.
        None => quote! {
            ::kiln::schedule::Plan {
                peak: 1.0,
                scaling: ::core::option::Option::None,
                phases: ::std::vec::Vec::new(),
            }
        },
    };
    quote! {
        #config

        #[automatically_derived]
        impl ::kiln::schedule::Schedule for #name {
            fn plan(&self) -> ::kiln::schedule::Plan {
                #plan
            }
        }
    }
}

impl Plan {
    fn expand(&self, head: &Head) -> TokenStream {
        let owner = quote!(self);
        let peak = self.peak.float_tokens(head, &owner);
        let scaling = match &self.scaling {
            None => quote!(::core::option::Option::None),
            Some(scaling) => {
                let per = scaling.per.float_tokens(head, &owner);
                let law = match scaling.law {
                    Law::Linear => quote!(Linear),
                    Law::Sqrt => quote!(Sqrt),
                };
                quote!(::core::option::Option::Some(
                    ::kiln::schedule::Scaling::#law { per: #per }
                ))
            }
        };
        let phases = self.phases.iter().map(|phase| phase.expand(head));
        quote! {
            ::kiln::schedule::Plan {
                peak: #peak,
                scaling: #scaling,
                phases: ::std::vec![#(#phases),*],
            }
        }
    }
}

impl Phase {
    fn expand(&self, head: &Head) -> TokenStream {
        let variant = format_ident!("{}", self.spec.variant);
        let fields = self.fields.iter().map(|(name, field)| {
            let name = format_ident!("{name}");
            let value = field.expand(head);
            quote!(#name: #value)
        });
        quote!(::kiln::schedule::Phase::#variant { #(#fields),* })
    }
}

impl Field {
    fn expand(&self, head: &Head) -> TokenStream {
        match self {
            Field::Number(expr) => expr.float_tokens(head, &quote!(self)),
            Field::Default(value) => quote!(#value),
            Field::Time(time) => time.expand(head),
            Field::Optional(None) => quote!(::core::option::Option::None),
            Field::Optional(Some(field)) => {
                let field = field.expand(head);
                quote!(::core::option::Option::Some(#field))
            }
            Field::Word(ty, variant) => {
                let (ty, variant) = (format_ident!("{ty}"), format_ident!("{variant}"));
                quote!(::kiln::schedule::#ty::#variant)
            }
            Field::Flag(flag) => quote!(#flag),
            Field::Metric(name) => {
                quote!(::kiln::schedule::Metric::Named(::std::string::String::from(#name)))
            }
            Field::Moments(moments) => {
                let moments = moments.iter().map(|moment| moment.expand(head));
                quote!(::std::vec![#(#moments),*])
            }
        }
    }
}

impl Time {
    fn expand(&self, head: &Head) -> TokenStream {
        let value = self.value.float_tokens(head, &quote!(self));
        let unit = match self.unit {
            Unit::Steps => quote!(Steps),
            Unit::Epochs => quote!(Epochs),
            Unit::Percent => quote!(Percent),
        };
        quote!(::kiln::schedule::Time::#unit(#value))
    }
}
