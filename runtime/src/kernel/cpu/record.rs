//! How an operation with a backward pass of its own enters Burn's graph.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::host::Host;

/// What the forward pass of an operation with `N` inputs keeps for its backward pass.
pub trait Step<B: Host, const N: usize>: Clone + Debug + Send + 'static {
    /// The gradient by each input for which one is wanted, from the gradient of the output.
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; N]) -> [Option<FloatTensor<B>>; N];
}

/// Computes an output, and records how its gradient goes on to the inputs.
pub fn record<B, C, S, const N: usize>(
    inputs: [NodeGuard; N],
    run: impl FnOnce() -> (FloatTensor<B>, S),
) -> FloatTensor<Autodiff<B, C>>
where
    B: Host,
    C: CheckpointStrategy,
    S: Step<B, N>,
{
    let (output, step) = run();
    match Recorded::<S>(PhantomData)
        .prepare::<C>(inputs)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prepared) => prepared.finish(step, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct Recorded<S>(PhantomData<S>);

impl<B: Host, S: Step<B, N>, const N: usize> Backward<B, N> for Recorded<S> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let output = gradients.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let inputs = ops.state.gradients(output, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(inputs) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}
