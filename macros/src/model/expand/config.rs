//! What the configuration does: check the hyper-parameters, make the network, tell its layers.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use super::forward::value;
use super::{Writer, sizes};
use crate::model::ir::{FieldKind, OwnLayer, Var};
use crate::report::call_at;
use crate::syntax::local;

impl Writer<'_> {
    pub(super) fn init(&self) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let text = name.to_string();
        let head = &self.network.head;
        let checks = self.network.checks.iter().map(|check| check.tokens(head));
        let own = self.network.own.iter().map(own_check);
        // A layer of the user's own is asked about shapes that can be.
        let own = match self.network.own.is_empty() {
            true => quote!(),
            false => quote!(if problems.are_none() { #(#own)* }),
        };
        let check = self.body(quote! {
            let mut problems = ::kiln::__private::Problems::new(#text);
            #(#checks)*
            #own
            problems.finish()
        });
        let make = self.construct(0);
        let make = self.body(make);
        let init = self.body(quote! {
            self.__check()?;
            ::core::result::Result::Ok(::kiln::__private::initialized(self.__make(device)))
        });
        let lengths = self.lengths();
        let open: Vec<_> = self.anys().into_iter().map(|(.., name)| name).collect();
        let late_at = (!open.is_empty()).then(|| {
            let shapes = (0..self.network.inputs.len()).map(|i| quote!(summary.shape(inputs[#i])));
            quote!(self.__late(&[#(#shapes),*])?;)
        });
        let inputs = self.network.inputs.iter().map(|input| {
            let name = input.name.unraw().to_string();
            let shape = sizes(&input.shape);
            quote!(summary.input(#name, &#shape))
        });
        let outputs = self.network.outputs.iter();
        let outputs = outputs.map(|output| output.name.unraw().to_string());
        let summary = self.body(quote! {
            self.__check()?;
            ::kiln::__private::named(#text, lengths, &[#(#open),*])?;
            let mut summary = ::kiln::model::Summary::new(#text, lengths);
            #lengths
            let inputs = [#(#inputs),*];
            #late_at
            let nodes = self.__rows(&mut summary, &inputs);
            summary.outputs(&[#(#outputs),*], &nodes);
            ::core::result::Result::Ok(summary)
        });
        let graph = self.body(quote! {
            ::core::result::Result::Ok(self.summary_at(lengths)?.graph())
        });
        let rows = self.body(self.rows());
        let takes = self.body(self.takes());
        let shapes = self.network.inputs.iter().map(|input| {
            let shape = sizes(&input.shape);
            quote!(#shape.to_vec())
        });
        let unknown = self.unknown_lengths();
        let shapes = self.body(quote! {
            #unknown
            ::std::vec![#(#shapes),*]
        });
        let types = self.input_dims();
        let names = (0..types.len()).map(|i| value(Var(i)));
        let late = self.body(self.late());
        quote! {
            #[allow(clippy::unnecessary_wraps, clippy::too_many_arguments)]
            impl #config {
                fn __check(
                    &self,
                ) -> ::core::result::Result<(), ::kiln::model::InitError> {
                    #check
                }

                fn __make(&self, device: &::kiln::Device) -> #name {
                    #make
                }

                fn __inputs(&self) -> ::std::vec::Vec<::std::vec::Vec<::kiln::model::Size>> {
                    #shapes
                }

                fn __takes(&self, #(#names: #types),*) {
                    #takes
                }

                fn __late(
                    &self,
                    shapes: &[&[::kiln::model::Size]],
                ) -> ::core::result::Result<(), ::kiln::model::InitError> {
                    #late
                }

                fn __rows(
                    &self,
                    summary: &mut ::kiln::model::Summary,
                    inputs: &[::kiln::model::Node],
                ) -> ::std::vec::Vec<::kiln::model::Node> {
                    #rows
                }

                /// Draws the parameters, in the order of the declaration, from the device's
                /// random numbers: after `device.seed(n)` they are the same every time.
                ///
                /// # Errors
                ///
                /// When the hyper-parameters' values give a shape that cannot be; every such
                /// place is named.
                pub fn init(
                    &self,
                    device: &::kiln::Device,
                ) -> ::core::result::Result<#name, ::kiln::model::InitError> {
                    #init
                }

                /// The layers with their paths, output shapes, parameters and multiply-adds,
                /// worked out without running them.
                ///
                /// # Errors
                ///
                /// As for `init`.
                pub fn summary(
                    &self,
                ) -> ::core::result::Result<::kiln::model::Summary, ::kiln::model::InitError> {
                    self.summary_at(&[])
                }

                /// The [`summary`](Self::summary) for tensors whose open dimensions, declared
                /// with `any`, have the sizes that `lengths` gives by name.
                ///
                /// # Errors
                ///
                /// As for `init`.
                pub fn summary_at(
                    &self,
                    lengths: &[(&::kiln::__private::Str, ::core::primitive::usize)],
                ) -> ::core::result::Result<::kiln::model::Summary, ::kiln::model::InitError> {
                    #summary
                }

                /// The network as a graph, to be drawn; worked out without running it.
                ///
                /// # Errors
                ///
                /// As for `init`.
                pub fn graph(
                    &self,
                ) -> ::core::result::Result<::kiln::model::Graph, ::kiln::model::InitError> {
                    self.graph_at(&[])
                }

                /// The [`graph`](Self::graph) for tensors whose open dimensions, declared with
                /// `any`, have the sizes that `lengths` gives by name.
                ///
                /// # Errors
                ///
                /// As for `init`.
                pub fn graph_at(
                    &self,
                    lengths: &[(&::kiln::__private::Str, ::core::primitive::usize)],
                ) -> ::core::result::Result<::kiln::model::Graph, ::kiln::model::InitError> {
                    #graph
                }
            }
        }
    }

    /// Looks up what is said of the open dimensions.
    fn lengths(&self) -> TokenStream {
        let lengths = self
            .anys()
            .into_iter()
            .map(|(variable, .., name)| quote!(let #variable = summary.length(#name);));
        lengths.collect()
    }

    /// Says of the open dimensions that they are not known.
    pub(super) fn unknown_lengths(&self) -> TokenStream {
        let anys = self.anys().into_iter();
        anys.map(|(variable, ..)| {
            quote!(let #variable = ::core::option::Option::<::core::primitive::i128>::None;)
        })
        .collect()
    }

    fn input_dims(&self) -> Vec<TokenStream> {
        let ranks = self.network.inputs.iter();
        let ranks = ranks.map(|input| input.shape.rank().unwrap_or(2));
        ranks
            .chain(self.network.inputs.is_empty().then_some(2))
            .map(|rank| quote!([::core::primitive::usize; #rank]))
            .collect()
    }

    /// The expression that makes a block's struct.
    fn construct(&self, block: usize) -> TokenStream {
        let block_index = block;
        let block = &self.network.blocks[block];
        let name = &block.name;
        let fields = block.fields.iter().map(|field| {
            let ident = &field.ident;
            let value = match &field.kind {
                FieldKind::Layer { init, .. } => init.clone(),
                FieldKind::Repeat(repeat) => {
                    let (from, to) = (repeat.from.tokens(), repeat.to.tokens());
                    let body = self.construct(repeat.block);
                    let index = repeat.index.as_ref().map(|index| local(&index.to_string()));
                    let index = index.map_or(quote!(_), |index| quote!(#index));
                    let blocks = quote!(::kiln::__private::repeated(#from..#to, |#index| #body));
                    match repeat.written {
                        0 => blocks,
                        _ => quote!(::core::convert::Into::into(#blocks)),
                    }
                }
            };
            quote!(#ident: #value)
        });
        let config = (block_index == 0 && !self.network.derived)
            .then(|| quote!(config: ::core::clone::Clone::clone(self)));
        quote!(#name { #(#fields,)* #config })
    }
}

/// Asks a layer of the user's own what it gives, for every repetition.
fn own_check(own: &OwnLayer) -> TokenStream {
    let OwnLayer {
        path,
        span,
        config,
        input,
        output,
        place,
        loops,
    } = own;
    let (input, output) = (input.size_tokens(), output.size_tokens());
    let given = quote!(#config, &#input, &#output, #place);
    let asked = call_at(*span, [quote!(problems.own::<), quote!(>)], path, given);
    let asked = quote!(#asked;);
    let loops = loops.iter().rev();
    loops.fold(asked, |body, around| around.tokens(&body))
}
