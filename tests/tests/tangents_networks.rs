//! Tangents of whole networks: whatever the language has beside layers, and layers of a user's own.

use kiln::burn; // What Burn's derives name.
use kiln::burn::module::Param;
use kiln::burn::nn::{BatchNorm, BatchNormConfig};
use kiln::burn::tensor::FloatDType;
use kiln::layer::{self, Layer};
use kiln::model::Size;
use kiln::prelude::*;
use kiln::tangent::{Dual, Lift, Pass};
use kiln_tests::drawn::{Drawn, Numbers};
use kiln_tests::tangents::{Flat, Tried, device_in};
use kiln_tests::{is_slow, tensors};

/// A network and a batch in double precision.
fn tried<M>(name: &str, config: &M::Config) -> Tried<M>
where
    M: Model<Input: Drawn, Output: Lift<Dual: Flat>>,
{
    Tried::new(name, config, Numbers::Any, &device_in(FloatDType::F64))
}

/// Declares one network per case, and tests it.
macro_rules! networks {
    ($($case:ident { $($body:tt)* })*) => { $(
        mod $case {
            #[allow(unused_imports)]
            use super::*;

            kiln::model! {
                pub struct Net;
                $($body)*
            }

            #[test]
            fn is_the_derivative() {
                tried::<Net>(stringify!($case), &NetConfig::new()).check();
            }
        }
    )* };
}

networks! {
    a_layer_that_is_used_twice {
        input x: [4];
        let h = x -> dense: linear(4) -> tanh -> dense -> tanh;
        let y = h -> linear(3);
        output y;
        loss mse;
    }
    a_repetition {
        input x: [4];
        let y = x -> repeat 3 { residual { linear(4) -> tanh } } -> linear(3);
        output y;
        loss cross_entropy;
    }
    a_repetition_that_is_written_out {
        input x: [4];
        let y = x -> repeat i in 0..3 { linear(4 + i) -> tanh } -> linear(3);
        output y;
        loss cross_entropy;
    }
    several_inputs_and_outputs {
        input x: [4];
        input z: [2];
        let h = x -> linear(3) -> tanh;
        let k = z -> linear(3);
        let a = h * k;
        let sum = k + h;
        let b = concat(h, sum, x, dim: 0) -> linear(2);
        output a, b;
        loss mse(a) + cross_entropy(b);
    }
    one_of_two_inputs_moves {
        input x: [3];
        input z: [3];
        let h = x -> linear(3) -> tanh;
        let y = concat(z, h * z, z + h, dim: 0);
        output y;
        loss mse;
    }
    a_shortcut {
        input image: [2, 4, 4];
        let y = image -> residual(shortcut: conv2d(3, kernel: 1)) {
            conv2d(3, kernel: 3, padding: same) -> batch_norm -> relu
        } -> relu -> global_avg_pool -> tanh -> linear(3);
        output y;
        loss cross_entropy;
    }
    a_network_as_a_layer {
        input x: [4];
        let y = x -> inner: Inner(4) as [3] -> relu -> Inner(3, width: 2) as [2];
        output y;
        loss cross_entropy;
    }
    a_layer_with_a_rule {
        input x: [4];
        let y = x -> linear(3) -> tanh -> Gain -> linear(2);
        output y;
        loss mse;
    }
    a_layer_without_a_rule {
        input x: [4];
        let y = x -> linear(3) -> tanh -> Curved -> linear(2) -> tanh;
        output y;
        loss mse;
    }
}

kiln::model! {
    pub struct Inner { features: usize, width: usize = 3 }
    input x: [features];
    let y = x -> linear(width) -> tanh;
    output y;
    loss mse;
}

/// The same network as [`a_shortcut`]'s main path, as a struct.
#[derive(Model, Debug)]
#[model(input = [2, 4, 4], loss = cross_entropy)]
struct Derived {
    #[layer(conv2d(3, kernel: 3))]
    conv: layer::Conv2d,
    #[layer(batch_norm)]
    norm: layer::BatchNorm,
    #[layer(relu)]
    relu: layer::Relu,
    #[layer(flatten)]
    flat: layer::Flatten,
    #[layer(linear(3))]
    head: layer::Linear,
}

#[test]
fn a_derived_network_has_its_derivative() {
    tried::<Derived>("derived", &DerivedConfig::new()).check();
}

kiln::model! {
    struct Normed;
    input image: [2, 4, 4];
    let y = image -> conv2d(3, kernel: 2) -> batch_norm -> tanh -> flatten -> linear(4)
        -> batch_norm(epsilon: 0.1) -> tanh -> linear(3);
    output y;
    loss cross_entropy;
}

#[test]
fn the_statistics_of_a_batch_change_with_it() {
    let mut tried = tried::<Normed>("batch statistics", &NormedConfig::new());
    tried.pass = Pass::with_batch_statistics();
    let before = tensors(&tried.model);
    tried.check();
    assert_eq!(
        tensors(&tried.model),
        before,
        "running statistics were moved"
    );
    // What training gives.
    let expected = Model::forward(&tried.model, tried.input.clone()).into_data();
    let found = tried
        .model
        .tangent(None, tried.input.clone(), &mut tried.pass);
    let tolerance = if is_slow() { 1e-4 } else { 1e-12 };
    let [found, expected] =
        [found.value.into_data(), expected].map(|data| data.iter::<f64>().collect::<Vec<_>>());
    tried.close("the values", &found, &expected, tolerance);
}

/// Multiplies each feature by a factor of its own, and has a rule.
#[derive(Module, Debug)]
struct Gain {
    factor: Param<Tensor<2>>,
}

#[derive(Config, Debug)]
struct GainConfig {}

impl Layer for Gain {
    type Config = GainConfig;
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn build(_config: &GainConfig, input: &[Size], device: &Device) -> Self {
        let width = input[0].fixed().expect("a number");
        Gain {
            factor: Param::from_tensor(Tensor::ones([1, width], device)),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input * self.factor.val()
    }

    fn forward_dual(&self, along: Option<&Self>, input: Dual<2>, _: &mut Pass) -> Dual<2> {
        input * Dual::parameter(&self.factor, along.map(|along| &along.factor))
    }
}

/// `sin(x w)`, without a rule.
#[derive(Module, Debug)]
struct Curved {
    weight: Param<Tensor<2>>,
}

#[derive(Config, Debug)]
struct CurvedConfig {}

impl Layer for Curved {
    type Config = CurvedConfig;
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn build(_config: &CurvedConfig, input: &[Size], device: &Device) -> Self {
        let width = input[0].fixed().expect("a number");
        Curved {
            weight: Param::from_tensor(Tensor::ones([1, width], device)),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        (input * self.weight.val()).sin()
    }
}

/// Without parameters and without a rule.
#[derive(Module, Debug)]
struct Wave {}

#[derive(Config, Debug)]
struct WaveConfig {}

impl Layer for Wave {
    type Config = WaveConfig;
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn build(_config: &WaveConfig, _input: &[Size], _device: &Device) -> Self {
        Wave {}
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.sin()
    }
}

/// Burn's batch norm within, and no rule.
#[derive(Module, Debug)]
struct Normal {
    norm: BatchNorm,
}

#[derive(Config, Debug)]
struct NormalConfig {}

impl Layer for Normal {
    type Config = NormalConfig;
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn build(_config: &NormalConfig, input: &[Size], device: &Device) -> Self {
        let width = input[0].fixed().expect("a number");
        Normal {
            norm: BatchNormConfig::new(width).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.norm.forward(input)
    }
}

kiln::model! {
    struct Owned;
    input x: [4];
    let y = x -> first: Wave -> linear(3) -> repeat 2 { own: Wave -> linear(3) }
        -> head: Normal -> Gain -> inner: Holder -> linear(2) -> tanh;
    output y;
    loss mse;
}

kiln::model! {
    struct Holder;
    input x: [3];
    let y = x -> deep: Curved;
    output y;
    loss mse;
}

#[test]
fn a_layer_without_a_rule_is_differenced_named_and_left_as_it_was() {
    let tried = tried::<Owned>("owned", &OwnedConfig::new());
    let before = tensors(&tried.model);
    tried.check();
    assert_eq!(tensors(&tried.model), before);
    let mut pass = Pass::new();
    let along = Some(&tried.direction);
    tried.model.tangent(along, tried.input.clone(), &mut pass);
    // The first layer's input does not change, so it needs no derivative.
    let found: Vec<_> = pass.differences().collect();
    assert_eq!(found, ["head", "inner.deep", "y.2.0.own", "y.2.1.own"]);
}

#[test]
fn without_a_direction_nothing_changes() {
    let tried = tried::<Owned>("owned", &OwnedConfig::new());
    let mut pass = Pass::new();
    let output = tried.model.tangent(None, tried.input.clone(), &mut pass);
    let [_, tangents] = output.flat();
    assert!(tangents.iter().all(|tangent| *tangent == 0.0));
    assert_eq!(pass.differences().count(), 0);
}

#[test]
fn a_device_that_does_not_differentiate_gives_the_same_tangent() {
    let tried = tried::<Pooled>("pooled", &PooledConfig::new());
    let tangent = |model: &Pooled, along: &Pooled, input: Tensor<4>| {
        let [_, tangent] = model.forward_dual(along, input).flat();
        tangent
    };
    let expected = tangent(&tried.model, &tried.direction, tried.input.clone());
    let (model, along) = (tried.model.valid(), tried.direction.valid());
    let found = tangent(&model, &along, tried.input.clone().inner());
    tried.close("the tangent", &found, &expected, 1e-5);
}

kiln::model! {
    struct Pooled;
    input image: [1, 4, 4];
    let y = image -> conv2d(3, kernel: 3, padding: same) -> batch_norm -> relu -> max_pool2d(2)
        -> flatten -> linear(3) -> softmax;
    output y;
    loss mse;
}
