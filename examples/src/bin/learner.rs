//! A declared network in Burn's own training: `Learner` and `SupervisedTraining` instead of Kiln's
//! `Trainer`.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use kiln::burn::train::metric::{
    AccuracyMetric, LearningRateMetric, LossMetric, TopKAccuracyMetric,
};
use kiln::burn::train::{
    ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining, TrainingStrategy,
};
use kiln::data::digits;
use kiln::prelude::*;
use kiln::schedule::Horizon;
use kiln::train::BurnLoader;

model! {
    /// Two hidden layers.
    pub struct Digits { hidden: usize = 64 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(hidden) -> relu -> dropout(0.1) -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    /// Biases are not decayed.
    pub struct Decayed { decay: f64 = 1e-2 }
    update adamw(weight_decay: decay);
    update adamw(weight_decay: 0.0) for bias;
}

schedule! {
    /// A warmup, then half a cosine.
    pub struct Cosine { peak: f64 = 0.003 }
    peak peak;
    warmup(10 %) -> cosine;
}

/// Trains on the built-in digits with Burn's `Learner`.
#[derive(Parser)]
#[command(name = "learner", version)]
struct Options {
    /// How often to go through the training images.
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Images per step.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// On how many devices of the backend: the images of a step are divided among them.
    #[arg(long, default_value_t = 1)]
    devices: usize,
    /// Where Burn keeps its logs and checkpoints.
    #[arg(long, value_name = "DIR", default_value = "learner")]
    folder: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let device = default_device()?.autodiff();
    device.seed(1);
    let (train, test) = digits()?.split(0.8, 1)?;
    let model = DigitsConfig::new().init(&device)?;
    let before = evaluate(&model, &test, 256)?;

    let batches = BurnLoader::shuffled(train, options.batch, 7)?;
    let steps_per_epoch = batches.steps() as u64;
    let horizon = Horizon {
        steps: steps_per_epoch * options.epochs as u64,
        steps_per_epoch,
        batch: options.batch,
    };
    let learner = Learner::new(
        model.clone(),
        Decayed::new().module_optimizer(&model)?,
        Cosine::new().over(&horizon)?,
    );
    let strategy = match options.devices {
        0 | 1 => ExecutionStrategy::single(device),
        // Of one kind, such as the GPUs of a machine; a processor is one device however often named.
        several => {
            ExecutionStrategy::multi(vec![device; several], MultiDeviceOptim::OptimMainDevice)
        }
    };
    let validation = BurnLoader::new(test.clone(), 256)?;
    let result = SupervisedTraining::new(&options.folder, batches.burn(), validation.burn())
        .metrics((
            AccuracyMetric::new(),
            TopKAccuracyMetric::new(3),
            LossMetric::new(),
        ))
        .metric_train_numeric(LearningRateMetric::new())
        .num_epochs(options.epochs)
        .with_training_strategy(TrainingStrategy::Default(strategy))
        .with_default_checkpointers()
        .summary()
        .launch(learner);
    let after = evaluate(&result.model, &test, 256)?;
    let percent = |accuracy: Option<f64>| 100.0 * accuracy.unwrap_or(f64::NAN);
    println!(
        "accuracy on {} images that it has not seen: {:.1} % before, {:.1} % after",
        test.len(),
        percent(before.accuracy),
        percent(after.accuracy)
    );
    Ok(())
}
