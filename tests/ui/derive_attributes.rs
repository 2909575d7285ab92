//! What the attributes say.

use kiln::layer::{Linear, Relu};
use kiln::prelude::*;

#[derive(Model, Debug)]
struct Bare {
    #[layer(linear(10))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(loss = mse)]
struct NoInput {
    #[layer(linear(10))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(input = 4)]
struct Number {
    #[layer(linear(10))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(input = [4])]
#[model(loss = mse)]
struct Second {
    #[layer(linear(10))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(input = [4], input = [5], loss = mse, loss = mse)]
struct Doubled {
    #[layer(linear(10))]
    #[layer(linear(11))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(input: [4], loss: mse)]
struct Colons {
    #[layer(linear(10))]
    head: Linear,
}

#[derive(Model, Debug)]
#[model]
struct Naked {
    #[layer]
    head: Linear,
}

#[derive(Model, Debug)]
#[model = "input"]
struct Valued {
    #[layer = "linear"]
    head: Linear,
}

#[derive(Model, Debug)]
#[model(input = [4], loss = mse, optimizer = adam)]
struct Unknown {
    #[layer(linear(10) -> relu)]
    head: Linear,
    #[layer(tail: relu)]
    tail: Relu,
    #[layer()]
    none: Relu,
}

fn main() {}
