//! What a step of Burn's learner gives where none of Burn's own outputs holds it.

use burn::tensor::{ExecutionError, Tensor};

use burn::train::metric::{Adaptor, ItemLazy, LossInput};

/// The loss of a network with several losses, or one that Burn has no output for.
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// The mean over the batch: `[1]`.
    pub loss: Tensor<1>,
}

impl Adaptor<LossInput> for LossOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl ItemLazy for LossOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        // As in Burn's own outputs: the work is handed over, and nobody waits for it.
        self.loss.device().flush()?;
        let loss = self.loss.without_autodiff();
        Ok(LossOutput { loss })
    }
}
