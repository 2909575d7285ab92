//! Burn's own learner takes a declared model, a declared optimizer and a declared schedule as they
//! are, on one device and on several.

use kiln::burn::data::dataloader::DataLoader;
use kiln::burn::train::metric::{AccuracyMetric, LossMetric};
use kiln::burn::train::{
    ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining, TrainingStrategy,
};
use kiln::data::{DataError, Images, Loader, Sampler, Source, Subset, digits};
use kiln::prelude::*;
use kiln::schedule::Horizon;
use kiln::train::BurnLoader;
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{Folder, bits, device, lock};
use std::sync::Arc;

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
    update sgd(momentum: 0.9, weight_decay: 1e-4) for "hidden.*";
}

schedule! {
    struct Cosine { peak: f64 = 0.5 }
    peak peak;
    warmup(10 %) -> cosine;
}

const BATCH: usize = 64;

fn examples() -> (Subset<Images>, Subset<Images>) {
    let digits = digits().expect("the digits are built in");
    digits.split(0.8, 1).expect("it is a share")
}

/// An epoch of Burn's training, where `strategy` says: the network before and after it.
fn learned(folder: &Folder, strategy: ExecutionStrategy, peak: f64) -> (Mlp, Mlp) {
    let (train, test) = examples();
    device().seed(1);
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(64)
        .with_hidden_2(32);
    let model = config
        .init(&device().autodiff())
        .expect("the configuration is valid");
    let train = BurnLoader::shuffled(train, BATCH, 2).expect("a batch is there");
    let steps = train.steps() as u64;
    let horizon = Horizon {
        steps,
        steps_per_epoch: steps,
        batch: BATCH,
    };
    let rate = Cosine::new()
        .with_peak(peak)
        .over(&horizon)
        .expect("the schedule fits");
    let optimizer = Momentum::new()
        .module_optimizer(&model)
        .expect("Burn can express it");
    let test = BurnLoader::new(test, 256).expect("a batch is there");
    let result = SupervisedTraining::new(folder.path(), train.burn(), test.burn())
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(1)
        .with_training_strategy(TrainingStrategy::Default(strategy))
        .with_default_checkpointers()
        .with_application_logger(None)
        .launch(Learner::new(model.clone(), optimizer, rate));
    (model.valid(), result.model)
}

fn learns(name: &str, strategy: ExecutionStrategy, peak: f64) {
    let _lock = lock();
    let folder = Folder::new(name);
    let (untrained, trained) = learned(&folder, strategy, peak);
    assert!(bits(&trained) != bits(&untrained));
    let (_, test) = examples();
    let measure = |model: &Mlp| evaluate(model, &test, 256).expect("the data fit");
    let (before, after) = (measure(&untrained), measure(&trained));
    // Several devices report in the order in which they are done.
    assert!(after.loss < 0.9 * before.loss, "{after:?} after {before:?}");
    assert!(after.accuracy > Some(0.3), "{after:?}");
    assert!(
        folder.file("checkpoint/model-1.bpk").exists(),
        "the learner saved no checkpoint"
    );
}

#[test]
fn burns_learner_trains_a_declared_model() {
    learns(
        "learner",
        ExecutionStrategy::single(device().autodiff()),
        0.5,
    );
}

/// A processor counts as one device; what its parts do is what those of several GPUs do.
#[test]
fn burns_learner_trains_a_declared_model_on_several_devices() {
    let devices = vec![device().autodiff(), device().autodiff()];
    let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
    // It adds the gradients of the devices where others take their mean.
    learns("learner-several", strategy, 0.25);
}

#[test]
fn burns_learner_sees_the_order_of_the_trainer() {
    let (train, _) = examples();
    let sampler = Sampler::new(train.len(), BATCH, 7).expect("a batch is there");
    let ours = Loader::new(Arc::new(train.clone()), sampler, 0).expect("it is its sampler");
    let burns = BurnLoader::shuffled(train, BATCH, 7)
        .expect("a batch is there")
        .burn::<Mlp>();
    for epoch in 0..2 {
        let ours = ours.epoch(epoch, 0).expect("it begins");
        let mut burns = burns.iter();
        for batch in ours {
            let expected = Batch::<Mlp>::upload(batch.expect("it is there"), &device());
            // Backends have integers of their own.
            let classes =
                |batch: Batch<Mlp>| -> Vec<i64> { batch.target.into_data().iter().collect() };
            let expected = classes(expected.expect("they fit"));
            let found = classes(burns.next().expect("as many").expect("it is there"));
            assert_eq!(found, expected, "epoch {epoch}");
        }
        assert!(burns.next().is_none());
        let progress = burns.progress();
        assert_eq!(
            (progress.items_processed, progress.items_total),
            (22 * BATCH, 22 * BATCH)
        );
    }
}

#[test]
fn a_part_of_a_loader_holds_its_examples_and_all_of_them() {
    let (_, test) = examples();
    let whole = BurnLoader::new(test.clone(), 100)
        .expect("a batch is there")
        .burn::<Mlp>();
    assert_eq!((whole.num_items(), whole.iter().count()), (359, 4));
    let part = whole.slice(300, 400);
    assert_eq!(part.num_items(), 59);
    let classes = |loader: &Arc<dyn DataLoader<Batch<Mlp>>>| -> Vec<i64> {
        let batches = loader
            .iter()
            .map(|batch| batch.expect("it is there").target.into_data());
        batches
            .flat_map(|data| data.iter::<i64>().collect::<Vec<_>>())
            .collect()
    };
    assert_eq!(classes(&part), classes(&whole)[300..]);
    for batch in [0, 360] {
        let refused = BurnLoader::new(test.clone(), batch);
        assert!(
            matches!(refused, Err(DataError::Argument { .. })),
            "{refused:?}"
        );
    }
}
