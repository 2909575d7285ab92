//! What the trainer makes of the statements beside the update rules: the steps are those of a loop
//! by hand, in pieces or whole, and a second pass that goes wrong is found.

use kiln::burn::module::Module;
use kiln::burn::optim::GradientsParams;
use kiln::data::{Images, Sampler, Source, Subset, digits};
use kiln::model::{Batch, Model};
use kiln::optim::Recipe;
use kiln::prelude::*;
use kiln::schedule::Horizon;
use kiln::train::{TrainError, Trained};
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{bits, device, is_slow, lock, numbers, same_training, tensors};

schedule! {
    struct Constant { rate: f64 = 0.1 }
    peak rate;
    constant;
}

optimizer! {
    struct Plain;
    update sgd(momentum: 0.9);
}

optimizer! {
    struct Sharp { rho: f64 = 0.1, bound: f64 = 1.0 }
    update sgd(momentum: 0.9);
    sharpness sam(rho: rho);
    clip global_norm(bound);
}

optimizer! {
    struct Adaptive { rho: f64 = 0.5 }
    update sgd(momentum: 0.9);
    sharpness asam(rho: rho);
}

optimizer! {
    struct Everything;
    update adam(lr: 0.1x);
    sharpness sam(rho: 0.05);
    clip global_norm(1.0);
    average lookahead(k: 3, alpha: 0.5);
    average ema(decay: 0.8);
    switch at 50 % to sgd(momentum: 0.9);
    switch at 50 % to sgd() for bias, norm;
}

model! {
    /// With running statistics and random numbers.
    struct Normalised { }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> batch_norm -> relu -> dropout(0.3) -> linear(10);
    output scores;
    loss cross_entropy;
}

/// 1,280 digits: five steps of 256.
fn examples() -> Subset<Images> {
    let digits = digits().expect("the digits are built in");
    let (examples, _) = digits
        .split(1280.0 / 1797.0, 5)
        .expect("the share is between 0 and 1");
    examples
}

fn mlp() -> Mlp {
    device().seed(3);
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(64)
        .with_hidden_2(32);
    config.init(&device()).expect("the configuration is valid")
}

fn normalised() -> Normalised {
    device().seed(2);
    let config = NormalisedConfig::new();
    config.init(&device()).expect("the configuration is valid")
}

/// 10 steps of 256 examples, each in so many pieces.
fn train<M: Model, O: Optimizer>(model: M, optimizer: O, pieces: usize) -> Trained<M> {
    Trainer::new(model, optimizer, Constant::new())
        .epochs(2)
        .batch(256)
        .micro_batches(pieces)
        .seed(4)
        .quiet()
        .fit(examples())
        .expect("the training goes through")
}

/// The largest difference of a weight, as a share of the largest weight of its tensor.
fn difference<M: Module>(a: &M, b: &M) -> f32 {
    let (a, b) = (tensors(a), tensors(b));
    let pairs = a.iter().map(|(path, a)| {
        let (a, b) = (numbers(a), numbers(&b[path]));
        let largest = a.iter().fold(0.0, |largest: f32, a| largest.max(a.abs()));
        let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
        off.fold(0.0, f32::max) / largest
    });
    pairs.fold(0.0, f32::max)
}

#[test]
fn sharpness_of_a_batch_of_256_is_the_same_in_8_pieces() {
    let _lock = lock();
    for bound in [0.1, 1e6] {
        let sharp = || Sharp::new().with_bound(bound);
        let whole = train(mlp(), sharp(), 1);
        let cut = train(mlp(), sharp(), 8);
        let off = difference(&whole.model, &cut.model);
        println!("SAM, clipped at {bound}: {off:e}");
        assert!(off <= 1e-5, "off by {off:e}");
        assert!(difference(&whole.model, &train(mlp(), Plain::new(), 1).model) > 1e-2);
    }
    let whole = train(mlp(), Adaptive::new(), 1);
    let off = difference(&whole.model, &train(mlp(), Adaptive::new(), 8).model);
    println!("ASAM: {off:e}");
    assert!(off <= 1e-5, "off by {off:e}");
}

/// The training of [`train`] in one piece, in a loop by hand. Random numbers are left to the device.
fn by_hand<M: Model>(model: M, recipe: &Recipe) -> (M, Option<M>) {
    let (examples, device) = (examples(), device().autodiff());
    let horizon = Horizon {
        steps: 10,
        steps_per_epoch: 5,
        batch: 256,
    };
    let sampler = Sampler::new(examples.len(), 256, 4).expect("the batch fits");
    let mut updater = recipe.over(&model, &horizon).expect("the recipe is valid");
    let mut model = model.train();
    for step in 0..10 {
        let order = sampler.epoch(step / 5);
        let batch = examples
            .gather(order.batch(step % 5))
            .expect("it is in memory");
        let batch = Batch::<M>::upload(batch, &device).expect("it fits");
        let gradient = |model: &M| {
            let Batch { input, target } = batch.clone();
            let loss = model.loss(model.forward(input), target);
            GradientsParams::from_grads(loss.backward(), model)
        };
        let mut grads = gradient(&model);
        if let Some(worse) = updater.ascend(&model, &grads) {
            grads = gradient(&worse);
        }
        model = updater.step(0.1, model, grads);
    }
    let averaged = updater.averaged(&model);
    (model.valid(), averaged)
}

#[test]
fn the_trainer_takes_the_steps_of_a_loop_by_hand() {
    let _lock = lock();
    let run = train(mlp(), Everything::new(), 1);
    let (last, averaged) = by_hand(mlp(), &Everything::new().recipe());
    let averaged = averaged.expect("the recipe has an average");
    assert!(same_training(&bits(&run.model), &bits(&averaged)));
    assert!(same_training(
        &bits(run.last.as_ref().expect("the model is an average")),
        &bits(&last)
    ));
    assert!(difference(&last, &averaged) > 1e-3);
}

#[test]
fn without_an_average_the_last_weights_are_the_model() {
    let _lock = lock();
    let run = train(mlp(), Plain::new(), 1);
    assert!(run.last.is_none());
    let (last, averaged) = by_hand(mlp(), &Plain::new().recipe());
    assert!(averaged.is_none() && bits(&run.model) == bits(&last));
}

#[test]
fn running_statistics_after_a_step_are_those_of_a_step_without_sharpness() {
    let _lock = lock();
    let one = |optimizer: Recipe| {
        let (examples, device) = (examples(), device().autodiff());
        let model = normalised().train();
        let mut updater = optimizer.init(&model).expect("the recipe is valid");
        let indices: Vec<usize> = (0..64).collect();
        let batch = examples.gather(&indices).expect("it is in memory");
        let batch = Batch::<Normalised>::upload(batch, &device).expect("it fits");
        let gradient = |model: &Normalised| {
            device.seed(7);
            let loss = Model::loss(
                model,
                Model::forward(model, batch.input.clone()),
                batch.target.clone(),
            );
            GradientsParams::from_grads(loss.backward(), model)
        };
        let mut grads = gradient(&model);
        if let Some(worse) = updater.ascend(&model, &grads) {
            grads = gradient(&worse);
        }
        bits(&updater.step(0.1, model, grads))
    };
    let (plain, sharp) = (
        one(Plain::new().recipe()),
        one(Sharp::new().with_bound(1e9).recipe()),
    );
    let running: Vec<_> = plain
        .keys()
        .filter(|path| path.contains("running"))
        .collect();
    assert_eq!(running.len(), 2);
    for path in plain.keys() {
        assert_eq!(
            plain[path] == sharp[path],
            running.contains(&path),
            "{path}"
        );
    }
}

#[test]
fn an_ascent_of_nothing_changes_no_bit() {
    let _lock = lock();
    // No weight changes by 1e-30, so the second pass is the first one again: it has to leave out
    // the same units, and to leave the running statistics alone.
    let nowhere = Sharp::new().with_rho(1e-30).with_bound(1e9);
    let sharp = train(normalised(), nowhere, 2);
    let plain = train(normalised(), Plain::new(), 2);
    assert!(same_training(&bits(&sharp.model), &bits(&plain.model)));
    let losses = |run: &Trained<Normalised>| -> Vec<f64> {
        run.history.iter().map(|epoch| epoch.loss).collect()
    };
    // See `same_training`.
    if !is_slow() {
        assert_eq!(losses(&sharp), losses(&plain));
    }
}

#[test]
fn two_trainings_with_sharpness_noise_and_dropout_have_the_same_bits() {
    let _lock = lock();
    optimizer! {
        struct Noisy;
        update sgd(momentum: 0.9);
        sharpness sam(rho: 0.05);
        noise gaussian(eta: 1e-6);
    }
    let run = || train(normalised(), Noisy::new(), 2);
    let first = run();
    assert!(same_training(&bits(&first.model), &bits(&run().model)));
    assert!(bits(&first.model) != bits(&train(normalised(), Sharp::new(), 2).model));
}

#[test]
fn a_second_pass_that_is_not_finite_stops_the_training() {
    let _lock = lock();
    // So far away that the loss there is no number, while the loss here is one.
    let sharp = Sharp::new().with_rho(1e30);
    let outcome = Trainer::new(mlp(), sharp, Constant::new())
        .batch(256)
        .quiet()
        .fit(examples());
    let Err(failure) = outcome else {
        panic!("the training went through")
    };
    let TrainError::NonFinite { step, loss, .. } = failure.error else {
        panic!("{:?}", failure.error)
    };
    assert_eq!(step, 1);
    assert!(!loss.is_finite());
    assert!(bits(&failure.trained.model) == bits(&mlp()));
}
