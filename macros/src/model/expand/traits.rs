//! The traits: Kiln's `Layer` and `Model`, and Burn's steps.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::{Writer, size, sizes, tuple};
use crate::model::dim::{Dim, Shape};
use crate::model::ir::{Loss, Setting, Target};
use crate::model::loss;
use crate::syntax::Expr;

impl Writer<'_> {
    pub(super) fn traits(&self) -> TokenStream {
        let name = &self.network.head.name;
        let own_config = self.own_config();
        let layer = self.layer();
        // Behind a mistake there may have been a loss that could not be read.
        let trained = !self.network.losses.is_empty() || self.outline;
        let few = self.network.inputs.len() <= loss::MOST;
        let model = (trained && few).then(|| self.model());
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
            |(variable, _, dim, _)| quote!(let #variable = ::kiln::__private::known(input, #dim);),
        );
        let given = self.body(quote!(config.__make(device)));
        // An open dimension that stays as it is keeps the name that it has around this network.
        let open = self.anys();
        let stays = |dim: &Dim| open.iter().find(|(.., name)| *dim == Dim::named(name));
        let shape = output.shape.0.iter().flatten().map(|dim| match stays(dim) {
            Some((_, _, at, _)) => quote!(input[#at]),
            None => size(dim),
        });
        let shape = quote!([#(#shape),*]);
        let text = name.to_string();
        let [from, to] = [self.input_types(), self.output_types()].map(|types| tuple(&types));
        let output = self.body(quote! {
            ::kiln::__private::given(#text, config.__check(), &config.__inputs(), input)?;
            ::kiln::__private::given(#text, config.__late(&[input]), &config.__inputs(), input)?;
            config.__output(input)
        });
        let shape = self.body(quote! {
            #(#anys)*
            ::core::result::Result::Ok(#shape.to_vec())
        });
        let describe = self.body(quote! {
            summary.model(layer, path);
            let nodes = config.__rows(summary, &[input]);
            summary.exit();
            nodes[0]
        });
        let run = self.body(quote!(self.__run(input, observer)));
        let dual = self.body(quote!(self.__dual(direction, input, pass)));
        quote! {
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

                fn forward_dual(
                    &self,
                    direction: ::core::option::Option<&Self>,
                    input: <#from as ::kiln::tangent::Lift>::Dual,
                    pass: &mut ::kiln::tangent::Pass,
                ) -> <#to as ::kiln::tangent::Lift>::Dual {
                    #dual
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

    /// The type of each target's tensor.
    fn target_types(&self) -> Vec<TokenStream> {
        let types = self.network.losses.iter().map(|loss| match &loss.target {
            Target::Classes { places, .. } => {
                let rank = places.rank().unwrap_or(1);
                quote!(::kiln::Tensor<#rank, ::kiln::Int>)
            }
            Target::Sequence { .. } => quote!(::kiln::Tensor<2, ::kiln::Int>),
            Target::Values(shape) => {
                let rank = shape.rank().unwrap_or(2);
                quote!(::kiln::Tensor<#rank>)
            }
        });
        let types: Vec<_> = types.collect();
        // Where no loss could be read, one of the first output will do.
        if types.is_empty() {
            self.output_types().drain(..1).collect()
        } else {
            types
        }
    }

    fn targets(&self) -> TokenStream {
        let targets = self.network.losses.iter().map(|loss| match &loss.target {
            Target::Classes { classes, places } => {
                let (classes, places) = (classes.usize_tokens(), sizes(places));
                quote!(::kiln::data::Target::Classes(#classes, #places.to_vec()))
            }
            Target::Sequence { classes, longest } => {
                let classes = classes.usize_tokens();
                let longest = sizes(&Shape::of(vec![longest.clone()]));
                quote!(::kiln::data::Target::Sequence { classes: #classes, longest: #longest[0] })
            }
            Target::Values(shape) => {
                let shape = sizes(shape);
                quote!(::kiln::data::Target::Values(#shape.to_vec()))
            }
        });
        quote!(::std::vec![#(#targets),*])
    }

    /// Takes outputs and targets apart, those that `losses` use.
    fn apart(&self, losses: &[usize]) -> TokenStream {
        let all = &self.network.losses;
        let outputs = losses.iter().flat_map(|loss| &all[*loss].outputs).copied();
        let outputs: Vec<_> = outputs.collect();
        let part = |name: &str, count: usize, used: &[usize]| {
            let parts = (0..count).map(|index| match used.contains(&index) {
                true => Some(numbered(name, index)),
                false => None,
            });
            let parts = parts.map(|part| part.map_or(quote!(_), |part| quote!(#part)));
            tuple(&parts.collect::<Vec<_>>())
        };
        let output = part("output", self.network.outputs.len(), &outputs);
        let target = part("target", all.len(), losses);
        quote!(let #output = output; let #target = target;)
    }

    /// The sum of `of` each of these losses, by its outputs and its target.
    fn sum(
        &self,
        losses: &[usize],
        of: impl Fn(&Loss, &[TokenStream], Ident) -> TokenStream,
    ) -> TokenStream {
        let all = &self.network.losses;
        let mut later: Vec<_> = losses
            .iter()
            .rev()
            .flat_map(|loss| all[*loss].outputs.iter().rev())
            .collect();
        let terms = losses.iter().map(|index| {
            let loss = &all[*index];
            let outputs = loss.outputs.iter().map(|output| {
                later.pop();
                let name = numbered("output", *output);
                match later.contains(&output) {
                    true => quote!(::core::clone::Clone::clone(&#name)),
                    false => quote!(#name),
                }
            });
            let outputs: Vec<_> = outputs.collect();
            of(loss, &outputs, numbered("target", *index))
        });
        let sum = terms.reduce(|sum, term| quote!(#sum.add(#term)));
        let apart = self.apart(losses);
        quote!(#apart #sum)
    }

    fn loss(&self, dual: bool) -> TokenStream {
        let all: Vec<_> = (0..self.network.losses.len()).collect();
        let real = |expr: &Expr| expr.float_tokens(&self.network.head, &self.own_config());
        self.sum(&all, |loss, outputs, target| {
            let function = match dual {
                true => format_ident!("{}_dual", loss.function),
                false => Ident::new(loss.function, Span::call_site()),
            };
            let settings = loss.settings.iter().map(|setting| match setting {
                Setting::Real(expr) => real(expr),
                Setting::Written(tokens) => tokens.clone(),
            });
            let weight = loss.weight.as_ref().map(|weight| {
                let weight = real(weight);
                quote!(.mul_scalar(#weight))
            });
            quote!(::kiln::loss::#function(#(#outputs,)* #target #(, #settings)*) #weight)
        })
    }

    fn correct(&self) -> TokenStream {
        let losses = self.network.losses.iter().enumerate();
        let classes = losses.filter(|(_, loss)| matches!(loss.target, Target::Classes { .. }));
        let classes: Vec<_> = classes.map(|(index, _)| index).collect();
        if classes.is_empty() {
            return quote!(::core::option::Option::None);
        }
        let sum = self.sum(
            &classes,
            |_, outputs, target| quote!(::kiln::loss::correct(#(#outputs,)* #target)),
        );
        quote!(::core::option::Option::Some({ #sum }))
    }

    /// What a step of Burn's learner gives, and how it is made of loss, output and target.
    fn step(&self) -> (TokenStream, TokenStream) {
        let made = match self.network.losses.as_slice() {
            [
                Loss {
                    outputs, target, ..
                },
            ] if outputs.len() == 1 => match target {
                Target::Classes { .. } => Some(("ClassificationOutput", "classification")),
                Target::Values(_) => Some(("RegressionOutput", "regression")),
                Target::Sequence { .. } => None,
            },
            _ => None,
        };
        let Some((ty, function)) = made else {
            let make = quote!(::kiln::model::LossOutput { loss });
            return (quote!(::kiln::model::LossOutput), make);
        };
        let [ty, function] = [ty, function].map(|name| Ident::new(name, Span::call_site()));
        let output = numbered("output", self.network.losses[0].outputs[0]);
        let (apart, target) = (self.apart(&[0]), numbered("target", 0));
        let make = quote!({ #apart ::kiln::__private::#function(loss, #output, #target) });
        (quote!(::kiln::__private::#ty), make)
    }

    fn model(&self) -> TokenStream {
        let (name, config) = (&self.network.head.name, self.config_name());
        let [input, output, target] =
            [self.input_types(), self.output_types(), self.target_types()]
                .map(|types| tuple(&types));
        let (step, make) = self.step();
        let own_config = self.own_config();
        let observed = self.body(quote!(self.__run(input, observer)));
        let (loss, correct) = (self.body(self.loss(false)), self.body(self.correct()));
        let loss_tangent = self.body(self.loss(true));
        let tangent = self.body(quote!(self.__dual(
            direction,
            ::kiln::tangent::Lift::lift(input),
            pass
        )));
        let unknown = self.unknown_lengths();
        let targets = self.targets();
        let targets = self.body(quote!(#unknown #targets));
        let inputs = self.body(quote!(self.__inputs()));
        let late = self.body(quote!(self.__late(shapes)));
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

                fn late(
                    &self,
                    shapes: &[&[::kiln::model::Size]],
                ) -> ::core::result::Result<(), ::kiln::model::InitError> {
                    #late
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

                fn tangent(
                    &self,
                    direction: ::core::option::Option<&Self>,
                    input: Self::Input,
                    pass: &mut ::kiln::tangent::Pass,
                ) -> <Self::Output as ::kiln::tangent::Lift>::Dual {
                    #tangent
                }

                fn loss_tangent(
                    &self,
                    output: <Self::Output as ::kiln::tangent::Lift>::Dual,
                    target: Self::Target,
                ) -> ::kiln::tangent::Dual<1> {
                    #loss_tangent
                }

                fn correct(
                    &self,
                    output: Self::Output,
                    target: Self::Target,
                ) -> ::core::option::Option<::kiln::Tensor<1, ::kiln::Int>> {
                    #correct
                }
            }

            impl ::kiln::__private::TrainStep for #name {
                type Input = ::kiln::Batch<#name>;
                type Output = #step;

                fn step(&self, batch: Self::Input) -> ::kiln::__private::TrainOutput<#step> {
                    #train
                }
            }

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

/// A variable of the expansion.
fn numbered(name: &str, index: usize) -> Ident {
    format_ident!("{name}{index}", span = Span::mixed_site())
}
