//! The traits: Kiln's `Layer` and `Model`, and Burn's steps.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Writer, sizes, tuple};
use crate::model::dim::{Dim, Shape};
use crate::model::ir::Loss;

impl Writer<'_> {
    pub(super) fn traits(&self) -> TokenStream {
        let name = &self.network.head.name;
        let own_config = self.own_config();
        let layer = self.layer();
        let model = self.network.loss.as_ref().map(|loss| self.model(loss));
        // Behind a mistake nothing is said of a loss that could not be read.
        let model = model.or_else(|| self.outline.then(|| self.model(&Loss::Mse)));
        quote! {
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::kiln::__private::display(#own_config.summary(), f)
                }
            }

            #layer
            #model
        }
    }

    /// A network with one input and one output is a layer of others.
    fn layer(&self) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let ([_], [output]) = (
            self.network.inputs.as_slice(),
            self.network.outputs.as_slice(),
        ) else {
            return quote!();
        };
        let anys = self.anys().into_iter().map(
            |(variable, _, dim)| quote!(let #variable = ::kiln::__private::known(input, #dim);),
        );
        let (shape, given) = (
            sizes(&output.shape),
            self.body(quote!(config.__make(device))),
        );
        let text = name.to_string();
        let [from, to] = [self.input_types(), self.output_types()].map(|types| tuple(&types));
        let output = self.body(quote! {
            ::kiln::__private::given(#text, config.__check(), &config.__inputs(), input)?;
            config.__output(input)
        });
        let shape = self.body(quote! {
            #(#anys)*
            ::core::result::Result::Ok(#shape.to_vec())
        });
        let describe = self.body(quote! {
            summary.model(path);
            let nodes = config.__rows(summary, &[input]);
            summary.exit();
            nodes[0]
        });
        let run = self.body(quote!(self.__run(input, observer)));
        quote! {
            #[allow(unused_variables)]
            impl #config {
                fn __output(
                    &self,
                    input: &[::kiln::model::Size],
                ) -> ::core::result::Result<
                    ::std::vec::Vec<::kiln::model::Size>,
                    ::std::string::String,
                > {
                    #shape
                }
            }

            #[allow(unused_variables)]
            impl ::kiln::layer::Layer for #name {
                type Config = #config;
                type Input = #from;
                type Output = #to;

                fn output(
                    config: &#config,
                    input: &[::kiln::model::Size],
                ) -> ::core::result::Result<
                    ::std::vec::Vec<::kiln::model::Size>,
                    ::std::string::String,
                > {
                    #output
                }

                fn build(
                    config: &#config,
                    input: &[::kiln::model::Size],
                    device: &::kiln::Device,
                ) -> Self {
                    #given
                }

                fn forward(&self, input: Self::Input) -> Self::Output {
                    ::kiln::layer::Layer::run(self, input, &mut ())
                }

                fn run<O: ::kiln::model::Observe>(
                    &self,
                    input: Self::Input,
                    observer: &mut O,
                ) -> Self::Output {
                    #run
                }

                fn describe(
                    config: &#config,
                    layer: &::kiln::__private::Str,
                    path: &::kiln::__private::Str,
                    output: &[::kiln::model::Size],
                    input: ::kiln::model::Node,
                    summary: &mut ::kiln::model::Summary,
                ) -> ::kiln::model::Node {
                    #describe
                }
            }
        }
    }

    fn targets(&self) -> TokenStream {
        let unknown = Shape::UNKNOWN;
        let shape = self
            .network
            .outputs
            .first()
            .map_or(&unknown, |output| &output.shape);
        match &self.network.loss {
            Some(Loss::CrossEntropy { .. }) => {
                let classes = shape.0.as_ref().and_then(|dims| dims.first());
                let classes = classes.map(Dim::usize_tokens);
                quote!(::std::vec![::kiln::data::Target::Classes(#classes, ::std::vec![])])
            }
            _ => {
                let shape = sizes(shape);
                quote!(::std::vec![::kiln::data::Target::Values(#shape.to_vec())])
            }
        }
    }

    fn model(&self, loss: &Loss) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let [input, output] = [self.input_types(), self.output_types()].map(|types| tuple(&types));
        let (target, step, make, loss, correct) = match loss {
            Loss::CrossEntropy { label_smoothing } => {
                let smoothing = match label_smoothing {
                    Some(expr) => expr.float_tokens(&self.network.head, &self.own_config()),
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
            Loss::Mse => (
                output.clone(),
                quote!(::kiln::__private::RegressionOutput),
                quote!(::kiln::__private::regression(loss, output, target)),
                quote!(::kiln::loss::mse(output, target)),
                quote!(::core::option::Option::None),
            ),
        };
        let own_config = self.own_config();
        let observed = self.body(quote!(self.__run(input, observer)));
        let (loss, correct) = (self.body(loss), self.body(correct));
        let unknown = self.unknown_lengths();
        let targets = self.targets();
        let targets = self.body(quote!(#unknown #targets));
        let inputs = self.body(quote!(self.__inputs()));
        let train = self.body(quote! {
            ::kiln::__private::train_step(self, batch, |loss, output, target| #make)
        });
        let infer = self.body(quote! {
            ::kiln::__private::infer_step(self, batch, |loss, output, target| #make)
        });
        quote! {
            impl ::kiln::model::ModelConfig for #config {
                type Model = #name;

                fn init(
                    &self,
                    device: &::kiln::Device,
                ) -> ::core::result::Result<#name, ::kiln::model::InitError> {
                    #config::init(self, device)
                }

                fn summary_at(
                    &self,
                    lengths: &[(&::kiln::__private::Str, ::core::primitive::usize)],
                ) -> ::core::result::Result<::kiln::model::Summary, ::kiln::model::InitError> {
                    #config::summary_at(self, lengths)
                }

                fn inputs(&self) -> ::std::vec::Vec<::std::vec::Vec<::kiln::model::Size>> {
                    #inputs
                }

                fn targets(
                    &self,
                ) -> ::std::vec::Vec<::kiln::data::Target<::kiln::model::Size>> {
                    #targets
                }
            }

            #[allow(unused_variables)]
            impl ::kiln::Model for #name {
                type Config = #config;
                type Input = #input;
                type Output = #output;
                type Target = #target;

                fn config(&self) -> &#config { #own_config }

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
