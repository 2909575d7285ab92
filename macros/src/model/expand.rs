//! Expand: the IR to Burn code. Straight-line: nothing is decided here.
//!
//! Every path is absolute, so the code compiles in any scope; the parts that are the same for
//! every model live in `kiln::__private`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::dim::{Dim, Shape};
use super::ir::{Block, Callee, Field, FieldKind, Loss, Network, Op, OpKind, Row, Var};
use crate::syntax::Config;

/// The whole expansion.
pub fn network(network: &Network) -> TokenStream {
    Writer {
        network,
        outline: false,
    }
    .write()
}

/// The types and signatures alone, for a declaration with errors in it.
pub fn outline(network: &Network) -> TokenStream {
    Writer {
        network,
        outline: true,
    }
    .write()
}

struct Writer<'a> {
    network: &'a Network,
    outline: bool,
}

impl Writer<'_> {
    fn write(&self) -> TokenStream {
        let config_name = self.config_name();
        let name = &self.network.head.name;
        let line = format!("The hyper-parameters of [`{name}`].");
        let attr = syn::parse_quote!(#[doc = #line]);
        let config = Config {
            head: &self.network.head,
            name: &config_name,
            attrs: &[attr],
        }
        .expand();
        let structs = self.structs();
        let init = self.init();
        let forward = self.forward();
        let traits = self.traits();
        quote!(#config #structs #init #forward #traits)
    }

    fn config_name(&self) -> Ident {
        format_ident!("{}Config", self.network.head.name)
    }

    /// `tokens`, or nothing of it for an outline.
    fn body(&self, tokens: TokenStream) -> TokenStream {
        if self.outline {
            quote!(::core::unreachable!())
        } else {
            tokens
        }
    }

    fn fields<'b>(&self, block: &'b Block) -> &'b [Field] {
        if self.outline { &[] } else { &block.fields }
    }

    fn structs(&self) -> TokenStream {
        let blocks = if self.outline {
            &self.network.blocks[..1]
        } else {
            &self.network.blocks
        };
        let config = self.config_name();
        let structs = blocks.iter().enumerate().map(|(i, block)| {
            let (vis, name) = (&self.network.head.vis, &block.name);
            let mut fields = TokenStream::new();
            let mut paths = TokenStream::new();
            for field in self.fields(block) {
                let ident = &field.ident;
                let ty = match &field.kind {
                    FieldKind::Layer { ty, .. } => ty.clone(),
                    FieldKind::Repeat { block, .. } => {
                        let body = &self.network.blocks[*block].name;
                        quote!(::std::vec::Vec<#body>)
                    }
                };
                let path = field.path.join(".");
                let line = if path.is_empty() {
                    "The repeated layer.".into()
                } else {
                    format!("`{path}`")
                };
                fields.extend(quote!(#[doc = #line] pub #ident: #ty,));
                let enter = field.path.iter();
                let exit = field.path.iter().rev();
                paths.extend(quote!(#ident: [#(#enter),*] [#(#exit),*],));
            }
            let (attrs, config, kept) = if i == 0 {
                let attrs = &self.network.head.attrs;
                let documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
                let line = "A network declared with `model!`.";
                let doc = (!documented).then(|| quote!(#[doc = #line]));
                (
                    quote!(#(#attrs)* #doc),
                    Some(quote!(config: #config,)),
                    quote!(config),
                )
            } else {
                let line = format!("One repetition in [`{}`].", self.network.head.name);
                (quote!(#[doc = #line]), None, quote!())
            };
            quote! {
                #attrs
                #[derive(::core::clone::Clone, ::core::fmt::Debug)]
                #vis struct #name { #fields #config }

                ::kiln::__impl_module!(#name { #paths } keep { #kept });
            }
        });
        structs.collect()
    }

    fn init(&self) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let text = name.to_string();
        let checks = self
            .network
            .checks
            .iter()
            .map(|check| check.tokens(&self.network.head));
        let model = self.construct(0);
        let check = self.body(quote! {
            #[allow(unused_mut)]
            let mut problems = ::kiln::__private::Problems::new(#text);
            #(#checks)*
            problems.finish()
        });
        let init = self.body(quote! {
            self.__check()?;
            ::core::result::Result::Ok(::kiln::__private::initialized(#model))
        });
        let rows = self.rows(0);
        let inputs = self.network.inputs.iter().map(|input| {
            let name = input.name.to_string();
            let shape = sizes(&input.shape);
            quote!(summary.input(#name, #shape);)
        });
        let summary = self.body(quote! {
            self.__check()?;
            let mut summary = ::kiln::model::Summary::new(#text);
            #(#inputs)*
            #rows
            ::core::result::Result::Ok(summary)
        });
        let shapes = self.network.inputs.iter().map(|input| sizes(&input.shape));
        let inputs = self.body(quote!(::std::vec![#(#shapes),*]));
        let target = self.body(self.target());
        quote! {
            #[allow(unused_variables, clippy::unnecessary_wraps)]
            impl #config {
                fn __check(
                    &self,
                ) -> ::core::result::Result<(), ::kiln::model::InitError> {
                    #check
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

                /// The layers with their paths, output shapes and parameters, worked out without
                /// running them.
                ///
                /// # Errors
                ///
                /// As for `init`.
                pub fn summary(
                    &self,
                ) -> ::core::result::Result<::kiln::model::Summary, ::kiln::model::InitError> {
                    #summary
                }
            }

            #[allow(unused_variables)]
            impl ::kiln::model::ModelConfig for #config {
                type Model = #name;

                fn init(
                    &self,
                    device: &::kiln::Device,
                ) -> ::core::result::Result<#name, ::kiln::model::InitError> {
                    #config::init(self, device)
                }

                fn summary(
                    &self,
                ) -> ::core::result::Result<::kiln::model::Summary, ::kiln::model::InitError> {
                    #config::summary(self)
                }

                fn inputs(&self) -> ::std::vec::Vec<::std::vec::Vec<::core::primitive::usize>> {
                    #inputs
                }

                fn target(&self) -> ::kiln::data::Target { #target }
            }
        }
    }

    fn target(&self) -> TokenStream {
        let unknown = Shape::UNKNOWN;
        let shape = self
            .network
            .output
            .as_ref()
            .map_or(&unknown, |(_, shape)| shape);
        match &self.network.loss {
            Some(Loss::CrossEntropy { .. }) => {
                let classes = shape.0.as_ref().and_then(|dims| dims.first());
                let classes = classes.map(Dim::usize_tokens);
                quote!(::kiln::data::Target::Classes(#classes))
            }
            _ => {
                let shape = sizes(shape);
                quote!(::kiln::data::Target::Values(#shape))
            }
        }
    }

    /// The expression that makes a block's struct.
    fn construct(&self, block: usize) -> TokenStream {
        let Block { name, fields, .. } = &self.network.blocks[block];
        let fields = fields.iter().map(|field| {
            let ident = &field.ident;
            let value = match &field.kind {
                FieldKind::Layer { init, .. } => init.clone(),
                FieldKind::Repeat { block, count } => {
                    let (count, body) = (count.usize_tokens(), self.construct(*block));
                    quote!(::kiln::__private::repeated(#count, || #body))
                }
            };
            quote!(#ident: #value)
        });
        let config = (block == 0).then(|| quote!(config: ::core::clone::Clone::clone(self)));
        quote!(#name { #(#fields,)* #config })
    }

    /// The statements that write a block's lines into `summary`.
    fn rows(&self, block: usize) -> TokenStream {
        let block = &self.network.blocks[block];
        let rows = block.ops.iter().map(|op| match &op.kind {
            OpKind::Layer { row, .. } => {
                let (layer, path, shape) = (&row.layer, row.path.join("."), sizes(&row.shape));
                let params = row.params.tokens();
                quote!(summary.layer(#layer, #path, #shape, #params);)
            }
            OpKind::Add(..) => quote!(),
            OpKind::Repeat { field, .. } => {
                let field = &block.fields[*field];
                let path = field.path.join(".");
                let FieldKind::Repeat { block, count } = &field.kind else {
                    return quote!();
                };
                let (count, rows) = (count.usize_tokens(), self.rows(*block));
                quote! {
                    for index in 0..#count {
                        summary.enter(#path, index);
                        #rows
                        summary.exit();
                    }
                }
            }
        });
        rows.collect()
    }

    fn forward(&self) -> TokenStream {
        let name = &self.network.head.name;
        let (input, rank) = self.input();
        let output = self.output_rank();
        let input_shape = self
            .network
            .inputs
            .first()
            .map_or(Shape::UNKNOWN, |i| i.shape.clone());
        let shape = self
            .network
            .output
            .as_ref()
            .map_or(Shape::UNKNOWN, |(_, shape)| shape.clone());
        let docs = [
            "Runs the network on a batch.".to_owned(),
            String::new(),
            format!(
                "`{input}` is {}; the result is {}.",
                batched(&input_shape),
                batched(&shape)
            ),
        ];
        // Whatever the input is called, it is not mixed up with the other names of the expansion.
        let value = Ident::new("input", Span::mixed_site());
        let run = self.body({
            let result = self.network.output.as_ref().map_or(Var(0), |(var, _)| *var);
            self.operations(0, &value, result)
        });
        let forward = self.body(quote!(self.__run(#input, &mut ())));
        let bodies = self.network.blocks.iter().enumerate().skip(1);
        let bodies = bodies.filter_map(|(index, block)| {
            let (rank, result) = block.body?;
            let (name, input) = (&block.name, Ident::new("input", Span::mixed_site()));
            let operations = self.operations(index, &input, result);
            Some(quote! {
                impl #name {
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
        let bodies: TokenStream = if self.outline {
            quote!()
        } else {
            bodies.collect()
        };
        quote! {
            #[allow(unused_variables, clippy::let_and_return)]
            impl #name {
                #(#[doc = #docs])*
                pub fn forward(&self, #input: ::kiln::Tensor<#rank>) -> ::kiln::Tensor<#output> {
                    #forward
                }

                fn __run<O: ::kiln::model::Observe>(
                    &self,
                    #value: ::kiln::Tensor<#rank>,
                    observer: &mut O,
                ) -> ::kiln::Tensor<#output> {
                    #run
                }
            }

            #bodies
        }
    }

    /// The input's name and rank.
    fn input(&self) -> (Ident, usize) {
        match self.network.inputs.first() {
            Some(input) => (input.name.clone(), input.shape.rank().unwrap_or(2)),
            None => (Ident::new("input", Span::call_site()), 2),
        }
    }

    fn output_rank(&self) -> usize {
        let shape = self.network.output.as_ref().map(|(_, shape)| shape);
        match (&self.network.loss, shape.and_then(Shape::rank)) {
            (Some(Loss::CrossEntropy { .. }), _) | (_, None) => 2,
            (_, Some(rank)) => rank,
        }
    }

    /// The operations of a block; a value is moved where it is used for the last time, and cloned
    /// before.
    fn operations(&self, block: usize, input: &Ident, result: Var) -> TokenStream {
        let block = &self.network.blocks[block];
        let operands = |kind: &OpKind| match kind {
            OpKind::Layer { input, .. } | OpKind::Repeat { input, .. } => vec![*input],
            OpKind::Add(a, b) => vec![*a, *b],
        };
        let mut uses: Vec<Var> = block.ops.iter().flat_map(|op| operands(&op.kind)).collect();
        uses.push(result);
        uses.reverse();
        let local = |var: Var| match var {
            Var(0) => input.clone(),
            Var(n) => Ident::new(&format!("v{n}"), Span::mixed_site()),
        };
        // Called once for each use, in order.
        let take = |uses: &mut Vec<Var>, var: Var| {
            uses.pop();
            let name = local(var);
            if uses.contains(&var) {
                quote!(::core::clone::Clone::clone(&#name))
            } else {
                quote!(#name)
            }
        };
        let see = |row: &Row, value: &Ident| {
            let path = row.path.join(".");
            quote!(::kiln::model::Observe::see(observer, #path, &#value);)
        };
        let mut code = TokenStream::new();
        let mut ops = block.ops.iter().peekable();
        while let Some(op) = ops.next() {
            let (out, rank) = (local(op.out), op.rank);
            let (value, seen) = match &op.kind {
                OpKind::Layer { callee, input, row } => {
                    let input = take(&mut uses, *input);
                    let call = match callee {
                        Callee::Field(field) => {
                            let field = &block.fields[*field].ident;
                            // A ReLU that nothing else shares its input with joins the layer
                            // before it, unless somebody looks at that layer.
                            if let Some((relu, next)) =
                                ops.peek().and_then(|next| relu_of(next, op))
                                && !uses[..uses.len() - 1].contains(&op.out)
                            {
                                uses.pop();
                                ops.next();
                                let seen = see(row, &out);
                                let (after, next_seen) = (local(next), see(relu, &local(next)));
                                code.extend(quote! {
                                    let #after: ::kiln::Tensor<#rank> = if <O as ::kiln::model::Observe>::LOOKS {
                                        let #out: ::kiln::Tensor<#rank> = self.#field.forward(#input);
                                        #seen
                                        ::kiln::layer::Relu::new().forward(#out)
                                    } else {
                                        self.#field.forward_relu(#input)
                                    };
                                    #next_seen
                                });
                                continue;
                            }
                            quote!(self.#field.forward(#input))
                        }
                        Callee::Inline(layer) => quote!(#layer.forward(#input)),
                    };
                    (call, Some(see(row, &out)))
                }
                OpKind::Repeat { field, input } => {
                    let input = take(&mut uses, *input);
                    let field = &block.fields[*field];
                    let (ident, path) = (&field.ident, field.path.join("."));
                    let call = quote! {
                        ::kiln::__private::run_repeated(
                            &self.#ident, #path, #input, observer,
                            |body, value, observer| body.__run(value, observer),
                        )
                    };
                    (call, None)
                }
                OpKind::Add(a, b) => {
                    let (a, b) = (take(&mut uses, *a), take(&mut uses, *b));
                    if let Some((relu, next)) = ops.peek().and_then(|next| relu_of(next, op))
                        && !uses[..uses.len() - 1].contains(&op.out)
                    {
                        uses.pop();
                        ops.next();
                        let after = local(next);
                        let seen = see(relu, &after);
                        // What a residual block adds to its input is used nowhere else, so the sum
                        // can take its place.
                        code.extend(quote! {
                            let #after: ::kiln::Tensor<#rank> = ::kiln::kernel::add_relu(#b, #a);
                            #seen
                        });
                        continue;
                    }
                    (quote!(#a.add(#b)), None)
                }
            };
            code.extend(quote!(let #out: ::kiln::Tensor<#rank> = #value; #seen));
        }
        let result = take(&mut uses, result);
        quote!(#code #result)
    }

    fn traits(&self) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let (_, input) = self.input();
        let output = self.output_rank();
        let (target, step, make, loss, correct) = match &self.network.loss {
            Some(Loss::CrossEntropy { label_smoothing }) => {
                let smoothing = match label_smoothing {
                    Some(expr) => expr.float_tokens(&self.network.head, &quote!(self.config)),
                    None => quote!(0.0),
                };
                (
                    quote!(::kiln::Tensor<1, ::kiln::Int>),
                    quote!(::kiln::__private::ClassificationOutput),
                    quote!(::kiln::__private::ClassificationOutput::new(
                        loss, output, target
                    )),
                    quote!(::kiln::loss::cross_entropy(output, target, #smoothing)),
                    quote!(::core::option::Option::Some(::kiln::loss::correct(
                        output, target
                    ))),
                )
            }
            _ => (
                quote!(::kiln::Tensor<#output>),
                quote!(::kiln::__private::RegressionOutput),
                quote!(::kiln::__private::regression(loss, output, target)),
                quote!(::kiln::loss::mse(output, target)),
                quote!(::core::option::Option::None),
            ),
        };
        let observed = self.body(quote!(self.__run(input, observer)));
        let (loss, correct) = (self.body(loss), self.body(correct));
        let train = self.body(quote! {
            ::kiln::__private::train_step(self, batch, |loss, output, target| #make)
        });
        let infer = self.body(quote! {
            ::kiln::__private::infer_step(self, batch, |loss, output, target| #make)
        });
        quote! {
            #[allow(unused_variables)]
            impl ::kiln::Model for #name {
                type Config = #config;
                type Input = ::kiln::Tensor<#input>;
                type Output = ::kiln::Tensor<#output>;
                type Target = #target;

                fn config(&self) -> &#config { &self.config }

                fn observe<O: ::kiln::model::Observe>(
                    &self,
                    input: Self::Input,
                    observer: &mut O,
                ) -> Self::Output {
                    #observed
                }

                fn loss(&self, output: Self::Output, target: Self::Target) -> ::kiln::Tensor<1> {
                    #loss
                }

                fn correct(
                    &self,
                    output: Self::Output,
                    target: Self::Target,
                ) -> ::core::option::Option<::kiln::Tensor<1, ::kiln::Int>> {
                    #correct
                }
            }

            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::kiln::__private::display(self, f)
                }
            }

            #[allow(unused_variables)]
            impl ::kiln::__private::TrainStep for #name {
                type Input = ::kiln::Batch<#name>;
                type Output = #step;

                fn step(&self, batch: Self::Input) -> ::kiln::__private::TrainOutput<#step> {
                    #train
                }
            }

            #[allow(unused_variables)]
            impl ::kiln::__private::InferenceStep for #name {
                type Input = ::kiln::Batch<#name>;
                type Output = #step;

                fn step(&self, batch: Self::Input) -> #step {
                    #infer
                }
            }
        }
    }
}

/// The layers that can take the ReLU behind them into their own pass: they have `forward_relu`.
const WITH_RELU: &[&str] = &["conv2d", "batch_norm"];

/// The row and the result of `next`, if it is a ReLU of what `op` gives, and `op` can take it in.
fn relu_of<'a>(next: &'a Op, op: &Op) -> Option<(&'a Row, Var)> {
    let joins = match &op.kind {
        OpKind::Layer { row, .. } => WITH_RELU.contains(&row.layer.as_str()),
        OpKind::Add(..) => true,
        OpKind::Repeat { .. } => false,
    };
    match &next.kind {
        OpKind::Layer { input, row, .. } if joins && row.layer == "relu" && *input == op.out => {
            Some((row, next.out))
        }
        _ => None,
    }
}

/// `vec![16, 28, 28]`
fn sizes(shape: &Shape) -> TokenStream {
    let dims = shape.0.iter().flatten().map(Dim::usize_tokens);
    quote!(::std::vec![#(#dims),*])
}

/// The shape of a batch, for documentation.
fn batched(shape: &Shape) -> String {
    let dims = shape.0.iter().flatten().map(|dim| format!(", {dim}"));
    format!("`[batch{}]`", dims.collect::<String>())
}
