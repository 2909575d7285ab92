//! Connectionist temporal classification.

use burn::tensor::{Int, Tensor, s};

/// The mean over the batch of the negative logarithm of the probability that an output spells its
/// target, divided by the target's length: the sum over all ways to repeat the target's classes, and to
/// put blanks between them, that take as long as the output (Graves et al. 2006). As PyTorch's `CTCLoss`
/// with the blank 0; outputs are not shortened.
///
/// `output`: `[batch, length, classes]`, logarithms of probabilities, class 0 being the blank;
/// `target`: `[batch, targets]`, classes from 1 on, filled up with 0 behind the last one.
///
/// Infinite where a target is longer than the output can spell: it needs one step for each class, and
/// one more between two that are the same.
///
/// Burn's gives the whole gradient to one of two ways that are equally probable, as they are with an
/// output that does not yet tell classes apart.
///
/// # Panics
///
/// If the two batches differ, or there is no such class.
pub fn ctc(output: Tensor<3>, target: Tensor<2, Int>) -> Tensor<1> {
    let [batch, length, _] = output.dims();
    let [_, targets] = target.dims();
    let device = output.device();
    let blanks = |width: usize| Tensor::<2, Int>::zeros([batch, width], &device);
    let never = |width: usize| Tensor::<2>::full([batch, width], NEVER, &device);

    // The states: the classes with a blank before, between and behind them.
    let states = 2 * targets + 1;
    let pairs = Tensor::<2, Int>::stack::<3>(vec![blanks(targets), target.clone()], 2);
    let classes = Tensor::cat(vec![pairs.reshape([batch, 2 * targets]), blanks(1)], 1);
    let indices = classes.clone().unsqueeze_dim::<3>(1);
    let scores = output.gather(2, indices.expand([batch, length, states]));

    // A way stays where it is, takes the next state, or leaves out a blank between classes that differ.
    let before = Tensor::cat(vec![blanks(2), classes.clone()], 1).slice(s![.., ..states]);
    let stuck = classes.clone().equal_scalar(0);
    let stuck = stuck.bool_or(classes.equal(before));
    // Two states before the first one; the ways begin in the second of them.
    let mut ways = Tensor::cat(vec![never(1), never(1).zeros_like(), never(states)], 1);
    for step in 0..length {
        let [stay, next, skip] = [2, 1, 0].map(|by| ways.clone().slice(s![.., by..by + states]));
        let skip = skip.mask_fill(stuck.clone(), NEVER);
        let score = scores.clone().slice(s![.., step, ..]).squeeze_dim::<2>(1);
        let sum = log_sum_exp(vec![stay, next, skip]) + score;
        ways = Tensor::cat(vec![never(2), sum], 1);
    }

    // They end in the last class or the blank behind it.
    let count = target.not_equal_scalar(0).int().sum_dim(1);
    let [class, blank] = [1, 2].map(|by| ways.clone().gather(1, count.clone() * 2 + by));
    let loss = -log_sum_exp(vec![class, blank]);
    let impossible = loss.clone().greater_scalar(-NEVER / 2.0);
    (loss.mask_fill(impossible, f64::INFINITY) / count.clamp_min(1).float()).mean()
}

/// The logarithm of a probability of 0. An infinite one would have a gradient that is no number.
const NEVER: f64 = -1e30;

/// `log sum_k exp(x_k)`.
fn log_sum_exp(terms: Vec<Tensor<2>>) -> Tensor<2> {
    let terms = Tensor::stack::<3>(terms, 2);
    let max = terms.clone().detach().max_dim(2);
    let sum = (terms - max.clone()).exp().sum_dim(2);
    (sum.log() + max).squeeze_dim::<2>(2)
}
