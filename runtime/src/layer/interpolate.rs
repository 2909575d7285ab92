//! Interpolation: images and signals of another size.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::kept::Kept;
use crate::kernel;
use crate::tangent::linear_layers;

/// How an [`Interpolate`] finds a number between others.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum InterpolateMode {
    /// The number before it.
    Nearest,
    /// On the line through its two neighbours; along several axes PyTorch's `bilinear` and
    /// `trilinear`.
    Linear,
    /// On the cubic through its four neighbours (Keys 1981, with a = -0.75); along two axes PyTorch's
    /// `bicubic`.
    Cubic,
}

/// The size that an [`Interpolate`] gives to each axis behind the channels.
#[derive(Config, Debug, PartialEq, Eq)]
pub enum InterpolateSize {
    /// This one.
    To(Vec<usize>),
    /// So many times the old one.
    By(Vec<usize>),
}

/// The settings of an [`Interpolate`].
#[derive(Config, Debug)]
pub struct InterpolateConfig {
    /// The size of each axis behind the channels.
    pub size: InterpolateSize,
    /// How a number is found.
    #[config(default = "InterpolateMode::Nearest")]
    pub mode: InterpolateMode,
    /// Whether the centres of the first and last numbers lie on each other, before and after; else
    /// their outer edges. Means nothing to [`Nearest`](InterpolateMode::Nearest).
    #[config(default = false)]
    pub align_corners: bool,
}

/// Another size for the axes behind the channels, with the numbers of PyTorch's
/// [`interpolate`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html).
///
/// Every mode here acts on one axis after the other, and on each it is linear in the input: a
/// product with a matrix that holds what each number of the output takes of the input's. So it has
/// a gradient on every backend; of Burn's own layer only some backends know it.
#[derive(Module, Debug)]
pub struct Interpolate {
    /// The size of each axis behind the channels.
    #[module(skip)]
    pub size: InterpolateSize,
    /// How a number is found.
    #[module(skip)]
    pub mode: InterpolateMode,
    /// Whether the centres of the first and last numbers lie on each other.
    pub align_corners: bool,
    #[module(skip)]
    kept: Kept<Table>,
}

/// What the numbers of one axis are made of.
#[derive(Clone)]
enum Table {
    /// Which number of the input each of the output is.
    Indices(Tensor<1, Int>),
    /// What each number of the output takes of each of the input's: `[old, new]`.
    Weights(Tensor<2>),
}

impl InterpolateConfig {
    /// The layer.
    pub fn init(&self) -> Interpolate {
        Interpolate {
            size: self.size.clone(),
            mode: self.mode,
            align_corners: self.align_corners,
            kept: Kept::new(),
        }
    }
}

impl Interpolate {
    /// `[batch, channels, ..]`, the axes behind the channels of their new size.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (InterpolateSize::To(numbers) | InterpolateSize::By(numbers)) = &self.size;
        let numbers = numbers.iter().enumerate();
        numbers.fold(input, |input, (axis, &number)| {
            let axis = axis + 2;
            let old = input.dims()[axis];
            let size = match self.size {
                InterpolateSize::To(_) => number,
                InterpolateSize::By(_) => old * number,
            };
            if old == size {
                return input;
            }
            let table = self.kept.of([old, size], &input.device(), |device| {
                if self.mode == InterpolateMode::Nearest {
                    Table::Indices(nearest(old, size, device))
                } else {
                    Table::Weights(self.weights(old, size, device))
                }
            });
            match table {
                Table::Indices(indices) => input.select(axis, indices),
                Table::Weights(weights) => {
                    let last = input.swap_dims(axis, D - 1);
                    kernel::linear(last, weights, None).swap_dims(axis, D - 1)
                }
            }
        })
    }

    fn weights(&self, old: usize, new: usize, device: &Device) -> Tensor<2> {
        // In single precision, as in PyTorch: else a rounding would decide for another neighbour.
        let scale = match (self.align_corners, new) {
            (true, 1) => 0.0,
            (true, _) => (old - 1) as f32 / (new - 1) as f32,
            (false, _) => old as f32 / new as f32,
        };
        let mut weights = vec![0.0; old * new];
        for to in 0..new {
            let at = if self.align_corners {
                scale * to as f32
            } else {
                scale * (to as f32 + 0.5) - 0.5
            };
            let mut take = |from: f32, weight: f32| {
                let from = (from.max(0.0) as usize).min(old - 1);
                weights[from * new + to] += weight;
            };
            if self.mode == InterpolateMode::Linear {
                let at = at.max(0.0);
                let (first, t) = (at.floor(), at.fract());
                take(first, 1.0 - t);
                take(first + 1.0, t);
            } else {
                let first = at.floor();
                let t = at - first;
                take(first - 1.0, far(t + 1.0));
                take(first, near(t));
                take(first + 1.0, near(1.0 - t));
                take(first + 2.0, far(2.0 - t));
            }
        }
        Tensor::from_data(TensorData::new(weights, [old, new]), device)
    }
}

linear_layers!(Interpolate: D -> D [const D: usize]);

fn nearest(old: usize, new: usize, device: &Device) -> Tensor<1, Int> {
    // In single precision, as in PyTorch.
    let scale = old as f32 / new as f32;
    let indices = (0..new).map(|to| ((to as f32 * scale) as usize).min(old - 1) as i64);
    Tensor::from_data(TensorData::new(indices.collect(), [new]), device)
}

const A: f32 = -0.75;

/// What the cubic takes of a number at a distance up to 1.
fn near(x: f32) -> f32 {
    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
}

/// And of one at a distance from 1 to 2.
fn far(x: f32) -> f32 {
    ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
}
