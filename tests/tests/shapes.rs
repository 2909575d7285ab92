//! Shapes: what a summary infers is what Burn computes, and what cannot be is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kiln::Tensor;
use kiln::model::{InitError, Model, ModelConfig, Observe, Size};
use kiln_tests::{Lcg, device, is_slow};

/// The paths and shapes of every layer's output, as they come.
#[derive(Default)]
struct Shapes {
    prefix: Vec<String>,
    seen: Vec<(String, Vec<usize>)>,
}

impl Observe for Shapes {
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>) {
        let own = Some(path.to_owned()).filter(|path| !path.is_empty());
        let path: Vec<_> = self.prefix.iter().cloned().chain(own).collect();
        self.seen.push((path.join("."), value.dims().to_vec()));
    }

    fn enter(&mut self, path: &str, index: usize) {
        let path = Some(path).filter(|path| !path.is_empty());
        let path = path.map(|path| format!("{path}.{index}"));
        self.prefix.push(path.unwrap_or_else(|| index.to_string()));
    }

    fn exit(&mut self) {
        self.prefix.pop();
    }
}

const BATCH: usize = 2;

/// `init`, which must not panic whatever the configuration is.
fn init<C: ModelConfig>(config: &C) -> Result<C::Model, InitError> {
    catch_unwind(AssertUnwindSafe(|| config.init(&device())))
        .unwrap_or_else(|_| panic!("init panicked for {config:?}"))
}

/// Runs a valid configuration and compares every shape with the summary's; gives back whether the
/// configuration was valid.
fn agrees<C, const I: usize>(config: &C) -> bool
where
    C: ModelConfig,
    C::Model: Model<Config = C, Input = Tensor<I>>,
{
    let model = match init(config) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.problems.is_empty(), "{config:?}");
            assert_eq!(config.summary().err(), Some(error), "{config:?}");
            return false;
        }
    };
    let mut shape = vec![BATCH];
    shape.extend(config.inputs()[0].iter().filter_map(|size| size.fixed()));
    let shape: [usize; I] = shape
        .try_into()
        .expect("the input has the rank of its type");
    let mut shapes = Shapes::default();
    model.observe(Tensor::zeros(shape, &device()), &mut shapes);
    let summary = model.summary();
    let inferred: Vec<_> = summary
        .layers
        .iter()
        .map(|layer| {
            let sizes = layer.shape.iter().filter_map(|size| size.fixed());
            let shape: Vec<_> = std::iter::once(BATCH).chain(sizes).collect();
            (layer.path.clone(), shape)
        })
        .collect();
    assert_eq!(inferred, shapes.seen, "{config:?}");
    // A running mean and variance are no parameters, but Burn counts them.
    let norms = summary
        .layers
        .iter()
        .filter(|layer| layer.layer == "batch_norm");
    let running: usize = norms.map(|norm| norm.params).sum();
    assert_eq!(
        summary.params() + running,
        kiln::burn::module::Module::num_params(&model),
        "{config:?}"
    );
    true
}

/// Whether a window of `kernel` fits, by the formula of PyTorch's documentation.
fn fits(input: usize, kernel: usize, padding: usize, dilation: usize) -> bool {
    input + 2 * padding > dilation * (kernel - 1)
}

/// What comes out, by the formula of PyTorch's documentation.
fn out(input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> usize {
    (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
}

mod convolution {
    kiln::model! {
        /// A convolution with everything free.
        pub struct Net {
            channels: usize = 4, height: usize = 8, width: usize = 9,
            out: usize = 4, kernel_h: usize = 3, kernel_w: usize = 2,
            stride_h: usize = 1, stride_w: usize = 2, pad_h: usize = 1, pad_w: usize = 0,
            dilation_h: usize = 1, dilation_w: usize = 2, groups: usize = 2,
        }
        input x: [channels, height, width];
        let y = x
            -> conv2d(
                out, kernel: [kernel_h, kernel_w], stride: [stride_h, stride_w],
                padding: [pad_h, pad_w], dilation: [dilation_h, dilation_w], groups: groups,
            )
            -> batch_norm -> relu -> flatten -> linear(3);
        output y;
        loss cross_entropy;
    }
}

#[test]
fn a_convolutions_shape_is_burns_and_what_cannot_be_is_an_error() {
    let mut random = Lcg(1);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..if is_slow() { 20 } else { 300 } {
        let mut size = |low, high| random.draw(low, high);
        let (groups, step) = (size(1, 3), |size: usize| size.max(1));
        // Mostly multiples of the groups, now and then not.
        let off = usize::from(size(0, 7) == 0);
        let config = convolution::NetConfig::new()
            .with_groups(groups)
            .with_channels(groups * size(1, 3) + off)
            .with_out(groups * size(1, 3))
            .with_height(size(1, 9))
            .with_width(size(1, 9))
            .with_kernel_h(step(size(0, 4)))
            .with_kernel_w(step(size(0, 4)))
            .with_stride_h(size(1, 3))
            .with_stride_w(size(1, 3))
            .with_pad_h(size(0, 3))
            .with_pad_w(size(0, 3))
            .with_dilation_h(size(1, 3))
            .with_dilation_w(size(1, 3));
        let c = &config;
        let possible = c.channels.is_multiple_of(c.groups)
            && c.out.is_multiple_of(c.groups)
            && fits(c.height, c.kernel_h, c.pad_h, c.dilation_h)
            && fits(c.width, c.kernel_w, c.pad_w, c.dilation_w);
        assert_eq!(agrees(c), possible, "{c:?}");
        if possible {
            let high = out(c.height, c.kernel_h, c.stride_h, c.pad_h, c.dilation_h);
            let wide = out(c.width, c.kernel_w, c.stride_w, c.pad_w, c.dilation_w);
            let summary = c.summary().expect("it was valid");
            let shape = [c.out, high, wide].map(Size::Fixed);
            assert_eq!(summary.layers[0].shape, shape, "{c:?}");
            valid += 1;
        } else {
            invalid += 1;
        }
    }
    println!("{valid} valid and {invalid} invalid configurations");
    assert!(valid > 10 && invalid > 3);
}

mod same {
    kiln::model! {
        /// Convolutions that keep height and width, in a residual block.
        pub struct Net {
            channels: usize = 2, height: usize = 5, width: usize = 6, kernel_h: usize = 3,
            kernel_w: usize = 4, dilation: usize = 1, stride: usize = 1, blocks: usize = 2,
        }
        input x: [channels, height, width];
        let y = x
            -> repeat blocks {
                residual {
                    conv2d(
                        channels, kernel: [kernel_h, kernel_w], padding: same,
                        dilation: dilation, stride: stride,
                    )
                    -> batch_norm
                } -> relu
            }
            -> global_avg_pool -> dropout(0.3) -> linear(2);
        output y;
        loss cross_entropy;
    }
}

#[test]
fn same_padding_keeps_the_shape_for_every_kernel_and_dilation() {
    let mut random = Lcg(2);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..if is_slow() { 10 } else { 100 } {
        let mut size = |low, high| random.draw(low, high);
        let config = same::NetConfig::new()
            .with_channels(size(1, 3))
            .with_height(size(1, 7))
            .with_width(size(1, 7))
            .with_kernel_h(size(1, 5))
            .with_kernel_w(size(1, 5))
            .with_dilation(size(1, 3))
            .with_stride(size(0, 9).clamp(1, 3) / 3 + 1)
            .with_blocks(size(1, 3));
        // `same` is PyTorch's: for a stride of 1 alone.
        let possible = config.stride == 1;
        assert_eq!(agrees(&config), possible, "{config:?}");
        if possible { valid += 1 } else { invalid += 1 }
    }
    println!("{valid} valid and {invalid} invalid configurations");
    assert!(valid > 0 && invalid > 0);
}

mod pooling {
    kiln::model! {
        /// Both poolings with everything free.
        pub struct Net {
            channels: usize = 2, height: usize = 8, width: usize = 9,
            kernel_h: usize = 2, kernel_w: usize = 3, stride_h: usize = 2, stride_w: usize = 3,
            pad_h: usize = 0, pad_w: usize = 1, average: usize = 2, pad: usize = 1,
        }
        input x: [channels, height, width];
        let y = x
            -> max_pool2d(
                [kernel_h, kernel_w], stride: [stride_h, stride_w], padding: [pad_h, pad_w],
            )
            -> avg_pool2d(average, padding: pad)
            -> flatten -> layer_norm -> linear(2);
        output y;
        loss mse;
    }
}

#[test]
fn a_poolings_shape_is_burns_and_what_cannot_be_is_an_error() {
    let mut random = Lcg(3);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..if is_slow() { 20 } else { 300 } {
        let mut size = |low, high| random.draw(low, high);
        let config = pooling::NetConfig::new()
            .with_channels(size(1, 2))
            .with_height(size(1, 12))
            .with_width(size(1, 12))
            .with_kernel_h(size(1, 4))
            .with_kernel_w(size(1, 4))
            .with_stride_h(size(1, 4))
            .with_stride_w(size(1, 4))
            .with_pad_h(size(0, 2))
            .with_pad_w(size(0, 2))
            .with_average(size(1, 3))
            .with_pad(size(0, 1));
        let c = &config;
        let padded = |kernel: usize, pad: usize| 2 * pad <= kernel;
        let side = |input, kernel, stride, pad| {
            fits(input, kernel, pad, 1).then(|| out(input, kernel, stride, pad, 1))
        };
        let high = side(c.height, c.kernel_h, c.stride_h, c.pad_h);
        let wide = side(c.width, c.kernel_w, c.stride_w, c.pad_w);
        let average =
            |side: Option<usize>| side.is_some_and(|side| fits(side, c.average, c.pad, 1));
        let possible = padded(c.kernel_h, c.pad_h)
            && padded(c.kernel_w, c.pad_w)
            && padded(c.average, c.pad)
            && average(high)
            && average(wide);
        assert_eq!(agrees(c), possible, "{c:?}");
        if possible { valid += 1 } else { invalid += 1 }
    }
    println!("{valid} valid and {invalid} invalid configurations");
    assert!(valid > 3 && invalid > 3);
}

mod rows {
    kiln::model! {
        /// Dense layers on the last dimension of a tensor of rank 3 and 2.
        pub struct Net { a: usize = 2, b: usize = 3, c: usize = 4, d: usize = 5 }
        input x: [a, b, c];
        let mixed = x -> linear(c + 1) -> gelu -> layer_norm -> linear(d) -> softmax -> sigmoid;
        let y = mixed -> flatten -> tanh -> linear(2 * a, bias: false);
        output y;
        loss mse;
    }
}

#[test]
fn dense_shapes_are_burns() {
    let mut random = Lcg(4);
    for _ in 0..if is_slow() { 10 } else { 50 } {
        let mut size = |low, high| random.draw(low, high);
        let config = rows::NetConfig::new()
            .with_a(size(1, 6))
            .with_b(size(1, 6))
            .with_c(size(1, 6))
            .with_d(size(1, 6));
        assert!(agrees(&config), "{config:?}");
    }
}

/// Values that nobody means: `init` refuses each, names the layer, and allocates nothing first.
const ABSURD: [usize; 5] = [
    0,
    usize::MAX,
    usize::MAX / 2 + 1,
    u32::MAX as usize,
    i32::MAX as usize,
];

/// `init` and `summary` refuse the configuration and name `layer`.
fn refused<C: ModelConfig>(config: &C, layer: &str) {
    let Err(error) = init(config) else {
        panic!("{config:?} was not refused")
    };
    assert!(
        error.to_string().contains(layer),
        "{config:?}: {error} names no {layer}"
    );
    let summary = catch_unwind(AssertUnwindSafe(|| config.summary()));
    let summary = summary.unwrap_or_else(|_| panic!("summary panicked for {config:?}"));
    assert_eq!(summary.err(), Some(error));
}

#[test]
fn an_absurd_size_is_an_error_that_names_the_layer() {
    use convolution::NetConfig as Convolution;
    let conv = Convolution::new;
    for absurd in ABSURD {
        refused(&conv().with_kernel_h(absurd), "conv2d");
        refused(&conv().with_kernel_w(absurd), "conv2d");
        refused(&conv().with_dilation_w(absurd), "conv2d");
        refused(&conv().with_groups(absurd), "conv2d");
        refused(&conv().with_out(absurd), "");
        refused(&conv().with_height(absurd), "");
        refused(&conv().with_channels(absurd), "");
        refused(
            &pooling::NetConfig::new().with_kernel_h(absurd),
            "max_pool2d",
        );
        refused(
            &pooling::NetConfig::new().with_average(absurd),
            "avg_pool2d",
        );
    }
    // A stride or a padding that is large makes a small or a large output, and is no mistake by
    // itself: 0 is, and what no tensor can have.
    for stride in [0, usize::MAX, u32::MAX as usize] {
        refused(&conv().with_stride_h(stride), "conv2d");
        refused(
            &pooling::NetConfig::new().with_stride_w(stride),
            "max_pool2d",
        );
    }
    for padding in [usize::MAX, u32::MAX as usize, i32::MAX as usize] {
        refused(&conv().with_pad_w(padding), "");
        refused(&pooling::NetConfig::new().with_pad_h(padding), "max_pool2d");
    }
    // No repetition at all changes nothing, so 0 is one to say it with.
    assert!(agrees::<_, 4>(&same::NetConfig::new().with_blocks(0)));
    for absurd in [usize::MAX, u32::MAX as usize] {
        refused(&same::NetConfig::new().with_blocks(absurd), "repeat");
    }
    for absurd in [0, usize::MAX, u32::MAX as usize] {
        refused(&same::NetConfig::new().with_kernel_h(absurd), "conv2d");
        refused(&same::NetConfig::new().with_dilation(absurd), "conv2d");
        refused(&rows::NetConfig::new().with_a(absurd), "input x");
        refused(&rows::NetConfig::new().with_d(absurd), "linear");
    }
}

#[test]
fn any_two_absurd_sizes_together_are_an_error() {
    let conv = convolution::NetConfig::new;
    for a in ABSURD {
        for b in ABSURD {
            refused(&conv().with_channels(a).with_groups(b), "");
            refused(&conv().with_out(a).with_kernel_h(b), "");
            refused(&conv().with_dilation_h(a).with_kernel_h(b), "");
            refused(&conv().with_height(a).with_width(b), "");
            refused(
                &pooling::NetConfig::new().with_kernel_h(a).with_stride_h(b),
                "",
            );
        }
    }
}

mod reals {
    kiln::model! {
        /// Every real argument.
        pub struct Net {
            drop: f64 = 0.5, epsilon: f64 = 1e-5, momentum: f64 = 0.1, tiny: f64 = 1e-6,
            smoothing: f64 = 0.1,
        }
        input x: [4];
        let y = x
            -> batch_norm(epsilon: epsilon, momentum: momentum)
            -> layer_norm(epsilon: tiny) -> dropout(drop) -> linear(2);
        output y;
        loss cross_entropy(label_smoothing: smoothing);
    }
}

#[test]
fn an_absurd_real_number_is_an_error_that_names_the_layer() {
    let config = reals::NetConfig::new;
    let never = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-300, -0.5];
    for absurd in never.into_iter().chain([1.0, 1.5]) {
        refused(&config().with_drop(absurd), "dropout");
        refused(&config().with_smoothing(absurd), "label_smoothing");
    }
    for absurd in never.into_iter().chain([0.0]) {
        refused(&config().with_epsilon(absurd), "batch_norm");
        refused(&config().with_tiny(absurd), "layer_norm");
    }
    for absurd in never.into_iter().chain([1.5]) {
        refused(&config().with_momentum(absurd), "batch_norm");
    }
}

#[test]
fn every_problem_is_listed_at_once() {
    let config = reals::NetConfig::new()
        .with_drop(2.0)
        .with_momentum(-1.0)
        .with_tiny(0.0);
    let error = init(&config).expect_err("three values are out of range");
    assert_eq!(error.problems.len(), 3, "{error}");
}

#[test]
fn the_ends_of_a_range_that_belong_to_it_are_accepted() {
    let config = reals::NetConfig::new()
        .with_drop(0.0)
        .with_momentum(0.0)
        .with_smoothing(0.0);
    assert!(agrees(&config));
    assert!(agrees(
        &reals::NetConfig::new()
            .with_momentum(1.0)
            .with_epsilon(1e-30)
    ));
}
