//! A source of ours for Burn's own learner.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

use crate::data::{DataError, Examples, Loader, Sampler, Source, Subset, checked};
use crate::model::{Batch, Model};

/// Batches of a [`Source`] for Burn's own `Learner`, as a `DataLoader` of Burn's.
///
/// [Shuffled](Self::shuffled) it walks the order that a [`Trainer`](super::Trainer) of that seed walks,
/// an epoch each time, with what the source draws for training and without a last batch that is not
/// full. Otherwise every example comes once, in order. An error of the source is an error of Burn's
/// data set, which ends its training.
///
/// Burn gives the loader its device. With several GPUs in one process,
/// `TrainingStrategy::Default(ExecutionStrategy::multi(devices, ..))` cuts the data into as many parts
/// as there are devices, and adds their gradients: a learning rate for their mean is to be divided by
/// the number of devices.
///
/// ```
/// use kiln::burn::train::metric::LossMetric;
/// use kiln::burn::train::{Learner, SupervisedTraining};
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::schedule::Horizon;
/// use kiln::train::BurnLoader;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Momentum; update sgd(momentum: 0.9); }
/// schedule! { struct Decay; peak 0.1; cosine; }
///
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let train = BurnLoader::shuffled(train, 64, 7)?;
/// let horizon = Horizon { steps: train.steps() as u64, steps_per_epoch: train.steps() as u64, batch: 64 };
/// let model = NetConfig::new().init(&default_device()?.autodiff())?;
/// let learner = Learner::new(
///     model.clone(),
///     Momentum::new().module_optimizer(&model)?,
///     Decay::new().over(&horizon)?,
/// );
/// # let folder = std::env::temp_dir().join(format!("kiln-learner-{}", std::process::id()));
/// let result = SupervisedTraining::new(&folder, train.burn(), BurnLoader::new(test, 256)?.burn())
///     .metrics((LossMetric::new(),))
///     .num_epochs(1)
/// #     .with_application_logger(None)
///     .launch(learner);
/// # std::fs::remove_dir_all(folder)?;
/// println!("{}", result.model);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone)]
pub struct BurnLoader {
    source: Arc<dyn Source>,
    batch: usize,
    seed: Option<u64>,
    device: Device,
    /// The epochs that were begun.
    epochs: Arc<AtomicUsize>,
}

impl BurnLoader {
    /// All of `source` in order, `batch` at a time.
    ///
    /// # Errors
    ///
    /// A batch of 0, or larger than the source.
    pub fn new(source: impl Source + 'static, batch: usize) -> Result<Self, DataError> {
        Self::of(Arc::new(source), batch, None)
    }

    /// Batches of `batch` examples in the order that follows from `seed`.
    ///
    /// # Errors
    ///
    /// A batch of 0, or larger than the source.
    pub fn shuffled(
        source: impl Source + 'static,
        batch: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        Self::of(Arc::new(source), batch, Some(seed))
    }

    fn of(source: Arc<dyn Source>, batch: usize, seed: Option<u64>) -> Result<Self, DataError> {
        // Says what is wrong with them, if anything is.
        Sampler::new(source.len(), batch, 0)?;
        Ok(BurnLoader {
            source,
            batch,
            seed,
            device: Device::default(),
            epochs: Arc::default(),
        })
    }

    /// The batches of an epoch.
    pub fn steps(&self) -> usize {
        match self.seed {
            Some(_) => self.source.len() / self.batch,
            None => self.source.len().div_ceil(self.batch),
        }
    }

    /// The loader as Burn takes it.
    pub fn burn<M: Model>(self) -> Arc<dyn DataLoader<Batch<M>>> {
        Arc::new(self)
    }

    /// The batches of the next epoch.
    fn batches(&self) -> Box<dyn Iterator<Item = Result<Examples, DataError>> + '_> {
        let (len, batch) = (self.source.len(), self.batch);
        let Some(seed) = self.seed else {
            let firsts = (0..len).step_by(batch);
            return Box::new(firsts.map(move |first| {
                let indices: Vec<usize> = (first..len.min(first + batch)).collect();
                checked(&self.source, &indices)
            }));
        };
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
        let batches = Sampler::new(len, batch, seed)
            .and_then(|sampler| Loader::new(self.source.clone(), sampler, 1)?.epoch(epoch, 0));
        match batches {
            Ok(batches) => Box::new(batches),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }
}

impl<M: Model> DataLoader<Batch<M>> for BurnLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch<M>> + 'a> {
        Box::new(Uploading {
            batches: self.batches(),
            device: &self.device,
            done: 0,
            total: DataLoader::<Batch<M>>::num_items(self),
            batch: self.batch,
            model: PhantomData,
        })
    }

    fn num_items(&self) -> usize {
        match self.seed {
            Some(_) => self.steps() * self.batch,
            None => self.source.len(),
        }
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch<M>>> {
        Arc::new(BurnLoader {
            device: device.clone(),
            ..self.clone()
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch<M>>> {
        let end = end.min(self.source.len());
        let indices = (start.min(end)..end).collect();
        match Subset::new(Arc::new(self.source.clone()), indices) {
            Ok(part) => Arc::new(BurnLoader {
                source: Arc::new(part),
                // Each part counts its own epochs.
                epochs: Arc::default(),
                ..self.clone()
            }),
            // An index that is not below the length: there is none.
            Err(_) => Arc::new(self.clone()),
        }
    }
}

impl fmt::Debug for BurnLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BurnLoader")
            .field("examples", &self.source.len())
            .field("batch", &self.batch)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Batches on their way to the device.
struct Uploading<'a, M> {
    batches: Box<dyn Iterator<Item = Result<Examples, DataError>> + 'a>,
    device: &'a Device,
    done: usize,
    total: usize,
    batch: usize,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Iterator for Uploading<'_, M> {
    type Item = Result<Batch<M>, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let examples = self.batches.next()?;
        self.done = self.total.min(self.done + self.batch);
        let batch = examples.and_then(|examples| Batch::upload(examples, self.device));
        Some(batch.map_err(DatasetError::new))
    }
}

impl<M: Model> DataLoaderIterator<Batch<M>> for Uploading<'_, M> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.total, Some("items".to_owned()))
    }
}
