//! The forward pass.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::{Writer, batched, sizes, tuple};
use crate::model::ir::{Block, Callee, FieldKind, Join, Op, OpKind, Row, Var};
use crate::report::located;

impl Writer<'_> {
    pub(super) fn forward(&self) -> TokenStream {
        let name = &self.network.head.name;
        let (inputs, types) = (self.input_names(), self.input_types());
        let docs = self.docs();
        // Whatever the inputs are called, they are not mixed up with the other names of the
        // expansion.
        let values: Vec<_> = (0..inputs.len()).map(|i| value(Var(i))).collect();
        let results: Vec<_> = self
            .network
            .outputs
            .iter()
            .map(|output| output.var)
            .collect();
        let run = self.body({
            let operations = self.operations(0, &results);
            let config = self.own_config();
            quote! {
                #config.__takes(#(#values.dims()),*);
                #operations
            }
        });
        let given: Vec<_> = inputs.iter().map(|input| quote!(#input)).collect();
        let taken: Vec<_> = values.iter().map(|value| quote!(#value)).collect();
        let (given, taken) = (tuple(&given), tuple(&taken));
        let input = tuple(&types);
        let output = tuple(&self.output_types());
        let forward = self.body(quote!(self.__run(#given, &mut ())));
        let forward_dual = self.forward_dual();
        let bodies = self.bodies();
        quote! {
            #[allow(clippy::let_and_return, clippy::type_complexity)]
            impl #name {
                #(#[doc = #docs])*
                pub fn forward(&self, #(#inputs: #types),*) -> #output {
                    #forward
                }

                #forward_dual

                fn __run<O: ::kiln::model::Observe>(
                    &self,
                    #taken: #input,
                    observer: &mut O,
                ) -> #output {
                    #run
                }
            }

            #bodies
        }
    }

    fn docs(&self) -> Vec<String> {
        let inputs = self.network.inputs.iter();
        let inputs = inputs.map(|input| format!("`{}` is {}", input.name, batched(&input.shape)));
        let outputs = self.network.outputs.iter();
        let outputs: Vec<_> = outputs
            .map(|output| match self.network.outputs.len() {
                1 => batched(&output.shape),
                _ => format!("`{}`, {}", output.name, batched(&output.shape)),
            })
            .collect();
        let inputs: Vec<_> = inputs.collect();
        vec![
            "Runs the network on a batch.".to_owned(),
            String::new(),
            format!(
                "{}; the result is {}.",
                inputs.join(", "),
                outputs.join(" and ")
            ),
            String::new(),
            "# Panics".to_owned(),
            String::new(),
            "When a tensor is of another shape.".to_owned(),
        ]
    }

    /// The body of `__takes`: whether the tensors that arrive, of these dimensions, are of the
    /// declared shapes.
    pub(super) fn takes(&self) -> TokenStream {
        let name = self.network.head.name.to_string();
        let inputs = self.network.inputs.iter().enumerate();
        let shapes = inputs.map(|(i, input)| {
            let (dims, text, shape) = (value(Var(i)), input.name.to_string(), sizes(&input.shape));
            quote!(::kiln::__private::takes(#name, #text, &#dims, &#shape);)
        });
        let unknown = self.unknown_lengths();
        let open = !self.anys().is_empty();
        let late = open.then(|| {
            let examples = (0..self.network.inputs.len()).map(|i| {
                let dims = value(Var(i));
                quote!(&::kiln::__private::example(&#dims))
            });
            quote!(::kiln::__private::refuse(self.__late(&[#(#examples),*]));)
        });
        quote!(#unknown #(#shapes)* #late)
    }

    /// The body of `__late`: what only the sizes of the open dimensions decide, once all of them
    /// are known.
    pub(super) fn late(&self) -> TokenStream {
        let name = self.network.head.name.to_string();
        let anys = self.anys();
        let lengths = anys.iter().map(|(variable, input, dim, _)| {
            quote! {
                let ::core::option::Option::Some(#variable) =
                    ::kiln::__private::known(shapes[#input], #dim)
                else {
                    return ::core::result::Result::Ok(());
                };
            }
        });
        let mut required = TokenStream::new();
        for (i, input) in self.network.inputs.iter().enumerate() {
            for (j, dim) in input.shape.0.iter().flatten().enumerate() {
                if dim.anys().is_empty() || anys.iter().any(|(_, a, b, _)| (*a, *b) == (i, j)) {
                    continue;
                }
                let (said, value) = (dim.to_string(), dim.tokens());
                let place = format!("input {}", input.name);
                required.extend(quote! {
                    problems.same(::kiln::__private::known(shapes[#i], #j), #value, #place, #j, #said);
                });
            }
        }
        let head = &self.network.head;
        required.extend(self.network.late.iter().map(|check| check.tokens(head)));
        if required.is_empty() {
            return quote!(::core::result::Result::Ok(()));
        }
        quote! {
            #(#lengths)*
            let mut problems = ::kiln::__private::Problems::new(#name);
            #required
            problems.finish()
        }
    }

    /// The forward passes of the bodies of `repeat`s.
    fn bodies(&self) -> TokenStream {
        if self.outline {
            return quote!();
        }
        let bodies = self.network.blocks.iter().enumerate().skip(1);
        let bodies = bodies.filter_map(|(index, block)| {
            let (rank, result) = block.body?;
            let (name, input) = (&block.name, value(Var(0)));
            let operations = self.operations(index, &[result]);
            let dual = self.body_dual(index, rank, result);
            Some(quote! {
                impl #name {
                    #dual

                    #[inline]
                    fn __run<O: ::kiln::model::Observe>(
                        &self,
                        #input: ::kiln::Tensor<#rank>,
                        observer: &mut O,
                    ) -> ::kiln::Tensor<#rank> {
                        #operations
                    }
                }
            })
        });
        bodies.collect()
    }

    /// The operations of a block; a value is moved where it is used for the last time, and cloned
    /// before.
    fn operations(&self, block: usize, results: &[Var]) -> TokenStream {
        let block = &self.network.blocks[block];
        let inputs = block.ops.iter().flat_map(|op| op.kind.inputs());
        let mut uses = Uses(inputs.chain(results).copied().rev().collect());
        let mut code = TokenStream::new();
        let mut ops = block.ops.iter().peekable();
        while let Some(op) = ops.next() {
            let (out, rank) = (value(op.out), op.rank);
            // A ReLU that nothing else shares its input with joins what is before it.
            let relu = ops.peek().and_then(|next| relu_of(next, op));
            let relu = relu.filter(|_| uses.only_next(op));
            let taken: Vec<_> = op.kind.inputs().iter().map(|var| uses.take(*var)).collect();
            if let Some((row, after)) = relu {
                uses.0.pop();
                ops.next();
                code.extend(self.with_relu(block, op, &taken, row, after));
                continue;
            }
            let seen = match &op.kind {
                OpKind::Layer { row, .. } => see(row, &out),
                _ => quote!(),
            };
            let mut ty = quote!(::kiln::Tensor<#rank>);
            let result = match &op.kind {
                OpKind::Layer { callee, row, .. } => match callee {
                    Callee::Field(field) => {
                        let field = &block.fields[*field].ident;
                        quote!(self.#field.forward(#(#taken),*))
                    }
                    Callee::Inline(layer) => quote!(#layer.forward(#(#taken),*)),
                    Callee::Own { field, own, .. } => {
                        let field = &block.fields[*field].ident;
                        let path = row.path.join(".");
                        let input = &taken[0];
                        let run = quote! {
                            ::kiln::__private::run_own(&self.#field, #path, #input, observer)
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
                        ::kiln::__private::run_repeated(
                            &self.#ident, #path, #written, #input, observer,
                            |body, value, observer| body.__run(value, observer),
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
                    quote!(::kiln::Tensor::cat(::std::vec![#(#taken),*], #dim))
                }
            };
            code.extend(quote!(let #out: #ty = #result; #seen));
        }
        let results: Vec<_> = results.iter().map(|result| uses.take(*result)).collect();
        let results = tuple(&results);
        quote!(#code #results)
    }

    /// `op` and the ReLU behind it in one pass, unless somebody looks at what is between.
    fn with_relu(
        &self,
        block: &Block,
        op: &Op,
        taken: &[TokenStream],
        relu: &Row,
        after: Var,
    ) -> TokenStream {
        let (out, after, rank) = (value(op.out), value(after), op.rank);
        let relu_seen = see(relu, &after);
        match &op.kind {
            OpKind::Layer {
                callee: Callee::Field(field),
                row,
                ..
            } => {
                let (field, input, seen) = (&block.fields[*field].ident, &taken[0], see(row, &out));
                quote! {
                    let #after: ::kiln::Tensor<#rank> = if <O as ::kiln::model::Observe>::LOOKS {
                        let #out: ::kiln::Tensor<#rank> = self.#field.forward(#input);
                        #seen
                        ::kiln::layer::Relu::new().forward(#out)
                    } else {
                        self.#field.forward_relu(#input)
                    };
                    #relu_seen
                }
            }
            // What a residual block gives is used nowhere else, so the sum can take its place.
            _ => {
                let [a, b] = [&taken[0], &taken[1]];
                quote! {
                    let #after: ::kiln::Tensor<#rank> = ::kiln::kernel::add_relu(#b, #a);
                    #relu_seen
                }
            }
        }
    }
}

/// The uses of the values that are still to come, the next one last.
pub(super) struct Uses(pub(super) Vec<Var>);

impl Uses {
    /// The value for its next use. Called once for each use, in order.
    pub(super) fn take(&mut self, var: Var) -> TokenStream {
        self.0.pop();
        let name = value(var);
        if self.0.contains(&var) {
            quote!(::core::clone::Clone::clone(&#name))
        } else {
            quote!(#name)
        }
    }

    /// Whether the result of `op` is used once, right behind it.
    fn only_next(&self, op: &Op) -> bool {
        let behind = self.0.len() - op.kind.inputs().len();
        self.0[..behind]
            .iter()
            .filter(|var| **var == op.out)
            .count()
            == 1
    }
}

/// The variable that holds a value.
pub(super) fn value(var: Var) -> Ident {
    Ident::new(&format!("v{}", var.0), Span::mixed_site())
}

/// Shows a layer's result to the observer.
fn see(row: &Row, value: &Ident) -> TokenStream {
    let path = row.path.join(".");
    quote!(::kiln::model::Observe::see(observer, #path, &#value);)
}

/// The layers that can take the ReLU behind them into their own pass: they have `forward_relu`.
const WITH_RELU: &[&str] = &["conv1d", "conv2d", "batch_norm"];

/// The row and the result of `next`, if it is a ReLU of what `op` gives, and `op` can take it in.
fn relu_of<'a>(next: &'a Op, op: &Op) -> Option<(&'a Row, Var)> {
    let joins = match &op.kind {
        OpKind::Layer {
            callee: Callee::Field(_),
            row,
            ..
        } => WITH_RELU.contains(&row.layer.as_str()),
        OpKind::Join { join, same, .. } => *same && *join == Join::Add,
        _ => false,
    };
    match &next.kind {
        OpKind::Layer {
            callee: Callee::Field(_) | Callee::Inline(_),
            inputs,
            row,
        } if joins && row.layer == "relu" && inputs.as_slice() == [op.out] => Some((row, next.out)),
        _ => None,
    }
}
