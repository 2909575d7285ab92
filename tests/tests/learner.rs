//! Burn's own learner takes a declared model, a declared optimizer and a declared schedule as they
//! are.

use std::sync::Arc;

use kiln::burn::data::dataloader::DataLoaderBuilder;
use kiln::burn::data::dataloader::batcher::Batcher;
use kiln::burn::data::dataset::InMemDataset;
use kiln::burn::train::metric::{AccuracyMetric, LossMetric};
use kiln::burn::train::{Learner, SupervisedTraining};
use kiln::data::{Images, Source, digits};
use kiln::prelude::*;
use kiln::schedule::Horizon;
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{Folder, bits, device, lock};

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
    update sgd(momentum: 0.9, weight_decay: 1e-4) for "hidden.*";
}

schedule! {
    struct Cosine;
    peak 0.5;
    warmup(10 %) -> cosine;
}

/// Makes batches of a source by the indices of its examples.
struct Gather<S>(Arc<S>);

impl<S: Source, M: Model> Batcher<usize, Batch<M>> for Gather<S> {
    fn batch(&self, indices: Vec<usize>, device: &Device) -> Batch<M> {
        let examples = self
            .0
            .gather(&indices)
            .expect("the indices are those of the source");
        Batch::upload(examples, device).expect("the source gives what it says")
    }
}

const BATCH: usize = 64;

#[test]
fn burns_learner_trains_a_declared_model() {
    let _lock = lock();
    let folder = Folder::new("learner");
    let device = device();
    device.seed(1);
    let (train, test) = digits()
        .and_then(|digits: Images| digits.split(0.8, 1))
        .expect("the digits are built in");
    let steps = train.len().div_ceil(BATCH) as u64;
    let horizon = Horizon {
        steps,
        steps_per_epoch: steps,
        batch: BATCH,
    };
    let rate = Cosine::new().over(&horizon).expect("the schedule fits");
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(64)
        .with_hidden_2(32);
    let model: Mlp = config
        .init(&device.clone().autodiff())
        .expect("the configuration is valid");
    let optimizer = Momentum::new()
        .module_optimizer(&model)
        .expect("Burn can express it");
    let before = bits(&model);
    let untrained = evaluate(&model, &test, 256).expect("the data fit");

    let indices = |len: usize| InMemDataset::new((0..len).collect::<Vec<usize>>());
    let (train, test) = (Arc::new(train), Arc::new(test));
    let training = DataLoaderBuilder::new(Gather(train.clone()))
        .batch_size(BATCH)
        .shuffle(2)
        .build(indices(train.len()));
    let validation = DataLoaderBuilder::new(Gather(test.clone()))
        .batch_size(256)
        .build(indices(test.len()));
    let result = SupervisedTraining::new(folder.path(), training, validation)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(1)
        .with_default_checkpointers()
        .with_application_logger(None)
        .launch(Learner::new(model, optimizer, rate));

    let trained = evaluate(&result.model, &test, 256).expect("the data fit");
    assert!(bits(&result.model) != before);
    assert!(
        trained.loss < 0.8 * untrained.loss,
        "{trained:?} after {untrained:?}"
    );
    assert!(trained.accuracy > Some(0.5), "{trained:?}");
    assert!(
        folder.file("checkpoint/model-1.bpk").exists(),
        "the learner saved no checkpoint"
    );
}
