//! The state of an optimizer for a checkpoint: plain data, and bytes in Burn's format.

use std::collections::BTreeMap;
use std::fmt;

use burn::optim::OptimizerRecord;
use burn::tensor::{Bytes, DType, Shape, TensorData};
use burn_pack::{Reader, Scalar, Tensor, Writer};

use super::target::{self, Parameter};
use super::{OptimizerError, Rule, Update};
use crate::model::checksum;

/// The whole state of an [`Updater`](super::Updater), or of a [`Minimiser`](super::Minimiser).
#[non_exhaustive]
pub struct UpdaterRecord {
    /// The steps so far.
    pub steps: u64,
    /// How many weights went into `mean`.
    pub count: u64,
    /// Whether a `Minimiser` wrote it.
    pub minimiser: bool,
    /// What the update rules remember.
    pub rules: OptimizerRecord,
    /// The slow weights of `lookahead`, each flattened, in the order of the model.
    pub slow: Option<Vec<TensorData>>,
    /// The average of `ema` or `swa`, likewise.
    pub mean: Option<Vec<TensorData>>,
}

const STEPS: &str = "steps";
const COUNT: &str = "count";
const CHECKSUM: &str = "kiln.checksum";
/// What tells a record from other files of the format, and is part of its checksum.
const KIND: &str = "kiln.updater";
const RULES: &str = "rules";
const LBFGS: &str = "lbfgs";
const SLOW: &str = "slow";
const MEAN: &str = "mean";

impl UpdaterRecord {
    /// The record as a burnpack with a checksum.
    ///
    /// # Errors
    ///
    /// [`OptimizerError::Damaged`] where Burn cannot write it.
    pub fn into_bytes(self) -> Result<Bytes, OptimizerError> {
        let rules = self.rules.into_bytes().map_err(damaged)?;
        let mut tensors = vec![Tensor::new(
            if self.minimiser { LBFGS } else { RULES }.into(),
            DType::U8,
            [rules.len()],
            None,
            rules,
        )];
        for (name, weights) in [(SLOW, self.slow), (MEAN, self.mean)] {
            for (place, data) in weights.into_iter().flatten().enumerate() {
                let (bytes, shape, dtype) = data.into_parts();
                let name = format!("{name}.{place:010}");
                tensors.push(Tensor::new(name, dtype, shape, None, bytes));
            }
        }
        // As the format orders them.
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let sum = checksum([KIND, &counts(self.steps, self.count)], &tensors).map_err(damaged)?;
        Writer::new(tensors)
            .with_scalar(STEPS, self.steps.into())
            .with_scalar(COUNT, self.count.into())
            .with_metadata(CHECKSUM, &sum)
            .into_bytes()
            .map_err(damaged)
    }

    /// The record that [`into_bytes`](Self::into_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`OptimizerError::Damaged`] where the bytes are anything else, or were changed.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, OptimizerError> {
        let reader = Reader::from_bytes(bytes).map_err(damaged)?;
        let sum = reader.metadata().get(CHECKSUM).cloned();
        let scalar = |name| {
            let value = reader.scalars().get(name).copied();
            value.and_then(|value: Scalar| u64::try_from(value).ok())
        };
        let (Some(sum), Some(steps), Some(count)) = (sum, scalar(STEPS), scalar(COUNT)) else {
            return Err(damaged("it is a burnpack of another kind"));
        };
        let tensors = reader.into_tensors().map_err(damaged)?;
        let actual = checksum([KIND, &counts(steps, count)], &tensors).map_err(damaged)?;
        if sum != actual {
            return Err(damaged(format!(
                "its checksum is {actual} instead of {sum}"
            )));
        }
        let (mut minimiser, mut rules) = (false, None);
        let (mut slow, mut mean) = (Vec::new(), Vec::new());
        for tensor in tensors {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(damaged)?;
            match name.split('.').next() {
                Some(RULES) => rules = Some(read_rules(bytes)?),
                Some(LBFGS) => {
                    minimiser = true;
                    rules = Some(OptimizerRecord::from_bytes(bytes).map_err(damaged)?);
                }
                Some(SLOW) => slow.push(TensorData::from_bytes(bytes, shape, dtype)),
                Some(MEAN) => mean.push(TensorData::from_bytes(bytes, shape, dtype)),
                _ => {
                    return Err(damaged(format!(
                        "nothing of an optimizer is called `{name}`"
                    )));
                }
            }
        }
        let some = |weights: Vec<TensorData>| (!weights.is_empty()).then_some(weights);
        Ok(UpdaterRecord {
            steps,
            count,
            minimiser,
            rules: rules.ok_or_else(|| damaged("the state of the update rules is missing"))?,
            slow: some(slow),
            mean: some(mean),
        })
    }
}

/// Burn takes it for granted that each tensor of a record belongs to a parameter.
fn read_rules(bytes: Bytes) -> Result<OptimizerRecord, OptimizerError> {
    let reader = Reader::from_bytes(bytes.clone()).map_err(damaged)?;
    let tensors = reader.into_tensors().map_err(damaged)?;
    if tensors.iter().any(|tensor| tensor.param_id.is_none()) {
        return Err(damaged(
            "a tensor of the update rules belongs to no parameter",
        ));
    }
    OptimizerRecord::from_bytes(bytes).map_err(damaged)
}

/// What the update rules remember of a parameter.
pub(super) struct State {
    pub path: String,
    rank: usize,
    shapes: Vec<Shape>,
}

/// `rules` as they are, and the state of each parameter in them.
pub(super) fn states(
    rules: OptimizerRecord,
) -> Result<(OptimizerRecord, Vec<State>), OptimizerError> {
    let bytes = rules.into_bytes().map_err(damaged)?;
    let reader = Reader::from_bytes(bytes.clone()).map_err(damaged)?;
    // Burn's names: the path stands under the parameter's identity, and the rank behind it.
    let mut states = BTreeMap::new();
    for (id, path) in reader.metadata() {
        let rank = reader.scalars().get(&format!("{id}.__rank")).copied();
        let rank = rank.and_then(|rank: Scalar| usize::try_from(rank).ok());
        let state = State {
            path: path.clone(),
            rank: rank.ok_or_else(|| damaged(format!("`{path}` has no rank")))?,
            shapes: Vec::new(),
        };
        states.insert(id.clone(), state);
    }
    for tensor in reader.into_tensors().map_err(damaged)? {
        let (name, _, shape, id, _) = tensor.into_parts().map_err(damaged)?;
        let state = id.and_then(|id| states.get_mut(&id.to_string()));
        let state = state.ok_or_else(|| damaged(format!("`{name}` belongs to no parameter")))?;
        state.shapes.push(shape);
    }
    let rules = OptimizerRecord::from_bytes(bytes).map_err(damaged)?;
    Ok((rules, states.into_values().collect()))
}

impl State {
    /// Whether one of `rules` can go on from it at `parameter`.
    pub(super) fn fits(&self, parameter: &Parameter, rules: &[Rule]) -> bool {
        let rank = parameter.shape.rank();
        let rule = target::winner(rules, parameter).map(|rule| rules[rule].update);
        let factored = matches!(rule, Some(Update::Adafactor { .. })) && rank >= 2;
        // The means of the rows and of the columns in place of the whole.
        let means = [1, 2].map(|from_behind| {
            let mut shape = parameter.shape.clone();
            if factored {
                shape[rank - from_behind] = 1;
            }
            shape
        });
        self.rank == rank && self.shapes.iter().all(|shape| means.contains(shape))
    }
}

fn counts(steps: u64, count: u64) -> String {
    format!("{steps} {count}")
}

pub(super) fn damaged(reason: impl fmt::Display) -> OptimizerError {
    OptimizerError::Damaged {
        reason: reason.to_string(),
    }
}

impl fmt::Debug for UpdaterRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdaterRecord")
            .field("steps", &self.steps)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
