//! A model in one file: Burn's burnpack with the configuration in its metadata.

use std::path::{Path, PathBuf};

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use burn_pack::{Reader, Writer};

use super::{InitError, Model, ModelConfig};

const MODEL: &str = "kiln.model";
const CONFIG: &str = "kiln.config";

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
    /// The file could not be read as burnpack.
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
fn name<M>() -> &'static str {
    let name = std::any::type_name::<M>();
    name.rsplit("::").next().unwrap_or(name)
}

pub(super) fn save<M: Model>(model: &M, path: &Path) -> Result<(), StoreError> {
    let failed = |reason: &dyn std::fmt::Display| StoreError::Write {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let bytes = model.valid().into_record().into_bytes().map_err(|error| failed(&error))?;
    let tensors = Reader::from_bytes(bytes).and_then(Reader::into_tensors);
    let config = burn::config::config_to_json(model.config());
    Writer::new(tensors.map_err(|error| failed(&error))?)
        .with_metadata(MODEL, name::<M>())
        .with_metadata(CONFIG, &config)
        .auto_extension(false)
        .write_to_file(path)
        .map_err(|error| failed(&error))
}

pub(super) fn load<M: Model>(path: &Path, device: &Device) -> Result<M, StoreError> {
    let owned = || path.to_owned();
    let unread = |reason: String| StoreError::Read { path: owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
    let bytes = burn::tensor::Bytes::from_bytes_vec(bytes);
    let reader = Reader::from_bytes(bytes.clone()).map_err(|error| unread(error.to_string()))?;
    let metadata = reader.metadata();
    let expected = name::<M>();
    let (Some(found), Some(config)) = (metadata.get(MODEL), metadata.get(CONFIG)) else {
        let found = "parameters without a configuration".to_owned();
        return Err(StoreError::OtherModel { path: owned(), expected: expected.to_owned(), found });
    };
    if found != expected {
        let found = format!("a `{found}`");
        return Err(StoreError::OtherModel { path: owned(), expected: expected.to_owned(), found });
    }
    let config: M::Config = serde_json::from_str(config).map_err(|error| StoreError::Config {
        path: owned(),
        model: expected.to_owned(),
        reason: error.to_string(),
    })?;
    let model = config.init(device).map_err(|source| StoreError::Init { path: owned(), source })?;
    let record = ModuleRecord::from_bytes(bytes).map_err(|error| unread(reason(error)))?;
    model
        .try_load_record(record.cast_to_module_dtype())
        .map_err(|error| StoreError::Parameters { path: owned(), reason: reason(error) })
}

fn reason(error: RecordError) -> String {
    match error {
        RecordError::Io(reason) | RecordError::Validation(reason) => reason,
    }
}
