//! What the trainer makes of `update lbfgs`: the steps of a loop by hand, in pieces or whole, and
//! running statistics of one pass.

use kiln::burn::module::Module;
use kiln::burn::optim::GradientsParams;
use kiln::data::{Images, Sampler, Source, Subset, digits};
use kiln::model::{Batch, Model};
use kiln::prelude::*;
use kiln::train::Trained;
use kiln_tests::{bits, device, lock, numbers, same_training, tensors};

schedule! {
    struct Constant { rate: f64 = 1.0 }
    peak rate;
    constant;
}

optimizer! {
    struct QuasiNewton;
    update lbfgs(line_search: strong_wolfe, max_iter: 5);
}

optimizer! {
    struct Gradient;
    update sgd();
}

model! {
    struct Plain { }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> tanh -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    /// With running statistics and random numbers.
    struct Normalised { }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> batch_norm -> tanh -> dropout(0.3) -> linear(10);
    output scores;
    loss cross_entropy;
}

/// About 256 digits.
fn examples() -> Subset<Images> {
    let digits = digits().expect("the digits are built in");
    let (examples, _) = digits.split(256.4 / 1797.0, 5).expect("it is a share");
    examples
}

fn plain() -> Plain {
    device().seed(2);
    let config = PlainConfig::new();
    config.init(&device()).expect("the configuration is valid")
}

/// One step of the whole batch an epoch, in so many pieces.
fn train<M: Model, O: Optimizer>(
    model: M,
    optimizer: O,
    epochs: usize,
    pieces: usize,
) -> Trained<M> {
    Trainer::new(model, optimizer, Constant::new())
        .epochs(epochs)
        .batch(256)
        .micro_batches(pieces)
        .seed(4)
        .quiet()
        .fit(examples())
        .expect("the training goes through")
}

#[test]
fn the_trainer_takes_the_steps_of_a_loop_by_hand() {
    let _lock = lock();
    let run = train(plain(), QuasiNewton::new(), 3, 1);

    let (examples, device) = (examples(), device().autodiff());
    let sampler = Sampler::new(examples.len(), 256, 4).expect("the batch fits");
    let mut model = plain().train();
    let minimiser = QuasiNewton::new().minimiser(&model);
    let mut minimiser = minimiser.expect("the recipe is valid");
    for epoch in 0..3 {
        let order = sampler.epoch(epoch);
        let batch = examples.gather(order.batch(0)).expect("it is in memory");
        let batch = Batch::<Plain>::upload(batch, &device).expect("it fits");
        model = minimiser.step(1.0, model, |model| {
            let Batch { input, target } = batch.clone();
            let loss = Model::loss(model, Model::forward(model, input), target);
            let gradients = GradientsParams::from_grads(loss.backward(), model);
            (loss.into_scalar(), gradients)
        });
    }
    assert!(same_training(&bits(&run.model), &bits(&model.valid())));
}

#[test]
fn a_batch_is_the_same_in_4_pieces() {
    let _lock = lock();
    let whole = tensors(&train(plain(), QuasiNewton::new(), 3, 1).model);
    let cut = tensors(&train(plain(), QuasiNewton::new(), 3, 4).model);
    for (path, whole) in &whole {
        let pairs = numbers(whole).into_iter().zip(numbers(&cut[path]));
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{path}: {off:e}");
        assert!(off <= 1e-4, "{path} is off by {off:e}");
    }
}

/// Random numbers that changed between the evaluations would stop the line search.
#[test]
fn it_trains_a_model_with_dropout_and_moves_its_statistics_once_a_step() {
    let _lock = lock();
    let normalised = || {
        device().seed(2);
        let config = NormalisedConfig::new();
        config.init(&device()).expect("the configuration is valid")
    };
    let statistics = |model: &Normalised| {
        let mut tensors = tensors(model);
        tensors.retain(|path, _| path.contains("running"));
        tensors
            .into_values()
            .map(|tensor| numbers(&tensor))
            .collect::<Vec<_>>()
    };
    let once = train(normalised(), Gradient::new(), 1, 2);
    let ours = train(normalised(), QuasiNewton::new(), 1, 2);
    assert_eq!(statistics(&once.model).len(), 2);
    assert_eq!(statistics(&once.model), statistics(&ours.model));

    let run = train(normalised(), QuasiNewton::new(), 10, 2);
    let (first, last) = (run.history[0].loss, run.history[9].loss);
    println!("from {first} to {last}");
    assert!(last < 0.5 * first, "from {first} to {last}");
}
