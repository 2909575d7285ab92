//! The statements that describe the network: one row for each layer, one node for each value.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::{Writer, known, sizes};
use crate::model::ir::{Callee, FieldKind, Join, Op, OpKind, Var, Written};
use crate::report::call_at;
use crate::syntax::local;

impl Writer<'_> {
    /// The body of `__rows`: what goes in are the nodes of the inputs, what comes out those of the
    /// outputs.
    pub(super) fn rows(&self) -> TokenStream {
        let anys = self.anys().into_iter().map(
            |(variable, input, dim, _)| quote!(let #variable = summary.size(inputs[#input], #dim);),
        );
        let inputs = (0..self.network.inputs.len()).map(|i| {
            let node = node(0, Var(i));
            quote!(let #node = inputs[#i];)
        });
        let rows = self.block_rows(0);
        let outputs = self
            .network
            .outputs
            .iter()
            .map(|output| node(0, output.var));
        quote! {
            #(#anys)*
            #(#inputs)*
            #rows
            ::std::vec![#(#outputs),*]
        }
    }

    fn block_rows(&self, index: usize) -> TokenStream {
        let block = &self.network.blocks[index];
        let rows = block.ops.iter().enumerate().map(|(place, op)| {
            let written = block.written.iter();
            let begin = written.clone().filter(|written| written.ops.start == place);
            let begin = begin.map(|Written { path, number, .. }| {
                let path = path.join(".");
                quote!(summary.written(#path, #number);)
            });
            let end = written.filter(|written| written.ops.end == place + 1);
            let end = end.map(|_| quote!(summary.written_end();));
            let row = self.row(index, op);
            quote!(#(#begin)* #row #(#end)*)
        });
        rows.collect()
    }

    fn row(&self, index: usize, op: &Op) -> TokenStream {
        let block = &self.network.blocks[index];
        let out = node(index, op.out);
        let inputs = op.kind.inputs().iter().map(|input| node(index, *input));
        match &op.kind {
            OpKind::Layer {
                callee: Callee::Own {
                    own, shared: false, ..
                },
                inputs,
                row,
            } => {
                let own = &self.network.own[*own];
                let (path, config, input) = (&own.path, &own.config, node(index, inputs[0]));
                let (layer, place) = (&row.layer, row.path.join("."));
                let output = sizes(&row.shape);
                let describe = [quote!(<), quote!(as ::kiln::layer::Layer>::describe)];
                let given = quote!(#config, #layer, #place, &#output, #input, summary);
                let described = call_at(own.span, describe, path, given);
                quote!(let #out = #described;)
            }
            OpKind::Layer { row, .. } => {
                let (layer, path, shape) = (&row.layer, row.path.join("."), sizes(&row.shape));
                let (params, multiply_adds) = (row.params.tokens(), known(&row.multiply_adds));
                quote! {
                    let #out = summary.layer(
                        #layer, #path, &#shape, #params, #multiply_adds, &[#(#inputs),*],
                    );
                }
            }
            OpKind::Join { join, .. } => {
                let sign = match join {
                    Join::Add => "+",
                    Join::Mul => "*",
                };
                quote!(let #out = summary.join(#sign, &[#(#inputs),*]);)
            }
            OpKind::Concat { dim, shape, .. } => {
                let (dim, shape) = (dim - 1, sizes(shape));
                quote!(let #out = summary.concat(#dim, &#shape, &[#(#inputs),*]);)
            }
            OpKind::Repeat { field, input } => {
                let field = &block.fields[*field];
                let path = field.path.join(".");
                let FieldKind::Repeat(repeat) = &field.kind else {
                    return quote!();
                };
                let body = &self.network.blocks[repeat.block];
                let rows = self.block_rows(repeat.block);
                let start = node(repeat.block, Var(0));
                let input = node(index, *input);
                let end = node(repeat.block, body.body.map_or(Var(0), |(_, end)| end));
                let (from, to) = (repeat.from.tokens(), repeat.to.tokens());
                let number = repeat.index.as_ref().map(|index| local(&index.to_string()));
                let number = number.unwrap_or_else(|| Ident::new("number", Span::mixed_site()));
                let written = repeat.written;
                quote! {
                    let mut #out = #input;
                    for #number in #from..#to {
                        let index = (#number - #from) as ::core::primitive::usize + #written;
                        summary.enter(#path, index);
                        let #start = #out;
                        #rows
                        #out = #end;
                        summary.exit();
                    }
                }
            }
        }
    }
}

/// The variable that holds the node of a block's value.
fn node(block: usize, var: Var) -> Ident {
    Ident::new(&format!("n{block}_{}", var.0), Span::mixed_site())
}
