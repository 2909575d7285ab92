//! Units that no example moves any more.

use std::fmt;

use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

use super::{Confidence, DiagnoseError, Diagnosis, Evidence, Finding, Place, Symptom, Threshold};
use crate::data::{Source, checked};
use crate::model::{Batch, LayerPath, LayerSummary, Model, ModelConfig, Observe};

/// The slope over its largest up to which a sigmoid or a tanh is saturated.
const SATURATED: f64 = 0.01;
/// The share of a layer's units that is a symptom.
const SHARE: f64 = 0.4;
/// The share that leaves no doubt.
const MOST: f64 = 0.5;
/// How many examples are seen at a time, as many as in a step of a [`Trainer`](crate::train::Trainer)
/// that is told nothing else.
const BATCH: usize = 64;

/// Looks for units whose activation has no slope on any example of `source`, in inference mode:
/// through them no gradient reaches the weights before them, so that they stay as they are.
///
/// | layer | its slope at the output *y*, over its largest | a unit is dead where it is at most |
/// |---|---|---|
/// | `relu` | 1 where *y* > 0 | 0 |
/// | `relu6` | 1 where 0 < *y* < 6 | 0 |
/// | `hardsigmoid` | 1 where 0 < *y* < 1 | 0 |
/// | `sigmoid` | 4 *y* (1 − *y*) | 0.01 |
/// | `tanh` | 1 − *y*² | 0.01 |
///
/// A unit is a channel behind a convolution, over all places, and a feature behind a `linear`. The
/// smooth activations are never without a slope for long, and what is within one layer, such as
/// `lstm`, is not seen.
///
/// ```
/// use kiln::data::Table;
/// use kiln::diagnose::dead_units;
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input x: [2];
///     let y = x -> hidden: linear(3) -> relu -> linear(1);
///     output y;
///     loss mse;
/// }
///
/// let device = default_device()?;
/// let mut net = NetConfig::new().init(&device)?;
/// // No input is so large that one of the first two units is above 0.
/// net.hidden.bias = net.hidden.bias.clone().map(|bias| {
///     bias.map(|_| Tensor::from_floats([-100.0, -100.0, 100.0], &device))
/// });
/// let source = Table::values(vec![1.0, 2.0, -2.0, 0.5], &[2], vec![0.0, 1.0], &[1])?;
/// let units = dead_units(&net, &source)?;
/// assert_eq!(units.layers[0].dead, [0, 1]);
/// assert_eq!(units.layers[0].units, 3);
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// # Errors
///
/// A data set that does not fit the model or is empty, an error of the source, or a layer whose outputs
/// are no numbers.
pub fn dead_units<M: Model>(model: &M, source: &dyn Source) -> Result<DeadUnits, DiagnoseError> {
    model.config().check(&source)?;
    let examples = source.len();
    if examples == 0 {
        return Err(DiagnoseError::Empty {
            what: "examples",
            fix: "a unit is dead where no example moves it, so give some of the training set",
        });
    }
    let model = model.valid();
    let device = model
        .devices()
        .into_iter()
        .next()
        .unwrap_or_default()
        .inner();
    let summary = model.summary();
    let mut slopes = Slopes {
        rows: &summary.layers,
        next: 0,
        path: LayerPath::default(),
        largest: vec![None; summary.layers.len()],
        nan: vec![None; summary.layers.len()],
    };
    for first in (0..examples).step_by(BATCH) {
        let indices: Vec<usize> = (first..examples.min(first + BATCH)).collect();
        let Batch { input, .. } = Batch::<M>::upload(checked(source, &indices)?, &device)?;
        slopes.next = 0;
        model.observe(input, &mut slopes);
    }
    for (row, nan) in summary.layers.iter().zip(slopes.nan) {
        if nan.is_some_and(|nan| nan.into_data().iter::<bool>().any(|nan| nan)) {
            return Err(DiagnoseError::NotNumbers {
                path: row.path.clone(),
                layer: row.layer.clone(),
            });
        }
    }
    let found = summary.layers.iter().zip(slopes.largest);
    let layers = found.filter_map(|(row, largest)| {
        let largest: Vec<f32> = largest?.into_data().iter().collect();
        let least = slope(&row.layer)?.least;
        let dead = largest.iter().enumerate();
        let dead = dead.filter(|(_, slope)| f64::from(**slope) <= least);
        Some(LayerUnits {
            path: row.path.clone(),
            layer: row.layer.clone(),
            units: largest.len(),
            dead: dead.map(|(unit, _)| unit).collect(),
        })
    });
    Ok(DeadUnits {
        examples,
        layers: layers.collect(),
    })
}

/// What [`dead_units`] found. `Display` writes a table, serde JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadUnits {
    /// The number of examples that were seen.
    pub examples: usize,
    /// One for each activation that can die, in the order in which they run.
    pub layers: Vec<LayerUnits>,
}

/// A row of [`DeadUnits`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerUnits {
    /// The path of the activation.
    pub path: String,
    /// What it is, as it is declared: `relu`.
    pub layer: String,
    /// How many units it has.
    pub units: usize,
    /// Those that are dead, counted from 0.
    pub dead: Vec<usize>,
}

impl DeadUnits {
    /// A symptom where 40 % of a layer's units or more are dead, as they may be after too high a
    /// learning rate (Karpathy, CS231n, "Commonly used activation functions"): some are dead from the
    /// start or die early in healthy trainings too.
    pub fn finding(&self) -> Option<Finding> {
        let share = |row: &LayerUnits| row.dead.len() as f64 / row.units.max(1) as f64;
        let bad: Vec<_> = self
            .layers
            .iter()
            .filter(|row| share(row) >= SHARE)
            .collect();
        let worst = bad.iter().map(|row| share(row)).fold(0.0, f64::max);
        let evidence = bad.iter().map(|row| {
            let figure = format!(
                "share of the units of this `{}` that no example moves: {} of {}",
                row.layer,
                row.dead.len(),
                row.units
            );
            let at = Place::Path(row.path.clone());
            Evidence::held(figure, share(row), Threshold::AtLeast(SHARE), at)
        });
        (!bad.is_empty()).then(|| Finding {
            symptom: Symptom::DeadUnits,
            confidence: match worst >= MOST {
                true => Confidence::Certain,
                false => Confidence::Likely,
            },
            evidence: evidence.collect(),
            remedy: "a third of the `peak`, or `warmup(5 %)` before the first phase; `batch_norm` \
                     before the activation; `leaky_relu` in place of `relu`"
                .to_owned(),
        })
    }
}

impl Diagnosis {
    /// The same with what `units` says.
    pub fn with(mut self, units: &DeadUnits) -> Self {
        self.unjudged
            .retain(|one| one.symptom != Symptom::DeadUnits);
        self.findings.extend(units.finding());
        self.findings.sort_by_key(|finding| finding.symptom);
        self
    }
}

impl fmt::Display for DeadUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "units that none of {} examples moves", self.examples)?;
        let lengths = self.layers.iter().map(|row| row.path.chars().count());
        let wide = lengths.max().unwrap_or(0);
        for LayerUnits {
            path,
            layer,
            units,
            dead,
        } in &self.layers
        {
            write!(
                f,
                "\n{path:wide$}  {layer:11}  {:>6} of {units:>6}",
                dead.len()
            )?;
        }
        Ok(())
    }
}

/// How the slope of an activation follows from its output.
struct Slope {
    /// The slope over its largest up to which it is none.
    least: f64,
    of: fn(Tensor<1>) -> Tensor<1>,
}

fn slope(layer: &str) -> Option<Slope> {
    fn inside(y: Tensor<1>, most: f64) -> Tensor<1> {
        y.clone().greater_elem(0.0).float() * y.lower_elem(most).float()
    }
    let (least, of): (f64, fn(Tensor<1>) -> Tensor<1>) = match layer {
        "relu" => (0.0, |y| y.greater_elem(0.0).float()),
        "relu6" => (0.0, |y| inside(y, 6.0)),
        "hardsigmoid" => (0.0, |y| inside(y, 1.0)),
        "sigmoid" => (SATURATED, |y| (y.clone() - y.clone() * y) * 4.0),
        "tanh" => (SATURATED, |y| -(y.clone() * y) + 1.0),
        _ => return None,
    };
    Some(Slope { least, of })
}

/// The largest slope of each unit so far.
struct Slopes<'a> {
    rows: &'a [LayerSummary],
    /// The row behind the one that was seen last.
    next: usize,
    path: LayerPath,
    largest: Vec<Option<Tensor<1>>>,
    /// Whether a layer gave what is no number: an activation may hide it.
    nan: Vec<Option<Tensor<1, Bool>>>,
}

impl Slopes<'_> {
    /// The dimension of `shape` that counts the units of the row: behind a convolution the
    /// channels, else the features.
    fn axis(&self, row: usize, rank: usize) -> usize {
        let mut before = self.rows[..row].iter().rev().map(|row| row.layer.as_str());
        let maker = before.find(|layer| *layer == "linear" || layer.starts_with("conv"));
        match maker {
            Some("linear") => rank - 1,
            Some(_) => 1,
            None if rank == 3 => 2,
            None => 1,
        }
    }
}

impl Observe for Slopes<'_> {
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>) {
        let path = self.path.of(path);
        // Layers are seen in the order of the summary.
        let rows = self.rows.iter().skip(self.next);
        let Some(row) = rows.map(|row| &row.path).position(|known| *known == path) else {
            return;
        };
        let row = self.next + row;
        self.next = row + 1;
        let nan = value.clone().is_nan().any();
        self.nan[row] = Some(match self.nan[row].take() {
            Some(before) => before.bool_or(nan),
            None => nan,
        });
        let Some(slope) = slope(&self.rows[row].layer) else {
            return;
        };
        if D < 2 {
            return;
        }
        let axis = self.axis(row, D);
        let units = value.dims()[axis];
        let moved = value.clone().swap_dims(axis, D - 1);
        let flat = (slope.of)(moved.flatten::<1>(0, D - 1));
        let largest = flat
            .reshape([-1, units as i64])
            .max_dim(0)
            .flatten::<1>(0, 1);
        let largest = match self.largest[row].take() {
            Some(before) => before.max_pair(largest),
            None => largest,
        };
        self.largest[row] = Some(largest);
    }

    fn enter(&mut self, path: &str, index: usize) {
        self.path.enter(path, index);
    }

    fn model(&mut self, path: &str) {
        self.path.model(path);
    }

    fn exit(&mut self) {
        self.path.exit();
    }
}
