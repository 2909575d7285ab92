//! Every kernel equals Burn's own operation, gradients included, over random shapes.

use kiln::burn::tensor::ops::ConvOptions;
use kiln::burn::tensor::{Distribution, module};
use kiln::{Device, Int, Tensor, kernel};
use kiln_tests::{Lcg, device, is_slow, lock};

/// How far a number may be from Burn's, relative to the largest of its tensor.
const TOLERANCE: f64 = 1e-5;

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// Panics unless `ours` is `burns`, up to rounding.
fn assert_close<const D: usize>(what: &str, ours: Tensor<D>, burns: Tensor<D>) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let (ours, burns) = (ours.into_data(), burns.into_data());
    let largest = burns.iter::<f64>().fold(1.0, |a: f64, b| a.max(b.abs()));
    let apart = ours.iter::<f64>().zip(burns.iter::<f64>());
    let apart = apart.fold(0.0, |a: f64, (x, y)| a.max((x - y).abs()));
    assert!(
        apart <= TOLERANCE * largest,
        "{what}: {apart:e} apart, the largest number is {largest}"
    );
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
