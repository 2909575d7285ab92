//! What cannot be a network.

use kiln::layer::{Linear, Relu};
use kiln::prelude::*;

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
enum Choice {
    Linear(Linear),
}

#[derive(Model)]
#[model(input = [4], loss = mse)]
union Either {
    linear: u8,
}

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
struct Pair(#[layer(linear(10))] Linear, #[layer(relu)] Relu);

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
struct Nothing {}

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
struct Sized<const N: usize> {
    #[layer(linear(10))]
    head: Linear,
}

fn main() {}
