//! What is timed of the loader, and of the trainer at growing batches.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use kiln::data::{Images, Loader, Pixels, Sampler, Source};
use kiln::prelude::*;
use kiln_models::{Cnn, CnnConfig};

use super::networks::Momentum;
use super::{Repetition, Work};
use crate::case::MICRO_BATCH;

schedule! {
    /// The same rate throughout.
    pub struct Flat;
    peak 1e-3;
    constant;
}

/// One epoch of shuffled batches, each on the device, gathered on the caller's thread.
pub fn loader(work: Work, device: &Device) -> Result<Repetition, Box<dyn Error>> {
    let source = Arc::new(images(work.images)?);
    let sampler = Sampler::new(source.len(), work.batch, 0)?;
    let loader = Loader::new(source, sampler, 0)?;
    let device = device.clone();
    let mut epoch = 0;
    Ok(Box::new(move || {
        let start = Instant::now();
        for examples in loader.epoch(epoch, 0)? {
            Batch::<Cnn>::upload(examples?, &device)?;
        }
        device.sync()?;
        epoch += 1;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    }))
}

/// One epoch of the trainer, at a batch that goes through the network in pieces.
pub fn accumulate(work: Work, batch: usize, device: &Device) -> Result<Repetition, Box<dyn Error>> {
    let source = images(work.images)?;
    let model = CnnConfig::new().init(device)?;
    Ok(Box::new(move || {
        let trained = Trainer::new(model.clone(), Momentum::new(), Flat::new())
            .batch(batch)
            .micro_batches(batch / MICRO_BATCH)
            .workers(0)
            .quiet()
            .fit(source.clone());
        let trained = trained.map_err(|failure| failure.error)?;
        Ok(trained.seconds * 1e3)
    }))
}

/// As many images as large as MNIST's, of noise.
fn images(count: usize) -> Result<Images, Box<dyn Error>> {
    let shape = [1, 28, 28];
    // Knuth's multiplicative hash scatters the bytes.
    let bytes = (0..count * 28 * 28).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8);
    let labels = (0..count).map(|i| i % 10).collect();
    let pixels = Pixels::new(bytes.collect(), shape)?;
    Ok(Images::new(pixels, labels, 10)?)
}
