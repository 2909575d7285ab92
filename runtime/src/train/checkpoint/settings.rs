//! What a training is made of, so that another can be told from it.

use std::collections::BTreeMap;

use burn::config::config_to_json;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Int, Tensor, TensorData};
use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

use super::Difference;
use crate::data::{DataError, Draw, Source, fetched};
use crate::device;
use crate::model::{self, Model};

/// Something that a training is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    name: String,
    value: String,
    /// Whether a training may go on with another value.
    safe: bool,
}

impl Setting {
    /// One that may change.
    pub(crate) fn safe(name: impl Into<String>, value: impl ToString) -> Self {
        Setting {
            name: name.into(),
            value: value.to_string(),
            safe: true,
        }
    }

    /// One that has to stay.
    pub(crate) fn fixed(name: impl Into<String>, value: impl ToString) -> Self {
        Setting {
            safe: false,
            ..Setting::safe(name, value)
        }
    }
}

/// What a model and its data say of themselves.
pub(crate) fn settings<M: Model>(
    model: &M,
    train: &dyn Source,
    validation: Option<&dyn Source>,
    seed: u64,
) -> Result<Vec<Setting>, DataError> {
    let mut settings = vec![Setting::fixed("model", model::name::<M>())];
    let config = config_to_json(model.config());
    if let Ok(serde_json::Value::Object(values)) = serde_json::from_str(&config) {
        let values = values.into_iter();
        settings.extend(values.map(|(key, value)| Setting::safe(format!("model.{key}"), value)));
    }
    let mut parameters = Parameters::default();
    model.clone().train().visit(&mut parameters);
    settings.extend(parameters.settings);
    let device = model.devices().into_iter().next().unwrap_or_default();
    settings.push(Setting::safe("device", device::name(&device)));
    settings.push(Setting::fixed("examples", train.len()));
    settings.push(Setting::fixed("inputs", format!("{:?}", train.inputs())));
    let targets: Vec<_> = train.targets().iter().map(ToString::to_string).collect();
    settings.push(Setting::fixed("targets", targets.join(", ")));
    settings.push(Setting::safe(
        "content of the examples",
        sample(train, None)?,
    ));
    let drawn = sample(train, Some(Draw { seed, epoch: 0 }))?;
    settings.push(Setting::safe("augmentation of the examples", drawn));
    if let Some(validation) = validation {
        settings.push(Setting::safe("validation examples", validation.len()));
        let content = sample(validation, None)?;
        settings.push(Setting::safe("content of the validation examples", content));
    }
    Ok(settings)
}

/// In what `now` differs from `then`.
pub(crate) fn differences(then: &[Setting], now: &[Setting]) -> Vec<Difference> {
    let by_name = |settings: &[Setting]| -> BTreeMap<String, Setting> {
        let named = settings.iter().map(|one| (one.name.clone(), one.clone()));
        named.collect()
    };
    let (old, new) = (by_name(then), by_name(now));
    let gone = then.iter().filter(|one| !new.contains_key(&one.name));
    let differences = now.iter().chain(gone).filter_map(|setting| {
        let name = &setting.name;
        let (then, now) = (old.get(name), new.get(name));
        let value = |setting: Option<&Setting>| setting.map(|setting| setting.value.clone());
        (value(then) != value(now)).then(|| Difference {
            name: name.clone(),
            then: value(then),
            now: value(now),
            safe: setting.safe,
        })
    });
    differences.collect()
}

/// How many examples stand for all of them.
const SAMPLE: usize = 64;

/// A checksum of examples from all over `source`, as they are or as they are drawn: reading gigabytes
/// would take longer than the step that was lost.
fn sample(source: &dyn Source, draw: Option<Draw>) -> Result<String, DataError> {
    let len = source.len();
    let count = len.min(SAMPLE);
    let indices: Vec<usize> = (0..count).map(|place| place * len / count).collect();
    let examples = fetched(source, &indices, draw)?;
    let mut crc = Hasher::new();
    let mut add = |data: &TensorData| crc.update(data.as_bytes());
    examples.inputs.iter().for_each(&mut add);
    examples.targets.iter().for_each(&mut add);
    Ok(format!("{:08x}", crc.finalize()))
}

#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    settings: Vec<Setting>,
}

impl Parameters {
    fn push(&mut self, described: String) {
        let name = format!("parameter {}", self.path.join("."));
        self.settings.push(Setting::fixed(name, described));
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let frozen = if param.is_require_grad() {
            ""
        } else {
            ", not trained"
        };
        self.push(format!("{:?} of {:?}{frozen}", value.dims(), value.dtype()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let value = param.val();
        self.push(format!("{:?} of {:?}", value.dims(), value.dtype()));
    }
}
