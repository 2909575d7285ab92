//! What the trainer makes of `update newton_cg`: iterations of `flatness::NewtonCg`, in pieces or
//! whole, and running statistics of one pass.

use kiln::data::{Images, Subset, digits};
use kiln::flatness::{CurvatureMatrix, NewtonCg, Objective};
use kiln::optim::OptimizerError;
use kiln::prelude::*;
use kiln::train::Trained;
use kiln_tests::{bits, device, lock, numbers, same_training, tensors};

schedule! {
    struct Constant { rate: f64 = 1.0 }
    peak rate;
    constant;
}

optimizer! {
    struct Newton { damping: f64 = 1e-2 }
    update newton_cg(products: 10, damping: damping, curvature: gauss_newton);
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

/// 256 digits.
fn examples() -> Subset<Images> {
    let digits = digits().expect("the digits are built in");
    Subset::new(digits.into(), (0..256).collect()).expect("there are more")
}

fn plain() -> Plain {
    device().seed(2);
    let config = PlainConfig::new();
    config.init(&device()).expect("the configuration is valid")
}

fn normalised() -> Normalised {
    device().seed(2);
    let config = NormalisedConfig::new();
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

fn off<M: Model>(ours: &M, theirs: &M) -> f32 {
    let theirs = tensors(theirs);
    let pairs = tensors(ours).into_iter().flat_map(|(path, ours)| {
        let theirs = numbers(&theirs[&path]);
        numbers(&ours).into_iter().zip(theirs).collect::<Vec<_>>()
    });
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_step_is_an_iteration_on_the_batch() {
    let _lock = lock();
    let (model, data) = (plain(), examples());
    let objective = Objective::new(&model, &data).expect("it fits");
    let newton = NewtonCg::new()
        .curvature(CurvatureMatrix::GaussNewton)
        .products(10)
        .damping(1e-2);
    for steps in [1, 3] {
        let minimum = newton.clone().iterations(steps).minimise(&objective);
        let minimum = minimum.expect("it is finite");
        assert_eq!(minimum.history.len(), steps);
        let expected = objective.at(minimum.weights).expect("it fits");
        let expected = expected.write(&model).expect("it is the model");
        for pieces in [1, 4] {
            let run = train(plain(), Newton::new(), steps, pieces);
            let off = off(&run.model, &expected);
            println!("{steps} steps in {pieces} pieces: off by {off:e}");
            assert!(off < 1e-3, "{off:e}");
        }
    }
}

#[test]
fn it_takes_fewer_steps_than_gradient_descent() {
    let _lock = lock();
    let ours = train(plain(), Newton::new(), 12, 1);
    let theirs = train(plain(), Gradient::new(), 60, 1);
    let last = |run: &Trained<Plain>| run.history.last().expect("there is one").loss;
    println!("{} against {}", last(&ours), last(&theirs));
    assert!(last(&ours) < 0.5 * last(&theirs));
    let again = train(plain(), Newton::new(), 12, 1);
    assert!(same_training(&bits(&ours.model), &bits(&again.model)));
}

#[test]
fn it_moves_running_statistics_once_a_step_and_trains_beside_dropout() {
    let _lock = lock();
    let statistics = |model: &Normalised| {
        let mut tensors = tensors(model);
        tensors.retain(|path, _| path.contains("running"));
        let tensors = tensors.into_values();
        tensors.map(|tensor| numbers(&tensor)).collect::<Vec<_>>()
    };
    let once = train(normalised(), Gradient::new(), 1, 2);
    let ours = train(normalised(), Newton::new(), 1, 2);
    assert_eq!(statistics(&once.model).len(), 2);
    assert_eq!(statistics(&once.model), statistics(&ours.model));

    let run = train(normalised(), Newton::new(), 10, 2);
    let (first, last) = (run.history[0].loss, run.history[9].loss);
    println!("from {first} to {last}");
    assert!(last < 0.5 * first, "from {first} to {last}");
}

optimizer! {
    struct Undamped;
    update newton_cg(damping: 0);
}

/// From 10³⁰ times Newton's step on, forty halvings do not come back to where the loss is.
#[test]
fn a_step_that_does_not_help_leaves_the_model_and_the_training_as_they_are() {
    let _lock = lock();
    let schedule = Constant::new().with_rate(1e30);
    let run = Trainer::new(plain(), Undamped::new(), schedule)
        .epochs(3)
        .batch(256)
        .seed(4)
        .fit(examples())
        .expect("the training goes through");
    assert!(bits(&run.model) == bits(&plain()));
    let losses: Vec<f64> = run.history.iter().map(|epoch| epoch.loss).collect();
    // The order of the examples is another one in each epoch.
    assert!(
        losses
            .iter()
            .all(|loss| (loss / losses[0] - 1.0).abs() < 1e-5)
    );
}

schedule! {
    struct Falling;
    peak 1e30;
    step(factor: 1e-30, at: [2] epochs);
}

/// The rate and the damping are others by then.
#[test]
fn a_step_that_did_not_help_is_tried_again() {
    let _lock = lock();
    let run = Trainer::new(plain(), Undamped::new(), Falling::new())
        .epochs(4)
        .batch(256)
        .seed(4)
        .quiet()
        .fit(examples())
        .expect("the training goes through");
    let losses: Vec<f64> = run.history.iter().map(|epoch| epoch.loss).collect();
    assert!((losses[1] / losses[0] - 1.0).abs() < 1e-5, "{losses:?}");
    assert!(losses[3] < losses[0], "{losses:?}");
}

#[test]
fn it_is_for_a_trainer_and_stands_alone() {
    let _lock = lock();
    let needs = |error| matches!(error, OptimizerError::NeedsProducts { .. });
    assert!(needs(
        Newton::new()
            .init(&plain())
            .expect_err("no gradient will do")
    ));
    assert!(needs(
        Newton::new()
            .minimiser(&plain())
            .expect_err("no loss will do")
    ));
    let mut recipe = Newton::new().recipe();
    assert_eq!(
        recipe.to_string(),
        "update newton_cg(products: 10, damping: 0.01, curvature: gauss_newton);"
    );
    recipe.rules.extend(Gradient::new().recipe().rules);
    let error = recipe.check().expect_err("it stands alone");
    assert!(matches!(error, OptimizerError::NotAlone { .. }));
    let error = Newton::new().with_damping(-1.0).recipe().check();
    assert!(matches!(
        error,
        Err(OptimizerError::Range {
            parameter: "damping",
            ..
        })
    ));
}
