//! Data: where examples come from, and the order in which training sees them.
//!
//! A [`Source`] hands out examples by index:
//!
//! | | |
//! |---|---|
//! | in memory | [`Images`] (8-bit pixels, 47 MB for MNIST), [`Table`] (any `f32` features); [`digits`] is built in, [`mnist`] and [`idx`](idx()) read files |
//! | on disk | [`IdxFile`], [`CsvFile`], and with the feature `images` `ImageFolder`: only what a batch needs is read |
//! | around another | [`Subset`], [`Normalized`] (standardised or whitened), [`OneHot`], [`LabelNoise`] |
//! | around another, different each time | [`Augmented`] (crop, flip, rotation, erasing), [`Mixed`] (MixUp, CutMix) |
//!
//! and whatever a user implements. What is different each time is so for training alone: a training
//! [draws](Source::draw), whatever measures [gathers](Source::gather).
//!
//! A [`Sampler`] decides the order. It is a pure function of (seed, epoch, step, rank, ranks),
//! so a run can stop at any step and go on as if it had not, and M processes at batch B see what
//! one process sees at batch M·B. A [`Loader`] fetches the batches in that order, ahead of time
//! when it has worker threads.
//!
//! ```
//! use std::sync::Arc;
//! use kiln::data::{Loader, Sampler, Source, digits};
//!
//! let (train, test) = digits()?.split(0.8, 42)?;
//! assert_eq!((train.len(), test.len()), (1438, 359));
//!
//! let sampler = Sampler::new(train.len(), 64, 42)?;
//! let loader = Loader::new(Arc::new(train), sampler, 2)?;
//! for batch in loader.epoch(0, 0)? {
//!     let batch = batch?;
//!     assert_eq!(batch.inputs[0].shape().as_slice(), [64, 1, 8, 8]);
//!     assert_eq!(batch.targets[0].shape().as_slice(), [64]);
//! }
//! # Ok::<(), kiln::data::DataError>(())
//! ```

mod ascii;
mod augment;
mod csv_file;
mod digits;
mod draw;
mod error;
mod idx;
mod idx_file;
mod image;
#[cfg(feature = "images")]
mod image_folder;
mod images;
mod label_noise;
mod labels;
mod levels;
mod loader;
mod mix;
mod normalization;
mod one_hot;
mod pixels;
mod place;
mod rows;
mod sampler;
mod shuffle;
mod source;
mod split;
mod table;

pub use augment::{Augmentation, Augmented, Border, Fill};
pub use burn::tensor::TensorData;
pub use csv_file::{Column, Csv, CsvFile};
pub use digits::digits;
pub use draw::Draw;
pub use error::DataError;
pub use idx::{idx, idx_images, idx_labels, mnist};
pub use idx_file::IdxFile;
#[cfg(feature = "images")]
pub use image_folder::ImageFolder;
pub use images::Images;
pub use label_noise::LabelNoise;
pub use loader::{Batches, Loader};
pub use mix::Mixed;
pub use normalization::{Normalization, Normalized};
pub use one_hot::OneHot;
pub use pixels::Pixels;
pub use sampler::{Epoch, Sampler};
pub(crate) use shuffle::SplitMix64;
pub use source::{Examples, Source, Target};
pub(crate) use source::{checked, fetched};
pub use split::{Subset, split};
pub use table::Table;
