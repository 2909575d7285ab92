//! What a training measures on its way: the figures of the weights there, and the same training.

use std::cell::Cell;

use kiln::burn::module::Module;
use kiln::data::{DataError, Examples, Images, Source, Subset, Target, digits};
use kiln::flatness::{self, FlatnessError, Objective};
use kiln::prelude::*;
use kiln::train::{Every, TrainError, Trained};
use kiln_tests::{bits, device, lock};

model! {
    /// With running statistics and random numbers.
    struct Net { }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> batch_norm -> tanh -> dropout(0.3) -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
    noise gaussian(eta: 0.001);
    average ema(decay: 0.9);
}

schedule! {
    struct Constant { rate: f64 = 0.05 }
    peak rate;
    constant;
}

// A rate that is halved where the figure does not fall.
schedule! {
    struct Watching;
    peak 0.05;
    plateau(on: "slope", factor: 0.5, patience: 1 epoch, mode: min);
}

fn examples() -> (Subset<Images>, Subset<Images>) {
    let digits = digits().expect("the digits are built in");
    digits.split(256.4 / 1797.0, 5).expect("it is a share")
}

fn net() -> Net {
    device().seed(2);
    NetConfig::new()
        .init(&device())
        .expect("the configuration is valid")
}

fn trainer<'a>() -> Trainer<'a, Net, Momentum, Constant> {
    Trainer::new(net(), Momentum::new(), Constant::new())
        .epochs(3)
        .batch(64)
        .micro_batches(2)
        .seed(4)
        .quiet()
}

#[test]
fn the_training_has_the_same_bits() {
    let _lock = lock();
    let (train, probe) = examples();
    let all = |run: &Trained<Net>| (bits(&run.model), run.last.as_ref().map(bits));
    let reference = trainer().fit(train.clone());
    let reference = reference.expect("the training goes through");
    let measured = trainer()
        .measure("lambda", Every::Epochs(2), &probe, flatness::top_eigenvalue)
        .measure("slope", Every::Steps(3), &probe, flatness::gradient_norm)
        .measure("trace", Every::Steps(5), &probe, flatness::trace)
        .measure("draws", Every::Steps(1), &probe, |objective| {
            // Numbers out of the training's own stream, and statistics of a batch.
            let own =
                Tensor::<1>::random([7], kiln::burn::tensor::Distribution::Default, &device());
            let objective = objective.clone().with_batch_statistics()?;
            Ok(objective.loss()? + own.sum().into_scalar::<f64>())
        })
        .fit(train)
        .expect("the training goes through");
    assert!(all(&measured) == all(&reference));
    let losses = |run: &Trained<Net>| run.history.iter().map(|r| r.loss).collect::<Vec<_>>();
    assert_eq!(losses(&measured), losses(&reference));

    // Four steps an epoch.
    let when = |name: &str| -> Vec<Vec<u64>> {
        let epochs = measured.history.iter();
        let epochs = epochs.map(|record| {
            let here = record.measurements.iter().filter(|one| one.name == name);
            assert!(here.clone().all(|one| one.result.is_ok()));
            here.map(|one| one.step).collect()
        });
        epochs.collect()
    };
    assert_eq!(when("lambda"), [vec![], vec![8], vec![]]);
    assert_eq!(when("slope"), [vec![3], vec![6], vec![9, 12]]);
    assert_eq!(when("trace"), [vec![], vec![5], vec![10]]);
    assert!(!measured.history[0].metrics.contains_key("lambda"));
    assert!(measured.history[1].metrics["lambda"] > 0.0);
    let last = measured.history[2].measurements.last();
    assert_eq!(
        last.map(|one| (one.name.as_str(), one.step)),
        Some(("draws", 12))
    );
}

#[test]
fn a_figure_is_that_of_the_weights_where_the_optimizer_stands() {
    let _lock = lock();
    let (train, probe) = examples();
    let run = trainer()
        .measure("slope", Every::Epochs(3), &probe, flatness::gradient_norm)
        .measure(
            "slope at 12",
            Every::Steps(12),
            &probe,
            flatness::gradient_norm,
        )
        .fit(train)
        .expect("the training goes through");
    let last = run.last.expect("the model is an average");
    let there = Objective::new(&last, &probe).expect("it fits");
    let expected = flatness::gradient_norm(&there).expect("it is finite");
    let metrics = &run.history[2].metrics;
    assert_eq!(
        (metrics["slope"], metrics["slope at 12"]),
        (expected, expected)
    );
}

#[test]
fn a_plateau_watches_a_figure() {
    let _lock = lock();
    let (train, probe) = examples();
    let slope = Cell::new(1.0);
    let run = Trainer::new(net(), Momentum::new(), Watching::new())
        .epochs(8)
        .quiet()
        .measure("slope", Every::Epochs(2), &probe, |_| {
            Ok(slope.replace(slope.get() + 1.0))
        })
        .fit(train)
        .expect("the training goes through");
    let rates: Vec<f64> = run.history.iter().map(|record| record.rate).collect();
    assert_eq!(rates[0], 0.05);
    assert!(rates[7] < 0.05, "{rates:?}");
}

/// Examples that cannot be read.
struct Torn(Subset<Images>);

impl Source for Torn {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.0.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        self.0.targets()
    }

    fn gather(&self, _: &[usize]) -> Result<Examples, DataError> {
        Err(DataError::Source("torn".into()))
    }
}

#[test]
fn a_figure_that_cannot_be_had_is_said_and_stops_nothing() {
    let _lock = lock();
    let (train, probe) = examples();
    let reference = trainer().fit(train.clone());
    let reference = reference.expect("the training goes through");
    let run = trainer()
        .measure("zero", Every::Epochs(1), &probe, |_| Ok(f64::INFINITY))
        .measure("wrong", Every::Steps(12), &probe, |objective| {
            let weights = Tensor::zeros([3], &device());
            objective.at(weights)?.loss()
        })
        .fit(train.clone())
        .expect("the training goes through");
    assert!(bits(&run.model) == bits(&reference.model));
    let said: Vec<_> = run.history[2].measurements.iter().collect();
    let length = FlatnessError::Length {
        expected: 64 * 16 + 16 + 2 * 16 + 16 * 10 + 10,
        found: 3,
    };
    assert_eq!(said[0].result, Err(length.to_string()));
    assert_eq!(said[1].result, Err("it came to inf".into()));
    assert!(run.history[2].metrics.is_empty());

    let torn = Torn(probe.clone());
    let failure = trainer()
        .measure("loss", Every::Steps(5), &torn, Objective::loss)
        .fit(train.clone())
        .expect_err("the examples cannot be read");
    assert!(matches!(failure.error, TrainError::Data(_)), "{failure}");
    assert_eq!(
        (failure.trained.steps, failure.trained.history.len()),
        (5, 1)
    );
    assert!(failure.trained.model.num_params() > 0);

    let none = Subset::new(std::sync::Arc::new(probe.clone()), vec![]).expect("it is empty");
    for (every, source) in [
        (Every::Epochs(0), &probe as &dyn Source),
        (Every::Steps(0), &probe),
        (Every::Epochs(1), &none),
    ] {
        let failure = trainer()
            .measure("loss", every, source, Objective::loss)
            .fit(train.clone())
            .expect_err("it cannot be");
        assert!(
            matches!(failure.error, TrainError::Argument { found: 0, .. }),
            "{failure}"
        );
        assert_eq!(failure.trained.steps, 0);
    }
}
