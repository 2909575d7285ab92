//! Multi-head attention.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Initializer, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};

use super::Linear;
use super::rotary::turned;
use crate::kernel;

/// Multi-head attention (Vaswani et al. 2017), PyTorch's `nn.MultiheadAttention` with
/// `batch_first=True`: queries, keys and values are linear maps of the input, or keys and values of
/// a memory; each head attends with its own part of the features, and what they give lies behind
/// each other under one more linear map.
///
/// Parameters: `in_proj_weight` of `[3 * dim, dim]` and `in_proj_bias`, or, where the memory has
/// other features, `q_proj_weight`, `k_proj_weight`, `v_proj_weight` in place of the former;
/// `out_proj.weight`, `out_proj.bias`.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// Queries', keys' and values' maps below each other, `[3 * dim, dim]`.
    pub in_proj_weight: Option<Param<Tensor<2>>>,
    /// The queries' map, `[dim, dim]`.
    pub q_proj_weight: Option<Param<Tensor<2>>>,
    /// The keys' map, `[dim, memory]`.
    pub k_proj_weight: Option<Param<Tensor<2>>>,
    /// The values' map, `[dim, memory]`.
    pub v_proj_weight: Option<Param<Tensor<2>>>,
    /// `[3 * dim]`.
    pub in_proj_bias: Option<Param<Tensor<1>>>,
    /// The map of what the heads give.
    pub out_proj: Linear,
    dropout: Dropout,
    dim: usize,
    heads: usize,
    causal: bool,
    #[module(skip)]
    rotary: Option<f64>,
}

/// The settings of a [`MultiHeadAttention`].
#[derive(Config, Debug)]
pub struct MultiHeadAttentionConfig {
    /// The features of each element; a multiple of `heads`.
    pub dim: usize,
    /// How many heads there are.
    pub heads: usize,
    /// The features of each element of the memory, if they are not `dim`.
    pub memory: Option<usize>,
    /// Whether an element sees itself and those before it alone. A memory is seen as a whole.
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
        let (dim, heads) = (self.dim, self.heads);
        let parts = if self.rotary.is_some() {
            2 * heads
        } else {
            heads
        };
        assert!(
            heads > 0 && dim.is_multiple_of(parts),
            "the {heads} heads do not divide {dim} features into equal parts{}",
            if self.rotary.is_some() {
                " of an even width"
            } else {
                ""
            },
        );
        let map = |rows: usize, columns: usize| -> Param<Tensor<2>> {
            let glorot = Initializer::XavierUniform { gain: 1.0 };
            glorot.init_with([rows, columns], Some(columns), Some(rows), device)
        };
        let other = self.memory.filter(|memory| *memory != dim);
        let mut out_proj: Linear = LinearConfig::new(dim, dim)
            .with_bias(self.bias)
            .init(device)
            .into();
        let zeros = |length: usize| Initializer::Zeros.init([length], device);
        if self.bias {
            out_proj.bias = Some(zeros(dim));
        }
        MultiHeadAttention {
            in_proj_weight: other.is_none().then(|| map(3 * dim, dim)),
            q_proj_weight: other.map(|_| map(dim, dim)),
            k_proj_weight: other.map(|memory| map(dim, memory)),
            v_proj_weight: other.map(|memory| map(dim, memory)),
            in_proj_bias: self.bias.then(|| zeros(3 * dim)),
            out_proj,
            dropout: DropoutConfig::new(self.dropout).init(),
            dim,
            heads,
            causal: self.causal,
            rotary: self.rotary,
        }
    }
}

impl MultiHeadAttention {
    /// Attends to the input itself: `[batch, length, dim]`; the shape stays.
    ///
    /// # Panics
    ///
    /// Where the layer was made for a memory with other features.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let Some(weight) = &self.in_proj_weight else {
            return self.forward_memory(input.clone(), input);
        };
        let bias = self.in_proj_bias.as_ref().map(|bias| bias.val());
        let all = kernel::linear(input, weight.val().transpose(), bias);
        let [batch, length, _] = all.dims();
        let all = all.reshape([batch, length, 3, self.heads, self.dim / self.heads]);
        let all = all.permute([2, 0, 3, 1, 4]);
        let [query, key, value] = [0, 1, 2].map(|i| all.clone().narrow(0, i, 1).squeeze_dim(0));
        self.attend(query, key, value, self.causal)
    }

    /// Attends to a memory of `[batch, elements, features]`: `[batch, length, dim]`; the shape stays.
    pub fn forward_memory(&self, input: Tensor<3>, memory: Tensor<3>) -> Tensor<3> {
        let separate = [
            &self.q_proj_weight,
            &self.k_proj_weight,
            &self.v_proj_weight,
        ];
        let [query, key, value] = [0, 1, 2].map(|index| {
            let from = if index == 0 { &input } else { &memory };
            let part = index * self.dim;
            let weight = match (&self.in_proj_weight, separate[index]) {
                (Some(all), _) => all.val().narrow(0, part, self.dim),
                (None, Some(own)) => own.val(),
                (None, None) => unreachable!("the maps are together or apart"),
            };
            let bias = self.in_proj_bias.as_ref();
            let bias = bias.map(|bias| bias.val().narrow(0, part, self.dim));
            let part = kernel::linear(from.clone(), weight.transpose(), bias);
            let [batch, length, _] = part.dims();
            let part = part.reshape([batch, length, self.heads, self.dim / self.heads]);
            part.swap_dims(1, 2)
        });
        self.attend(query, key, value, false)
    }

    /// The heads' attention, `[batch, heads, length, width]` each, and the map behind it.
    fn attend(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        causal: bool,
    ) -> Tensor<3> {
        let turn = |x: Tensor<4>| match self.rotary {
            Some(base) => {
                let [batch, heads, length, _] = x.dims();
                turned(x, [batch * heads, length], base)
            }
            None => x,
        };
        let (query, key) = (turn(query), turn(key));
        let drops = self.dropout.training.is_enabled()
            && self.dropout.prob > 0.0
            && query.device().is_autodiff();
        let output = if drops {
            self.attend_with_dropout(query, key, value, causal)
        } else {
            kernel::attention(query, key, value, causal)
        };
        self.out_proj.forward(output.swap_dims(1, 2).flatten(2, 3))
    }

    /// What the kernel computes, with the weights at hand.
    fn attend_with_dropout(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        causal: bool,
    ) -> Tensor<4> {
        let [.., queries, width] = query.dims();
        let [.., keys, _] = key.dims();
        let mut scores = query.matmul(key.transpose()) / (width as f64).sqrt();
        if causal {
            let device = scores.device();
            let later = Tensor::<2, Bool>::tril_mask([queries, keys], 0, &device);
            scores = scores.mask_fill(later.unsqueeze(), f32::NEG_INFINITY);
        }
        self.dropout.forward(kernel::softmax(scores)).matmul(value)
    }
}
