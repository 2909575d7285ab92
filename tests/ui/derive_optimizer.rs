//! What is wrong with a struct that is to be an optimizer or a schedule.

use kiln::prelude::*;

#[derive(Optimizer, Clone, Debug)]
struct NoBody {
    momentum: f64,
}

#[derive(Optimizer, Clone, Debug)]
#[optimizer]
struct EmptyBody;

#[derive(Optimizer, Clone, Debug)]
#[optimizer(update sgd(momentum: momentum, wieght_decay: decay))]
struct Wrong {
    #[optimizer(defualt = 0.9)]
    momentum: f64,
    #[optimizer(default = 0.5, 3)]
    decay: f64,
}

#[derive(Optimizer, Clone, Debug)]
#[optimizer(update sgd(momentum: momentum);)]
struct Single {
    momentum: f32,
}

#[derive(Schedule, Clone, Debug)]
#[schedule(peak base; warmup(5) -> cosine;)]
#[schedule(peak base;)]
struct Twice {
    #[schedule(default = 0.1)]
    #[schedule(default = 0.2)]
    base: f64,
}

#[derive(Schedule, Clone, Debug)]
#[schedule(peak 0.1; cosine;)]
struct Tuple(f64);

#[derive(Optimizer, Clone, Debug)]
#[optimizer(update sgd;)]
enum Choice {
    A,
}

#[derive(Optimizer, Clone, Debug)]
#[optimizer(update sgd;)]
struct Generic<T> {
    rate: T,
}

fn main() {}
