//! Graphs: several inputs and outputs, joins, shared weights, repetitions with an index, shortcuts,
//! nested networks, layers of a user's own, open dimensions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kiln::burn;
use kiln::burn::module::{ModuleVisitor, Param};
use kiln::layer::Layer;
use kiln::model::{InitError, Size};
use kiln::prelude::*;
use kiln_tests::{device, lock, numbers};

/// The paths and shapes of all parameters, in the order of the network.
fn paths<M: Module>(model: &M) -> Vec<(String, Vec<usize>)> {
    #[derive(Default)]
    struct Paths {
        path: Vec<String>,
        found: Vec<(String, Vec<usize>)>,
    }
    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.lazy_shape().to_vec();
            self.found.push((self.path.join("."), shape));
        }
    }
    let mut paths = Paths::default();
    model.visit(&mut paths);
    paths.found
}

fn names<M: Module>(model: &M) -> Vec<String> {
    paths(model).into_iter().map(|(path, _)| path).collect()
}

fn ramp<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values = Tensor::<1, Int>::arange(0..count as i64, &device()).float();
    (values * 0.37).sin().reshape(shape)
}

#[track_caller]
fn assert_same<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (numbers(&found.into_data()), numbers(&expected.into_data()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

model! {
    /// Two images, two results.
    pub struct Joined { channels: usize = 3 }
    input left: [2, 4, 4];
    input right: [channels, 4, 4];
    let a = left -> conv2d(channels, kernel: 1);
    let both = a + right * a -> relu;
    let wide = concat(both, right -> tanh, left, dim: 0);
    let scores = (wide -> flatten -> linear(5)) + (both -> global_avg_pool -> linear(5)) -> gelu
        -> linear(2);
    output scores, wide;
}

#[test]
fn several_values_are_joined_as_written() {
    let _lock = lock();
    let model = JoinedConfig::new().init(&device()).expect("valid");
    assert_eq!(
        names(&model),
        [
            "a.weight",
            "a.bias",
            "scores.0.1.weight",
            "scores.0.1.bias",
            "scores.1.1.weight",
            "scores.1.1.bias",
            "scores.3.weight",
            "scores.3.bias",
        ],
    );
    let (left, right) = (ramp([3, 2, 4, 4]), ramp([3, 3, 4, 4]));
    let (scores, wide) = model.forward(left.clone(), right.clone());
    let a = model.a.forward(left.clone());
    let both = burn::tensor::activation::relu(a.clone() + right.clone() * a);
    let expected = Tensor::cat(vec![both.clone(), right.tanh(), left], 1);
    assert_same(wide, expected.clone());
    let first = model.scores_0_1.forward(expected.flatten(1, -1));
    let mean: Tensor<2> = both.mean_dim(3).mean_dim(2).flatten(1, -1);
    let sum = first + model.scores_1_1.forward(mean);
    let sum = burn::tensor::activation::gelu(sum);
    assert_same(scores, model.scores_3.forward(sum));
}

mod spread {
    kiln::model! {
        /// Each channel is weighed by a number of its own, which a 1 is spread for.
        pub struct Weighed;
        input image: [3, 4, 4];
        input weights: [3, 1, 1];
        let y = image * weights;
        output y;
    }
}

#[test]
fn a_dimension_of_one_is_spread() {
    let model = spread::WeighedConfig::new().init(&device()).expect("valid");
    let (image, weights) = (ramp([2, 3, 4, 4]), ramp([2, 3, 1, 1]));
    assert_same(
        model.forward(image.clone(), weights.clone()),
        image * weights,
    );
    let summary = model.to_string();
    assert!(summary.contains("3×4×4"), "{summary}");
}

model! {
    /// One layer for both sides.
    pub struct Twins { width: usize = 4 }
    input left: [6];
    input right: [6];
    let a = left -> encode: linear(width) -> tanh;
    let b = right -> encode -> tanh;
    let distance = a * b -> linear(1);
    output distance;
    loss mse;
}

#[test]
fn a_label_shares_its_weights_and_their_gradients_add() {
    let _lock = lock();
    let device = device().autodiff();
    let model = TwinsConfig::new().init(&device).expect("valid");
    assert_eq!(
        names(&model),
        [
            "encode.weight",
            "encode.bias",
            "distance.weight",
            "distance.bias"
        ],
    );
    assert_eq!(model.summary().params(), 6 * 4 + 4 + 4 + 1);
    let (left, right) = (ramp([3, 6]), ramp([3, 6]) * 0.5);
    let (left, right) = (left.to_device(&device), right.to_device(&device));
    let run = |left, right, first: &kiln::layer::Linear, second: &kiln::layer::Linear| {
        let product = first.forward(left).tanh() * second.forward(right).tanh();
        model.distance.forward(product).sum()
    };
    let gradient = |loss: Tensor<1>, layer: &kiln::layer::Linear| {
        let gradients = loss.backward();
        layer.weight.val().grad(&gradients).expect("it took part")
    };
    let shared = model.forward(left.clone(), right.clone()).sum();
    let shared = gradient(shared, &model.encode);
    // The same network with two copies of the layer.
    let copy = TwinsConfig::new().init(&device).expect("valid").encode;
    let weight = model.encode.weight.val().into_data();
    let (mut first, mut second) = (copy.clone(), copy);
    let fresh = |layer: &mut kiln::layer::Linear| {
        layer.weight = Param::from_data(weight.clone(), &device);
        layer.bias = model
            .encode
            .bias
            .clone()
            .map(|bias| Param::from_tensor(bias.val().detach()));
    };
    fresh(&mut first);
    fresh(&mut second);
    let loss = run(left, right, &first, &second);
    let gradients = loss.backward();
    let apart = first.weight.val().grad(&gradients).expect("it took part")
        + second.weight.val().grad(&gradients).expect("it took part");
    assert_same(shared, apart);
}

model! {
    /// Each stage is wider than the one before; written out, since the index is a plain number.
    pub struct Pyramid;
    input image: [1, 8, 8];
    let features = image
        -> stage: repeat i in 0..3 {
            conv: conv2d(4 * (i + 1), kernel: 3, padding: same, stride: 1)
            -> max_pool2d(if i == 0 { 2 } else { 1 }, stride: if i < 2 { 2 } else { 1 })
        };
    let h: [12, 2, 2] = features -> relu;
    output h;
}

#[test]
fn the_index_of_a_repeat_is_a_number_in_its_block() {
    let model = PyramidConfig::new().init(&device()).expect("valid");
    assert_eq!(
        paths(&model),
        [
            ("stage.0.conv.weight".to_owned(), vec![4, 1, 3, 3]),
            ("stage.0.conv.bias".to_owned(), vec![4]),
            ("stage.1.conv.weight".to_owned(), vec![8, 4, 3, 3]),
            ("stage.1.conv.bias".to_owned(), vec![8]),
            ("stage.2.conv.weight".to_owned(), vec![12, 8, 3, 3]),
            ("stage.2.conv.bias".to_owned(), vec![12]),
        ],
    );
    assert_eq!(model.forward(ramp([2, 1, 8, 8])).dims(), [2, 12, 2, 2]);
}

model! {
    /// A CIFAR ResNet's stages: how many blocks is open, the first of each stage may project.
    pub struct Stages { blocks: usize = 3, width: usize = 4, drop: f64 = 0.2 }
    input image: [3, 8, 8];
    let y = image
        -> conv1: conv2d(width, kernel: 3, padding: 1, bias: false)
        -> layer1: repeat i in 0..blocks {
            residual(project: downsample: { conv2d(width, kernel: 1) -> batch_norm }) {
                conv1: conv2d(width, kernel: 3, padding: 1) -> bn1: batch_norm
                -> dropout(drop * i / blocks)
            } -> relu
        }
        -> layer2: repeat i in 0..blocks {
            residual(project: downsample: { conv2d(2 * width, kernel: 1, stride: 2) -> batch_norm }) {
                conv1: conv2d(2 * width, kernel: 3, padding: 1, stride: if i == 0 { 2 } else { 1 })
                -> bn1: batch_norm
            } -> relu
        }
        -> global_avg_pool -> fc: linear(10);
    output y;
    loss cross_entropy;
}

#[test]
fn the_first_of_open_repetitions_may_change_the_shape() {
    let _lock = lock();
    for blocks in [1, 2, 4] {
        let config = StagesConfig::new().with_blocks(blocks);
        let model = config.init(&device()).expect("valid");
        let names = names(&model);
        for block in 0..blocks {
            for stage in ["layer1", "layer2"] {
                let name = format!("{stage}.{block}.conv1.weight");
                assert!(names.contains(&name), "no {name} in {names:?}");
            }
        }
        let projected: Vec<_> = names
            .iter()
            .filter(|name| name.contains("downsample"))
            .collect();
        assert_eq!(
            projected[..2],
            ["layer2.0.downsample.0.weight", "layer2.0.downsample.0.bias"],
            "{names:?}"
        );
        assert_eq!(projected.len(), 6, "{names:?}");
        assert_eq!(model.forward(ramp([2, 3, 8, 8])).dims(), [2, 10]);
        let summary = model.summary();
        let running: usize = summary
            .layers
            .iter()
            .filter(|layer| layer.layer == "batch_norm")
            .map(|layer| layer.params)
            .sum();
        assert_eq!(summary.params() + running, Module::num_params(&model));
        // Every repetition is seen, with the number that its path has.
        let rows: Vec<_> = summary
            .layers
            .iter()
            .map(|layer| layer.path.as_str())
            .collect();
        let last = format!("layer2.{}.conv1", blocks - 1);
        assert!(rows.contains(&last.as_str()), "{rows:?}");
    }
    let error = StagesConfig::new()
        .with_drop(1.7)
        .init(&device())
        .expect_err("too much");
    let text = error.to_string();
    assert!(
        text.contains("`dropout` needs `p` at least 0 and below 1, found 1.13"),
        "{text}"
    );
}

model! {
    /// A block, without a loss of its own.
    pub struct Bottleneck { channels: usize, inner: usize = 2, size: usize = 4 }
    input x: [channels, size, size];
    let y = x -> residual {
        conv2d(inner, kernel: 1) -> relu -> conv2d(channels, kernel: 1)
    };
    output y;
}

/// Halves height and width by taking every other number.
#[derive(Module, Debug)]
pub struct Every {
    step: usize,
}

/// How it steps.
#[derive(Config, Debug)]
pub struct EveryConfig {
    step: usize,
    #[config(default = 0)]
    offset: usize,
}

impl Layer for Every {
    type Config = EveryConfig;
    type Input = Tensor<4>;
    type Output = Tensor<4>;

    fn output(config: &EveryConfig, input: &[Size]) -> Result<Vec<Size>, String> {
        let &[channels, Size::Fixed(height), Size::Fixed(width)] = input else {
            return Err(format!(
                "expected an image of a fixed size, found {input:?}"
            ));
        };
        if config.step == 0 || config.offset >= config.step {
            return Err(format!(
                "the offset {} is not below the step {}",
                config.offset, config.step
            ));
        }
        let [height, width] = [height, width].map(|size| Size::Fixed(size.div_ceil(config.step)));
        Ok(vec![channels, height, width])
    }

    fn build(config: &EveryConfig, _input: &[Size], _device: &Device) -> Self {
        Every { step: config.step }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [.., height, width] = input.dims();
        let step = self.step;
        let rows = Tensor::<1, Int>::arange_step(0..height as i64, step, &input.device());
        let columns = Tensor::<1, Int>::arange_step(0..width as i64, step, &input.device());
        input.select(2, rows).select(3, columns)
    }
}

model! {
    /// Nests a network and takes a layer of a user's own.
    pub struct Nested { channels: usize = 6, step: usize = 2 }
    input image: [channels, 8, 8];
    let y = image
        -> Every(step, offset: 1) as [channels, 4, 4]
        -> block: Bottleneck(channels)
        -> repeat 2 { Bottleneck(channels, inner: 2 + 1) }
        -> flatten -> linear(3);
    output y;
    loss cross_entropy;
}

#[test]
fn networks_nest_and_own_layers_are_asked_for_their_shapes() {
    let _lock = lock();
    let model = NestedConfig::new().init(&device()).expect("valid");
    let names = names(&model);
    assert_eq!(
        names[..2],
        ["block.y.0.weight", "block.y.0.bias"],
        "{names:?}"
    );
    assert!(names.contains(&"y.2.1.y.2.weight".to_owned()), "{names:?}");
    assert_eq!(model.forward(ramp([2, 6, 8, 8])).dims(), [2, 3]);
    let summary = model.summary();
    assert_eq!(summary.params(), Module::num_params(&model), "{summary}");
    assert!(
        summary.layers.iter().any(|layer| layer.path == "y.2.1.y.2"),
        "{summary}"
    );

    let problems =
        |config: NestedConfig| -> InitError { config.init(&device()).expect_err("wrong") };
    let text = problems(NestedConfig::new().with_step(4)).to_string();
    assert!(
        text.contains(
            "Every (y.0): [6, 8, 8] goes in and [6, 2, 2] comes out, but [6, 4, 4] is expected"
        ),
        "{text}"
    );
    let text = problems(NestedConfig::new().with_step(1)).to_string();
    assert!(
        text.contains("the offset 1 is not below the step 1"),
        "{text}"
    );
}

model! {
    /// The length is known only when the tensor arrives.
    pub struct Signal { width: usize = 3 }
    input signal: [any length, 5];
    input weights: [length, 1];
    let rows = signal * weights -> linear(width) -> layer_norm -> tanh;
    output rows;
}

#[test]
fn an_open_dimension_is_known_when_the_tensor_arrives() {
    let model = SignalConfig::new().init(&device()).expect("valid");
    for length in [1, 7] {
        let rows = model.forward(ramp([2, length, 5]), ramp([2, length, 1]));
        assert_eq!(rows.dims(), [2, length, 3]);
    }
    let config = SignalConfig::new();
    let summary = config.summary().expect("valid");
    assert_eq!(summary.multiply_adds(), None);
    assert!(summary.to_string().contains("length×3"), "{summary}");
    let at = config.summary_at(&[("length", 10)]).expect("valid");
    assert_eq!(at.multiply_adds(), Some(10 * 5 * 3));
    assert_eq!(at.memory(), Some(3 * 10 * 3 * 4));

    let panics = |signal, weights| {
        let run = AssertUnwindSafe(|| model.forward(signal, weights));
        let panic = catch_unwind(run).expect_err("the shapes are wrong");
        *panic.downcast::<String>().expect("a message")
    };
    assert_eq!(
        panics(ramp([2, 4, 6]), ramp([2, 4, 1])),
        "`Signal` takes `signal` of shape [batch, length, 5], found [2, 4, 6]"
    );
    assert_eq!(
        panics(ramp([2, 4, 5]), ramp([2, 3, 1])),
        "`Signal`: input weights: dimension 0 is `length`, which is 4, found 3"
    );
}

model! {
    /// Keeps its shape only where nothing is added.
    pub struct Widening { blocks: usize, extra: usize }
    input x: [8];
    let y = x -> repeat i in 0..blocks { linear(8 + i * extra) };
    output y;
}

#[test]
fn what_the_values_decide_of_each_repetition_is_asked_by_init() {
    for (blocks, extra) in [(1, 5), (4, 0)] {
        assert!(WideningConfig::new(blocks, extra).init(&device()).is_ok());
    }
    let error = WideningConfig::new(3, 5).init(&device());
    let text = error.expect_err("it widens").to_string();
    assert!(text.contains("[8] goes in, [13] comes out"), "{text}");
}

mod reviewed {
    use super::*;

    /// Adds a number, and is called like one of the language's layers.
    #[derive(Module, Debug)]
    pub struct Shift {
        by: f64,
    }

    /// By how much.
    #[derive(Config, Debug)]
    pub struct ShiftConfig {
        by: f64,
    }

    impl Layer for Shift {
        type Config = ShiftConfig;
        type Input = Tensor<2>;
        type Output = Tensor<2>;

        fn build(config: &ShiftConfig, _input: &[Size], _device: &Device) -> Self {
            Shift { by: config.by }
        }

        fn forward(&self, input: Tensor<2>) -> Tensor<2> {
            input + self.by
        }
    }

    mod own {
        #[allow(non_camel_case_types)]
        pub type relu = super::Shift;
    }

    model! {
        /// Its own `relu` is not the language's.
        pub struct Shifted;
        input x: [4];
        let y = x -> batch_norm -> own::relu(3.0);
        output y;
    }

    #[test]
    fn a_layer_of_ones_own_is_not_mistaken_for_one_of_the_language() {
        let model = ShiftedConfig::new().init(&device()).expect("valid");
        let y = model.forward(Tensor::ones([2, 4], &device()) * -5.0);
        assert!(
            numbers(&y.into_data())
                .iter()
                .all(|y| (y + 2.0).abs() < 1e-3)
        );
    }

    model! {
        /// An index that is called like a variable of the expansion.
        pub struct Numbered { depth: usize = 2 }
        input x: [8];
        let y = x -> repeat number in 0..depth {
            repeat 2 { linear(8 * (number + 1)) -> linear(8) }
        };
        output y;
    }

    model! {
        /// Open dimensions, inputs and labels that are called like them.
        pub struct Named;
        input problems: [any shapes, 4];
        input summary: [shapes, 4];
        let y = problems + summary -> Stem: linear(3) -> softmax;
        output y;
    }

    /// A name in scope that a label has as well.
    pub struct Stem;

    #[test]
    fn no_name_of_the_users_is_one_of_the_expansions() {
        let _lock = lock();
        let _ = Stem;
        let model = NumberedConfig::new()
            .with_depth(3)
            .init(&device())
            .expect("valid");
        assert_eq!(
            model.config.summary().expect("valid").params(),
            Module::num_params(&model)
        );
        let named = NamedConfig::new().init(&device()).expect("valid");
        let x = ramp([2, 5, 4]);
        assert_eq!(named.forward(x.clone(), x).dims(), [2, 5, 3]);
    }

    model! {
        /// A choice between real numbers by a comparison of whole ones.
        pub struct Chosen { n: usize = 3 }
        input x: [1];
        let y = x -> leaky_relu(negative_slope: if n / 2 == 1 { 10.0 } else { 20.0 });
        output y;
    }

    #[test]
    fn whole_numbers_are_compared_as_such() {
        let model = ChosenConfig::new().init(&device()).expect("valid");
        let y = model.forward(Tensor::ones([1, 1], &device()) * -1.0);
        assert_eq!(numbers(&y.into_data()), [-10.0]);
    }

    model! {
        /// A repetition whose bounds name the index around it.
        pub struct Triangle { n: usize = 3 }
        input x: [4];
        let y = x -> repeat i in 0..n {
            linear(8) -> repeat j in 0..i + 1 { dropout(0.1 + 0.1 * j) } -> linear(4)
        };
        output y;
    }

    model! {
        /// Divides.
        pub struct Divided { k: usize = 1 }
        input x: [4];
        let y = x -> linear(8 / k + 1);
        output y;
    }

    #[test]
    fn what_init_asks_is_asked_where_its_indices_are() {
        assert!(TriangleConfig::new().init(&device()).is_ok());
        let error = TriangleConfig::new()
            .with_n(12)
            .init(&device())
            .expect_err("0.1 + 0.1 * 9");
        assert_eq!(error.problems.len(), 1, "{error}");
        let error = DividedConfig::new()
            .with_k(0)
            .init(&device())
            .expect_err("by 0");
        assert!(
            error
                .to_string()
                .contains("divided by is at least 1, found 0"),
            "{error}"
        );
    }

    model! {
        /// A block of open length.
        pub struct Shrinks;
        input x: [2, any n];
        let y = x -> conv1d(2, kernel: 3);
        output y;
    }

    model! {
        /// Takes it for one that keeps the length.
        pub struct Trusts;
        input x: [2, any m];
        let y = x -> Shrinks;
        output y;
    }

    model! {
        /// Knows better.
        pub struct Knows;
        input x: [2, any m];
        let y = x -> Shrinks as [2, m - 2];
        output y;
    }

    #[test]
    fn an_open_length_that_changes_in_a_block_must_be_said() {
        let _lock = lock();
        let error = TrustsConfig::new().init(&device()).expect_err("it shrinks");
        assert!(
            error
                .to_string()
                .contains("[2, m] goes in and [2, n - 2] comes out"),
            "{error}"
        );
        let model = KnowsConfig::new().init(&device()).expect("valid");
        assert_eq!(model.forward(ramp([1, 2, 5])).dims(), [1, 2, 3]);
        for (lengths, text) in [
            (("m", 2), "a dimension is between 1 and 2147483647, found 0"),
            (("n", 5), "no open dimension is called `n`; there is `m`"),
            (("m", 0), "`m` is at least 1"),
        ] {
            let error = KnowsConfig::new()
                .summary_at(&[lengths])
                .expect_err("wrong");
            assert!(error.to_string().contains(text), "{error}");
        }
        let error = ShrinksConfig::new()
            .summary_at(&[("n", 2)])
            .expect_err("too short");
        assert!(
            error.to_string().contains("the kernel of `conv1d`"),
            "{error}"
        );
        let empty = AssertUnwindSafe(|| model.forward(Tensor::zeros([1, 2, 0], &device())));
        assert!(catch_unwind(empty).is_err());
    }

    model! {
        /// Two inputs through one network.
        pub struct Siamese;
        input left: [2, 7];
        input right: [2, 7];
        let a = left -> encode: Shrinks as [2, 5] -> flatten;
        let b = right -> encode -> flatten;
        let y = a * b -> linear(1);
        output y;
        loss mse;
    }

    #[test]
    fn a_nested_network_is_shared_by_its_label() {
        let _lock = lock();
        let model = SiameseConfig::new().init(&device()).expect("valid");
        assert_eq!(
            names(&model),
            ["encode.y.weight", "encode.y.bias", "y.weight", "y.bias"]
        );
        assert_eq!(model.summary().params(), Module::num_params(&model));
        assert_eq!(
            model.forward(ramp([3, 2, 7]), ramp([3, 2, 7])).dims(),
            [3, 1]
        );
    }

    model! {
        /// A network that takes integers, in another.
        pub struct Tokens;
        input tokens: int [3];
        let y = tokens -> embedding(5, 2);
        output y;
    }

    model! {
        /// Documented statements.
        pub struct OfTokens;
        /// Words by their numbers.
        input tokens: int [3];
        /// What they mean.
        let y = tokens -> Tokens as [3, 2] -> flatten;
        output y;
    }

    #[test]
    fn a_nested_network_may_take_integers() {
        let model = OfTokensConfig::new().init(&device()).expect("valid");
        assert_eq!(
            model.forward(Tensor::zeros([2, 3], &device())).dims(),
            [2, 6]
        );
    }
}
