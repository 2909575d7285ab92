//! The batch normalization layer.

use burn::nn;
use burn::tensor::Tensor;
use burn::tensor::module::BatchNormTrainOutput;

use super::wrapped::wrapped;
use crate::kernel;

/// Burn's [`BatchNorm`](nn::BatchNorm), computed by [`kernel::batch_norm_train`] and
/// [`kernel::batch_norm`].
#[derive(Clone, Debug)]
pub struct BatchNorm {
    inner: nn::BatchNorm,
}

wrapped!(BatchNorm: nn::BatchNorm);

impl BatchNorm {
    /// `[batch, channels, ..]`; the shape stays.
    ///
    /// While the layer is trained, on a device that differentiates, by the statistics of the batch,
    /// which then go into the running ones; else by the running ones.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if self.is_training(&input) {
            let (gamma, beta) = (self.gamma.val(), self.beta.val());
            self.follow(kernel::batch_norm_train(input, gamma, beta, self.epsilon))
        } else {
            let [gamma, beta, mean, variance] = self.channels(&input);
            kernel::batch_norm(input, gamma, beta, mean, variance, self.epsilon)
        }
    }

    /// [`forward`](Self::forward), and what is below 0 becomes 0, in the same pass.
    pub fn forward_relu<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if self.is_training(&input) {
            let (gamma, beta) = (self.gamma.val(), self.beta.val());
            let result = kernel::batch_norm_train_relu(input, gamma, beta, self.epsilon);
            self.follow(result)
        } else {
            let [gamma, beta, mean, variance] = self.channels(&input);
            kernel::batch_norm_relu(input, gamma, beta, mean, variance, self.epsilon)
        }
    }

    fn is_training<const D: usize>(&self, input: &Tensor<D>) -> bool {
        input.device().is_autodiff() && self.training.is_enabled()
    }

    fn channels<const D: usize>(&self, input: &Tensor<D>) -> [Tensor<1>; 4] {
        let device = input.device();
        [
            self.gamma.val(),
            self.beta.val(),
            self.running_mean.value().to_device(&device),
            self.running_var.value().to_device(&device),
        ]
    }

    /// Takes the batch's statistics into the running ones, by Burn's rule.
    fn follow<const D: usize>(&self, result: BatchNormTrainOutput<D>) -> Tensor<D> {
        let momentum = self.momentum;
        let device = result.output.device();
        for (running, batch) in [
            (&self.running_mean, result.mean),
            (&self.running_var, result.variance),
        ] {
            let old = running.value_sync().to_device(&device);
            let new = old * (1.0 - momentum) + batch.detach() * momentum;
            running.update(new.detach());
        }
        result.output
    }
}
