//! Averages of the weights and their running statistics, against timm and torch.optim.swa_utils:
//! `tests/peers/steps.py` recorded the numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kiln::burn::module::{Module, ModuleMapper, Param};
use kiln::burn::optim::GradientsParams;
use kiln::data::{DataError, Examples, Sampler, Source, Table, Target, TensorData, digits};
use kiln::model::{Batch, Model};
use kiln::prelude::*;
use kiln::schedule::Horizon;
use kiln::train::{Evaluation, Trained, evaluate, update_batch_norm};
use kiln_tests::{bits, deviation, device, lock, numbers, same_training, tensors};
use serde_json::Value;

model! {
    struct Normalised { }
    input x: [3];
    let y = x -> first: linear(4) -> norm: batch_norm -> tanh -> second: linear(2);
    output y;
    loss mse;
}

model! {
    struct Digits { drop: f64 = 0.0 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> first: linear(16) -> batch_norm -> relu -> dropout(drop) -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    struct Plain { }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    struct Ema;
    update sgd(momentum: 0.9);
    average ema(decay: 0.9);
}

optimizer! {
    struct Swa;
    update sgd(momentum: 0.9);
    average swa(from: 40 %, every: 1 epoch);
}

optimizer! {
    struct Lookahead;
    update sgd(momentum: 0.9);
    average lookahead(k: 3);
}

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
}

schedule! {
    struct Constant { rate: f64 = 0.05 }
    peak rate;
    constant;
}

fn floats(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().expect("a list of numbers").iter();
    numbers
        .map(|number| number.as_f64().expect("a number") as f32)
        .collect()
}

fn record() -> Value {
    let record: Value =
        serde_json::from_str(include_str!("../peers/steps.json")).expect("the record is JSON");
    record["normalised"].clone()
}

/// Gives a model the recorded parameters, in the order of the model.
struct Start(std::vec::IntoIter<Vec<f32>>);

impl ModuleMapper for Start {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| match self.0.next() {
            Some(values) => {
                let data = TensorData::new(values, old.shape());
                Tensor::from_data(data, &old.device())
            }
            None => old,
        })
    }
}

/// The order in which a record lists weights and running statistics.
const PATHS: [&str; 8] = [
    "first.weight",
    "first.bias",
    "norm.gamma",
    "norm.beta",
    "second.weight",
    "second.bias",
    "norm.running_mean",
    "norm.running_var",
];

fn start(record: &Value) -> Normalised {
    let config = NormalisedConfig::new();
    let model = config.init(&device()).expect("the configuration is valid");
    let mut listed: Vec<_> = record["start"]
        .as_array()
        .expect("a list")
        .iter()
        .map(floats)
        .collect();
    // The model visits the running statistics behind gamma and beta.
    listed.splice(4..4, [vec![0.0; 4], vec![1.0; 4]]);
    model.valid().map(&mut Start(listed.into_iter()))
}

fn assert_recorded(model: &Normalised, record: &Value, what: &str) {
    let found = tensors(model);
    for (path, expected) in PATHS.iter().zip(record.as_array().expect("a list")) {
        let off = deviation(&numbers(&found[*path]), &floats(expected));
        println!("{what} {path}: {off:e}");
        assert!(off <= 1e-5, "{what}: {path} is off by {off:e}");
    }
}

/// Rows in the order in which a sampler with the seed 0 takes those of `record`, so that its batches
/// are the record's.
fn table(record: &Value) -> Table {
    let (x, y) = (floats(&record["x"]), floats(&record["y"]));
    let sampler = Sampler::new(16, 4, 0).expect("the batch fits");
    let order = sampler.epoch(0);
    let places = (0..4).flat_map(|step| order.batch(step).to_vec());
    let (mut inputs, mut targets) = (vec![0.0; 48], vec![0.0; 32]);
    for (row, place) in places.enumerate() {
        inputs[3 * place..][..3].copy_from_slice(&x[3 * row..][..3]);
        targets[2 * place..][..2].copy_from_slice(&y[2 * row..][..2]);
    }
    Table::values(inputs, &[3], targets, &[2]).expect("the rows are whole")
}

#[test]
fn averages_and_running_statistics_are_the_references() {
    let _lock = lock();
    let record = record();
    let source = table(&record);
    let sampler = Sampler::new(16, 4, 0).expect("the batch fits");
    let order = sampler.epoch(0);
    let device = device().autodiff();
    let horizon = Horizon {
        steps: 20,
        steps_per_epoch: 4,
        batch: 4,
    };
    for (recipe, is_swa) in [(Ema::new().recipe(), false), (Swa::new().recipe(), true)] {
        let mut updater = recipe
            .over(&start(&record), &horizon)
            .expect("a valid recipe");
        let mut model = start(&record).train();
        for step in 0..20 {
            let batch = source.gather(order.batch(step % 4)).expect("in memory");
            let Batch { input, target } =
                Batch::<Normalised>::upload(batch, &device).expect("fits");
            let loss = Model::loss(&model, Model::forward(&model, input), target);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = updater.step(0.05, model, grads);
        }
        assert_recorded(&model, &record["last"], "the last weights");
        let averaged = updater.averaged(&model).expect("the recipe has an average");
        if is_swa {
            let averaged = update_batch_norm(&averaged, &source, 4).expect("the rows fit");
            assert_recorded(&averaged, &record["swa"], "SWA");
        } else {
            assert_recorded(&averaged, &record["ema"], "EMA");
        }
    }
}

/// The digits, and how often one was asked for.
struct Counted(kiln::data::Images, Arc<AtomicUsize>);

impl Source for Counted {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn inputs(&self) -> Vec<Vec<usize>> {
        self.0.inputs()
    }
    fn targets(&self) -> Vec<Target> {
        self.0.targets()
    }
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.1.fetch_add(indices.len(), Ordering::SeqCst);
        self.0.gather(indices)
    }
}

/// Five epochs of 28 steps of 64, and how many examples were asked for.
fn train<M: Model, O: Optimizer>(
    model: M,
    optimizer: O,
    validation: Option<&dyn Source>,
) -> (Trained<M>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Counted(digits().expect("built in"), asked.clone());
    let mut trainer = Trainer::new(model, optimizer, Constant::new())
        .epochs(5)
        .seed(4)
        .quiet();
    if let Some(validation) = validation {
        trainer = trainer.validate(validation);
    }
    let run = trainer.fit(source).expect("the training goes through");
    (run, asked.load(Ordering::SeqCst))
}

fn with_dropout() -> Digits {
    device().seed(1);
    let config = DigitsConfig::new().with_drop(0.2);
    config.init(&device()).expect("the configuration is valid")
}

#[test]
fn an_average_leaves_the_training_alone_and_is_what_is_measured() {
    let _lock = lock();
    let held_out = digits()
        .expect("built in")
        .split(0.8, 1)
        .expect("a share")
        .1;
    let measure = |model: &Digits| evaluate(model, &held_out, 256).expect("it fits");
    let (plain, _) = train(with_dropout(), Momentum::new(), Some(&held_out));
    assert!(plain.last.is_none());
    let seen = |run: &Trained<Digits>| -> Vec<Option<Evaluation>> {
        run.history.iter().map(|epoch| epoch.validation).collect()
    };
    let (ema, _) = train(with_dropout(), Ema::new(), Some(&held_out));
    let (swa, _) = train(with_dropout(), Swa::new(), Some(&held_out));
    for run in [&ema, &swa] {
        let last = run.last.as_ref().expect("the model is an average");
        assert!(same_training(&bits(last), &bits(&plain.model)));
        assert!(bits(&run.model) != bits(&plain.model));
        assert_eq!(run.validation(), Some(measure(&run.model)));
        assert_ne!(run.validation(), plain.validation());
    }
    // SWA begins after two of five epochs: until then there are only the weights, and the first mean
    // is of one, with running statistics of its own.
    let (plain, swa) = (seen(&plain), seen(&swa));
    assert_eq!(plain[0], swa[0]);
    assert_ne!(plain[1], swa[1]);
}

#[test]
fn lookahead_returns_its_slow_weights_with_the_running_statistics_of_the_fast() {
    let _lock = lock();
    let held_out = digits()
        .expect("built in")
        .split(0.8, 1)
        .expect("a share")
        .1;
    // 140 steps end two behind a multiple of 3.
    let (run, _) = train(with_dropout(), Lookahead::new(), Some(&held_out));
    let last = run.last.as_ref().expect("the model is an average");
    let (slow, fast) = (bits(&run.model), bits(last));
    for (path, bits) in &slow {
        assert_eq!(*bits == fast[path], path.contains("running"), "{path}");
    }
    let measured = evaluate(&run.model, &held_out, 256).expect("it fits");
    assert_eq!(run.validation(), Some(measured));
}

#[test]
fn swa_with_running_statistics_takes_one_pass_more_a_validation_and_without_none() {
    let _lock = lock();
    let epoch = 28 * 64;
    let held_out = digits()
        .expect("built in")
        .split(0.8, 1)
        .expect("a share")
        .1;
    let pass = epoch + 64;
    let (_, asked) = train(with_dropout(), Swa::new(), None);
    assert_eq!(asked, 5 * epoch + pass);
    let (_, asked) = train(with_dropout(), Swa::new(), Some(&held_out));
    assert_eq!(asked, 5 * epoch + 4 * pass);
    let (_, asked) = train(with_dropout(), Ema::new(), Some(&held_out));
    assert_eq!(asked, 5 * epoch);
    let model = PlainConfig::new().init(&device()).expect("valid");
    let (_, asked) = train(model, Swa::new(), Some(&held_out));
    assert_eq!(asked, 5 * epoch);
}

#[test]
fn measuring_running_statistics_touches_nothing_else() {
    let _lock = lock();
    let source = digits().expect("built in");
    // A frozen layer takes no gradient either, and is no running statistic.
    let mut model = with_dropout();
    model.first = model.first.no_grad();
    for model in [model.clone(), model.train()] {
        let before = bits(&model);
        device().seed(1);
        let measured = update_batch_norm(&model, &source, 64).expect("it fits");
        assert!(bits(&model) == before);
        for (path, bits) in bits(&measured) {
            assert_eq!(bits == before[&path], !path.contains("running"), "{path}");
        }
    }
}

#[test]
fn what_is_measured_depends_on_no_momentum() {
    let _lock = lock();
    model! {
        struct Slow { momentum: f64 = 0.1 }
        input image: [1, 8, 8];
        let scores = image -> flatten -> linear(16) -> batch_norm(momentum: momentum) -> linear(10);
        output scores;
        loss cross_entropy;
    }
    let source = digits().expect("built in");
    let measured = |momentum| {
        device().seed(1);
        let config = SlowConfig::new().with_momentum(momentum);
        let model = config.init(&device()).expect("the configuration is valid");
        tensors(&update_batch_norm(&model, &source, 64).expect("it fits"))
    };
    let usual = measured(0.1);
    for momentum in [1.0, 0.5, 0.01] {
        for (path, found) in measured(momentum) {
            let off = deviation(&numbers(&found), &numbers(&usual[&path]));
            println!("{momentum}, {path}: {off:e}");
            assert!(off <= 1e-5, "{path} is off by {off:e}");
        }
    }
}

#[test]
fn a_batch_that_cannot_be_is_refused() {
    let _lock = lock();
    let source = digits().expect("built in");
    for batch in [0, 1798] {
        assert!(update_batch_norm(&with_dropout(), &source, batch).is_err());
    }
}
