//! Loss surfaces along lines and planes of parameter space.

mod between;
mod contour;
mod contour_plot;
mod direction;
mod line;
mod line_plot;
mod mesh_plot;
mod picture;
mod plane;
mod scale;
mod trajectory;

use burn::tensor::Tensor;

use super::{FlatnessError, Objective, Watch};

pub use self::direction::FilterNormalisation;
pub use self::line::{Profile, Slice};
pub use self::plane::{Plane, Surface};
pub use self::trajectory::Trajectory;

/// What was found at some points, in their order.
struct Found {
    losses: Vec<Option<f64>>,
    accuracies: Vec<Option<f64>>,
    complete: bool,
}

/// Measures the loss at each of `points`, of which there are `count`.
fn measure<'a>(
    watch: &Watch,
    name: &'static str,
    count: usize,
    points: impl Iterator<Item = Result<Objective<'a>, FlatnessError>>,
) -> Result<Found, FlatnessError> {
    let mut task = watch.task(name, count);
    let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
    for point in points {
        let (loss, accuracy) = point?.score()?;
        let finite = loss.is_finite();
        losses.push(finite.then_some(loss));
        accuracies.push(accuracy.filter(|_| finite));
        if !task.step() {
            break;
        }
    }
    let complete = losses.len() == count;
    losses.resize(count, None);
    accuracies.resize(count, None);
    Ok(Found {
        losses,
        accuracies,
        complete,
    })
}

/// `points` numbers from the beginning of `range` to its end, in equal steps.
fn spaced(
    name: &'static str,
    range: &std::ops::RangeInclusive<f64>,
    points: usize,
) -> Result<Vec<f64>, FlatnessError> {
    let (start, end) = (*range.start(), *range.end());
    if !(start < end && (end - start).is_finite()) {
        let found = format!("{start} to {end}");
        return Err(FlatnessError::argument(
            name,
            found,
            "finite, from a number to a larger one",
        ));
    }
    if points < 2 {
        return Err(FlatnessError::argument("points", points, "at least 2"));
    }
    let last = (points - 1) as f64;
    // Both ends, and a zero among the points, come out exactly.
    let at = |point: usize| match point as f64 {
        0.0 => start,
        point if point == last => end,
        point => (start * (last - point) + end * point) / last,
    };
    Ok((0..points).map(at).collect())
}

/// Refuses a vector that is not finite.
fn finite(vector: &Tensor<1>, what: &str) -> Result<(), FlatnessError> {
    match vector.clone().is_finite().all().into_scalar::<bool>() {
        true => Ok(()),
        false => Err(FlatnessError::NonFinite { what: what.into() }),
    }
}

/// A number in a table, empty where there is none.
fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
