//! What stands beside the update rules: clipping, noise, sharpness, averages.

use super::choice::choices;
use crate::schedule::Time;

choices! {
    /// `clip ..;`: how gradients are clipped before the update.
    #[serde(rename_all = "snake_case")]
    pub enum Clip {
        /// [`clip_global_norm`](super::clip_global_norm) with this bound.
        GlobalNorm = GLOBAL_NORM {
            /// The largest norm that is left as it is.
            max_norm: f64,
        }
    }
}

choices! {
    /// `noise ..;`: what is added to the gradients, after clipping.
    #[serde(rename_all = "snake_case")]
    pub enum Noise {
        /// Independent normal numbers of variance `eta / (1 + t)^gamma` at step *t*, from 0
        /// ([Neelakantan et al. 2015](https://arxiv.org/abs/1511.06807)). With `gamma: 0` the
        /// variance stays as it is, as in noisy gradient descent, which escapes saddle points
        /// ([Ge et al. 2015](https://arxiv.org/abs/1503.02101)).
        Gaussian = GAUSSIAN {
            /// The variance at the first step, above 0. The paper tries 0.01, 0.3 and 1.
            eta: f64,
            /// How fast it decays, at least 0; 0.55 in the paper.
            gamma: f64,
        }
    }
}

choices! {
    /// `sharpness ..;`: the gradient is taken at the worst point near by. Every step takes two
    /// passes.
    #[serde(rename_all = "snake_case")]
    pub enum Sharpness {
        /// Sharpness-aware minimisation ([Foret et al. 2021](https://arxiv.org/abs/2010.01412)):
        /// the gradient at `w + rho · g / ‖g‖`, where ‖g‖ is the norm of all gradients together.
        Sam = SAM {
            /// The radius, above 0; 0.05 in the paper.
            rho: f64,
        }
        /// Adaptive SAM ([Kwon et al. 2021](https://arxiv.org/abs/2102.11600)): the gradient at
        /// `w + rho · T²g / ‖Tg‖` with `T = |w| + eta`, which does not change when a network's
        /// weights are scaled without changing what it computes. As in the authors' code, `T` is 1
        /// for biases and for the shift `beta` of a normalisation layer.
        Asam = ASAM {
            /// The radius, above 0; 0.5 in the paper.
            rho: f64,
            /// At least 0; 0.01 in the paper.
            eta: f64,
        }
    }
}

choices! {
    /// `average ..;`: an average of the weights.
    #[serde(rename_all = "snake_case")]
    pub enum Average {
        /// The exponential moving average after every step, `a ← decay · a + (1 - decay) · w`,
        /// from the initial weights: timm's `ModelEmaV2`, where PyTorch's `AveragedModel` begins with
        /// the weights after the first step. Running statistics are averaged like weights.
        Ema = EMA {
            /// In [0, 1).
            decay: f64,
        }
        /// Stochastic weight averaging ([Izmailov et al. 2018](https://arxiv.org/abs/1803.05407)):
        /// the mean of the weights at `from` and every `every` after it, in finished steps; a
        /// fraction of a step is the whole step after it. Running statistics are measured anew, see
        /// [`update_batch_norm`](crate::train::update_batch_norm).
        Swa = SWA {
            /// The first moment.
            from: Time,
            /// The time between two moments.
            every: Time,
        }
        /// Lookahead ([Zhang et al. 2019](https://arxiv.org/abs/1907.08610)): every `k` steps the
        /// slow weights go `alpha` of the way to the fast ones, `s ← s + alpha · (w - s)`, and the
        /// fast ones begin there again, `w ← s`. The slow weights begin at the initial ones.
        /// Training returns the slow weights, which the paper measures, unless it returns another
        /// average.
        Lookahead = LOOKAHEAD {
            /// Steps of the fast weights, at least 1; 5 in the paper.
            k: usize,
            /// In (0, 1]; 0.5 in the paper.
            alpha: f64,
        }
    }
}
