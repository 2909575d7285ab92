//! A model in one file: Burn's burnpack with the configuration and a checksum in its metadata.

use std::path::{Path, PathBuf};

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use burn_pack::{Reader, Writer};
use crc32fast::Hasher;

use super::{InitError, Model, ModelConfig};

const MODEL: &str = "kiln.model";
const CONFIG: &str = "kiln.config";
const CHECKSUM: &str = "kiln.checksum";

/// A model that could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file could not be written.
    #[error("could not write the model to {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file could not be read at all.
    #[error("cannot read {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not, or no longer, a saved model.
    #[error("{} is no whole burnpack file: {reason}; a model is saved with `Model::save`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file holds something else.
    #[error("{} holds {found}, expected a saved `{expected}`", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model that was asked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The configuration in the file is not one of this model.
    #[error("the configuration in {} does not fit `{model}`: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// The configuration in the file gives no network.
    #[error("the configuration in {} gives no network: {source}", path.display())]
    Init {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InitError,
    },
    /// The parameters in the file are not those of the network.
    #[error("the parameters in {} are not those of the model: {reason}", path.display())]
    Parameters {
        /// The file.
        path: PathBuf,
        /// Which are missing, too many, or of another shape.
        reason: String,
    },
}

/// The name without its path: what a declaration is called.
pub(crate) fn name<M>() -> &'static str {
    let name = std::any::type_name::<M>();
    name.rsplit("::").next().unwrap_or(name)
}

pub(super) fn save<M: Model>(model: &M, path: &Path) -> Result<(), StoreError> {
    let failed = |reason: &dyn std::fmt::Display| StoreError::Write {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let bytes = model
        .valid()
        .into_record()
        .into_bytes()
        .map_err(|error| failed(&error))?;
    let tensors = Reader::from_bytes(bytes).and_then(Reader::into_tensors);
    let tensors = tensors.map_err(|error| failed(&error))?;
    let config = burn::config::config_to_json(model.config());
    let checksum = checksum([name::<M>(), &config], &tensors).map_err(|error| failed(&error))?;
    Writer::new(tensors)
        .with_metadata(MODEL, name::<M>())
        .with_metadata(CONFIG, &config)
        .with_metadata(CHECKSUM, &checksum)
        .auto_extension(false)
        .write_to_file(path)
        .map_err(|error| failed(&error))
}

pub(super) fn load<M: Model>(path: &Path, device: &Device) -> Result<M, StoreError> {
    let owned = || path.to_owned();
    let unread = |reason: String| StoreError::Read {
        path: owned(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|source| StoreError::Open {
        path: owned(),
        source,
    })?;
    let bytes = burn::tensor::Bytes::from_bytes_vec(bytes);
    let reader = Reader::from_bytes(bytes.clone()).map_err(|error| unread(error.to_string()))?;
    let metadata = reader.metadata().clone();
    let expected = name::<M>();
    let entries = (
        metadata.get(MODEL),
        metadata.get(CONFIG),
        metadata.get(CHECKSUM),
    );
    let (Some(found), Some(config), Some(sum)) = entries else {
        let found = "parameters without a configuration".to_owned();
        return Err(StoreError::OtherModel {
            path: owned(),
            expected: expected.to_owned(),
            found,
        });
    };
    // Burnpack has no checksum of its own: a flipped bit would be another weight.
    let tensors = reader
        .into_tensors()
        .map_err(|error| unread(error.to_string()))?;
    let actual = checksum([found, config], &tensors).map_err(|error| unread(error.to_string()))?;
    if *sum != actual {
        return Err(unread(format!(
            "it is damaged, its checksum is {actual} instead of {sum}"
        )));
    }
    if found != expected {
        let found = format!("a `{found}`");
        return Err(StoreError::OtherModel {
            path: owned(),
            expected: expected.to_owned(),
            found,
        });
    }
    let config: M::Config = serde_json::from_str(config).map_err(|error| StoreError::Config {
        path: owned(),
        model: expected.to_owned(),
        reason: error.to_string(),
    })?;
    let init = |source| StoreError::Init {
        path: owned(),
        source,
    };
    // Before anything is allocated: a network of gigabytes cannot come out of a small file.
    let needed = config.summary().map_err(init)?.params();
    let stored = tensors
        .iter()
        .map(|tensor| tensor.shape.num_elements())
        .sum();
    if needed > stored {
        let reason = format!("the model has {needed} numbers, the file {stored}");
        return Err(StoreError::Parameters {
            path: owned(),
            reason,
        });
    }
    let model = config.init(device).map_err(init)?;
    let record = ModuleRecord::from_bytes(bytes).map_err(|error| unread(reason(error)))?;
    model
        .try_load_record(record.cast_to_module_dtype())
        .map_err(|error| StoreError::Parameters {
            path: owned(),
            reason: reason(error),
        })
}

/// CRC-32 of everything that is stored: texts, for a model its name and its configuration, and the
/// name, type, shape, identity and bytes of every tensor.
pub(crate) fn checksum(
    texts: [&str; 2],
    tensors: &[burn_pack::Tensor],
) -> Result<String, burn_pack::Error> {
    let mut crc = Hasher::new();
    // The length before each text, so that no two contents are one sequence of bytes.
    let text = |crc: &mut Hasher, text: &str| {
        crc.update(&(text.len() as u64).to_le_bytes());
        crc.update(text.as_bytes());
    };
    for part in texts {
        text(&mut crc, part);
    }
    for tensor in tensors {
        let described = (tensor.dtype, tensor.shape.as_slice(), tensor.param_id);
        text(&mut crc, &tensor.name);
        text(&mut crc, &format!("{described:?}"));
        crc.update(&tensor.to_bytes()?);
    }
    Ok(format!("{:08x}", crc.finalize()))
}

pub(crate) fn reason(error: RecordError) -> String {
    match error {
        RecordError::Io(reason) | RecordError::Validation(reason) => reason,
    }
}
