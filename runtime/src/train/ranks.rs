//! What the processes of a training do together.

use std::collections::HashMap;

use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, DType, Element, FloatDType, Tensor, TensorData};
use crc32fast::Hasher;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TrainError;
use super::batch_norm::Statistics;
use super::checkpoint::{Checkpoint, Sections, Setting, differences, load};
use super::step::Pass;
use crate::exchange::{Exchange, ExchangeError};
use crate::model::{self, Model};

/// The processes of a training, where there are several.
#[derive(Clone, Copy)]
pub(super) struct Ranks<'a> {
    exchange: &'a dyn Exchange,
}

impl<'a> Ranks<'a> {
    pub(super) fn new(exchange: &'a dyn Exchange) -> Option<Self> {
        (exchange.ranks() > 1).then_some(Ranks { exchange })
    }

    pub(super) fn rank(&self) -> usize {
        self.exchange.rank()
    }

    pub(super) fn count(&self) -> usize {
        self.exchange.ranks()
    }

    /// Whether this process is the one that writes, and acts for all of them.
    pub(super) fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Fails where this process was told something else than the first.
    pub(super) fn agree(&self, settings: Vec<Setting>) -> Result<(), TrainError> {
        let first = self.first(&settings)?;
        let differences = differences(&first, &settings);
        if differences.is_empty() {
            return Ok(());
        }
        let differences = differences.into_iter().map(|one| {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            let (there, here) = (shown(one.then), shown(one.now));
            format!("{}: {there} there, {here} here", one.name)
        });
        Err(TrainError::Differs {
            differences: differences.collect(),
        })
    }

    /// What `value` is on the first process.
    pub(super) fn first<T: Serialize + DeserializeOwned>(
        &self,
        value: &T,
    ) -> Result<T, TrainError> {
        let message = |reason: String| ExchangeError::Message { reason };
        let mut bytes = match self.is_first() {
            true => rmp_serde::to_vec_named(value).map_err(|error| message(error.to_string()))?,
            false => Vec::new(),
        };
        self.exchange.broadcast(&mut bytes)?;
        let value = rmp_serde::from_slice(&bytes);
        Ok(value.map_err(|error| message(error.to_string()))?)
    }

    /// The checkpoint that the first process `found`.
    pub(super) fn first_checkpoint(
        &self,
        found: Option<Checkpoint>,
    ) -> Result<Option<Checkpoint>, TrainError> {
        let path = found.as_ref().map(|found| found.path.clone());
        let Some(path) = self.first(&path)? else {
            return Ok(None);
        };
        let mut sections = found.map_or_else(Sections::default, |found| found.sections);
        for section in sections.all_mut() {
            let mut bytes = section.to_vec();
            self.exchange.broadcast(&mut bytes)?;
            *section = Bytes::from_bytes_vec(bytes);
        }
        Ok(Some(Checkpoint::of(sections, &path)?))
    }

    /// `model` with the weights that it has on the first process.
    pub(super) fn first_model<M: Model>(&self, model: &M) -> Result<M, TrainError> {
        let message = |reason: String| ExchangeError::Message { reason };
        let mut bytes = Vec::new();
        if self.is_first() {
            let record = model.clone().into_record().into_bytes();
            bytes = record
                .map_err(|error| message(model::reason(error)))?
                .to_vec();
        }
        self.exchange.broadcast(&mut bytes)?;
        Ok(load(model.clone(), &bytes).map_err(message)?)
    }

    /// Waits for all of them, and fails where one has.
    pub(super) fn meet(&self) -> Result<(), TrainError> {
        Ok(self.exchange.sum(&mut [])?)
    }

    /// Sums gradient and loss of a `pass`, to which each process brings its share of the mean, and
    /// gives `model` the mean of the running statistics, unless `check` refuses this process's loss.
    /// Whether any is to `stop`.
    pub(super) fn sum<M: Model>(
        &self,
        model: &M,
        pass: &mut Pass<M>,
        statistics: &Statistics,
        stop: bool,
        check: impl FnOnce(f64) -> Result<(), TrainError>,
    ) -> Result<bool, TrainError> {
        let mut taking = Taking {
            gradient: std::mem::take(&mut pass.gradient),
            taken: Vec::new(),
        };
        model.visit(&mut taking);
        let (ids, mut parts): (Vec<_>, Vec<_>) = taking.taken.into_iter().unzip();
        // `valid` takes over running statistics that wait to be.
        parts.extend(statistics.read(&model.valid()));
        parts.push(pass.loss.clone());
        let (sums, stops) = self.sum_all(parts, stop, check)?;
        let mut sums = sums.into_iter();
        let by_id = ids.into_iter().zip(sums.by_ref()).collect();
        let mut giving = Giving {
            sums: by_id,
            gradient: GradientsParams::new(),
        };
        model.visit(&mut giving);
        pass.gradient = giving.gradient;
        let count = self.count() as f64;
        let means = sums.by_ref().take(statistics.len());
        statistics.assign(model, means.map(|sum| sum.div_scalar(count)).collect());
        if let Some(loss) = sums.next() {
            pass.loss = loss;
        }
        Ok(stops)
    }

    /// The sum of each of `parts`, none of which is differentiated, in one exchange, unless `check`
    /// refuses the last number.
    fn sum_all(
        &self,
        parts: Vec<Tensor<1>>,
        stop: bool,
        check: impl FnOnce(f64) -> Result<(), TrainError>,
    ) -> Result<(Vec<Tensor<1>>, bool), TrainError> {
        let device = parts[0].device();
        let kinds: Vec<_> = parts
            .iter()
            .map(|part| (part.dims()[0], part.dtype()))
            .collect();
        let double = kinds.iter().any(|(_, dtype)| *dtype == DType::F64);
        let dtype = if double {
            FloatDType::F64
        } else {
            FloatDType::F32
        };
        let parts = parts
            .into_iter()
            .map(|part| part.to_device(&device).cast(dtype));
        let stop = Tensor::full([1], u8::from(stop), (&device, DType::from(dtype)));
        let data = Tensor::cat(parts.chain([stop]).collect(), 0).into_data();
        let last = data.num_elements() - 1;
        let message = |error| ExchangeError::Message {
            reason: format!("{error:?}"),
        };
        let (sums, stops) = if double {
            let mut numbers = data.try_into_vec::<f64>().map_err(message)?;
            check(numbers[last - 1])?;
            self.exchange.sum_double(&mut numbers)?;
            let stops = numbers[last] > 0.0;
            (flat(numbers), stops)
        } else {
            let mut numbers = data.try_into_vec::<f32>().map_err(message)?;
            check(numbers[last - 1].into())?;
            self.exchange.sum(&mut numbers)?;
            let stops = numbers[last] > 0.0;
            (flat(numbers), stops)
        };
        let sums = Tensor::<1>::from_data(sums, (&device, DType::from(dtype)));
        let mut end = 0;
        let sums = kinds.into_iter().map(|(numbers, dtype)| {
            let start = end;
            end += numbers;
            sums.clone().slice(start..end).cast(dtype)
        });
        Ok((sums.collect(), stops))
    }

    /// Fails where `model`, after `epoch`, has other weights than on the first process. Whether any
    /// is to `stop`.
    pub(super) fn compare<M: Model>(
        &self,
        model: &M,
        epoch: usize,
        stop: bool,
    ) -> Result<bool, TrainError> {
        let mut sum = Checksum(Hasher::new());
        model.visit(&mut sum);
        let count = self.count();
        let mut numbers = vec![0.0; count + 1];
        numbers[self.rank()] = f64::from(sum.0.finalize());
        numbers[count] = f64::from(u8::from(stop));
        self.exchange.sum_double(&mut numbers)?;
        match numbers[..count].iter().position(|sum| *sum != numbers[0]) {
            Some(rank) => Err(TrainError::Parted { rank, epoch }),
            None => Ok(numbers[count] > 0.0),
        }
    }
}

fn flat<E: Element>(numbers: Vec<E>) -> TensorData {
    let shape = [numbers.len()];
    TensorData::new(numbers, shape)
}

/// Takes the gradient of each parameter, flattened.
struct Taking {
    gradient: GradientsParams,
    taken: Vec<(ParamId, Tensor<1>)>,
}

impl ModuleVisitor for Taking {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradient.remove::<D>(param.id) {
            let numbers = gradient.shape().num_elements();
            self.taken.push((param.id, gradient.reshape([numbers])));
        }
    }
}

/// Gives it back.
struct Giving {
    sums: HashMap<ParamId, Tensor<1>>,
    gradient: GradientsParams,
}

impl ModuleVisitor for Giving {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(sum) = self.sums.remove(&param.id) {
            let sum: Tensor<D> = sum.reshape(param.shape());
            self.gradient.register(param.id, sum);
        }
    }
}

/// A checksum over the bytes of all weights and running statistics.
struct Checksum(Hasher);

impl ModuleVisitor for Checksum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.update(param.val().into_data().as_bytes());
    }
}
