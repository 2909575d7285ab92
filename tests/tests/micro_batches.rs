//! A batch in pieces is the same batch: micro-batches change the memory that a step takes, and
//! nothing else.

use std::collections::BTreeMap;

use kiln::data::{Images, Source, Subset, digits};
use kiln::prelude::*;
use kiln::train::Trained;
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{device, lock, numbers, tensors};

optimizer! {
    /// With a memory, and with a clip that depends on the whole gradient.
    struct Momentum { bound: f64 = 1.0 }
    update sgd(momentum: 0.9, weight_decay: 1e-4);
    clip global_norm(bound);
}

schedule! {
    struct Scaled;
    peak 0.3 per 256 examples;
    constant;
}

/// 1,280 digits: five steps of 256.
fn examples() -> Subset<Images> {
    let digits = digits().expect("the digits are built in");
    let (examples, _) = digits
        .split(1280.0 / 1797.0, 5)
        .expect("the share is between 0 and 1");
    assert_eq!(examples.len(), 1280);
    examples
}

/// 20 steps of 256 examples, each in so many pieces.
fn train(pieces: usize, bound: f64) -> Trained<Mlp> {
    let device = device();
    device.seed(3);
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(64)
        .with_hidden_2(32);
    let model = config.init(&device).expect("the configuration is valid");
    let run = Trainer::new(model, Momentum::new().with_bound(bound), Scaled::new())
        .epochs(4)
        .batch(256)
        .micro_batches(pieces)
        .seed(4)
        .quiet()
        .fit(examples())
        .expect("the training goes through");
    assert_eq!(run.steps, 20);
    run
}

/// The largest difference of a weight, as a share of the largest weight of its tensor.
fn difference(a: &Mlp, b: &Mlp) -> f32 {
    let all = |model: &Mlp| -> BTreeMap<String, Vec<f32>> {
        tensors(model)
            .iter()
            .map(|(path, data)| (path.clone(), numbers(data)))
            .collect()
    };
    let (a, b) = (all(a), all(b));
    let pairs = a.iter().map(|(path, a)| {
        let largest = a.iter().fold(0.0, |largest: f32, a| largest.max(a.abs()));
        let off = a
            .iter()
            .zip(&b[path])
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        off / largest
    });
    pairs.fold(0.0, f32::max)
}

#[test]
fn a_batch_of_256_is_the_same_as_8_pieces_of_32() {
    let _lock = lock();
    // A bound that cuts every step, and one that cuts none.
    for bound in [0.1, 1e6] {
        let whole = train(1, bound);
        for pieces in [2, 8, 256] {
            let cut = train(pieces, bound);
            let off = difference(&whole.model, &cut.model);
            println!("bound {bound}, {pieces} pieces: {off:e}");
            assert!(
                off <= 1e-5,
                "{pieces} pieces, clipped at {bound}: off by {off:e}"
            );
            for (whole, cut) in whole.history.iter().zip(&cut.history) {
                let off = (whole.loss - cut.loss).abs() / whole.loss;
                assert!(off <= 1e-5, "the loss of {pieces} pieces is off by {off:e}");
            }
        }
    }
}

#[test]
fn the_bound_of_the_clip_matters_in_this_comparison() {
    let _lock = lock();
    assert!(difference(&train(1, 0.1).model, &train(1, 1e6).model) > 1e-2);
}

#[test]
fn the_rate_is_that_of_the_whole_batch() {
    let _lock = lock();
    // 0.3 per 256 examples; how many pieces a batch comes in is not the schedule's business.
    for (batch, pieces, rate) in [(256, 1, 0.3), (256, 8, 0.3), (512, 2, 0.6), (64, 4, 0.075)] {
        device().seed(1);
        let model = MlpConfig::new()
            .with_size(8)
            .with_hidden_1(8)
            .with_hidden_2(8);
        let model = model.init(&device()).expect("the configuration is valid");
        let run = Trainer::new(model, Momentum::new(), Scaled::new())
            .batch(batch)
            .micro_batches(pieces)
            .quiet()
            .fit(examples())
            .expect("the training goes through");
        assert!(
            (run.history[0].rate - rate).abs() < 1e-15,
            "{batch} in {pieces}: {}",
            run.history[0].rate
        );
        assert_eq!(run.steps, 1280 / batch as u64);
    }
}
