//! What the page's script draws, as the JSON that it reads.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Content;
use super::predictions::Predictions;
use super::text::class;
use crate::train::EpochRecord;

/// Everything that is drawn. A number that is not finite is `null` in JSON, a gap in a plot.
#[derive(Serialize)]
pub(super) struct Plots {
    pub lines: Vec<Lines>,
    pub heat: Vec<Heat>,
}

/// Curves over epochs or steps.
#[derive(Serialize)]
pub(super) struct Lines {
    pub title: String,
    /// What the horizontal axis counts: plots that count the same are zoomed together.
    pub over: &'static str,
    pub at: Vec<u64>,
    pub curves: Vec<Curve>,
    /// Whether the numbers are shares of one.
    pub percent: bool,
    #[serde(skip)]
    pub group: Group,
}

/// Where on the page a plot stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Training,
    Measured,
}

#[derive(Serialize)]
pub(super) struct Curve {
    pub name: String,
    pub colour: Colour,
    /// Single precision is more than a screen shows, and half the size.
    pub values: Vec<Option<f32>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Colour {
    Training,
    Validation,
    /// Behind another curve.
    Faint,
    Other,
}

/// Numbers in rows and columns, as colours.
#[derive(Serialize)]
pub(super) struct Heat {
    pub kind: HeatKind,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    pub values: Vec<Vec<Option<f32>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HeatKind {
    TrustRatios,
    Confusion,
}

/// More classes than this make no table.
pub(super) const MOST_CLASSES: usize = 200;
/// More points than this make the page large and no plot better.
const MOST_POINTS: usize = 20_000;
/// More columns of a table than this are narrower than a pixel.
const MOST_COLUMNS: usize = 1_000;

impl Plots {
    pub(super) fn of(content: &Content) -> Plots {
        let mut lines = epochs(content.history);
        lines.extend(steps(content));
        lines.extend(measured(content.history));
        lines.retain(|plot| plot.curves.iter().any(Curve::shows));
        lines.iter_mut().for_each(Lines::thin);
        let heat = [trust_ratios(content), confusion(content)];
        Plots {
            lines,
            heat: heat.into_iter().flatten().collect(),
        }
    }

    pub(super) fn heat(&self, kind: HeatKind) -> Option<usize> {
        self.heat.iter().position(|heat| heat.kind == kind)
    }
}

impl Lines {
    /// Of more points than a page holds, those where a curve is smallest and largest for a while, so that
    /// no peak is lost.
    fn thin(&mut self) {
        let count = self.at.len();
        if count <= MOST_POINTS {
            return;
        }
        let length = (2 * self.curves.len() * count).div_ceil(MOST_POINTS - 2);
        let mut kept = BTreeSet::from([0, count - 1]);
        for Curve { values, .. } in &self.curves {
            for first in (0..count).step_by(length) {
                let places = first..count.min(first + length);
                let mut known: Vec<_> = places.filter_map(|at| Some((values[at]?, at))).collect();
                known.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                kept.extend(known.first().map(|(_, at)| *at));
                kept.extend(known.last().map(|(_, at)| *at));
            }
        }
        self.at = kept.iter().map(|at| self.at[*at]).collect();
        for curve in &mut self.curves {
            curve.values = kept.iter().map(|at| curve.values[*at]).collect();
        }
    }
}

impl Curve {
    fn new(name: &str, colour: Colour, values: impl Iterator<Item = Option<f64>>) -> Self {
        let values = values.map(|value| Some(value? as f32).filter(|value| value.is_finite()));
        Curve {
            name: name.to_owned(),
            colour,
            values: values.collect(),
        }
    }

    fn shows(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }
}

fn epochs(history: &[EpochRecord]) -> Vec<Lines> {
    let at = || history.iter().map(|epoch| epoch.epoch as u64).collect();
    let validation = |name, of: fn(&EpochRecord) -> Option<f64>| {
        Curve::new(name, Colour::Validation, history.iter().map(of))
    };
    let lines = |title: &str, percent, curves: Vec<Curve>| Lines {
        title: title.to_owned(),
        over: "epoch",
        at: at(),
        curves: curves.into_iter().filter(Curve::shows).collect(),
        percent,
        group: Group::Training,
    };
    let training = history.iter().map(|epoch| Some(epoch.loss));
    let training = Curve::new("training", Colour::Training, training);
    let loss = validation("validation", |epoch| Some(epoch.validation?.loss));
    let accuracy = validation("validation", |epoch| epoch.validation?.accuracy);
    vec![
        lines("Loss", false, vec![training, loss]),
        lines("Accuracy", true, vec![accuracy]),
    ]
}

fn steps(content: &Content) -> Vec<Lines> {
    let (log, history) = (content.log, content.history);
    let lines = |title: &str, curves| Lines {
        title: title.to_owned(),
        over: "step",
        at: log.iter().map(|step| step.step).collect(),
        curves,
        percent: false,
        group: Group::Training,
    };
    let losses: Vec<f64> = log.iter().map(|step| step.loss).collect();
    let each = losses.iter().copied().map(Some);
    let loss = match losses.len() / 50 {
        0 | 1 => vec![Curve::new("each", Colour::Training, each)],
        width => vec![
            Curve::new("each", Colour::Faint, each),
            Curve::new(
                &format!("mean of {width}"),
                Colour::Training,
                running_mean(&losses, width),
            ),
        ],
    };
    let norm = log.iter().map(|step| Some(step.gradient_norm));
    let speed = log.iter().map(|step| Some(step.examples_per_second));
    let rate = log.iter().map(|step| Some(step.rate));
    let mut rates = lines(
        "Learning rate",
        vec![Curve::new("rate", Colour::Other, rate)],
    );
    if log.is_empty() {
        let rate = history.iter().map(|epoch| Some(epoch.rate));
        rates = Lines {
            over: "epoch",
            at: history.iter().map(|epoch| epoch.epoch as u64).collect(),
            curves: vec![Curve::new("last step's rate", Colour::Other, rate)],
            ..rates
        };
    }
    vec![
        lines("Training loss by step", loss),
        rates,
        lines(
            "Norm of the gradient",
            vec![Curve::new("norm", Colour::Training, norm)],
        ),
        lines(
            "Examples per second",
            vec![Curve::new("speed", Colour::Other, speed)],
        ),
    ]
}

/// The mean of each number and those before it, `width` in all.
fn running_mean(numbers: &[f64], width: usize) -> impl Iterator<Item = Option<f64>> {
    // The end of one block and the beginning of the next: a number that is subtracted again, as from
    // a running sum, would leave its rounding behind.
    let mut ends = numbers.to_vec();
    for block in ends.chunks_mut(width) {
        let mut sum = 0.0;
        for number in block.iter_mut().rev() {
            sum += *number;
            *number = sum;
        }
    }
    let mut beginning = 0.0;
    numbers.iter().enumerate().map(move |(at, number)| {
        beginning = number + if at % width == 0 { 0.0 } else { beginning };
        let first = (at + 1).checked_sub(width);
        let end = first.filter(|first| first % width != 0);
        let sum = beginning + end.map_or(0.0, |first| ends[first]);
        Some(sum / width.min(at + 1) as f64)
    })
}

/// What was measured of the loss surface, over steps, and the user's metrics, over epochs.
fn measured(history: &[EpochRecord]) -> Vec<Lines> {
    let measurements = || history.iter().flat_map(|epoch| &epoch.measurements);
    let figures: BTreeSet<&str> = measurements().map(|one| one.name.as_str()).collect();
    let metrics = history.iter().flat_map(|epoch| epoch.metrics.keys());
    let metrics: BTreeSet<&str> = metrics.map(String::as_str).collect();
    let lines = |name: &str, over, at, values: Vec<Option<f64>>| Lines {
        title: name.to_owned(),
        over,
        at,
        curves: vec![Curve::new(name, Colour::Other, values.into_iter())],
        percent: false,
        group: Group::Measured,
    };
    let surface = figures.iter().map(|name| {
        let own = measurements().filter(|one| one.name == *name);
        let (at, values) = own
            .map(|one| (one.step, one.result.as_ref().ok().copied()))
            .unzip();
        lines(name, "step", at, values)
    });
    let own = metrics.difference(&figures).map(|name| {
        let at = history.iter().map(|epoch| epoch.epoch as u64).collect();
        let values = history
            .iter()
            .map(|epoch| epoch.metrics.get(*name).copied());
        lines(name, "epoch", at, values.collect())
    });
    surface.chain(own).collect()
}

fn trust_ratios(content: &Content) -> Option<Heat> {
    let epochs = content.history.iter();
    let mut epochs: Vec<_> = epochs
        .filter(|epoch| !epoch.trust_ratios.is_empty())
        .collect();
    // With the last one, by which the rows are chosen.
    let apart = epochs.len().div_ceil(MOST_COLUMNS).max(1);
    epochs = epochs.into_iter().rev().step_by(apart).rev().collect();
    let paths = epochs.iter().flat_map(|epoch| epoch.trust_ratios.keys());
    let paths: BTreeSet<&String> = paths.collect();
    let mut paths: Vec<&String> = paths.into_iter().collect();
    // In the order of the network, as far as it is known.
    paths.sort_by_key(|path| {
        let layers = &content.summary.layers;
        let holds = |layer: &str| {
            path.strip_prefix(layer)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        layers
            .iter()
            .position(|layer| holds(&layer.path))
            .unwrap_or(layers.len())
    });
    let ratios = paths.iter().map(|path| {
        let ratios = epochs
            .iter()
            .map(|epoch| epoch.trust_ratios.get(*path).copied());
        Curve::new(path, Colour::Other, ratios).values
    });
    (!paths.is_empty()).then(|| Heat {
        kind: HeatKind::TrustRatios,
        values: ratios.collect(),
        rows: paths.iter().map(|path| (*path).clone()).collect(),
        columns: epochs.iter().map(|epoch| epoch.epoch.to_string()).collect(),
    })
}

fn confusion(content: &Content) -> Option<Heat> {
    let Some(Predictions::Classes {
        classes, counts, ..
    }) = &content.predictions
    else {
        return None;
    };
    let all = 0..*classes;
    let names: Vec<String> = all.clone().map(|index| class(content, index)).collect();
    let row = |class| {
        let found = all
            .clone()
            .map(move |found| counts.get(&(class, found)).copied());
        found.map(|count| Some(count.unwrap_or(0) as f32)).collect()
    };
    (*classes <= MOST_CLASSES).then(|| Heat {
        kind: HeatKind::Confusion,
        values: all.clone().map(row).collect(),
        rows: names.clone(),
        columns: names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_mean_is_that_of_the_numbers_so_far_and_no_more_than_its_width() {
        let means: Vec<_> = running_mean(&[1.0, 3.0, 5.0, 1e300, 7.0, 9.0], 2).collect();
        let expected = [1.0, 2.0, 4.0, 5e299, 5e299, 8.0].map(Some);
        assert_eq!(means, expected);
        let means: Vec<_> = running_mean(&[1.0, 3.0, 5.0, 7.0, 9.0, f64::NAN], 3).collect();
        assert_eq!(means[..5], [1.0, 2.0, 3.0, 5.0, 7.0].map(Some));
        // What is not finite becomes a gap later.
        assert!(means[5].is_some_and(f64::is_nan));
    }

    #[test]
    fn a_long_curve_keeps_its_peaks_and_its_ends() {
        let count = 300_007;
        let mut values: Vec<f64> = (0..count).map(|at| (at as f64).sin()).collect();
        (values[123_457], values[200_001], values[7]) = (50.0, -50.0, f64::NAN);
        let mut lines = Lines {
            title: String::new(),
            over: "step",
            at: (0..count).collect(),
            curves: vec![
                Curve::new("each", Colour::Faint, values.iter().copied().map(Some)),
                Curve::new("mean", Colour::Training, running_mean(&values, 100)),
            ],
            percent: false,
            group: Group::Training,
        };
        lines.thin();
        assert!(lines.at.len() <= MOST_POINTS, "{}", lines.at.len());
        assert_eq!([lines.at[0], *lines.at.last().unwrap()], [0, count - 1]);
        assert!(lines.at.is_sorted());
        for (peak, value) in [(123_457, 50.0), (200_001, -50.0)] {
            let at = lines.at.iter().position(|at| *at == peak).unwrap();
            assert_eq!(lines.curves[0].values[at], Some(value));
        }
    }

    #[test]
    fn a_number_that_is_not_finite_is_a_gap() {
        let values = [1.0, f64::NAN, f64::INFINITY, 1e300].map(Some);
        let curve = Curve::new("loss", Colour::Training, values.into_iter());
        assert_eq!(curve.values, [Some(1.0), None, None, None]);
    }
}
