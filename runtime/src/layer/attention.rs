//! Multi-head attention, of a sequence to itself and to a memory.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};

use super::Linear;
use super::linear::{linear, optional};
use super::named::Named;
use super::positions::Waves;
use super::rotary::turned;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, part, value_of};

/// Multi-head attention of a sequence to itself (Vaswani et al. 2017), PyTorch's
/// `nn.MultiheadAttention` with `batch_first=True`: queries, keys and values are linear maps of the
/// input; each head attends with its own part of the features, and what they give lies behind each
/// other under one more linear map.
///
/// Parameters: `in_proj_weight` of `[3 * dim, dim]`, `in_proj_bias`, `out_proj.weight`,
/// `out_proj.bias`.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// The maps to queries, keys and values below each other, `[3 * dim, dim]`.
    pub in_proj_weight: Param<Tensor<2>>,
    /// `[3 * dim]`.
    pub in_proj_bias: Option<Param<Tensor<1>>>,
    /// The map of what the heads give.
    pub out_proj: Linear,
    heads: Heads,
}

/// The settings of a [`MultiHeadAttention`].
#[derive(Config, Debug)]
pub struct MultiHeadAttentionConfig {
    /// The features of each element; a multiple of `heads`.
    pub dim: usize,
    /// How many heads there are.
    pub heads: usize,
    /// Whether an element sees itself and those before it alone.
    #[config(default = false)]
    pub causal: bool,
    /// Whether the linear maps have biases.
    #[config(default = true)]
    pub bias: bool,
    /// The share of weights of the attention that is zeroed in training.
    #[config(default = 0.0)]
    pub dropout: f64,
    /// The base of a [`RotaryEmbedding`](super::RotaryEmbedding) of each head's queries and keys.
    pub rotary: Option<f64>,
}

impl MultiHeadAttentionConfig {
    /// The layer, drawn as PyTorch draws it: Glorot's uniform distribution for the maps of the
    /// input, that of a linear layer for `out_proj`, and biases of zero.
    ///
    /// # Panics
    ///
    /// Where `heads` does not divide `dim`, with `rotary` into an even width, or `dropout` is not in
    /// [0, 1).
    pub fn init(&self, device: &Device) -> MultiHeadAttention {
        let dim = self.dim;
        MultiHeadAttention {
            in_proj_weight: map([3 * dim, dim], device),
            in_proj_bias: self.bias.then(|| zeros(3 * dim, device)),
            out_proj: out(dim, self.bias, device),
            heads: Heads::new([dim, self.heads], self.causal, self.rotary, self.dropout),
        }
    }
}

impl MultiHeadAttention {
    /// `[batch, length, dim]`; the shape stays.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for MultiHeadAttention {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let weight = along.map(|along| &along.in_proj_weight);
        let weight = Dual::parameter(&self.in_proj_weight, weight);
        let bias = along.and_then(|along| along.in_proj_bias.as_ref());
        let bias = optional(self.in_proj_bias.as_ref(), bias);
        let all = linear(input, weight.linear(|x| x.transpose()), bias);
        let heads = self.heads.attend(self.heads.split(all), pass);
        part!(self.out_proj, along, heads, pass)
    }
}

/// Multi-head attention of a sequence to a memory, PyTorch's `nn.MultiheadAttention` with
/// `batch_first=True` and the memory as key and value. Everything in the memory is seen.
///
/// Parameters: as a [`MultiHeadAttention`]'s; where the memory has other features than the input,
/// `q_proj_weight`, `k_proj_weight` and `v_proj_weight` in place of `in_proj_weight`.
#[derive(Clone, Debug)]
pub struct CrossAttention {
    /// The maps to queries, keys and values, below each other or apart.
    weights: Named<Param<Tensor<2>>>,
    in_proj_bias: Option<Param<Tensor<1>>>,
    out_proj: Linear,
    heads: Heads,
}

crate::__impl_module!(CrossAttention {
    weights: [] [],
    in_proj_bias: ["in_proj_bias"] ["in_proj_bias"],
    out_proj: ["out_proj"] ["out_proj"],
    heads: ["heads"] ["heads"],
} keep {});

/// The settings of a [`CrossAttention`].
#[derive(Config, Debug)]
pub struct CrossAttentionConfig {
    /// The features of each element of the input; a multiple of `heads`.
    pub dim: usize,
    /// The features of each element of the memory.
    pub memory: usize,
    /// How many heads there are.
    pub heads: usize,
    /// Whether the linear maps have biases.
    #[config(default = true)]
    pub bias: bool,
    /// The share of weights of the attention that is zeroed in training.
    #[config(default = 0.0)]
    pub dropout: f64,
}

impl CrossAttentionConfig {
    /// The layer, drawn as a [`MultiHeadAttention`] is.
    ///
    /// # Panics
    ///
    /// Where `heads` does not divide `dim`, or `dropout` is not in [0, 1).
    pub fn init(&self, device: &Device) -> CrossAttention {
        let (dim, memory) = (self.dim, self.memory);
        let shapes = if dim == memory {
            vec![("in_proj_weight", [3 * dim, dim])]
        } else {
            vec![
                ("q_proj_weight", [dim, dim]),
                ("k_proj_weight", [dim, memory]),
                ("v_proj_weight", [dim, memory]),
            ]
        };
        let weights = shapes.into_iter();
        let weights = weights.map(|(name, shape)| (name.to_owned(), map(shape, device)));
        CrossAttention {
            weights: Named(weights.collect()),
            in_proj_bias: self.bias.then(|| zeros(3 * dim, device)),
            out_proj: out(dim, self.bias, device),
            heads: Heads::new([dim, self.heads], false, None, self.dropout),
        }
    }
}

impl CrossAttention {
    /// `[batch, length, dim]` and a memory of `[batch, elements, features]`; the former's shape
    /// stays.
    pub fn forward(&self, input: Tensor<3>, memory: Tensor<3>) -> Tensor<3> {
        let input = (Dual::constant(input), Dual::constant(memory));
        self.forward_dual(None, input, &mut Pass::of_forward())
            .value
    }
}

impl Tangent<(Dual<3>, Dual<3>), Dual<3>> for CrossAttention {
    fn forward_dual(
        &self,
        along: Option<&Self>,
        (input, memory): (Dual<3>, Dual<3>),
        pass: &mut Pass,
    ) -> Dual<3> {
        let [.., dim] = input.dims();
        let weight = |index: usize| {
            let along = along.map(|along| &along.weights.0[index].1);
            Dual::parameter(&self.weights.0[index].1, along)
        };
        // `first` of queries, keys and values, and what follows it in the weight.
        let map = |from: Dual<3>, weight: Dual<2>, first: usize| {
            let bias = along.and_then(|along| along.in_proj_bias.as_ref());
            let bias = optional(self.in_proj_bias.as_ref(), bias);
            let bias = bias.map(|bias| bias.narrow(0, first * dim, weight.dims()[0]));
            linear(from, weight.linear(|x| x.transpose()), bias)
        };
        let parts = if self.weights.0.len() == 1 {
            let all = weight(0);
            let query = map(input, all.clone().narrow(0, 0, dim), 0);
            let rest = map(memory, all.narrow(0, dim, 2 * dim), 1);
            let [query] = self.heads.split(query);
            let [key, value] = self.heads.split(rest);
            [query, key, value]
        } else {
            [(0, input), (1, memory.clone()), (2, memory)].map(|(index, from)| {
                let [part] = self.heads.split(map(from, weight(index), index));
                part
            })
        };
        let heads = self.heads.attend(parts, pass);
        part!(self.out_proj, along, heads, pass)
    }
}

/// What attends once queries, keys and values are there.
#[derive(Module, Debug)]
struct Heads {
    dropout: Dropout,
    heads: usize,
    causal: bool,
    #[module(skip)]
    rotary: Option<Waves>,
}

impl Heads {
    fn new([dim, heads]: [usize; 2], causal: bool, rotary: Option<f64>, dropout: f64) -> Self {
        let (parts, even) = match rotary {
            Some(_) => (2 * heads, " of an even width"),
            None => (heads, ""),
        };
        assert!(
            heads > 0 && dim.is_multiple_of(parts),
            "{heads} heads do not divide {dim} features into equal parts{even}",
        );
        Heads {
            dropout: DropoutConfig::new(dropout).init(),
            heads,
            causal,
            rotary: rotary.map(Waves::new),
        }
    }

    /// `[batch, length, parts * heads * width]` to `[batch, heads, length, width]` each.
    fn split<const PARTS: usize>(&self, all: Dual<3>) -> [Dual<4>; PARTS] {
        let [batch, length, width] = all.dims();
        let all = all.reshape([batch, length, PARTS, self.heads, width / PARTS / self.heads]);
        let all = all.linear(|x: Tensor<5>| x.permute([2, 0, 3, 1, 4]));
        std::array::from_fn(|i| all.clone().narrow(0, i, 1).linear(|x| x.squeeze_dim(0)))
    }

    /// `[batch, heads, length, width]` each to `[batch, length, heads * width]`.
    fn attend(&self, [query, key, value]: [Dual<4>; 3], pass: &mut Pass) -> Dual<3> {
        let turn = |x: Dual<4>| match &self.rotary {
            Some(waves) => {
                let [batch, heads, length, _] = x.dims();
                x.linear(|x| turned(x, [batch * heads, length], waves))
            }
            None => x,
        };
        let (query, key) = (turn(query), turn(key));
        let drops = pass.has_noise()
            && self.dropout.training.is_enabled()
            && self.dropout.prob > 0.0
            && query.value.device().is_autodiff();
        let parts = [&query, &key, &value];
        let output = if drops || parts.iter().any(|part| part.tangent.is_some()) {
            self.attend_by_weights(query, key, value, pass)
        } else {
            let [query, key, value] = [query, key, value].map(|part| part.value);
            Dual::constant(kernel::attention(query, key, value, self.causal))
        };
        output.linear(|x| x.swap_dims(1, 2).flatten(2, 3))
    }

    /// What the kernel computes, with the weights at hand.
    fn attend_by_weights(
        &self,
        query: Dual<4>,
        key: Dual<4>,
        value: Dual<4>,
        pass: &mut Pass,
    ) -> Dual<4> {
        let [.., queries, width] = query.dims();
        let [.., keys, _] = key.dims();
        let scores = query.matmul(key.linear(|x| x.transpose()));
        let mut scores = scores / (width as f64).sqrt();
        if self.causal {
            let device = scores.value.device();
            let later = Tensor::<2, Bool>::tril_mask([queries, keys], 0, &device);
            scores = scores.mask_fill(later.unsqueeze(), f64::NEG_INFINITY);
        }
        let weights = self.dropout.forward_dual(None, scores.softmax(), pass);
        weights.matmul(value)
    }
}

fn map([rows, columns]: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    let glorot = Initializer::XavierUniform { gain: 1.0 };
    glorot.init_with([rows, columns], Some(columns), Some(rows), device)
}

fn zeros(length: usize, device: &Device) -> Param<Tensor<1>> {
    Initializer::Zeros.init([length], device)
}

fn out(dim: usize, bias: bool, device: &Device) -> Linear {
    let mut out: Linear = LinearConfig::new(dim, dim)
        .with_bias(bias)
        .init(device)
        .into();
    if bias {
        out.bias = Some(zeros(dim, device));
    }
    out
}
