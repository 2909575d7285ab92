//! Every kernel for images equals Burn's own operation, gradients included, over random shapes.

use kiln::burn::module::Module;
use kiln::burn::nn;
use kiln::burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use kiln::burn::tensor::{DType, Distribution, Gradients, activation, module};
use kiln::layer::{self, PaddingConfig2d};
use kiln::{Device, Int, Tensor, kernel};
use kiln_tests::{Lcg, assert_close, device, is_slow, lock};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// How many random cases are run.
fn wanted() -> usize {
    if is_slow() { 20 } else { 600 }
}

/// The gradients of a sum in which the numbers of `output` have factors that differ from place to
/// place.
fn backward<const D: usize>(output: &Tensor<D>) -> Gradients {
    let count = output.shape().num_elements() as i64;
    let factors = Tensor::<1, Int>::arange(0..count, &output.device()).float();
    let factors = (factors * 0.7 + 0.3).sin().cast(output.dtype());
    (output.clone() * factors.reshape(output.dims()))
        .sum()
        .backward()
}

/// The gradient by a tensor that has one.
fn by<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    let gradient = tensor.grad(gradients);
    gradient.unwrap_or_else(|| panic!("no gradient by {:?}", tensor.dims()))
}

/// Runs a function of one tensor: its output, and its gradient by that tensor.
fn run<const D: usize, const E: usize>(
    input: &Tensor<D>,
    function: impl Fn(Tensor<D>) -> Tensor<E>,
) -> (Tensor<E>, Tensor<D>) {
    let input = input.clone().require_grad();
    let output = function(input.clone());
    let gradients = backward(&output);
    (output, by(&input, &gradients))
}

fn assert_same<const D: usize, const E: usize>(
    what: &str,
    input: &Tensor<D>,
    ours: impl Fn(Tensor<D>) -> Tensor<E>,
    burns: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let (ours, burns) = (run(input, ours), run(input, burns));
    assert_close(&format!("output of {what}"), ours.0, burns.0);
    assert_close(&format!("gradient by the input of {what}"), ours.1, burns.1);
}

/// A pooling at random.
#[derive(Debug)]
struct Windows {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: [(usize, usize); 2],
    ceil_mode: bool,
    input: [usize; 4],
}

impl Windows {
    /// None where no window fits, or one would hold nothing but padding.
    fn draw(draw: &mut Lcg, dilated: bool) -> Option<Self> {
        let kernel = [draw.draw(1, 4), draw.draw(1, 4)];
        let widest = if dilated { 3 } else { 1 };
        let windows = if draw.draw(0, 3) == 0 {
            // The most frequent of all.
            Windows {
                kernel: [2, 2],
                stride: [2, 2],
                dilation: [1, 1],
                padding: [(0, 0); 2],
                ceil_mode: draw.draw(0, 3) == 0,
                input: [1, 2, 3, 4].map(|_| draw.draw(1, 40)),
            }
        } else {
            let padding = kernel.map(|kernel| (draw.draw(0, kernel / 2), draw.draw(0, kernel / 2)));
            let symmetric = draw.draw(0, 1) == 0;
            Windows {
                kernel,
                stride: [draw.draw(1, 4), draw.draw(1, 4)],
                dilation: [draw.draw(1, widest), draw.draw(1, widest)],
                padding: padding
                    .map(|(before, behind)| (before, if symmetric { before } else { behind })),
                ceil_mode: draw.draw(0, 2) == 0,
                input: [
                    draw.draw(1, 4),
                    draw.draw(1, 4),
                    draw.draw(1, 20),
                    draw.draw(1, 20),
                ],
            }
        };
        let fits = |axis: usize| {
            let (before, behind) = windows.padding[axis];
            let reach = windows.dilation[axis] * (windows.kernel[axis] - 1);
            reach < windows.input[2 + axis] + before + behind
        };
        (fits(0) && fits(1)).then_some(windows)
    }

    fn max(&self) -> MaxPoolOptions<2> {
        MaxPoolOptions::new(self.kernel)
            .with_stride(self.stride)
            .with_padding_pairs(self.padding)
            .with_dilation(self.dilation)
            .with_ceil_mode(self.ceil_mode)
    }

    fn average(&self, count_include_pad: bool) -> AvgPoolOptions<2> {
        AvgPoolOptions::new(self.kernel)
            .with_stride(self.stride)
            .with_padding_pairs(self.padding)
            .with_count_include_pad(count_include_pad)
            .with_ceil_mode(self.ceil_mode)
    }
}

#[test]
fn a_max_pooling_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(7);
    let (mut draw, mut cases) = (Lcg(7), 0);
    while cases < wanted() {
        let Some(windows) = Windows::draw(&mut draw, true) else {
            continue;
        };
        cases += 1;
        let mut input = random(windows.input, &device);
        if draw.draw(0, 1) == 0 {
            // Equal numbers, as behind a ReLU.
            input = (input * 3.0).floor();
        }
        assert_same(
            &format!("{windows:?}"),
            &input,
            |input| kernel::max_pool2d(input, windows.max()),
            |input| module::max_pool2d(input, windows.max()),
        );
    }
}

#[test]
fn a_nan_is_the_largest_of_its_window() {
    if is_slow() {
        return; // Burn's own kernel runs there, and what it makes of a NaN is the driver's affair.
    }
    let _lock = lock();
    let device = device().autodiff();
    for at in 0..16 {
        let mut values = [0.5; 16];
        values[at] = f32::NAN;
        let input = Tensor::<1>::from_floats(values, &device).reshape([1, 1, 4, 4]);
        for (kernel, stride, padding) in [(2, 2, 0), (3, 1, 1)] {
            let options = MaxPoolOptions::new([kernel; 2])
                .with_stride([stride; 2])
                .with_padding([padding; 2]);
            let (output, gradient) = run(&input, |x| kernel::max_pool2d(x, options.clone()));
            let columns = output.dims()[3];
            // Burn's own on ndarray passes over a NaN, so it is no reference.
            let reads = |window: usize, at: usize| {
                let start = window * stride;
                (start..start + kernel).contains(&(at + padding))
            };
            for (window, value) in output.into_data().iter::<f32>().enumerate() {
                let holds = reads(window / columns, at / 4) && reads(window % columns, at % 4);
                assert_eq!(value.is_nan(), holds, "window {window}, NaN at {at}");
            }
            let gradient: Vec<f32> = gradient.into_data().iter().collect();
            assert!(gradient[at] != 0.0 && gradient.iter().all(|value| !value.is_nan()));
        }
    }
}

#[test]
fn an_average_pooling_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(8);
    let (mut draw, mut cases) = (Lcg(8), 0);
    while cases < wanted() {
        let Some(windows) = Windows::draw(&mut draw, false) else {
            continue;
        };
        cases += 1;
        let include = draw.draw(0, 1) == 0;
        assert_same(
            &format!("{windows:?}, count_include_pad {include}"),
            &random(windows.input, &device),
            |input| kernel::avg_pool2d(input, windows.average(include)),
            |input| module::avg_pool2d(input, windows.average(include)),
        );
    }
}

#[test]
fn a_global_average_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(9);
    let mut draw = Lcg(9);
    for _ in 0..wanted() {
        let shape = [draw.draw(1, 9), draw.draw(1, 9)];
        let shape = [shape[0], shape[1], draw.draw(1, 20), draw.draw(1, 20)];
        assert_same(
            &format!("{shape:?}"),
            &random(shape, &device),
            kernel::global_avg_pool,
            |input| input.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2),
        );
    }
}

#[test]
fn a_relu_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(10);
    let mut draw = Lcg(10);
    for case in 0..wanted() {
        let shape = [draw.draw(1, 40), draw.draw(1, 40), draw.draw(1, 40)];
        let (twice, input) = (case % 2 == 0, random(shape, &device));
        // With `twice` something else holds the input of the ReLU, so that it must stay.
        let run = |relu: fn(Tensor<3>) -> Tensor<3>| {
            run(&input, |input| {
                let inner = input * 2.0;
                let kept = twice.then(|| inner.clone());
                let output = relu(inner);
                kept.map_or_else(|| output.clone(), |kept| kept * output.clone())
            })
        };
        let (ours, burns) = (run(kernel::relu), run(activation::relu));
        assert_close("output", ours.0, burns.0);
        assert_close("gradient", ours.1, burns.1);
    }
}

#[test]
fn a_relu_of_a_sum_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(15);
    let mut draw = Lcg(15);
    for case in 0..wanted() {
        let shape = [draw.draw(1, 40), draw.draw(1, 40), draw.draw(1, 40)];
        let input = random(shape, &device);
        // What does not need to be broadcast takes our way.
        let rows = if case % 4 == 0 { 1 } else { shape[0] };
        let other = random([rows, shape[1], shape[2]], &device);
        let run = |add_relu: fn(Tensor<3>, Tensor<3>) -> Tensor<3>| {
            let other = other.clone().require_grad();
            let (input, x) = (input.clone().require_grad(), input.clone());
            let output = add_relu(input.clone() * 2.0, other.clone()) * x;
            let gradients = backward(&output);
            (output, by(&input, &gradients), by(&other, &gradients))
        };
        let ours = run(kernel::add_relu);
        let burns = run(|input, other| activation::relu(input + other));
        assert_close("output", ours.0, burns.0);
        assert_close("gradient by the first", ours.1, burns.1);
        assert_close("gradient by the second", ours.2, burns.2);
    }
}

/// Input, gamma, beta, mean and variance of a batch normalization.
type Normalization<const D: usize> = (Tensor<D>, [Tensor<1>; 4]);

/// Output, statistics and gradients.
fn normalized<const D: usize>(
    (input, channels): &Normalization<D>,
    function: impl Fn(Tensor<D>, [Tensor<1>; 4]) -> (Tensor<D>, Vec<Tensor<1>>),
    trained: bool,
) -> (Tensor<D>, Tensor<D>, Vec<Tensor<1>>) {
    let input = input.clone().require_grad();
    let channels = channels.clone().map(Tensor::require_grad);
    let (output, statistics) = function(input.clone(), channels.clone());
    let gradients = backward(&output);
    let by_channels = channels
        .iter()
        .take(if trained { 2 } else { 4 })
        .map(|tensor| by(tensor, &gradients));
    let all = statistics.into_iter().chain(by_channels).collect();
    (output, by(&input, &gradients), all)
}

fn assert_normalizes<const D: usize>(
    what: &str,
    normalization: &Normalization<D>,
    epsilon: f64,
    relu: bool,
) {
    let (input, channels) = normalization;
    // Burn's own loses digits in single precision.
    let exact = if is_slow() { DType::F32 } else { DType::F64 };
    let exact = (
        input.clone().cast(exact),
        channels.clone().map(|tensor| tensor.cast(exact)),
    );
    for trained in [true, false] {
        let ours = |input, channels| {
            let [gamma, beta, mean, variance] = channels;
            if trained {
                let function = match relu {
                    true => kernel::batch_norm_train_relu,
                    false => kernel::batch_norm_train,
                };
                let result = function(input, gamma, beta, epsilon);
                (result.output, vec![result.mean, result.variance])
            } else {
                let function = match relu {
                    true => kernel::batch_norm_relu,
                    false => kernel::batch_norm,
                };
                (
                    function(input, gamma, beta, mean, variance, epsilon),
                    vec![],
                )
            }
        };
        let ours = normalized(normalization, ours, trained);
        // Rounding decides on which side of 0 a number lies, so ours decides where the ReLU is open.
        let open = relu.then(|| ours.0.clone().greater_elem(0.0).float().detach());
        let burns = |input, channels| {
            let [gamma, beta, mean, variance] = channels;
            let (output, statistics) = if trained {
                let result = module::batch_norm_train(input, gamma, beta, epsilon);
                (result.output, vec![result.mean, result.variance])
            } else {
                let output = module::batch_norm(input, gamma, beta, mean, variance, epsilon);
                (output, vec![])
            };
            let output = match open.clone() {
                Some(open) => {
                    let dtype = output.dtype();
                    output * open.cast(dtype)
                }
                None => output,
            };
            (output, statistics)
        };
        let burns = normalized(&exact, burns, trained);
        let what = format!("{what}, relu {relu}, trained {trained}");
        assert_close(&format!("output of {what}"), ours.0, burns.0);
        assert_close(&format!("gradient by the input of {what}"), ours.1, burns.1);
        for (index, (ours, burns)) in ours.2.into_iter().zip(burns.2).enumerate() {
            assert_close(&format!("{index} of the channels of {what}"), ours, burns);
        }
    }
}

fn normalization<const D: usize>(
    shape: [usize; D],
    (mean, deviation): (f64, f64),
    device: &Device,
) -> Normalization<D> {
    let channels = [shape[1]];
    let between = |low, high| Tensor::random(channels, Distribution::Uniform(low, high), device);
    let input = Tensor::random(shape, Distribution::Normal(mean, deviation), device);
    let statistics = [
        between(mean - deviation, mean + deviation),
        between(0.5 * deviation * deviation, 2.0 * deviation * deviation),
    ];
    let [running_mean, running_variance] = statistics;
    (
        input,
        [
            between(-1.5, 1.5),
            between(-1.0, 1.0),
            running_mean,
            running_variance,
        ],
    )
}

#[test]
fn a_batch_normalization_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(11);
    let mut draw = Lcg(11);
    for case in 0..wanted() {
        let epsilon = [1e-5, 1e-3][draw.draw(0, 1)];
        let relu = draw.draw(0, 1) == 0;
        let (batch, channels) = (draw.draw(2, 40), draw.draw(1, 40));
        let [height, width] = [draw.draw(1, 12), draw.draw(1, 12)];
        let about = ([0.0, 3.0][draw.draw(0, 1)], 1.0);
        let what = format!("{batch}, {channels}, {height}, {width}");
        match case % 4 {
            0 => {
                let case = normalization([batch, channels], about, &device);
                assert_normalizes(&what, &case, epsilon, relu);
            }
            1 => {
                let case = normalization([batch, channels, height * width], about, &device);
                assert_normalizes(&what, &case, epsilon, relu);
            }
            _ => {
                let case = normalization([batch, channels, height, width], about, &device);
                assert_normalizes(&what, &case, epsilon, relu);
            }
        }
    }
}

#[test]
fn a_batch_far_from_zero_is_normalized_as_well() {
    if is_slow() {
        return; // Burn's own kernel runs there, which loses these digits.
    }
    let _lock = lock();
    let device = device().autodiff();
    device.seed(12);
    for relu in [false, true] {
        let case = normalization([64, 3, 32, 32], (1e4, 1.0), &device);
        assert_normalizes("planes", &case, 1e-5, relu);
        let case = normalization([640, 7], (1e4, 1.0), &device);
        assert_normalizes("rows", &case, 1e-5, relu);
    }
}

#[test]
fn the_batch_norm_layer_follows_a_batch_as_burns_does() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(13);
    let config = layer::BatchNormConfig::new(5).with_momentum(0.3);
    let burns = config.init(&device);
    let ours: layer::BatchNorm = config.init(&device).into();
    for _ in 0..3 {
        let batch = random([8, 5, 4, 6], &device) * 2.0 + 0.5;
        assert_close(
            "training",
            ours.forward(batch.clone()),
            burns.forward(batch.clone()),
        );
        assert_close(
            "training with a ReLU",
            ours.forward_relu(batch.clone()),
            activation::relu(burns.forward(batch)),
        );
    }
    let (ours, burns) = (ours.valid(), burns.valid());
    assert_close(
        "mean",
        ours.running_mean.value(),
        burns.running_mean.value(),
    );
    assert_close(
        "variance",
        ours.running_var.value(),
        burns.running_var.value(),
    );
    let batch = random([8, 5, 4, 6], &device.inner());
    assert_close(
        "inference",
        ours.forward(batch.clone()),
        burns.forward(batch.clone()),
    );
    assert_close(
        "inference with a ReLU",
        ours.forward_relu(batch.clone()),
        activation::relu(burns.forward(batch)),
    );
}

#[test]
fn a_frozen_batch_norm_layer_normalizes_by_its_running_statistics() {
    let _lock = lock();
    let device = device().autodiff();
    let burns = layer::BatchNormConfig::new(3).init(&device).freeze();
    let ours = layer::BatchNorm::from(burns.clone());
    let batch = random([4, 3, 5, 5], &device) * 3.0;
    assert_same(
        "frozen",
        &batch,
        |batch| ours.forward(batch),
        |batch| burns.forward(batch),
    );
    let mean: Vec<f32> = ours.running_mean.value_sync().into_data().iter().collect();
    assert_eq!(mean, [0.0; 3]);
}

#[test]
fn the_pooling_layers_equal_burns() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(14);
    let input = random([2, 3, 9, 8], &device);
    for padding in [
        PaddingConfig2d::Valid,
        PaddingConfig2d::Same,
        PaddingConfig2d::Explicit(1, 0, 0, 1),
    ] {
        let config = layer::MaxPool2dConfig::new([3, 2])
            .with_strides([2, 1])
            .with_padding(padding.clone())
            .with_ceil_mode(true);
        let ours = layer::MaxPool2d::from(config.init());
        let burns: nn::pool::MaxPool2d = config.init();
        assert_same(
            &format!("max {padding:?}"),
            &input,
            |input| ours.forward(input),
            |input| burns.forward(input),
        );
        let config = layer::AvgPool2dConfig::new([3, 2])
            .with_strides([2, 1])
            .with_padding(padding.clone())
            .with_count_include_pad(false);
        let ours = layer::AvgPool2d::from(config.init());
        let burns: nn::pool::AvgPool2d = config.init();
        assert_same(
            &format!("average {padding:?}"),
            &input,
            |input| ours.forward(input),
            |input| burns.forward(input),
        );
    }
}
