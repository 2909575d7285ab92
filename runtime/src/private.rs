//! What expansions are made of. Nothing here is for users, and all of it may change.

pub use burn;
pub use burn::train::{
    ClassificationOutput, InferenceStep, RegressionOutput, TrainOutput, TrainStep,
};
pub use serde;

use std::fmt;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Int, Tensor};

use crate::layer::Layer;
pub use crate::model::repeated::Rest;
use crate::model::{Batch, InitError, Model, Observe, Size, Summary, shown};

/// `floor(a / b)`; zero where there is no such number, which no check lets pass.
pub fn floor_div(a: i128, b: i128) -> i128 {
    a.checked_div_euclid(b).unwrap_or(0)
}

/// Whether `a` is a multiple of `b`.
pub fn is_multiple(a: i128, b: i128) -> bool {
    a.checked_rem(b) == Some(0)
}

/// Whether `value` is above 0 and finite in single precision, which is what a device computes in.
pub fn is_positive(value: f64) -> bool {
    value as f32 > 0.0 && (value as f32).is_finite()
}

/// Whether `value` is at least `low` and finite in single precision.
pub fn is_finite(value: f64, low: f64) -> bool {
    value >= low && (value as f32).is_finite()
}

/// What is wrong with a configuration.
pub struct Problems {
    model: &'static str,
    found: Vec<String>,
}

impl Problems {
    pub fn new(model: &'static str) -> Self {
        Problems {
            model,
            found: Vec::new(),
        }
    }

    pub fn are_none(&self) -> bool {
        self.found.is_empty()
    }

    /// Notes what does not hold, and says whether it does.
    pub fn require(&mut self, holds: bool, layer: &str, message: impl FnOnce() -> String) -> bool {
        if !holds {
            let place = if layer.is_empty() {
                String::new()
            } else {
                format!("{layer}: ")
            };
            self.found.push(format!("{place}{}", message()));
        }
        holds
    }

    /// Asks a layer of the user's own what it gives.
    pub fn own<L: Layer>(
        &mut self,
        config: &L::Config,
        input: &[Size],
        output: &[Size],
        layer: &str,
    ) {
        // An open dimension that stays as it is has the name that it came with; another name says
        // no more than that it changed.
        let stays = |size: Size| input.contains(&size);
        let same = |(a, b): (&Size, &Size)| match (a, b) {
            (Size::Any(_), Size::Any(_)) => a == b || !stays(*a) && !stays(*b),
            _ => a == b,
        };
        let fits =
            |given: &[Size]| given.len() == output.len() && given.iter().zip(output).all(same);
        match L::output(config, input) {
            Err(reason) => self.require(false, layer, || reason),
            Ok(given) => self.require(fits(&given), layer, || {
                format!(
                    "{} goes in and {} comes out, but {} is expected behind it; say what comes \
                     out: `.. as {}`",
                    shown(input),
                    shown(&given),
                    shown(output),
                    shown(&given),
                )
            }),
        };
    }

    pub fn finish(self) -> Result<(), InitError> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(InitError {
            model: self.model.to_owned(),
            problems: self.found,
        })
    }

    /// Requires of a dimension that is known to be what an open one makes it.
    pub fn same(&mut self, found: Option<i128>, value: i128, input: &str, dim: usize, said: &str) {
        if let Some(found) = found {
            self.require(found == value, input, || {
                format!("dimension {dim} is `{said}`, which is {value}, found {found}")
            });
        }
    }
}

/// Panics if something is wrong with the tensors that arrived, as Burn does.
#[track_caller]
pub fn refuse(result: Result<(), InitError>) {
    if let Err(InitError { model, problems }) = result {
        panic!("`{model}`: {}", problems.join("; "));
    }
}

/// The shape of one example, from a tensor's `[batch, ..]`.
pub fn example(dims: &[usize]) -> Vec<Size> {
    dims.iter().skip(1).copied().map(Size::Fixed).collect()
}

/// Refuses sizes of open dimensions that are not there, or that no tensor has.
pub fn named(
    model: &'static str,
    lengths: &[(&str, usize)],
    names: &[&str],
) -> Result<(), InitError> {
    let mut problems = Problems::new(model);
    for (name, size) in lengths {
        problems.require(names.contains(name), "", || {
            let names = names.iter().map(|name| format!("`{name}`"));
            match names.collect::<Vec<_>>().join(", ") {
                names if names.is_empty() => format!("no dimension is open, found `{name}`"),
                names => format!("no open dimension is called `{name}`; there is {names}"),
            }
        });
        problems.require(*size > 0, "", || format!("`{name}` is at least 1, found 0"));
    }
    problems.finish()
}

/// Panics if a tensor of shape `[batch, ..]` is not of the declared shape, as Burn does.
#[track_caller]
pub fn takes(model: &str, input: &str, found: &[usize], shape: &[Size]) {
    let fits = match found {
        [_, found @ ..] => {
            found.len() == shape.len() && shape.iter().zip(found).all(|(a, b)| a.takes(*b))
        }
        [] => false,
    };
    let sizes = || {
        shape
            .iter()
            .map(|size| format!(", {size}"))
            .collect::<String>()
    };
    assert!(
        fits,
        "`{model}` takes `{input}` of shape [batch{}], found {found:?}",
        sizes()
    );
}

/// A dimension that a tensor decides, if it is known.
pub fn size(text: &'static str, value: Option<i128>) -> Size {
    value.map_or(Size::Any(text), |value| {
        Size::Fixed(usize::try_from(value).unwrap_or(0))
    })
}

/// The dimension `dim` of a shape, if it is known.
pub fn known(shape: &[Size], dim: usize) -> Option<i128> {
    Some(shape.get(dim)?.fixed()? as i128)
}

/// What is wrong with a network as a layer of another.
pub fn given(
    model: &str,
    checked: Result<(), InitError>,
    inputs: &[Vec<Size>],
    input: &[Size],
) -> Result<(), String> {
    checked.map_err(|error| error.problems.join("; "))?;
    let takes = |(a, b): (&Size, &Size)| match b.fixed() {
        Some(b) => a.takes(b),
        None => a.fixed().is_none(),
    };
    match inputs {
        [shape] if shape.len() == input.len() && shape.iter().zip(input).all(takes) => Ok(()),
        [shape] => Err(format!(
            "`{model}` takes {}, found {}",
            shown(shape),
            shown(input)
        )),
        _ => Err(format!("`{model}` takes {} inputs", inputs.len())),
    }
}

/// Draws every parameter now. Burn draws each when it is first used; then what runs in between
/// would decide which random numbers it gets.
pub fn initialized<M: Module>(model: M) -> M {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    model.visit(&mut Draw);
    model
}

/// A block for each index.
pub fn repeated<B>(indices: std::ops::Range<i128>, block: impl FnMut(i128) -> B) -> Vec<B> {
    indices.map(block).collect()
}

/// Runs `value` through the blocks, the first of which is number `written`.
pub fn run_repeated<B, O: Observe, const D: usize>(
    blocks: &[B],
    path: &str,
    written: usize,
    mut value: Tensor<D>,
    observer: &mut O,
    run: impl Fn(&B, Tensor<D>, &mut O) -> Tensor<D>,
) -> Tensor<D> {
    for (index, block) in blocks.iter().enumerate() {
        observer.enter(path, index + written);
        value = run(block, value, observer);
        observer.exit();
    }
    value
}

/// Runs a layer of the user's own.
pub fn run_own<L: Layer, O: Observe>(
    layer: &L,
    path: &str,
    input: L::Input,
    observer: &mut O,
) -> L::Output {
    observer.model(path);
    let output = layer.run(input, observer);
    observer.exit();
    output
}

/// A network shows itself as its summary, which a network that exists has.
pub fn display(summary: Result<Summary, InitError>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    summary.map_or(Ok(()), |summary| fmt::Display::fmt(&summary, f))
}

/// A step of Burn's learner: forward, loss, backward.
pub fn train_step<M: Model, T>(
    model: &M,
    batch: Batch<M>,
    item: impl FnOnce(Tensor<1>, M::Output, M::Target) -> T,
) -> TrainOutput<T> {
    let output = model.forward(batch.input);
    let loss = model.loss(output.clone(), batch.target.clone());
    let gradients = loss.backward();
    TrainOutput::new(model, gradients, item(loss, output, batch.target))
}

/// A validation step of Burn's learner.
pub fn infer_step<M: Model, T>(
    model: &M,
    batch: Batch<M>,
    item: impl FnOnce(Tensor<1>, M::Output, M::Target) -> T,
) -> T {
    let output = model.forward(batch.input);
    let loss = model.loss(output.clone(), batch.target.clone());
    item(loss, output, batch.target)
}

/// Burn's classification output, which is one row of scores per class that is compared.
pub fn classification<const O: usize, const T: usize>(
    loss: Tensor<1>,
    output: Tensor<O>,
    target: Tensor<T, Int>,
) -> ClassificationOutput {
    let (output, target) = crate::loss::flat(output, target);
    ClassificationOutput::new(loss, output, target)
}

/// Burn's regression output, which is one row per example.
pub fn regression<const D: usize>(
    loss: Tensor<1>,
    output: Tensor<D>,
    target: Tensor<D>,
) -> RegressionOutput {
    RegressionOutput::new(loss, output.flatten(1, -1), target.flatten(1, -1))
}

/// Burn's `Module` for a struct of layers whose parameter paths are not its field names.
///
/// Each field comes with its path, forwards to enter and backwards to leave. The code is what
/// `#[derive(Module)]` writes, but for the paths.
#[doc(hidden)]
#[macro_export]
macro_rules! __impl_module {
    ($name:ident {
        $($field:ident: [$($enter:literal),*] [$($exit:literal),*],)*
    } keep { $($kept:ident)? }) => {
        const _: () = {
            // Their names are not imported: the user's own type may be called like one of them.
            use $crate::__private::burn::module as __module;

            const __CONTAINER: &$crate::__private::Str =
                ::core::concat!("Struct:", ::core::stringify!($name));

            impl __module::Module for $name {
                fn collect_devices(&self, devices: __module::Devices) -> __module::Devices {
                    $(let devices = __module::Module::collect_devices(&self.$field, devices);)*
                    devices
                }

                fn fork(self, device: &$crate::Device) -> Self {
                    Self {
                        $($field: __module::Module::fork(self.$field, device),)*
                        $($kept: self.$kept)?
                    }
                }

                fn to_device(self, device: &$crate::Device) -> Self {
                    Self {
                        $($field: __module::Module::to_device(self.$field, device),)*
                        $($kept: self.$kept)?
                    }
                }

                fn train(self) -> Self {
                    Self {
                        $($field: __module::Module::train(self.$field),)*
                        $($kept: self.$kept)?
                    }
                }

                fn valid(&self) -> Self {
                    Self {
                        $($field: __module::Module::valid(&self.$field),)*
                        $($kept: ::core::clone::Clone::clone(&self.$kept))?
                    }
                }

                fn materialize(self) -> Self {
                    Self {
                        $($field: __module::Module::materialize(self.$field),)*
                        $($kept: self.$kept)?
                    }
                }

                fn visit<V: __module::ModuleVisitor>(&self, visitor: &mut V) {
                    $(
                        $(__module::ModuleVisitor::enter_module(visitor, $enter, __CONTAINER);)*
                        __module::Module::visit(&self.$field, visitor);
                        $(__module::ModuleVisitor::exit_module(visitor, $exit, __CONTAINER);)*
                    )*
                }

                fn map<M: __module::ModuleMapper>(self, mapper: &mut M) -> Self {
                    // In the order in which they are written; no name of the user's is bound.
                    Self {
                        $($field: {
                            $(__module::ModuleMapper::enter_module(mapper, $enter, __CONTAINER);)*
                            let mapped = __module::Module::map(self.$field, mapper);
                            $(__module::ModuleMapper::exit_module(mapper, $exit, __CONTAINER);)*
                            mapped
                        },)*
                        $($kept: self.$kept)?
                    }
                }
            }

            impl __module::ModuleDisplayDefault for $name {
                fn content(
                    &self,
                    content: __module::Content,
                ) -> ::core::option::Option<__module::Content> {
                    content
                        .set_top_level_type(::core::stringify!($name))
                        $(.add(::core::stringify!($field), &self.$field))*
                        .optional()
                }
            }

            impl __module::ModuleDisplay for $name {}
        };
    };
}

/// Burn's `Module` for a struct whose declaration is wrong, so that its uses are no mistakes.
#[doc(hidden)]
#[macro_export]
macro_rules! __outline_module {
    ($name:ident) => {
        const _: () = {
            use $crate::__private::burn::module as __module;

            impl ::core::clone::Clone for $name {
                fn clone(&self) -> Self {
                    ::core::unreachable!()
                }
            }

            impl __module::Module for $name {
                fn collect_devices(&self, devices: __module::Devices) -> __module::Devices {
                    devices
                }

                fn fork(self, device: &$crate::Device) -> Self {
                    self
                }

                fn to_device(self, device: &$crate::Device) -> Self {
                    self
                }

                fn train(self) -> Self {
                    self
                }

                fn valid(&self) -> Self {
                    ::core::unreachable!()
                }

                fn materialize(self) -> Self {
                    self
                }

                fn visit<V: __module::ModuleVisitor>(&self, visitor: &mut V) {}

                fn map<M: __module::ModuleMapper>(self, mapper: &mut M) -> Self {
                    self
                }
            }

            impl __module::ModuleDisplayDefault for $name {
                fn content(
                    &self,
                    content: __module::Content,
                ) -> ::core::option::Option<__module::Content> {
                    ::core::option::Option::None
                }
            }

            impl __module::ModuleDisplay for $name {}
        };
    };
}

/// `str`, whatever the user's crate calls by that name.
pub type Str = str;
