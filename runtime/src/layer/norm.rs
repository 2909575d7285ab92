//! The batch normalization layer.

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use burn::tensor::module::BatchNormTrainOutput;

use super::wrapped::wrapped;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, sum};

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

/// By the running statistics, `y' = (x' γ + (x - μ) γ_v) / √(σ² + ε) + β_v`; by those of the batch, they
/// change with the input.
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for BatchNorm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, pass: &mut Pass) -> Dual<D> {
        // What the flag is in training, also where the layer is in inference just now.
        let follows = self.training.clone().train().is_enabled();
        if pass.batch_statistics() && follows {
            return self.by_batch(along, input);
        }
        let [gamma, beta, mean, variance] = self.channels(&input.value);
        let epsilon = self.epsilon;
        let from_input = input.tangent.map(|tangent| {
            let zeros = mean.zeros_like();
            let (gamma, beta) = (gamma.clone(), zeros.clone());
            kernel::batch_norm(tangent, gamma, beta, zeros, variance.clone(), epsilon)
        });
        let from_scale = along.map(|along| {
            let (gamma, beta) = (along.gamma.val(), along.beta.val());
            let (mean, variance) = (mean.clone(), variance.clone());
            kernel::batch_norm(input.value.clone(), gamma, beta, mean, variance, epsilon)
        });
        Dual {
            value: kernel::batch_norm(input.value, gamma, beta, mean, variance, epsilon),
            tangent: sum(from_input, from_scale),
        }
    }
}

impl BatchNorm {
    fn by_batch<const D: usize>(&self, along: Option<&Self>, input: Dual<D>) -> Dual<D> {
        let [batch, channels] = [input.dims()[0], input.dims()[1]];
        let shape = input.dims();
        let numbers = shape[2..].iter().product();
        let channel = |x: Dual<1>| x.reshape([1, channels, 1]);
        let gamma = channel(Dual::parameter(
            &self.gamma,
            along.map(|along| &along.gamma),
        ));
        let beta = channel(Dual::parameter(&self.beta, along.map(|along| &along.beta)));
        let mean = |x: Dual<3>| x.mean_dim(2).mean_dim(0);
        let input = input.reshape([batch, channels, numbers]);
        let centred = input.clone() - mean(input);
        let variance = mean(centred.clone().square());
        let scale = gamma * (variance + self.epsilon).sqrt().recip();
        (centred * scale + beta).reshape(shape)
    }
}
