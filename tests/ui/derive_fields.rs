//! What the fields say, and six mistakes in one struct.

use kiln::layer::{Conv2d, Flatten, Linear, Relu};
use kiln::prelude::*;

#[derive(Model, Debug)]
#[model(input = [1, 8, 8], loss = cross_entropy)]
pub struct Many {
    #[layer(conv2d(6, kernel: 9))]
    c1: Conv2d,
    #[layer(rleu)]
    a1: Relu,
    count: usize,
    #[layer(flatten)]
    flat: Linear,
    #[layer(flatten)]
    again: Flatten,
    #[layer(linear(classes))]
    head: Linear,
    #[layer(relu)]
    last: (Relu, Relu),
}

#[derive(Model, Debug)]
#[model(input = [3, 8, 8], loss = mse)]
pub struct Blocks {
    #[layer(c: { conv2d(3, kernel: 1) })]
    c: Conv2d,
    #[layer(repeat 2 { conv2d(3, kernel: 1) })]
    d: Conv2d,
    #[layer(linear)]
    e: Linear,
    #[layer(conv2d(6, kernel: 1))]
    config: Conv2d,
    #[laier(relu)]
    f: Relu,
}

fn main() {}
