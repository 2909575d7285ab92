use kiln::layer::{Conv2d, Linear, Relu};
use kiln::prelude::*;

#[derive(Model, Debug)]
#[model(input = [1, 28, 28], los = cross_entropy)]
pub struct Wrong {
    #[layer(conv2d(6, kernel: 5, pading: same))]
    c1: Conv2d,
    #[layer(relu)]
    a1: Linear,
    extra: usize,
    #[layer(residual { relu })]
    b: Relu,
    #[layer(liner(10))]
    head: Linear,
}

#[derive(Model, Debug)]
struct Empty;

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
struct Generic<'a, T> {
    #[layer(linear(10))]
    head: &'a T,
}

#[derive(Model, Debug)]
#[model(input = [4], loss = mse)]
struct Types {
    #[layer(linear(10))]
    head: Relu,
    #[layer(relu)]
    tail: Relu,
}

fn main() -> kiln::Result {
    let device = default_device()?;
    let model = TypesConfig::new().init(&device)?;
    println!("{model}");
    Ok(())
}
