//! Trainings of the built-in digits that provoke each symptom, and some that have none.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kiln::burn::module::Param;
use kiln::data::{Images, Subset, Table, digits};
use kiln::diagnose::{
    Confidence, DiagnoseError, Diagnosis, Place, Records, Symptom, dead_units, diagnose,
};
use kiln::prelude::*;
use kiln::train::{TrainFailure, Trained};

model! {
    struct Mlp { hidden: usize = 64 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> h: linear(hidden) -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}
model! {
    struct Cnn;
    input image: [1, 8, 8];
    let scores = image
        -> conv2d(8, kernel: 3, padding: same) -> batch_norm -> relu -> max_pool2d(2)
        -> flatten -> dropout(0.2) -> linear(10);
    output scores;
    loss cross_entropy(label_smoothing: 0.1);
}
model! {
    struct Deep { layers: usize = 12 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> repeat layers { linear(64) -> sigmoid } -> linear(10);
    output scores;
    loss cross_entropy;
}
optimizer! { struct Momentum { decay: f64 = 0.0 } update sgd(momentum: 0.9, weight_decay: decay); }
optimizer! { struct Adam; update adam(); }
schedule! { struct Constant { peak: f64 } peak peak; constant; }
schedule! { struct Cosine { peak: f64 } peak peak; warmup(10 %) -> cosine; }

type Digits = Subset<Images>;

fn data() -> (Digits, Digits) {
    digits().unwrap().split(0.8, 1).unwrap()
}

/// Held by every test here: a training seeds the random numbers of the whole process.
fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether trainings are to be left out: rules read records, which know no device, and a GPU in
/// software takes minutes to make them.
fn is_slow() -> bool {
    !kiln::device::is_host(&default_device().unwrap())
}

fn device(seed: u64) -> Device {
    let device = default_device().unwrap();
    device.seed(seed);
    device
}

fn train<M: Model>(
    model: M,
    optimizer: impl Optimizer,
    schedule: impl Schedule,
    epochs: usize,
) -> Result<Trained<M>, TrainFailure<M>> {
    let (train, test) = data();
    Trainer::new(model, optimizer, schedule)
        .epochs(epochs)
        .batch(32)
        .log_every(5)
        .validate(&test)
        .quiet()
        .fit(train)
}

/// The diagnosis, the same from records that were in a file.
fn of<M: Model>(run: &Trained<M>) -> Diagnosis {
    let history = serde_json::to_string(&run.history).unwrap();
    let history: Vec<_> = serde_json::from_str(&history).unwrap();
    let log = serde_json::to_string(&run.log).unwrap();
    let log: Vec<_> = serde_json::from_str(&log).unwrap();
    let diagnosis = diagnose(Records::new(&history, &log).classes(10));
    let stored = diagnosis;
    let diagnosis = diagnose(run);
    assert_eq!(symptoms(&stored), symptoms(&diagnosis));
    println!("{diagnosis}");
    for epoch in &run.history {
        println!("{} {} {:?}", epoch.epoch, epoch.loss, epoch.validation);
    }
    let json = serde_json::to_string(&diagnosis).unwrap();
    let stored: Diagnosis = serde_json::from_str(&json).unwrap();
    assert_eq!(symptoms(&stored), symptoms(&diagnosis));
    diagnosis
}

fn symptoms(diagnosis: &Diagnosis) -> Vec<Symptom> {
    diagnosis
        .findings
        .iter()
        .map(|finding| finding.symptom)
        .collect()
}

#[test]
fn healthy_trainings_have_no_symptom() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    let (train_set, test) = data();
    for seed in [1, 2] {
        let mlp = || MlpConfig::new().init(&device(seed)).unwrap();
        for epochs in [3, 8, 20] {
            let run = train(mlp(), Momentum::new(), Cosine::new(0.05), epochs).unwrap();
            let diagnosis = of(&run).with(&dead_units(&run.model, &train_set).unwrap());
            assert!(
                diagnosis.is_healthy(),
                "{epochs} epochs of SGD: {diagnosis}"
            );
        }
        let run = train(mlp(), Adam::new(), Constant::new(1e-3), 15).unwrap();
        let diagnosis = of(&run).with(&dead_units(&run.model, &test).unwrap());
        assert!(diagnosis.is_healthy(), "Adam: {diagnosis}");
        let cnn = CnnConfig::new().init(&device(seed)).unwrap();
        let run = train(cnn, Momentum::new().with_decay(5e-4), Cosine::new(0.05), 8).unwrap();
        let diagnosis = of(&run).with(&dead_units(&run.model, &train_set).unwrap());
        assert!(diagnosis.is_healthy(), "CNN: {diagnosis}");
    }
}

#[test]
fn a_rate_a_thousand_times_too_low_is_found() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    for epochs in [5, 10, 20] {
        let mlp = MlpConfig::new().init(&device(1)).unwrap();
        let run = train(mlp, Momentum::new(), Cosine::new(5e-5), epochs).unwrap();
        assert_eq!(symptoms(&of(&run)), [Symptom::RateTooLow]);
        let mlp = MlpConfig::new().init(&device(1)).unwrap();
        let run = train(mlp, Adam::new(), Constant::new(1e-6), epochs).unwrap();
        assert_eq!(symptoms(&of(&run)), [Symptom::RateTooLow]);
    }
}

#[test]
fn a_rate_a_hundred_times_too_high_is_found() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    for seed in [1, 2, 3] {
        let mlp = MlpConfig::new().init(&device(seed)).unwrap();
        let found = match train(mlp, Momentum::new(), Constant::new(5.0), 10) {
            Ok(run) => symptoms(&of(&run)),
            Err(failure) => symptoms(&diagnose(&failure)),
        };
        println!("{found:?}");
        let wrong = [Symptom::RateTooHigh, Symptom::Divergence];
        assert!(
            wrong.iter().any(|symptom| found.contains(symptom)),
            "{found:?}"
        );
        assert!(!found.contains(&Symptom::Underfitting));
    }
    let mlp = MlpConfig::new().init(&device(1)).unwrap();
    let run = train(mlp, Adam::new(), Constant::new(1.0), 15).unwrap();
    assert!(symptoms(&of(&run)).contains(&Symptom::RateTooHigh));
}

#[test]
fn divergence_is_certain_and_names_the_step() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    let cnn = MlpConfig::new().init(&device(1)).unwrap();
    let failure = train(cnn, Momentum::new(), Constant::new(1e30), 6).unwrap_err();
    let diagnosis = diagnose(&failure);
    println!("{diagnosis}");
    let finding = diagnosis.finding(Symptom::Divergence).unwrap();
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(finding.evidence[0].figure.contains("step"), "{finding}");
    let json = serde_json::to_string(&diagnosis).unwrap();
    assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap(), diagnosis);
}

#[test]
fn a_network_that_is_too_small_underfits() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    for (hidden, epochs) in [(1, 40), (2, 80)] {
        let mlp = MlpConfig::new()
            .with_hidden(hidden)
            .init(&device(3))
            .unwrap();
        let run = train(mlp, Momentum::new(), Constant::new(0.05), epochs).unwrap();
        assert_eq!(
            symptoms(&of(&run)),
            [Symptom::Underfitting],
            "{hidden} units"
        );
    }
}

#[test]
fn a_large_network_on_few_examples_overfits() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    let (all, test) = data();
    for seed in [1, 2] {
        let few = Subset::new(Arc::new(all.clone()), (0..64).collect()).unwrap();
        let mlp = MlpConfig::new()
            .with_hidden(1024)
            .init(&device(seed))
            .unwrap();
        let run = Trainer::new(mlp, Adam::new(), Constant::new(1e-3))
            .epochs(100)
            .batch(32)
            .log_every(5)
            .validate(&test)
            .quiet()
            .fit(few)
            .unwrap();
        assert_eq!(symptoms(&of(&run)), [Symptom::Overfitting]);
    }
}

#[test]
fn sigmoids_in_a_deep_network_lose_the_gradient() {
    let _lock = lock();
    if is_slow() {
        return;
    }
    let deep = DeepConfig::new().init(&device(1)).unwrap();
    let run = train(deep, Momentum::new(), Constant::new(0.05), 10).unwrap();
    let diagnosis = of(&run);
    assert_eq!(
        symptoms(&diagnosis),
        [Symptom::VanishingGradients, Symptom::Underfitting]
    );
    let finding = diagnosis.finding(Symptom::VanishingGradients).unwrap();
    // The first layer is the worst.
    let first = Place::Path("scores.1.0.0.weight".into());
    let found = finding
        .evidence
        .iter()
        .max_by(|a, b| a.value.total_cmp(&b.value))
        .unwrap();
    assert_eq!(found.at, Some(first), "{finding}");
}

#[test]
fn units_with_large_negative_biases_are_dead() {
    let _lock = lock();
    let (train_set, _) = data();
    let device = device(1);
    let mut mlp = MlpConfig::new().init(&device).unwrap();
    let units = dead_units(&mlp, &train_set).unwrap();
    assert_eq!(units.layers[0].units, 64);
    assert!(units.finding().is_none(), "{units}");
    // Half of the units can never be above 0: the pixels are at most 1 each.
    mlp.h.bias = mlp.h.bias.clone().map(|bias| {
        bias.map(|bias| {
            let dead = Tensor::full([32], -100.0, &bias.device());
            Tensor::cat(vec![dead, bias.slice(32..64)], 0)
        })
    });
    let run = train(mlp, Momentum::new(), Cosine::new(0.05), 5).unwrap();
    let units = dead_units(&run.model, &train_set).unwrap();
    println!("{units}");
    assert!(
        (0..32).all(|unit| units.layers[0].dead.contains(&unit)),
        "{units}"
    );
    let diagnosis = of(&run).with(&units);
    assert_eq!(symptoms(&diagnosis), [Symptom::DeadUnits]);
    let finding = diagnosis.finding(Symptom::DeadUnits).unwrap();
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(
        diagnosis
            .unjudged
            .iter()
            .all(|one| one.symptom != Symptom::DeadUnits)
    );
}

/// A relu may make 0 of what is no number, and its units are not dead for that.
#[test]
fn what_is_no_number_is_no_dead_unit() {
    let _lock = lock();
    let device = device(1);
    let mut mlp = MlpConfig::new().init(&device).unwrap();
    mlp.h.bias = mlp
        .h
        .bias
        .clone()
        .map(|bias| bias.map(|bias| Tensor::full([64], f32::NAN, &bias.device())));
    let error = dead_units(&mlp, &data().0).unwrap_err();
    let first = matches!(&error, DiagnoseError::NotNumbers { path, layer } if path == "h" && layer == "linear");
    assert!(first, "{error}");
}

model! {
    struct Mixed;
    input image: [1, 4, 4];
    let tokens = image
        -> conv: conv2d(3, kernel: 1) -> relu6
        -> reshape([3, 16]) -> wide: linear(4) -> relu
        -> repeat 2 { linear(4) -> tanh } -> sigmoid -> flatten -> linear(1);
    output tokens;
    loss mse;
}

#[test]
fn a_unit_is_a_channel_behind_a_convolution_and_a_feature_behind_a_linear() {
    let _lock = lock();
    let device = device(1);
    let mut net = MixedConfig::new().init(&device).unwrap();
    let set = |bias: &Option<Param<Tensor<1>>>, values: &[f32]| {
        let bias = bias.clone().unwrap();
        Some(bias.map(|bias| Tensor::from_floats(values, &bias.device())))
    };
    // Below 0, above 6, and between; the inputs are 0.
    net.conv.bias = set(&net.conv.bias, &[-1.0, 7.0, 3.0]);
    net.wide.bias = set(&net.wide.bias, &[-100.0, 100.0, 100.0, -100.0]);
    let source = Table::values(vec![0.0; 2 * 16], &[1, 4, 4], vec![0.0; 2], &[1]).unwrap();
    let units = dead_units(&net, &source).unwrap();
    println!("{units}");
    let rows = units.layers.iter();
    let rows: Vec<_> = rows.map(|row| (row.layer.as_str(), row.units)).collect();
    assert_eq!(
        rows,
        [
            ("relu6", 3),
            ("relu", 4),
            ("tanh", 4),
            ("tanh", 4),
            ("sigmoid", 4)
        ]
    );
    assert_eq!(units.layers[0].dead, [0, 1]);
    assert_eq!(units.layers[1].dead, [0, 3]);
    // Inputs of around 100 saturate a tanh, and those of at most 1 do not.
    assert!(!units.layers[2].dead.is_empty(), "{units}");
    assert!(
        units.layers[3].dead.is_empty() && units.layers[4].dead.is_empty(),
        "{units}"
    );
    assert_ne!(units.layers[2].path, units.layers[3].path);

    let empty = Subset::new(Arc::new(source), Vec::new()).unwrap();
    let error = dead_units(&net, &empty).unwrap_err();
    assert!(matches!(error, DiagnoseError::Empty { .. }), "{error}");
    let error = dead_units(&net, &digits().unwrap()).unwrap_err();
    assert!(matches!(error, DiagnoseError::Mismatch(_)), "{error}");
}
