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
    let (device, dtype) = (output.device(), output.dtype());
    let integers = (&device, target.dtype());
    let blanks = |width| Tensor::<2, Int>::zeros([batch, width], integers);
    let never = |width| Tensor::<2>::full([batch, width], NEVER, (&device, dtype));

    // The states: the classes with a blank before, between and behind them.
    let states = 2 * targets + 1;
    let pairs = Tensor::stack::<3>(vec![blanks(targets), target.clone()], 2);
    let classes = Tensor::cat(vec![pairs.reshape([batch, 2 * targets]), blanks(1)], 1);
    let indices = classes.clone().unsqueeze_dim::<3>(1);
    let scores = output.gather(2, indices.expand([batch, length, states]));
    let scores = scores.clamp_min(NEVER);
    let known = scores.clone().detach();
    let score = |step: usize| known.clone().slice(s![.., step, ..]).squeeze_dim::<2>(1);

    // From a state one stays, takes the next one, or leaves out a blank between classes that differ.
    let before = Tensor::cat(vec![blanks(2), classes.clone()], 1).slice(s![.., ..states]);
    let stuck = classes.clone().equal_scalar(0);
    let stuck = stuck.bool_or(classes.equal(before));
    // It ends in the last class, or in the blank behind it.
    let spelled = target.clone().not_equal_scalar(0).int();
    let count = spelled.cast(target.dtype()).sum_dim(1);
    let left = Tensor::<1, Int>::arange(0..states as i64, integers).unsqueeze() - count.clone() * 2;
    let ends = left.clone().equal_scalar(0).bool_or(left.equal_scalar(-1));
    let ends = never(states).mask_fill(ends, 0.0);

    // Of each state at each step the probability of all ways to it; there are two states before the
    // first one, and the ways begin in the second of them.
    let mut ways = Tensor::cat(vec![never(1), never(1).zeros_like(), never(states)], 1);
    let mut reached = Vec::with_capacity(length);
    for step in 0..length {
        let [skip, next, stay] = [0, 1, 2].map(|by| ways.clone().slice(s![.., by..by + states]));
        let skip = skip.mask_fill(stuck.clone(), NEVER);
        let here = log_sum_exp(Tensor::stack::<3>(vec![stay, next, skip], 2)).squeeze_dim::<2>(2);
        let here = here + score(step);
        reached.push(here.clone());
        ways = Tensor::cat(vec![never(2), here], 1);
    }
    let all = log_sum_exp(ways.slice(s![.., 2..]) + ends.clone());
    let impossible = all.clone().lower_scalar(NEVER / 2.0);
    let lengths = count.clamp_min(1).float().cast(dtype);
    let loss = -all.clone().mask_fill(impossible.clone(), f64::NEG_INFINITY) / lengths.clone();
    if !device.is_autodiff() {
        return loss.mean();
    }

    // The gradient by a score is the probability of its state at its step, given the target: that of all
    // ways to it, times that of all ways on from it. Differentiating the recursion would come to
    // the same, with a graph of all its steps.
    let mut on = ends;
    let mut gradient = Vec::with_capacity(length);
    for (step, here) in reached.into_iter().enumerate().rev() {
        let given = (here + on.clone() - all.clone()).exp();
        gradient.push(given.mask_fill(impossible.clone().expand([batch, states]), 0.0));
        let here = on + score(step);
        let skip = here.clone().mask_fill(stuck.clone(), NEVER);
        let [here, skip] = [here, skip].map(|ways| Tensor::cat(vec![ways, never(2)], 1));
        let [stay, next] = [0, 1].map(|by| here.clone().slice(s![.., by..by + states]));
        let skip = skip.slice(s![.., 2..]);
        on = log_sum_exp(Tensor::stack::<3>(vec![stay, next, skip], 2)).squeeze_dim::<2>(2);
    }
    gradient.reverse();
    let gradient = Tensor::stack::<3>(gradient, 1) / lengths.unsqueeze_dim::<3>(2);
    loss.mean() - ((scores - known) * gradient).sum() / batch as f64
}

/// The logarithm of a probability of 0. An infinite one would have a gradient that is no number.
const NEVER: f64 = -1e30;

/// `log sum_k exp(x_k)` over the last dimension, which becomes 1.
fn log_sum_exp<const D: usize>(terms: Tensor<D>) -> Tensor<D> {
    let max = terms.clone().max_dim(D - 1);
    (terms - max.clone()).exp().sum_dim(D - 1).log() + max
}
