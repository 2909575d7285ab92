//! The update rules, as data.

use serde::{Deserialize, Serialize};

use super::choice::{Value, choices};
use crate::flatness::CurvatureMatrix;

choices! {
    /// An update rule. `g` is the gradient of a parameter `w`, `γ` the learning rate.
    #[serde(rename_all = "lowercase")]
    pub enum Update {
        /// Stochastic gradient descent:
        /// `d = g + weight_decay·w`, `v ← momentum·v + d`, `w ← w - γv`, and with `nesterov`
        /// `w ← w - γ(d + momentum·v)`. The first step sets `v = d`, as in PyTorch.
        Sgd = SGD {
            /// In [0, 1).
            momentum: f64,
            /// Whether the momentum is Nesterov's.
            nesterov: bool,
            /// At least 0; added to the gradient.
            weight_decay: f64,
        }
        /// Adam ([Kingma and Ba 2015](https://arxiv.org/abs/1412.6980)):
        /// `d = g + weight_decay·w`, `m ← β₁m + (1 - β₁)d`, `v ← β₂v + (1 - β₂)d²`,
        /// `w ← w - γ m̂ / (√v̂ + ε)` with the bias-corrected `m̂ = m/(1 - β₁ᵗ)`, `v̂ = v/(1 - β₂ᵗ)`.
        Adam = ADAM {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; added to the gradient.
            weight_decay: f64,
            /// Whether `v̂` is the largest so far, as in AMSGrad
            /// ([Reddi et al. 2018](https://arxiv.org/abs/1904.09237)).
            #[serde(default)]
            amsgrad: bool,
        }
        /// AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)): Adam with the
        /// decay beside the gradient, `w ← (1 - γ·weight_decay)w - γ m̂ / (√v̂ + ε)`.
        AdamW = ADAMW {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
            /// Whether `v̂` is the largest so far, as in AMSGrad
            /// ([Reddi et al. 2018](https://arxiv.org/abs/1904.09237)).
            #[serde(default)]
            amsgrad: bool,
        }
        /// AdaGrad ([Duchi, Hazan and Singer 2011](https://jmlr.org/papers/v12/duchi11a.html)):
        /// `d = g + weight_decay·w`, `s ← s + d²`, `w ← w - γₜ d / (√s + ε)` with
        /// `γₜ = γ / (1 + (t - 1)·lr_decay)` at step *t* from 1, as in PyTorch.
        AdaGrad = ADAGRAD {
            /// At least 0; a decay beside the schedule's.
            lr_decay: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; added to the gradient.
            weight_decay: f64,
        }
        /// RMSProp ([Tieleman and Hinton 2012, lecture
        /// 6e](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)):
        /// `d = g + weight_decay·w`, `s ← αs + (1 - α)d²`, `b ← momentum·b + d / (√s + ε)`,
        /// `w ← w - γb`. With `centered` the mean of `d` is subtracted, `s - m²` in place of `s`
        /// with `m ← αm + (1 - α)d` ([Graves 2013](https://arxiv.org/abs/1308.0850)), worked out so
        /// that rounding does not make it negative. The epsilon is outside the root as in PyTorch;
        /// TensorFlow has it inside.
        RmsProp = RMSPROP {
            /// In [0, 1).
            alpha: f64,
            /// In [0, 1).
            momentum: f64,
            /// Whether `s` is a variance rather than a mean square.
            centered: bool,
            /// Above 0.
            epsilon: f64,
            /// At least 0; added to the gradient.
            weight_decay: f64,
        }
        /// Adafactor ([Shazeer and Stern 2018](https://arxiv.org/abs/1804.04235)), which keeps the
        /// means of the rows and of the columns of `g²` in place of all of it.
        ///
        /// With `β̂ = 1 - t^decay_rate` and `s = g² + ε₁`, a matrix has `R ← β̂R + (1 - β̂)·rows(s)`,
        /// `C ← β̂C + (1 - β̂)·columns(s)`, `V = RC / mean(R)`; a vector `V ← β̂V + (1 - β̂)s`. Then
        /// `u = g / √V`, `d = u / max(1, RMS(u) / clip_threshold)` and
        /// `w ← (1 - γ·weight_decay)w - ρ·d` with `ρ = min(γ, 1/√t)·max(ε₂, RMS(w))`. Tensors of
        /// higher rank are matrices in their last two dimensions. It is PyTorch's rule but for
        /// ε₁: PyTorch does not add it, and bounds `V` by it.
        Adafactor = ADAFACTOR {
            /// Below 0.
            decay_rate: f64,
            /// Above 0.
            clip_threshold: f64,
            /// Whether `ρ` has `min(γ, 1/√t)` rather than `γ`.
            relative_step: bool,
            /// Whether `ρ` has the factor `max(ε₂, RMS(w))`.
            scale_parameter: bool,
            /// Above 0.
            epsilon_1: f64,
            /// Above 0.
            epsilon_2: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
        }
        /// Adan ([Xie et al. 2022](https://arxiv.org/abs/2208.06677)), with the numbers of its
        /// authors' code, where a `beta` is 1 minus that of the paper:
        /// `m ← β₁m + (1 - β₁)g`, `v ← β₂v + (1 - β₂)(g - g')`,
        /// `n ← β₃n + (1 - β₃)(g + β₂(g - g'))²`,
        /// `w ← (w - γ(m̂ + β₂v̂) / (√n̂ + ε)) / (1 + γ·weight_decay)`. `g'` is the gradient of the
        /// step before, at the first step `g`; hats are bias corrections as in Adam.
        Adan = ADAN {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// In [0, 1).
            beta_3: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
        }
        /// LAMB ([You et al. 2020](https://arxiv.org/abs/1904.00962)):
        /// `u = m̂ / (√v̂ + ε) + weight_decay·w` with Adam's `m̂` and `v̂`, and
        /// `w ← w - γ·(‖w‖/‖u‖)·u` for each parameter with its own norms; the ratio is 1 where one
        /// of them is 0. It adapts without decay too, as optax does and timm with `always_adapt`.
        /// timm also clips all gradients to a norm of 1 together: say `clip global_norm(1.0);`.
        Lamb = LAMB {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; part of the direction `u`.
            weight_decay: f64,
        }
        /// Lion ([Chen et al. 2023](https://arxiv.org/abs/2302.06675)):
        /// `w ← (1 - γ·weight_decay)w - γ·sign(β₁m + (1 - β₁)g)`, then `m ← β₂m + (1 - β₂)g`.
        /// Its rate is a third to a tenth of AdamW's.
        Lion = LION {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
        }
        /// Muon ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)), for matrices:
        /// `v ← momentum·v + g`, `u = v` or with `nesterov` `g + momentum·v`, and
        /// `w ← (1 - γ·weight_decay)w - γ·a·O`, where `O` is nearly `UVᵀ` of the singular value
        /// decomposition `u = UΣVᵀ`, by Newton and Schulz's iteration
        /// `X ← 3.4445 X - 4.775 XXᵀX + 2.0315 (XXᵀ)²X` from `X = u / max(‖u‖, 1e-7)`.
        ///
        /// PyTorch's rule but for the iteration, which is in single precision here and in
        /// bfloat16 there. A matrix is taken to be the weight of a linear layer as Burn keeps it,
        /// `[in, out]`. Norms, biases and embeddings need another rule.
        Muon = MUON {
            /// In [0, 1).
            momentum: f64,
            /// Whether the momentum is Nesterov's.
            nesterov: bool,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
            /// The steps of the iteration, at least 1.
            steps: usize,
            /// The factor `a`.
            adjust_lr: AdjustLr,
        }
        /// LARS ([You, Gitman and Ginsburg 2017](https://arxiv.org/abs/1708.03888)), for batches of
        /// thousands: `λ = trust_coefficient·‖w‖ / (‖g‖ + weight_decay·‖w‖)`,
        /// `d = γλ(g + weight_decay·w)`, `v ← momentum·v + d`, `w ← w - v`, and with `nesterov`
        /// `w ← w - (d + momentum·v)`. Norms are those of one parameter and its gradient. Where one
        /// of them is 0, λ is 1.
        ///
        /// With `clip` it is LARC, which only ever lowers the rate: `min(λ, γ)` in place of `γλ`.
        ///
        /// The learning rate is inside the momentum as in the paper and in optax, so that a step
        /// remembers the rates of the steps before it; timm multiplies by the rate of today
        /// afterwards. The two are the same while the rate stays, and timm's jumps when it drops.
        /// As in the paper and unlike timm, λ adapts where `weight_decay` is 0 too, and there is no
        /// epsilon. optax has `‖g + weight_decay·w‖` below the line.
        Lars = LARS {
            /// In [0, 1).
            momentum: f64,
            /// Whether the momentum is Nesterov's.
            nesterov: bool,
            /// At least 0.
            weight_decay: f64,
            /// Above 0; how far a step may go, as a share of ‖w‖.
            trust_coefficient: f64,
            /// Whether the rate is only ever lowered.
            clip: bool,
        }
        /// signSGD and, with momentum, Signum
        /// ([Bernstein et al. 2018](https://arxiv.org/abs/1802.04434)):
        /// `m ← momentum·m + (1 - momentum)g`, `w ← (1 - γ·weight_decay)w - γ·sign(m)`.
        /// It is Lion with both betas the momentum.
        Sign = SIGN {
            /// In [0, 1).
            momentum: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
        }
        /// Steepest descent under a norm ([Boyd and Vandenberghe
        /// 2004](https://web.stanford.edu/~boyd/cvxbook/), section 9.4): `w ← w + γΔ`, where Δ is
        /// the step of norm 1 along which the loss falls fastest, and unless `normalized` that
        /// times the dual norm of the gradient. The gradient is that of all parameters which the
        /// rule moves, as one vector.
        ///
        /// | norm | Δ, normalized | dual norm |
        /// |---|---|---|
        /// | `l1` | `-sign(gᵢ)eᵢ`, *i* the first of the coordinates with the largest `\|gᵢ\|` | largest `\|gᵢ\|` |
        /// | `l2` | `-g/‖g‖` | `‖g‖` |
        /// | `linf` | `-sign(g)` | `Σ\|gᵢ\|` |
        ///
        /// A gradient of 0 moves nothing.
        Steepest = STEEPEST {
            /// The norm.
            norm: Norm,
            /// Whether the step has the norm 1.
            normalized: bool,
        }
        /// L-BFGS ([Nocedal 1980](https://doi.org/10.1090/S0025-5718-1980-0572855-7); [Liu and
        /// Nocedal 1989](https://doi.org/10.1007/BF01589116)): up to `max_iter` times a step
        /// `w ← w - tH∇L(w)`, where `H` is the approximation of the inverse Hessian from the last
        /// `history_size` changes of the weights and of the gradient. `t` is `γ`, in the very first
        /// iteration `γ·min(1, 1/Σ|gᵢ|)`, and with a line search where that leads. All parameters
        /// are one vector.
        ///
        /// It evaluates loss and gradient at each iteration, so it is for one batch that stays the
        /// same, and for a [`Minimiser`](super::Minimiser) in place of an
        /// [`Updater`](super::Updater). A step evaluates them at most `max_iter + max_iter/4`
        /// times, as in PyTorch, where the line search alone may go beyond that.
        Lbfgs = LBFGS {
            /// At least 1; how many changes are remembered.
            history_size: usize,
            /// At least 1; the most iterations of a step.
            max_iter: usize,
            /// How `t` is found.
            line_search: LineSearch,
            /// At least 0; a step ends where no `|gᵢ|` is larger.
            tolerance_grad: f64,
            /// At least 0; a step ends where neither a weight nor the loss changes by more.
            tolerance_change: f64,
        }
        /// Truncated Newton with conjugate gradients, an iteration of
        /// [`flatness::NewtonCg`](crate::flatness::NewtonCg) a step: `w ← w + tp`, where
        /// `(B + λI)p = -∇L(w)` is solved by up to `products` iterations of conjugate gradients on
        /// exact products with `B`, and `t` is the first of `γ`, `γ/2`, `γ/4`, .. that brings the loss
        /// down enough. All parameters are one vector.
        ///
        /// What it minimises is the loss of the step's batch as in training, with the batch's
        /// statistics in `batch_norm`, but without dropout. Only a [`Trainer`](crate::train::Trainer)
        /// takes its steps. Where none helps, nor one along `-∇L(w)`, the weights stay as they are and
        /// a line on standard error says so.
        #[serde(rename = "newton_cg")]
        NewtonCg = NEWTON_CG {
            /// At least 1; the most products of a step. By default fewer than of `NewtonCg`, and with
            /// a damping: the next batch has another minimum.
            products: usize,
            /// At least 0; the first `λ`, which then follows how well the loss was foretold.
            damping: f64,
            /// The matrix `B`.
            curvature: CurvatureMatrix,
        }
    }
}

/// How [`Update::Muon`] adjusts the learning rate to the shape of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdjustLr {
    /// `√max(1, out/in)`, Jordan's.
    Original,
    /// `0.2·√max(in, out)`, which gives the steps the size of AdamW's, and so its learning rate and
    /// decay ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)).
    #[serde(rename = "match_rms_adamw")]
    MatchRmsAdamW,
}

impl From<AdjustLr> for Value {
    fn from(adjust: AdjustLr) -> Self {
        Value::Word(match adjust {
            AdjustLr::Original => "original",
            AdjustLr::MatchRmsAdamW => "match_rms_adamw",
        })
    }
}

/// A norm of a vector, for [`Update::Steepest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Norm {
    /// `Σ|xᵢ|`
    L1,
    /// `√(Σxᵢ²)`
    L2,
    /// The largest `|xᵢ|`.
    Linf,
}

impl From<Norm> for Value {
    fn from(norm: Norm) -> Self {
        Value::Word(match norm {
            Norm::L1 => "l1",
            Norm::L2 => "l2",
            Norm::Linf => "linf",
        })
    }
}

impl From<CurvatureMatrix> for Value {
    fn from(curvature: CurvatureMatrix) -> Self {
        Value::Word(match curvature {
            CurvatureMatrix::Hessian => "hessian",
            CurvatureMatrix::GaussNewton => "gauss_newton",
        })
    }
}

/// How [`Update::Lbfgs`] finds how far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineSearch {
    /// As far as the learning rate says.
    None,
    /// To a point that fulfils Wolfe's strong conditions with `c₁ = 1e-4` and `c₂ = 0.9` ([Nocedal
    /// and Wright 2006](https://doi.org/10.1007/978-0-387-40065-5), algorithms 3.5 and 3.6); the
    /// learning rate is where the search begins.
    StrongWolfe,
}

impl From<LineSearch> for Value {
    fn from(search: LineSearch) -> Self {
        Value::Word(match search {
            LineSearch::None => "none",
            LineSearch::StrongWolfe => "strong_wolfe",
        })
    }
}
