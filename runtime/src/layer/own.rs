//! Layers that a user adds to the language.

use burn::module::Module;
use burn::tensor::Device;

use crate::model::{Node, Observe, Size, Summary};
use crate::tangent::{Lift, Pass, difference};

/// A layer of your own: a Burn module that `model!` takes by its path.
///
/// `-> crate::Scale(0.5, learn: true)` in a declaration makes the settings as
/// `<Scale as Layer>::Config::new(0.5).with_learn(true)`, which is what Burn's `#[derive(Config)]`
/// writes, and builds the layer for the shape that comes in. What goes out is of the same shape,
/// or of the one that stands behind it: `-> crate::Patches(16) as [196, 768]`. Whether that is
/// what [`output`](Self::output) says is asked by `init`.
///
/// Every network declared with one input and one output is such a layer, so
/// `-> Block(32)` nests it.
///
/// ```
/// use kiln::layer::Layer;
/// use kiln::model::Size;
/// use kiln::prelude::*;
///
/// /// Multiplies by a fixed number.
/// #[derive(Module, Debug)]
/// pub struct Scale {
///     factor: f64,
/// }
///
/// #[derive(Config, Debug)]
/// pub struct ScaleConfig {
///     factor: f64,
/// }
///
/// impl Layer for Scale {
///     type Config = ScaleConfig;
///     type Input = Tensor<2>;
///     type Output = Tensor<2>;
///
///     fn build(config: &ScaleConfig, _input: &[Size], _device: &Device) -> Self {
///         Scale { factor: config.factor }
///     }
///
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
///         input * self.factor
///     }
/// }
///
/// model! {
///     pub struct Net;
///     input x: [4];
///     let y = x -> linear(3) -> Scale(0.5);
///     output y;
///     loss mse;
/// }
/// # use kiln::burn;
/// let device = default_device()?;
/// let y = NetConfig::new().init(&device)?.forward(Tensor::ones([1, 4], &device));
/// assert_eq!(y.dims(), [1, 3]);
/// # Ok::<(), kiln::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer that `model!` can use",
    note = "a layer of your own is a Burn `Module` that implements `kiln::layer::Layer`"
)]
pub trait Layer: Module {
    /// The settings, with `new` for those that must be given and `with_..` for the others.
    type Config;
    /// What goes in: a batch.
    type Input: Lift;
    /// What comes out: a batch.
    type Output: Lift;

    /// The shape that comes out for one example of the shape `input`; the same if nothing is said.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings or the shape: what was expected, what was found.
    fn output(config: &Self::Config, input: &[Size]) -> Result<Vec<Size>, String> {
        let _ = config;
        Ok(input.to_vec())
    }

    /// Makes the layer. [`output`](Self::output) found nothing wrong.
    fn build(config: &Self::Config, input: &[Size], device: &Device) -> Self;

    /// Runs the layer on a batch.
    fn forward(&self, input: Self::Input) -> Self::Output;

    /// Runs the layer on values with their derivatives along a direction, whose parameters
    /// `direction` holds; see [`tangent`](crate::tangent). It runs as in inference.
    ///
    /// What stands here is a central difference of this layer alone, and results that rest on it say
    /// so. An exact rule is mostly `forward` once more, over [`Dual`](crate::tangent::Dual)s:
    ///
    /// ```
    /// # use kiln::layer::Layer;
    /// # use kiln::model::Size;
    /// # use kiln::prelude::*;
    /// # use kiln::burn;
    /// # use kiln::burn::module::Param;
    /// use kiln::tangent::{Dual, Pass};
    ///
    /// /// Multiplies each feature by a factor of its own.
    /// #[derive(Module, Debug)]
    /// pub struct Gain {
    ///     factor: Param<Tensor<2>>,
    /// }
    /// # #[derive(Config, Debug)]
    /// # pub struct GainConfig {}
    ///
    /// impl Layer for Gain {
    /// #   type Config = GainConfig;
    /// #   type Input = Tensor<2>;
    /// #   type Output = Tensor<2>;
    /// #   fn build(_config: &GainConfig, _input: &[Size], device: &Device) -> Self {
    /// #       Gain { factor: Param::from_tensor(Tensor::ones([1, 4], device)) }
    /// #   }
    ///     // ..
    ///     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
    ///         input * self.factor.val()
    ///     }
    ///
    ///     fn forward_dual(
    ///         &self,
    ///         direction: Option<&Self>,
    ///         input: Dual<2>,
    ///         _pass: &mut Pass,
    ///     ) -> Dual<2> {
    ///         input * Dual::parameter(&self.factor, direction.map(|direction| &direction.factor))
    ///     }
    /// }
    /// ```
    fn forward_dual(
        &self,
        direction: Option<&Self>,
        input: <Self::Input as Lift>::Dual,
        pass: &mut Pass,
    ) -> <Self::Output as Lift>::Dual {
        difference(self, direction, input, pass)
    }

    /// The number of its parameters, for summaries.
    fn params(config: &Self::Config, input: &[Size]) -> usize {
        let _ = (config, input);
        0
    }

    /// The multiplications, each with its addition, for one example, for summaries.
    fn multiply_adds(config: &Self::Config, input: &[Size]) -> usize {
        let _ = (config, input);
        0
    }

    #[doc(hidden)]
    fn run<O: Observe>(&self, input: Self::Input, observer: &mut O) -> Self::Output {
        let _ = observer;
        self.forward(input)
    }

    #[doc(hidden)]
    fn describe(
        config: &Self::Config,
        layer: &str,
        path: &str,
        output: &[Size],
        input: Node,
        summary: &mut Summary,
    ) -> Node {
        let shape = summary.shape(input).to_vec();
        let params = Self::params(config, &shape) as i128;
        let multiply_adds = Some(Self::multiply_adds(config, &shape) as i128);
        summary.layer(layer, path, output, params, multiply_adds, &[input])
    }
}
