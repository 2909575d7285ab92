//! The forward pass that carries derivatives along a direction.

use proc_macro2::TokenStream;
use quote::quote;

use super::forward::{Uses, value};
use super::{Writer, tuple};
use crate::model::ir::{Callee, FieldKind, Join, OpKind, Var};
use crate::report::located;

impl Writer<'_> {
    pub(super) fn forward_dual(&self) -> TokenStream {
        let (inputs, types) = (self.input_names(), self.input_types());
        let values: Vec<_> = (0..inputs.len()).map(|i| value(Var(i))).collect();
        let outputs = self.network.outputs.iter();
        let results: Vec<_> = outputs.map(|output| output.var).collect();
        let run = self.body({
            let operations = self.dual_operations(0, &results);
            let config = self.own_config();
            let given = self.network.inputs.iter().zip(&values);
            let dims = given.map(|(_, value)| quote!(#value.dims()));
            quote! {
                #config.__takes(#(#dims),*);
                #operations
            }
        });
        let given = inputs
            .iter()
            .map(|input| quote!(::kiln::tangent::Lift::lift(#input)));
        let given: Vec<_> = given.collect();
        let taken: Vec<_> = values.iter().map(|value| quote!(#value)).collect();
        let (given, taken) = (tuple(&given), tuple(&taken));
        let dual = |ty: &TokenStream| quote!(<#ty as ::kiln::tangent::Lift>::Dual);
        let input = tuple(&types.iter().map(dual).collect::<Vec<_>>());
        let output = tuple(&self.output_types().iter().map(dual).collect::<Vec<_>>());
        let forward = self.body(quote! {
            self.__dual(
                ::core::option::Option::Some(direction),
                #given,
                &mut ::kiln::tangent::Pass::new(),
            )
        });
        quote! {
            /// Runs the network on a batch, as in inference, and carries with each value its
            /// derivative along a direction in parameter space, whose parameters `direction`
            /// holds.
            ///
            /// # Panics
            ///
            /// When a tensor is of another shape, or `direction` was made with other
            /// hyper-parameters.
            pub fn forward_dual(&self, direction: &Self, #(#inputs: #types),*) -> #output {
                #forward
            }

            fn __dual(
                &self,
                direction: ::core::option::Option<&Self>,
                #taken: #input,
                pass: &mut ::kiln::tangent::Pass,
            ) -> #output {
                #run
            }
        }
    }

    /// The same for the body of a `repeat`.
    pub(super) fn body_dual(&self, block: usize, rank: usize, result: Var) -> TokenStream {
        let input = value(Var(0));
        let operations = self.dual_operations(block, &[result]);
        quote! {
            fn __dual(
                &self,
                direction: ::core::option::Option<&Self>,
                #input: ::kiln::tangent::Dual<#rank>,
                pass: &mut ::kiln::tangent::Pass,
            ) -> ::kiln::tangent::Dual<#rank> {
                #operations
            }
        }
    }

    fn dual_operations(&self, block: usize, results: &[Var]) -> TokenStream {
        let block = &self.network.blocks[block];
        let inputs = block.ops.iter().flat_map(|op| op.kind.inputs());
        let mut uses = Uses(inputs.chain(results).copied().rev().collect());
        let mut code = TokenStream::new();
        for op in &block.ops {
            let (out, rank) = (value(op.out), op.rank);
            let taken: Vec<_> = op.kind.inputs().iter().map(|var| uses.take(*var)).collect();
            let mut ty = quote!(::kiln::tangent::Dual<#rank>);
            let run = |layer: TokenStream, along: TokenStream| {
                let input = tuple(&taken);
                quote!(::kiln::tangent::Tangent::forward_dual(&#layer, #along, #input, pass))
            };
            let result = match &op.kind {
                OpKind::Layer { callee, row, .. } => match callee {
                    Callee::Field(field) => {
                        let field = &block.fields[*field].ident;
                        let along = quote!(direction.map(|direction| &direction.#field));
                        run(quote!(self.#field), along)
                    }
                    Callee::Inline(layer) => {
                        run(layer.clone(), quote!(::core::option::Option::None))
                    }
                    Callee::Own { field, own, .. } => {
                        let field = &block.fields[*field].ident;
                        let (path, input) = (row.path.join("."), &taken[0]);
                        let run = quote! {
                            ::kiln::tangent::run_own(
                                &self.#field,
                                direction.map(|direction| &direction.#field),
                                #path,
                                #input,
                                pass,
                            )
                        };
                        ty = located(ty, self.network.own[*own].span);
                        located(run, self.network.own[*own].span)
                    }
                },
                OpKind::Repeat { field, .. } => {
                    let field = &block.fields[*field];
                    let (ident, path, input) = (&field.ident, field.path.join("."), &taken[0]);
                    let written = match &field.kind {
                        FieldKind::Repeat(repeat) => repeat.written,
                        FieldKind::Layer { .. } => 0,
                    };
                    quote! {
                        ::kiln::tangent::run_repeated(
                            &self.#ident,
                            direction.map(|direction| &*direction.#ident),
                            #path,
                            #written,
                            #input,
                            pass,
                            |body, direction, value, pass| body.__dual(direction, value, pass),
                        )
                    }
                }
                OpKind::Join { join, .. } => {
                    let [a, b] = [&taken[0], &taken[1]];
                    match join {
                        Join::Add => quote!(#a.add(#b)),
                        Join::Mul => quote!(#a.mul(#b)),
                    }
                }
                OpKind::Concat { dim, .. } => {
                    quote!(::kiln::tangent::Dual::cat(::std::vec![#(#taken),*], #dim))
                }
            };
            code.extend(quote!(let #out: #ty = #result;));
        }
        let results: Vec<_> = results.iter().map(|result| uses.take(*result)).collect();
        let results = tuple(&results);
        quote!(#code #results)
    }
}
