//! Every kernel equals Burn's own operation, gradients included, over random shapes.

use kiln::burn::tensor::ops::{ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use kiln::burn::tensor::{Distribution, FloatDType, module};
use kiln::data::TensorData;
use kiln::{Device, Int, Tensor, kernel};
use kiln_tests::{Lcg, assert_close, device, is_slow, lock};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

#[test]
fn a_convolution_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(7);
    device.seed(7);
    let (mut cases, wanted) = (0, if is_slow() { 20 } else { 600 });
    while cases < wanted {
        let groups = [1, 1, 1, 2, 3][draw.draw(0, 4)];
        let depthwise = draw.draw(0, 5) == 0;
        let channels = groups * draw.draw(1, 5);
        let groups = if depthwise { channels } else { groups };
        let outputs = groups * draw.draw(1, if depthwise { 2 } else { 19 });
        let kernel = [draw.draw(1, 5), draw.draw(1, 5)];
        let stride = [draw.draw(1, 3), draw.draw(1, 3)];
        let dilation = [draw.draw(1, 3), draw.draw(1, 3)];
        let size = [draw.draw(1, 20), draw.draw(1, 20)];
        let mut padding = [0, 1].map(|_| (draw.draw(0, 4), draw.draw(0, 4)));
        if draw.draw(0, 1) == 0 {
            padding = padding.map(|(before, _)| (before, before));
        }
        let fits = |axis: usize| {
            let (before, behind) = padding[axis];
            dilation[axis] * (kernel[axis] - 1) < size[axis] + before + behind
        };
        if !fits(0) || !fits(1) {
            continue;
        }
        cases += 1;
        let options = ConvOptions::new_with_padding(stride, padding, dilation, groups);
        let batch = draw.draw(1, 9);
        let input = random([batch, channels, size[0], size[1]], &device);
        let weight = random([outputs, channels / groups, kernel[0], kernel[1]], &device);
        let bias = (draw.draw(0, 2) > 0).then(|| random([outputs], &device));
        let relu = draw.draw(0, 2) == 0;
        let what = format!(
            "{:?} * {:?}, {options:?}, bias {}, relu {relu}",
            input.dims(),
            weight.dims(),
            bias.is_some()
        );
        let run = |ours: bool| {
            let leaf = |tensor: &Tensor<4>| tensor.clone().require_grad();
            let (input, weight) = (leaf(&input), leaf(&weight));
            let bias = bias.clone().map(Tensor::require_grad);
            let (x, w, b) = (input.clone(), weight.clone(), bias.clone());
            let output = match (ours, relu) {
                (true, false) => kernel::conv2d(x, w, b, options.clone()),
                (true, true) => kernel::conv2d_relu(x, w, b, options.clone()),
                (false, false) => module::conv2d(x, w, b, options.clone()),
                (false, true) => module::conv2d(x, w, b, options.clone()).clamp_min(0.0),
            };
            // A gradient of the output that differs from place to place.
            let factors =
                Tensor::<1, Int>::arange(0..output.shape().num_elements() as i64, &device);
            let factors = (factors.float() * 0.7).sin().reshape(output.dims());
            let gradients = (output.clone() * factors).sum().backward();
            let bias = bias.map(|bias| bias.grad(&gradients).unwrap());
            (
                output,
                input.grad(&gradients).unwrap(),
                weight.grad(&gradients).unwrap(),
                bias,
            )
        };
        let (ours, burns) = (run(true), run(false));
        assert_close(&format!("output of {what}"), ours.0, burns.0);
        assert_close(&format!("gradient by the input of {what}"), ours.1, burns.1);
        assert_close(
            &format!("gradient by the weight of {what}"),
            ours.2,
            burns.2,
        );
        if let (Some(ours), Some(burns)) = (ours.3, burns.3) {
            assert_close(&format!("gradient by the bias of {what}"), ours, burns);
        }
    }
}

#[test]
fn a_transposed_convolution_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(16);
    device.seed(16);
    let (mut cases, wanted) = (0, if is_slow() { 20 } else { 300 });
    while cases < wanted {
        let groups = [1, 1, 2, 3][draw.draw(0, 3)];
        let [channels, outputs] = [5, 9].map(|most| groups * draw.draw(1, most));
        let mut pair = |low, high| [draw.draw(low, high), draw.draw(low, high)];
        let (kernel, stride, dilation) = (pair(1, 5), pair(1, 4), pair(1, 3));
        let (size, padding) = (pair(1, 12), pair(0, 4));
        // Also a stride or more, for which only Burn has a way.
        let padding_out = [0, 1].map(|axis| draw.draw(0, stride[axis].max(dilation[axis]) - 1));
        let fits = |axis: usize| {
            let reach = dilation[axis] * (kernel[axis] - 1) + padding_out[axis];
            2 * padding[axis] <= (size[axis] - 1) * stride[axis] + reach
        };
        if !fits(0) || !fits(1) {
            continue;
        }
        cases += 1;
        let options = ConvTransposeOptions::new(stride, padding, padding_out, dilation, groups);
        let input = random([draw.draw(1, 5), channels, size[0], size[1]], &device);
        let weight = random([channels, outputs / groups, kernel[0], kernel[1]], &device);
        let bias = (draw.draw(0, 2) > 0).then(|| random([outputs], &device));
        let what = format!("{:?} by {:?}, {options:?}", input.dims(), weight.dims());
        let run = |function: fn(_, _, _, _) -> Tensor<4>| {
            let [input, weight] = [&input, &weight].map(|tensor| tensor.clone().require_grad());
            let output = function(input.clone(), weight.clone(), bias.clone(), options.clone());
            let factors =
                Tensor::<1, Int>::arange(0..output.shape().num_elements() as i64, &device);
            let factors = (factors.float() * 0.7).sin().reshape(output.dims());
            let gradients = (output.clone() * factors).sum().backward();
            let gradients = [&input, &weight].map(|leaf| leaf.grad(&gradients).unwrap());
            (output, gradients)
        };
        let ours = run(kernel::conv_transpose2d);
        let burns = run(module::conv_transpose2d);
        assert_close(&format!("output of {what}"), ours.0, burns.0);
        for (ours, burns) in ours.1.into_iter().zip(burns.1) {
            assert_close(&format!("gradient of {what}"), ours, burns);
        }
    }
}

/// Two convolutions with a square between, and the mean square of what they give: smooth, so that
/// its gradient has a derivative everywhere.
struct Smooth<'a> {
    input: &'a Tensor<4>,
    options: &'a ConvOptions<2>,
}

type Convolve = fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>;

impl Smooth<'_> {
    fn loss(&self, [first, second]: [Tensor<4>; 2], convolve: Convolve) -> Tensor<1> {
        let run = |x, w| convolve(x, w, None, self.options.clone());
        let hidden = run(self.input.clone(), first);
        run(hidden.powi_scalar(2), second).powi_scalar(2).mean()
    }

    /// The derivative of the loss along `along`.
    fn tangent(
        &self,
        [first, second]: [Tensor<4>; 2],
        along: [Tensor<4>; 2],
        convolve: Convolve,
    ) -> Tensor<1> {
        let run = |x, w| convolve(x, w, None, self.options.clone());
        let [along_first, along_second] = along;
        let hidden = run(self.input.clone(), first);
        let hidden_along = run(self.input.clone(), along_first);
        let squared_along = hidden.clone() * hidden_along * 2.0;
        let squared = hidden.powi_scalar(2);
        let output = run(squared.clone(), second.clone());
        let output_along = run(squared_along, second) + run(squared, along_second);
        (output * output_along * 2.0).mean()
    }
}

/// A tangent pass through the kernels, differentiated once, is a Hessian product: it equals the
/// same with Burn's own convolution, and central differences of Burn's gradients in double
/// precision.
#[test]
fn a_tangent_through_convolutions_gives_hessian_products() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(3);
    let input = random([3, 2, 7, 6], &device);
    let options = ConvOptions::new([2, 1], [1, 1], [1, 1], 1);
    let smooth = Smooth {
        input: &input,
        options: &options,
    };
    let weights = || [random([4, 2, 3, 3], &device), random([3, 4, 2, 3], &device)];
    let (weights, along) = (weights(), weights());
    let product = |convolve| {
        let leaves = weights.clone().map(Tensor::require_grad);
        let tangent = smooth.tangent(leaves.clone(), along.clone(), convolve);
        let gradients = tangent.backward();
        leaves.map(|leaf| leaf.grad(&gradients).unwrap())
    };
    let (ours, burns) = (product(kernel::conv2d), product(module::conv2d));
    for (ours, burns) in ours.clone().into_iter().zip(burns) {
        assert_close("Hessian product", ours, burns);
    }
    if is_slow() {
        return; // No double precision there.
    }
    let double = |tensor: &Tensor<4>| tensor.clone().cast(FloatDType::F64);
    let input = double(&input);
    let smooth = Smooth {
        input: &input,
        options: &options,
    };
    let gradient = |step: f64| {
        let at = |(weights, along): (&Tensor<4>, &Tensor<4>)| {
            (double(weights) + double(along) * step)
                .detach()
                .require_grad()
        };
        let leaves = [0, 1].map(|index| at((&weights[index], &along[index])));
        let gradients = smooth.loss(leaves.clone(), module::conv2d).backward();
        leaves.map(|leaf| leaf.grad(&gradients).unwrap())
    };
    const STEP: f64 = 1e-4;
    for ((ours, above), below) in ours.into_iter().zip(gradient(STEP)).zip(gradient(-STEP)) {
        let differences = (above - below) / (2.0 * STEP);
        assert_close("Hessian product by differences", ours, differences);
    }
}

/// A network of every kernel that sums: what it gives, and its gradients.
fn everything(device: &Device) -> Vec<TensorData> {
    device.seed(11);
    let leaf = |shape: [usize; 4]| random(shape, device).require_grad();
    let image = leaf([5, 6, 12, 11]);
    let (dense, grouped) = (leaf([9, 6, 3, 3]), leaf([9, 3, 2, 2]));
    let vector = |width| random([width], device).require_grad();
    let (gamma, beta, bias) = (vector(9), vector(9), vector(9));
    let options = |groups| ConvOptions::new([1, 1], [1, 1], [1, 1], groups);
    let x = kernel::conv2d_relu(image.clone(), dense.clone(), Some(bias.clone()), options(1));
    let x = kernel::conv2d(x, grouped.clone(), None, options(3));
    let x = kernel::batch_norm_train(x, gamma.clone(), beta.clone(), 1e-5).output;
    let x = kernel::max_pool2d(x, MaxPoolOptions::new([2, 2]));
    let heads = x.reshape([5, 3, 6, 18]);
    let x = kernel::attention(heads.clone(), heads.clone(), heads, true);
    let (scale, weight) = (vector(18), leaf([1, 1, 18, 7]));
    let x = kernel::layer_norm(x, scale.clone(), None, 1e-5);
    let x = kernel::gelu(kernel::linear(x, weight.clone().reshape([18, 7]), None));
    let scores = x.reshape([90, 7]);
    let target = Tensor::<1, Int>::arange(0..90, device).remainder_scalar(7);
    let loss = kernel::cross_entropy(scores.clone(), target, 0.1);
    let gradients = loss.backward();
    let mut found = vec![scores.into_data(), loss.into_data()];
    for tensor in [&image, &dense, &grouped, &weight] {
        found.extend(tensor.grad(&gradients).map(Tensor::into_data));
    }
    for tensor in [&gamma, &beta, &bias, &scale] {
        found.extend(tensor.grad(&gradients).map(Tensor::into_data));
    }
    assert_eq!(found.len(), 10, "each has a gradient");
    found
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let _lock = lock();
    let device = device().autodiff();
    if is_slow() {
        return; // The threads are not ours there.
    }
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| everything(&device))
    };
    let one = run(1);
    for threads in [2, 5] {
        assert!(run(threads) == one, "with {threads} threads");
    }
}

/// Under Burn's gradient checkpointing, too, where it computes parts of the forward pass again.
#[test]
fn gradients_are_the_same_with_checkpointing() {
    let _lock = lock();
    let device = device().autodiff();
    if is_slow() {
        return; // The kernels are Burn's there.
    }
    let plain = everything(&device);
    assert!(everything(&device.gradient_checkpointing()) == plain);
}
