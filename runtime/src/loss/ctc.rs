//! Connectionist temporal classification.

use burn::tensor::{Bool, Int, Tensor};

use crate::tangent::Dual;

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
    let [batch, ..] = output.dims();
    let device = output.device();
    let trellis = Trellis::new(target, &output);
    let scores = trellis.scores(Dual::constant(output)).value;
    let known = scores.clone().detach();
    let (all, reached) = trellis.ways(Dual::constant(known.clone()));
    let all = all.value;
    let impossible = impossible(&all);
    let spelled = all.clone().mask_fill(impossible.clone(), f64::NEG_INFINITY);
    let loss = (-spelled / trellis.lengths.clone()).mean();
    if !device.is_autodiff() {
        return loss;
    }

    // The gradient by a score is the probability of its state at its step, given the target: that of all
    // ways to it, times that of all ways on from it. Differentiating the recursion would come to
    // the same, with a graph of all its steps.
    let Trellis {
        stuck,
        ends,
        lengths,
        ..
    } = trellis;
    let [_, states] = ends.dims();
    let none = never(2, &ends);
    let mut on = ends;
    let mut gradient = Vec::with_capacity(reached.len());
    for (step, here) in reached.into_iter().enumerate().rev() {
        let given = (here.value + on.clone() - all.clone()).exp();
        gradient.push(given.mask_fill(impossible.clone().expand([batch, states]), 0.0));
        let here = on + known.clone().narrow(1, step, 1).squeeze_dim::<2>(1);
        let skip = here.clone().mask_fill(stuck.clone(), NEVER);
        let [here, skip] = [here, skip].map(|ways| Tensor::cat(vec![ways, none.clone()], 1));
        let [stay, next] = [0, 1].map(|by| here.clone().narrow(1, by, states));
        let skip = skip.narrow(1, 2, states);
        let ways = Tensor::stack::<3>(vec![stay, next, skip], 2);
        on = log_sum_exp(Dual::constant(ways)).value.squeeze_dim(2);
    }
    gradient.reverse();
    let gradient = Tensor::stack::<3>(gradient, 1) / lengths.unsqueeze_dim::<3>(2);
    loss - ((scores - known) * gradient).sum() / batch as f64
}

/// [`ctc`] with its derivative along a direction. A target that cannot be spelled adds nothing to it.
pub fn ctc_dual(output: Dual<3>, target: Tensor<2, Int>) -> Dual<1> {
    let value = ctc(output.value.clone(), target.clone());
    if output.tangent.is_none() {
        return Dual::constant(value);
    }
    let trellis = Trellis::new(target, &output.value);
    let (all, _) = trellis.ways(trellis.scores(output));
    let impossible = impossible(&all.value);
    let loss = all
        .mask_fill(impossible, 0.0)
        .linear(|x| -x / trellis.lengths.clone());
    Dual {
        value,
        tangent: loss.mean().tangent,
    }
}

/// What an output goes through to spell its target: the classes with a blank before, between and
/// behind them.
struct Trellis {
    classes: Tensor<2, Int>,
    /// The states that are not reached by leaving out the one before.
    stuck: Tensor<2, Bool>,
    /// 0 for the states in which it ends, [`NEVER`] for the others.
    ends: Tensor<2>,
    /// The targets' lengths, at least 1: `[batch, 1]`.
    lengths: Tensor<2>,
}

impl Trellis {
    fn new(target: Tensor<2, Int>, output: &Tensor<3>) -> Self {
        let [batch, targets] = target.dims();
        let (device, dtype) = (output.device(), output.dtype());
        let integers = (&device, target.dtype());
        let blanks = |width| Tensor::<2, Int>::zeros([batch, width], integers);
        let states = 2 * targets + 1;
        let pairs = Tensor::stack::<3>(vec![blanks(targets), target.clone()], 2);
        let classes = Tensor::cat(vec![pairs.reshape([batch, 2 * targets]), blanks(1)], 1);

        // From a state one stays, takes the next one, or leaves out a blank between classes that
        // differ.
        let before = Tensor::cat(vec![blanks(2), classes.clone()], 1).narrow(1, 0, states);
        let stuck = classes.clone().equal_scalar(0);
        let stuck = stuck.bool_or(classes.clone().equal(before));
        // It ends in the last class, or in the blank behind it.
        let spelled = target.clone().not_equal_scalar(0).int();
        let count = spelled.cast(target.dtype()).sum_dim(1);
        let left = Tensor::<1, Int>::arange(0..states as i64, integers).unsqueeze();
        let left = left - count.clone() * 2;
        let ends = left.clone().equal_scalar(0).bool_or(left.equal_scalar(-1));
        let zeros = Tensor::<2>::zeros([batch, states], (&device, dtype));
        Trellis {
            classes,
            stuck,
            ends: zeros.mask_fill(ends.bool_not(), NEVER),
            lengths: count.clamp_min(1).float().cast(dtype),
        }
    }

    /// The scores of the states at each step, `[batch, length, states]`.
    fn scores(&self, output: Dual<3>) -> Dual<3> {
        let [batch, length, _] = output.dims();
        let indices = self.classes.clone().unsqueeze_dim::<3>(1);
        let [_, states] = self.classes.dims();
        let scores = output.gather(2, indices.expand([batch, length, states]));
        scores.clamp_min(NEVER)
    }

    /// The logarithm of the probability of all ways through, `[batch, 1]`, and of all ways to each state
    /// at each step, `[batch, states]`.
    fn ways(&self, scores: Dual<3>) -> (Dual<2>, Vec<Dual<2>>) {
        let [_, length, states] = scores.dims();
        let never = |width| Dual::constant(never(width, &self.ends));
        // There are two states before the first one, and the ways begin in the second of them.
        let begin = never(1).linear(|x| x.zeros_like());
        let mut ways = Dual::cat(vec![never(1), begin, never(states)], 1);
        let mut reached = Vec::with_capacity(length);
        for step in 0..length {
            let [skip, next, stay] = [0, 1, 2].map(|by| ways.clone().narrow(1, by, states));
            let skip = skip.mask_fill(self.stuck.clone(), NEVER);
            let here = log_sum_exp(Dual::stack::<3>(vec![stay, next, skip], 2));
            let here = here.linear(|x| x.squeeze_dim::<2>(2));
            let here = here
                + scores
                    .clone()
                    .narrow(1, step, 1)
                    .linear(|x| x.squeeze_dim(1));
            reached.push(here.clone());
            ways = Dual::cat(vec![never(2), here], 1);
        }
        let last = ways.narrow(1, 2, states);
        let all = log_sum_exp(last + Dual::constant(self.ends.clone()));
        (all, reached)
    }
}

/// The logarithm of a probability of 0. An infinite one would have a gradient that is no number.
const NEVER: f64 = -1e30;

/// So many states for each example that are not reached.
fn never(width: usize, like: &Tensor<2>) -> Tensor<2> {
    let [batch, _] = like.dims();
    Tensor::full([batch, width], NEVER, (&like.device(), like.dtype()))
}

fn impossible(all: &Tensor<2>) -> Tensor<2, Bool> {
    all.clone().lower_scalar(NEVER / 2.0)
}

/// `log sum_k exp(x_k)` over the last dimension, which becomes 1.
fn log_sum_exp<const D: usize>(terms: Dual<D>) -> Dual<D> {
    // Whatever is taken off before is put back, so its derivative is none.
    let max = Dual::constant(terms.value.clone().detach().max_dim(D - 1));
    (terms - max.clone()).exp().sum_dim(D - 1).log() + max
}
