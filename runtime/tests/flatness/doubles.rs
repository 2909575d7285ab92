//! Losses that are known in closed form, in double precision.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::LazyLock;

use kiln::burn;
use kiln::burn::module::{Module, Param};
use kiln::burn::tensor::{FloatDType, TensorData};
use kiln::flatness::Objective;
use kiln::prelude::*;

/// In double precision; nothing on wgpu, which has none.
static DEVICE: LazyLock<Option<Device>> = LazyLock::new(|| {
    let mut device = default_device().unwrap();
    if kiln::device::name(&device) == "wgpu" {
        return None;
    }
    device.configure(FloatDType::F64).unwrap();
    Some(device)
});

pub fn device() -> Option<Device> {
    DEVICE.clone()
}

/// Parameters, and nothing that is done with them.
#[derive(Module, Debug)]
pub struct Point {
    pub weight: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
pub struct Layers {
    pub first: Param<Tensor<2>>,
    pub second: Param<Tensor<2>>,
}

pub fn vector(device: &Device, values: &[f64]) -> Tensor<1> {
    Tensor::from_data(TensorData::from(values), device)
}

pub fn values(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

pub fn point(device: &Device, weight: &[f64]) -> Point {
    let weight = vector(&device.clone().autodiff(), weight);
    Point {
        weight: Param::from_tensor(weight),
    }
}

/// `(w - c)ᵀ A (w - c) / 2 + offset`.
pub fn quadratic(
    device: &Device,
    entries: &[Vec<f64>],
    centre: &[f64],
    weight: &[f64],
    offset: f64,
) -> Objective<'static> {
    let size = centre.len();
    let device = device.clone().autodiff();
    let matrix = TensorData::new(entries.concat(), [size, size]);
    let matrix = Tensor::<2>::from_data(matrix, &device);
    let centre = vector(&device, centre);
    let loss = move |module: &Point, ()| {
        let away = (module.weight.val() - centre.clone()).unsqueeze_dim::<2>(0);
        let value = (away.clone().matmul(matrix.clone()) * away).sum() * 0.5;
        value + offset
    };
    Objective::plain(&point(&device, weight), vec![((), 1)], loss).unwrap()
}

pub fn diagonal(values: &[f64]) -> Vec<Vec<f64>> {
    let row = |at: usize| {
        let mut row = vec![0.0; values.len()];
        row[at] = values[at];
        row
    };
    (0..values.len()).map(row).collect()
}
