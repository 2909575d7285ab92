//! Training refuses what cannot be, stops where it goes wrong and says where, and learns.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use kiln::data::{DataError, Examples, Images, Source, Table, Target, TensorData, digits};
use kiln::model::MismatchError;
use kiln::optim::OptimizerError;
use kiln::prelude::*;
use kiln::train::{TrainError, TrainFailure, Trained};
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{alone, bits, device, is_slow, lock, tensors};

optimizer! {
    struct Plain;
    update sgd();
}

optimizer! {
    struct Momentum { momentum: f64 = 0.9 }
    update sgd(momentum: momentum);
    clip global_norm(1.0);
}

optimizer! {
    struct ForTheHead;
    update sgd();
    update adam for "head.*";
}

schedule! {
    struct Constant { rate: f64 = 0.1 }
    peak rate;
    constant;
}

schedule! {
    struct TenEpochs;
    peak 0.1;
    warmup(5 epochs) -> linear(5 epochs, to: 0.0);
}

schedule! {
    struct OneCycle;
    peak 0.1;
    warmup(10 %) -> cosine;
}

fn mlp() -> Mlp {
    device().seed(1);
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(64)
        .with_hidden_2(32);
    config.init(&device()).expect("the configuration is valid")
}

type Outcome = Result<Trained<Mlp>, TrainFailure<Mlp>>;

/// The error, after a look at what came with it: no epoch, and the model as it went in.
fn refused(outcome: Outcome) -> TrainError {
    let Err(failure) = outcome else {
        panic!("nothing was refused")
    };
    assert!(failure.trained.history.is_empty());
    assert!(
        bits(&failure.trained.model) == bits(&mlp()),
        "the model was changed"
    );
    failure.error
}

fn images() -> Images {
    static IMAGES: LazyLock<Images> = LazyLock::new(|| digits().expect("the digits are built in"));
    IMAGES.clone()
}

fn trainer<'a>() -> Trainer<'a, Mlp, Plain, Constant> {
    Trainer::new(mlp(), Plain::new(), Constant::new()).quiet()
}

#[test]
fn zero_epochs_and_zero_pieces_are_refused() {
    let _lock = lock();
    let error = refused(trainer().epochs(0).fit(images()));
    assert!(
        matches!(
            error,
            TrainError::Argument {
                name: "epochs",
                found: 0,
                ..
            }
        ),
        "{error:?}"
    );
    let error = refused(trainer().micro_batches(0).fit(images()));
    assert!(
        matches!(
            error,
            TrainError::Argument {
                name: "micro_batches",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_batch_of_none_or_of_more_than_there_are_is_refused() {
    let _lock = lock();
    for batch in [0, 1798, usize::MAX] {
        let error = refused(trainer().batch(batch).fit(images()));
        assert!(
            matches!(error, TrainError::Data(DataError::Argument { .. })),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("1797") && text.contains(&batch.to_string()),
            "{text}"
        );
    }
    assert!(trainer().batch(1797).fit(images()).is_ok());
}

#[test]
fn micro_batches_that_do_not_divide_the_batch_are_refused() {
    let _lock = lock();
    for (batch, pieces) in [(64, 3), (64, 128), (7, 2)] {
        let error = refused(trainer().batch(batch).micro_batches(pieces).fit(images()));
        let TrainError::MicroBatches {
            batch: b,
            pieces: p,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((b, p), (batch, pieces));
    }
}

#[test]
fn data_of_another_shape_is_refused_with_both_shapes() {
    let _lock = lock();
    let flat = Table::classes(vec![0.0; 10 * 64], &[64], vec![0; 10], 10).expect("it is whole");
    let error = refused(trainer().batch(5).fit(flat));
    assert!(
        matches!(error, TrainError::Mismatch(MismatchError::Input { .. })),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("[1, 8, 8]") && text.contains("[64]"),
        "{text}"
    );
}

#[test]
fn data_with_more_classes_or_with_values_is_refused() {
    let _lock = lock();
    let pixels = || vec![0.0; 10 * 64];
    let classes = Table::classes(pixels(), &[1, 8, 8], vec![10; 10], 11).expect("it is whole");
    let error = refused(trainer().batch(5).fit(classes));
    let TrainError::Mismatch(MismatchError::Target { expected, found }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (expected, found),
        (
            vec![Target::Classes(10, Vec::new())],
            vec![Target::Classes(11, Vec::new())]
        )
    );
    let values = Table::values(pixels(), &[1, 8, 8], vec![0.0; 10], &[]).expect("it is whole");
    let error = refused(trainer().batch(5).fit(values));
    assert!(
        matches!(error, TrainError::Mismatch(MismatchError::Target { .. })),
        "{error:?}"
    );
    // Fewer classes than scores are no mistake.
    let few = Table::classes(pixels(), &[1, 8, 8], vec![1; 10], 2).expect("it is whole");
    assert!(trainer().batch(5).fit(few).is_ok());
}

#[test]
fn a_validation_set_that_does_not_fit_is_refused_before_the_first_step() {
    let _lock = lock();
    let flat = Table::classes(vec![0.0; 10 * 64], &[64], vec![0; 10], 10).expect("it is whole");
    let error = refused(trainer().validate(&flat).fit(images()));
    assert!(
        matches!(error, TrainError::Mismatch(MismatchError::Input { .. })),
        "{error:?}"
    );
}

#[test]
fn a_schedule_longer_than_the_training_is_refused() {
    let _lock = lock();
    let long = |epochs| {
        Trainer::new(mlp(), Plain::new(), TenEpochs::new())
            .epochs(epochs)
            .quiet()
    };
    let error = refused(long(9).batch(512).fit(images()));
    assert!(matches!(error, TrainError::Schedule(_)), "{error:?}");
    assert!(long(10).batch(512).fit(images()).is_ok());
}

#[test]
fn a_schedule_or_an_optimizer_that_does_not_fit_is_refused() {
    let _lock = lock();
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let schedule = Constant::new().with_rate(rate);
        let error = refused(
            Trainer::new(mlp(), Plain::new(), schedule)
                .quiet()
                .fit(images()),
        );
        assert!(
            matches!(error, TrainError::Schedule(_)),
            "{rate}: {error:?}"
        );
    }
    let momentum = Momentum::new().with_momentum(1.5);
    let error = refused(
        Trainer::new(mlp(), momentum, Constant::new())
            .quiet()
            .fit(images()),
    );
    assert!(
        matches!(error, TrainError::Optimizer(OptimizerError::Range { .. })),
        "{error:?}"
    );
    let error = refused(
        Trainer::new(mlp(), ForTheHead::new(), Constant::new())
            .quiet()
            .fit(images()),
    );
    let unmatched = matches!(
        error,
        TrainError::Optimizer(OptimizerError::Unmatched { .. })
    );
    assert!(unmatched, "{error:?}");
}

model! {
    /// With running statistics, which a forward pass changes.
    struct Normed;
    input image: [1, 8, 8];
    let features = image
        -> conv2d(4, kernel: 3, padding: same) -> norm: batch_norm -> relu -> max_pool2d(2);
    let scores = features -> flatten -> linear(10);
    output scores;
    loss cross_entropy;
}

fn normed() -> Normed {
    device().seed(1);
    NormedConfig::new()
        .init(&device())
        .expect("the configuration is valid")
}

/// The digits, and from the `healthy + 1`-th batch on something else.
struct Ill {
    healthy: usize,
    batches: AtomicUsize,
    then: fn(&[usize]) -> Result<Examples, DataError>,
}

impl Ill {
    fn after(healthy: usize, then: fn(&[usize]) -> Result<Examples, DataError>) -> Self {
        Ill {
            healthy,
            batches: AtomicUsize::new(0),
            then,
        }
    }
}

impl Source for Ill {
    fn len(&self) -> usize {
        images().len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        images().inputs()
    }

    fn targets(&self) -> Vec<Target> {
        images().targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        if self.batches.fetch_add(1, Ordering::Relaxed) < self.healthy {
            images().gather(indices)
        } else {
            (self.then)(indices)
        }
    }
}

/// One pixel of the whole batch is a NaN.
fn nan_in_one_pixel(indices: &[usize]) -> Result<Examples, DataError> {
    let mut batch = images().gather(indices)?;
    let mut pixels: Vec<f32> = batch.inputs[0].iter().collect();
    pixels[77] = f32::NAN;
    batch.inputs[0] = TensorData::new(pixels, [indices.len(), 1, 8, 8]);
    Ok(batch)
}

fn assert_finite<M: Module>(model: &M) {
    for (path, tensor) in tensors(model) {
        let finite = tensor.iter::<f32>().all(f32::is_finite);
        assert!(finite, "{path} is not finite: {tensor}");
    }
}

#[test]
fn a_nan_in_the_data_stops_at_its_step_and_gives_the_model_before_it() {
    let _lock = lock();
    // 28 steps of 64 are an epoch.
    for (healthy, epoch, step) in [(0, 1, 1), (5, 1, 6), (27, 1, 28), (28, 2, 1), (30, 2, 3)] {
        let train = |source: Ill| {
            // Without workers: they would fetch more batches than were asked for.
            Trainer::new(normed(), Momentum::new(), Constant::new())
                .epochs(3)
                .workers(0)
                .seed(3)
                .quiet()
                .fit(source)
                .expect_err("the source does not last for three epochs")
        };
        let failure = train(Ill::after(healthy, nan_in_one_pixel));
        let TrainError::NonFinite {
            epoch: e,
            step: s,
            loss,
            rate,
            layer,
        } = &failure.error
        else {
            panic!("{:?}", failure.error)
        };
        assert_eq!((*e, *s), (epoch, step));
        // A NaN may come out as an infinity: a GPU's maximum need not pass it on.
        assert!(!loss.is_finite() && *rate == 0.1, "{}", failure.error);
        // A loss that is read later than its step tells no layer.
        let expected = (!is_slow()).then_some("features.0");
        assert_eq!(layer.as_deref(), expected, "{}", failure.error);
        let text = failure.to_string();
        let place = format!("epoch {epoch}, step {step}");
        assert!(
            text.contains(&place) && (is_slow() || text.contains("`features.0`")),
            "{text}"
        );
        assert_eq!(failure.trained.history.len(), epoch - 1);
        assert_finite(&failure.trained.model);
        // On a GPU losses are read late, and the model may be the one at the epoch's start.
        if !is_slow() {
            // What came before the step: the same training, ended by its source there.
            let source = Ill::after(healthy, |_| Err(DataError::Source("the end".into())));
            let before = train(source);
            assert!(
                bits(&failure.trained.model) == bits(&before.trained.model),
                "{healthy} healthy batches"
            );
        }
    }
}

#[test]
fn a_nan_among_micro_batches_stops_at_its_step() {
    let _lock = lock();
    // Steps of four pieces: the 10th piece is in the third step.
    let failure = Trainer::new(normed(), Momentum::new(), Constant::new())
        .micro_batches(4)
        .workers(0)
        .quiet()
        .fit(Ill::after(9, nan_in_one_pixel))
        .expect_err("a batch holds a NaN");
    let TrainError::NonFinite {
        epoch: 1,
        step: 3,
        layer,
        ..
    } = &failure.error
    else {
        panic!("{:?}", failure.error)
    };
    // A loss that is read later than its step tells no layer.
    let expected = (!is_slow()).then_some("features.0");
    assert_eq!(layer.as_deref(), expected, "{}", failure.error);
    assert_finite(&failure.trained.model);
}

#[test]
fn one_micro_batch_with_a_nan_is_found_behind_which_whole_ones_come() {
    let _lock = lock();
    // The second of four pieces is bad, the last is good: the layer is named all the same.
    struct Second(AtomicUsize);
    impl Source for Second {
        fn len(&self) -> usize {
            images().len()
        }
        fn inputs(&self) -> Vec<Vec<usize>> {
            images().inputs()
        }
        fn targets(&self) -> Vec<Target> {
            images().targets()
        }
        fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                1 => nan_in_one_pixel(indices),
                _ => images().gather(indices),
            }
        }
    }
    let failure = Trainer::new(normed(), Momentum::new(), Constant::new())
        .micro_batches(4)
        .workers(0)
        .quiet()
        .fit(Second(AtomicUsize::new(0)))
        .expect_err("a batch holds a NaN");
    let TrainError::NonFinite {
        epoch: 1,
        step: 1,
        layer,
        ..
    } = &failure.error
    else {
        panic!("{:?}", failure.error)
    };
    // On a GPU the pieces' losses are not read one by one, and the last piece is looked at.
    let expected = (!is_slow()).then_some("features.0");
    assert_eq!(layer.as_deref(), expected, "{}", failure.error);
}

#[test]
fn weights_that_overflow_after_the_last_loss_are_noticed() {
    let _lock = lock();
    // One step: its loss is finite, the weights behind it are not, and no loss will tell.
    let failure = Trainer::new(mlp(), Plain::new(), Constant::new().with_rate(1e39))
        .batch(images().len())
        .quiet()
        .fit(images())
        .expect_err("the weights overflow");
    let TrainError::Diverged {
        epoch: 1,
        parameter,
    } = &failure.error
    else {
        panic!("{:?}", failure.error)
    };
    assert!(parameter.starts_with("hidden."), "{parameter}");
    assert!(
        bits(&failure.trained.model) == bits(&mlp()),
        "the weights of the epoch's start"
    );
}

#[test]
fn weights_that_overflow_are_not_given_back_by_the_step_behind_them() {
    let _lock = lock();
    let failure = Trainer::new(mlp(), Plain::new(), Constant::new().with_rate(1e39))
        .batch(images().len() / 2)
        .quiet()
        .fit(images())
        .expect_err("the weights overflow");
    assert!(
        matches!(failure.error, TrainError::NonFinite { step: 2, .. }),
        "{}",
        failure.error
    );
    assert!(
        bits(&failure.trained.model) == bits(&mlp()),
        "the weights of the epoch's start"
    );
}

#[test]
fn a_model_with_nothing_to_train_is_refused() {
    let _lock = lock();
    let outcome = Trainer::new(mlp().no_grad(), Plain::new(), Constant::new())
        .quiet()
        .fit(images());
    assert!(matches!(refused(outcome), TrainError::NothingToTrain));
}

#[test]
fn a_source_that_does_not_keep_its_word_is_an_error() {
    let _lock = lock();
    let shapes = |failure: TrainFailure<Mlp>| {
        assert!(
            matches!(failure.error, TrainError::Data(DataError::Shapes { .. })),
            "{}",
            failure.error
        );
    };
    let fit = |gather: fn(&[usize]) -> Result<Examples, DataError>| {
        Trainer::new(mlp(), Plain::new(), Constant::new())
            .quiet()
            .fit(Ill::after(3, gather))
            .expect_err("the source lies")
    };
    // Too few examples, and images of another size.
    shapes(fit(|indices| images().gather(&indices[1..])));
    shapes(fit(|indices| {
        let mut examples = images().gather(indices)?;
        examples.inputs = vec![TensorData::zeros::<f32, _>([indices.len(), 1, 4, 16])];
        Ok(examples)
    }));
    let failure = fit(|indices| {
        let mut examples = images().gather(indices)?;
        examples.targets = vec![TensorData::from(vec![10i32; indices.len()].as_slice())];
        Ok(examples)
    });
    let TrainError::Data(DataError::Label {
        label: 10,
        classes: 10,
        ..
    }) = failure.error
    else {
        panic!("{}", failure.error)
    };
}

#[test]
fn a_rate_that_explodes_stops_with_finite_weights() {
    let _lock = lock();
    let schedule = Constant::new().with_rate(1e12);
    let failure = Trainer::new(mlp(), Plain::new(), schedule)
        .epochs(3)
        .quiet()
        .fit(images())
        .expect_err("a rate of 1e12 is too much");
    let TrainError::NonFinite {
        epoch: 1,
        step,
        rate,
        layer,
        ..
    } = &failure.error
    else {
        panic!("{:?}", failure.error)
    };
    assert!(*step > 1 && *rate == 1e12, "{}", failure.error);
    let paths = ["hidden.1", "hidden.3", "scores"];
    assert!(
        layer.as_deref().is_none_or(|layer| paths.contains(&layer)),
        "{}",
        failure.error
    );
    let text = failure.to_string();
    assert!(text.contains("lower the learning rate"), "{text}");
    if !is_slow() {
        assert_finite(&failure.trained.model);
    }
}

#[test]
fn a_source_that_fails_in_the_middle_is_an_error_with_the_model_so_far() {
    let _lock = lock();
    for workers in [0, 2] {
        let train = |source: Ill| {
            Trainer::new(mlp(), Plain::new(), Constant::new())
                .workers(workers)
                .quiet()
                .fit(source)
                .expect_err("the source fails")
        };
        let failure = train(Ill::after(10, |_| {
            Err(DataError::Source("the disk is gone".into()))
        }));
        assert!(
            matches!(failure.error, TrainError::Data(DataError::Source(_))),
            "{failure}"
        );
        let chain = std::error::Error::source(&failure).map(ToString::to_string);
        let text = format!("{failure} {chain:?}");
        assert!(text.contains("the disk is gone"), "{text}");
        assert_finite(&failure.trained.model);
        assert!(
            bits(&failure.trained.model) != bits(&mlp()),
            "it had trained before"
        );

        let failure = train(Ill::after(10, |_| {
            panic!("index out of range in a user's code")
        }));
        let TrainError::Data(DataError::Panic { message, .. }) = &failure.error else {
            panic!("{failure}")
        };
        assert!(message.contains("a user's code"), "{message}");
        assert_finite(&failure.trained.model);
    }
}

#[test]
fn a_source_that_gives_tensors_of_another_rank_is_an_error() {
    let _lock = lock();
    let failure = trainer().workers(0).fit(Ill::after(2, |indices| {
        let mut batch = images().gather(indices)?;
        let pixels: Vec<f32> = batch.inputs[0].iter().collect();
        batch.inputs[0] = TensorData::new(pixels, [indices.len(), 64]);
        Ok(batch)
    }));
    let failure = failure.expect_err("the rank is wrong");
    assert!(
        matches!(failure.error, TrainError::Data(DataError::Shapes { .. })),
        "{failure}"
    );
    assert_finite(&failure.trained.model);
}

#[test]
fn an_evaluation_counts_every_example_once_whatever_the_batch() {
    let _lock = lock();
    let model = mlp();
    let (some, _) = images()
        .split(103.0 / 1797.0, 1)
        .expect("the share is between 0 and 1");
    assert_eq!(some.len(), 103);
    let one_by_one = evaluate(&model, &some, 1).expect("the data fit");
    // The same by hand: each example's loss, and whether its largest score is its class.
    let (mut loss, mut right) = (0.0, 0);
    for i in 0..some.len() {
        let mut example = some.gather(&[i]).expect("it is there");
        let image = Tensor::from_data(example.inputs.remove(0), &device());
        let class = example.targets[0].iter::<i64>().next().expect("one class") as usize;
        let scores: Vec<f64> = model.forward(image).into_data().iter().collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        loss += scores
            .iter()
            .map(|score| (score - largest).exp())
            .sum::<f64>()
            .ln()
            + largest
            - scores[class];
        right += usize::from(scores[class] == largest);
    }
    let (loss, accuracy) = (loss / 103.0, right as f64 / 103.0);
    assert!(
        (one_by_one.loss - loss).abs() < 1e-6,
        "{} and {loss}",
        one_by_one.loss
    );
    assert_eq!(one_by_one.accuracy, Some(accuracy));
    // 103 is prime: the last batch is never even.
    for batch in [2, 10, 64, 102, 103, 104, usize::MAX] {
        let all = evaluate(&model, &some, batch).expect("the data fit");
        assert!(
            (all.loss - loss).abs() < 1e-6,
            "{batch}: {} and {loss}",
            all.loss
        );
        assert_eq!(all.accuracy, Some(accuracy), "{batch}");
    }
}

#[test]
fn an_evaluation_refuses_a_batch_of_none_and_data_that_do_not_fit() {
    let _lock = lock();
    let error = evaluate(&mlp(), &images(), 0).expect_err("a batch of 0");
    assert!(
        matches!(
            error,
            TrainError::Argument {
                name: "batch",
                found: 0,
                ..
            }
        ),
        "{error:?}"
    );
    let none = Table::classes(vec![], &[1, 8, 8], vec![], 10).expect("no examples");
    let error = evaluate(&mlp(), &none, 8).expect_err("no examples");
    assert!(
        matches!(
            error,
            TrainError::Argument {
                name: "examples",
                ..
            }
        ),
        "{error:?}"
    );
    let flat = Table::classes(vec![0.0; 64], &[64], vec![0], 10).expect("it is whole");
    let error = evaluate(&mlp(), &flat, 8).expect_err("another shape");
    assert!(matches!(error, TrainError::Mismatch(_)), "{error:?}");
}

#[test]
fn the_record_of_an_epoch_is_what_an_evaluation_says() {
    let _lock = lock();
    let (train, test) = images()
        .split(0.8, 7)
        .expect("the share is between 0 and 1");
    let run = Trainer::new(mlp(), Momentum::new(), OneCycle::new())
        .epochs(2)
        .validate(&test)
        .quiet()
        .fit(train)
        .expect("the training goes through");
    assert_eq!((run.history.len(), run.steps), (2, 2 * 22));
    assert_eq!(
        run.history
            .iter()
            .map(|record| record.epoch)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let after = evaluate(&run.model, &test, 256).expect("the data fit");
    assert_eq!(run.validation(), Some(after));
}

#[test]
fn the_digits_reach_97_percent_in_a_short_training() {
    let _lock = lock();
    let (train, test) = images()
        .split(0.8, 42)
        .expect("the share is between 0 and 1");
    let run = Trainer::new(mlp(), Momentum::new(), OneCycle::new())
        .epochs(if is_slow() { 8 } else { 20 })
        .batch(32)
        .validate(&test)
        .quiet()
        .fit(train)
        .expect("the training goes through");
    let accuracy = run
        .validation()
        .and_then(|test| test.accuracy)
        .expect("it was validated");
    assert!(accuracy > if is_slow() { 0.93 } else { 0.97 }, "{accuracy}");
    assert!(
        run.history[run.history.len() - 1].loss < run.history[0].loss / 10.0,
        "{:?}",
        run.history
    );
}

model! {
    /// A line through points.
    struct Line;
    input x: [1];
    let y = x -> linear(1);
    output y;
    loss mse;
}

#[test]
fn a_regression_finds_the_line_through_its_points() {
    let _lock = lock();
    device().seed(5);
    let x: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
    let y = x.iter().map(|x| 3.0 * x - 0.5).collect();
    let points = Table::values(x, &[1], y, &[1]).expect("it is whole");
    let line = LineConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let run = Trainer::new(line, Plain::new(), Constant::new().with_rate(0.5))
        .epochs(if is_slow() { 20 } else { 60 })
        .batch(32)
        .quiet()
        .fit(points)
        .expect("the training goes through");
    let found = tensors(&run.model);
    let number = |path: &str| found[path].iter::<f32>().next().expect("one number");
    let (slope, offset) = (number("y.weight"), number("y.bias"));
    assert!(
        (slope - 3.0).abs() < 1e-3 && (offset + 0.5).abs() < 1e-3,
        "{slope} {offset}"
    );
}

#[test]
fn a_quiet_training_prints_nothing_and_another_a_line_per_epoch() {
    const NAME: &str = "a_quiet_training_prints_nothing_and_another_a_line_per_epoch";
    const MARK: &str = "<mark>";
    let mark = || {
        println!("{MARK}");
        eprintln!("{MARK}");
    };
    let Some(printed) = alone(NAME, |_| {}) else {
        let constant = Constant::new();
        let loud = Trainer::new(mlp(), Plain::new(), constant.clone()).epochs(3);
        let quiet = Trainer::new(mlp(), Plain::new(), constant)
            .epochs(3)
            .quiet();
        mark();
        quiet.fit(images()).expect("the training goes through");
        mark();
        loud.fit(images()).expect("the training goes through");
        mark();
        return;
    };
    let between = |text: &str| -> Vec<Vec<String>> {
        let lines = |part: &str| part.trim().lines().map(str::to_owned).collect();
        text.split(MARK).map(lines).skip(1).take(2).collect()
    };
    let (out, err) = (between(&printed.out), between(&printed.err));
    assert_eq!(out, [vec![], Vec::<String>::new()]);
    let [quiet, loud] = err.as_slice() else {
        panic!("{}", printed.err)
    };
    assert!(quiet.is_empty(), "{quiet:?}");
    assert_eq!(loud.len(), 3, "{loud:?}");
    for (i, line) in loud.iter().enumerate() {
        assert!(
            line.starts_with(&format!("epoch {}/3  loss ", i + 1)),
            "{line}"
        );
    }
}
