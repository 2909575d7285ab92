//! Weights from elsewhere: PyTorch's state dicts, as `torch.save` or safetensors wrote them, read
//! into any Burn module whose parameters have the same paths.
//!
//! ```no_run
//! use kiln::prelude::*;
//! # model! {
//! #     struct ResNet18;
//! #     input x: [4];
//! #     let y = x -> fc: linear(2);
//! #     output y;
//! #     loss mse;
//! # }
//!
//! let device = default_device()?;
//! let model = ResNet18Config::new().init(&device)?.load_weights("resnet18.pth")?;
//! model.save_safetensors("resnet18.safetensors")?;
//! # Ok::<(), kiln::Error>(())
//! ```
//!
//! Each tensor of the file must have its parameter and each parameter its tensor, of the same shape;
//! what does not fit is told in one error, and then nothing is loaded. Numbers are converted to the
//! type that the parameter has. What Burn lays out or names in another way is translated: the weight
//! of a linear layer is transposed, `gamma` and `beta` of a norm are PyTorch's `weight` and `bias`.
//! A batch norm's `num_batches_tracked` has no counterpart and is passed over.
//!
//! Where names differ, or a part of the model is to keep its own weights, say so:
//!
//! ```no_run
//! # use kiln::prelude::*;
//! # model! {
//! #     struct ResNet18;
//! #     input x: [4];
//! #     let y = x -> fc: linear(2);
//! #     output y;
//! #     loss mse;
//! # }
//! use kiln::weights::Weights;
//!
//! # let device = default_device()?;
//! let model = ResNet18Config::new().init(&device)?;
//! let model = Weights::open("checkpoint.pt")?
//!     .rename(r"^module\.", "")?      // what DistributedDataParallel puts before each name
//!     .without(r"^fc\.")?             // another head: 7 classes, not 1000
//!     .load_into(model)?;
//! # Ok::<(), kiln::Error>(())
//! ```

mod assign;
mod error;
mod names;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::burn_pack::Tensor as Stored;
use burn::store::{KeyRemapper, ModuleStore, PytorchStore, SafetensorsStore};

pub use error::{Mismatch, Missing, WeightsError, WrongShape, WrongType};

/// Loading and saving weights, for every Burn module.
pub trait ModuleWeights: Module {
    /// The module with the weights of a file, see [`Weights`] for what it may be; as
    /// [`Weights::open`] and [`Weights::load_into`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or does not hold just the weights of this module.
    fn load_weights(self, path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        Weights::open(path)?.load_into(self)
    }

    /// Writes the weights as safetensors, with PyTorch's names and layout: `load_state_dict` takes
    /// what `safetensors.torch.load_file` reads from it. An old file is replaced only once the new
    /// one is whole.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let path = path.as_ref();
        // What is to be shared with the programs that ask whose layout it is: PyTorch's.
        let mut store = SafetensorsStore::from_file(path)
            .metadata("format", "pt")
            .overwrite(true)
            .skip_enum_variants(true)
            .with_to_adapter(names::ToPyTorch);
        // `valid` takes over running statistics that wait to be.
        let saved = store.collect_from(&self.valid());
        saved.map_err(|error| WeightsError::Write {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }
}

impl<M: Module> ModuleWeights for M {}

/// The weights in a file: a state dict that PyTorch wrote with `torch.save` (`.pt`, `.pth`, `.bin`;
/// of a whole model or a checkpoint, too), or a `.safetensors`.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
    /// Patterns alone.
    without: KeyRemapper,
}

impl Weights {
    /// Reads which weights there are; their numbers are read by [`load_into`](Self::load_into).
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds no weights.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_owned();
        let opened = File::open(&path).and_then(|file| file.metadata());
        let opened = opened.and_then(|metadata| match metadata.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok(()),
        });
        if let Err(source) = opened {
            return Err(WeightsError::Open { path, source });
        }
        let safetensors = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
        let tensors = if safetensors {
            let mut store = SafetensorsStore::from_file(&path);
            let tensors = store.get_all_tensors().cloned();
            tensors.map_err(|error| error.to_string())
        } else {
            // Indices are compared as they are: so Kiln's paths have them.
            let mut store = PytorchStore::from_file(&path).map_indices_contiguous(false);
            let tensors = store.get_all_tensors().cloned();
            tensors.map_err(|error| error.to_string())
        };
        let tensors = match tensors {
            Ok(tensors) if tensors.is_empty() => Err("it has no tensors".to_owned()),
            tensors => tensors,
        };
        match tensors {
            Ok(tensors) => Ok(Weights {
                path,
                tensors,
                without: KeyRemapper::new(),
            }),
            Err(reason) => Err(WeightsError::Format {
                path,
                format: if safetensors {
                    "safetensors"
                } else {
                    "PyTorch"
                },
                reason,
            }),
        }
    }

    /// The names of the tensors, in order, as they are now.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Replaces each match of the regular expression `pattern` in each name; `$1` in the replacement
    /// is what the first group matched.
    ///
    /// # Errors
    ///
    /// When `pattern` is no regular expression, or two tensors would have the same name.
    pub fn rename(mut self, pattern: &str, replacement: &str) -> Result<Self, WeightsError> {
        let rule = added(KeyRemapper::new(), pattern, replacement)?;
        let mut renamed: BTreeMap<String, (String, Stored)> = BTreeMap::new();
        for (name, tensor) in self.tensors {
            let new = rule.patterns.iter().fold(name.clone(), |name, (from, to)| {
                from.replace_all(&name, to).into_owned()
            });
            if let Some((first, _)) = renamed.get(&new) {
                return Err(WeightsError::SameName {
                    path: self.path,
                    name: new,
                    first: first.clone(),
                    second: name,
                });
            }
            renamed.insert(new, (name, tensor));
        }
        let renamed = renamed.into_iter();
        self.tensors = renamed.map(|(name, (_, tensor))| (name, tensor)).collect();
        Ok(self)
    }

    /// Leaves out the names that `pattern` matches: the file's are passed over, the model's keep
    /// their values.
    ///
    /// # Errors
    ///
    /// When `pattern` is no regular expression.
    pub fn without(mut self, pattern: &str) -> Result<Self, WeightsError> {
        self.without = added(self.without, pattern, "")?;
        Ok(self)
    }

    /// The model with these weights. A model of which nothing could be loaded is dropped; clone it
    /// before where it is needed, which copies no numbers.
    ///
    /// # Errors
    ///
    /// When a tensor cannot be read, or tensors and parameters do not fit each other: then every
    /// such place is named, and nothing was changed.
    pub fn load_into<M: Module>(self, model: M) -> Result<M, WeightsError> {
        assign::assign(self, model)
    }

    fn leaves_out(&self, name: &str) -> bool {
        let mut patterns = self.without.patterns.iter();
        patterns.any(|(pattern, _)| pattern.is_match(name))
    }
}

fn added(rules: KeyRemapper, from: &str, to: &str) -> Result<KeyRemapper, WeightsError> {
    let rules = rules.add_pattern(from, to);
    rules.map_err(|error| WeightsError::Pattern {
        reason: error.to_string(),
    })
}
