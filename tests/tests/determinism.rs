//! One seed gives one result, bit for bit on the processor: over runs, worker threads, processes and
//! thread pools.

use std::collections::BTreeMap;
use std::fs;

use kiln::data::digits;
use kiln::prelude::*;
use kiln_tests::{Folder, alone, bits, device, is_slow, lock, same_training};

model! {
    /// Everything that could make two runs differ: convolutions, batch statistics, dropout.
    struct Net { drop: f64 = 0.3 }
    input image: [1, 8, 8];
    let features = image
        -> conv2d(8, kernel: 3, padding: same) -> batch_norm -> relu -> dropout(drop)
        -> residual { conv2d(8, kernel: 3, padding: same) -> batch_norm } -> max_pool2d(2);
    let scores = features -> flatten -> linear(32) -> gelu -> dropout(drop) -> linear(10);
    output scores;
    loss cross_entropy(label_smoothing: 0.1);
}

optimizer! {
    struct Clipped;
    update adamw(weight_decay: 0.01);
    update sgd(momentum: 0.9) for norm;
    clip global_norm(1.0);
}

schedule! {
    struct Cosine;
    peak 0.003;
    warmup(10 %) -> cosine;
}

type Bits = BTreeMap<String, Vec<u32>>;

/// The weights after a training whose initial weights are drawn from `init`, and whose order and
/// dropout come from `seed`.
fn train(init: u64, seed: u64, workers: usize) -> Bits {
    let device = device();
    device.seed(init);
    let model = NetConfig::new()
        .init(&device)
        .expect("the configuration is valid");
    let run = Trainer::new(model, Clipped::new(), Cosine::new())
        .epochs(if is_slow() { 1 } else { 2 })
        .batch(128)
        .seed(seed)
        .workers(workers)
        .quiet()
        .fit(digits().expect("the digits are built in"));
    bits(&run.expect("the training goes through").model)
}

#[test]
fn one_seed_gives_the_same_bits_whatever_the_number_of_workers() {
    let _lock = lock();
    let reference = train(1, 2, 0);
    let workers: &[usize] = if is_slow() { &[2] } else { &[0, 1, 2, 4] };
    for &workers in workers {
        let trained = train(1, 2, workers);
        assert!(same_training(&trained, &reference), "{workers} workers");
    }
}

#[test]
fn the_initial_weights_of_one_seed_are_the_same_bits() {
    let _lock = lock();
    let draw = |seed| {
        device().seed(seed);
        bits(
            &NetConfig::new()
                .init(&device())
                .expect("the configuration is valid"),
        )
    };
    assert!(draw(7) == draw(7));
    assert!(draw(7) != draw(8));
}

#[test]
fn another_seed_gives_other_weights() {
    let _lock = lock();
    let reference = train(1, 2, 1);
    // The same initial weights in another order and with other dropout, and the reverse.
    assert!(train(1, 3, 1) != reference);
    assert!(train(2, 2, 1) != reference);
}

#[test]
fn another_seed_alone_changes_dropout() {
    let _lock = lock();
    let images = Tensor::<4>::ones([4, 1, 8, 8], &device().autodiff());
    let model = NetConfig::new()
        .init(&device().autodiff())
        .expect("the configuration is valid");
    let scores = |seed| {
        device().seed(seed);
        model.forward(images.clone()).into_data()
    };
    let first = scores(1);
    assert_eq!(first, scores(1));
    assert_ne!(first, scores(2));
}

#[test]
fn processes_and_thread_pools_of_any_size_give_the_same_bits() {
    const OUT: &str = "KILN_TEST_OUT";
    const NAME: &str = "processes_and_thread_pools_of_any_size_give_the_same_bits";
    let folder = Folder::new("processes");
    let mut results = Vec::new();
    let pools = if is_slow() {
        &["1", "2"][..]
    } else {
        &["1", "2", "2", "3"]
    };
    for (i, threads) in pools.iter().enumerate() {
        let out = folder.file(&i.to_string());
        let printed = alone(NAME, |command| {
            command.env("RAYON_NUM_THREADS", threads).env(OUT, &out);
        });
        if printed.is_none() {
            let trained = serde_json::to_string(&train(11, 12, 2)).expect("numbers are JSON");
            let out = std::env::var_os(OUT).expect("the parent names a file");
            fs::write(out, trained).expect("the folder can be written");
            return;
        }
        let trained = fs::read_to_string(out).expect("the process wrote its result");
        let trained: Bits = serde_json::from_str(&trained).expect("it was written as JSON");
        results.push((threads, trained));
    }
    for pair in results.windows(2) {
        let [(a, first), (b, second)] = pair else {
            unreachable!("windows of two");
        };
        assert!(same_training(first, second), "{a} and {b} threads");
    }
}
