//! What each figure is, and how it gets into the table.

use super::{Figure, Flatness, Part};
use crate::flatness::volume::Cutoff;
use crate::flatness::{BallSharpness, FlatnessError, Maximiser, Objective};

const CURVATURE: &str = "loss / weight²";
const LOSS: &str = "loss";
const LAMBDA_MAX: &str =
    "the largest eigenvalue of the Hessian; an eigenvalue lies within the error, its residual";
const LAMBDA_MIN: &str =
    "the smallest eigenvalue of the Hessian; an eigenvalue lies within the error, its residual";
const CONDITION: &str = "the largest over the smallest eigenvalue of the Hessian; the error is the larger side of the bounds that the residuals give, and none where the smallest may be zero";
const NO_CONDITION: &str =
    "the Hessian is not known to be definite, or one end of its spectrum was not asked for";
const TRACE: &str =
    "the sum of the eigenvalues of the Hessian; the error is the standard error over the probes";
const KESKAR: &str = "100 (max f(x + A z) - f(x)) / (1 + f(x)) over |z_i| <= epsilon (|(A⁺ x)_i| + 1), Keskar et al. 2017; by projected gradient ascent, a lower bound";
const SAM: &str = "max L(w + e) - L(w) over |e| <= rho, Foret et al. 2021; maximised by projected gradient ascent, a lower bound";
const ASAM: &str = "max L(w + e) - L(w) over |e / T| <= rho, T = |w| + eta, Kwon et al. 2021; maximised by projected gradient ascent, a lower bound";
const AVERAGE: &str = "E[L(w + sigma z)] - L(w), z from N(0, 1), relative to the root mean square of each filter where it says so; the error is the standard error over the draws";
const VOLUME: &str = "ln(V_n E[rⁿ]) with the radius r at which the loss reaches the cutoff, Huang et al. 2019; the longest radius rules the mean; the error is the jackknife's over the directions, too small in many dimensions";
const EACH: &str = "the log volume over the number n of weights that move, and its error over n";
const RADIUS: &str = "the mean of ln r, which few directions tell well; the error is the standard error over the directions";

impl Flatness {
    /// Infinities and NaN are no figures: JSON has none.
    fn figure(&mut self, figure: Figure) {
        if figure.value.is_finite() {
            let error = figure.error.filter(|error| error.is_finite());
            self.figures.push(Figure { error, ..figure });
        } else {
            self.miss(&figure.name, figure.settings, &"not finite");
        }
    }

    pub(super) fn add(
        &mut self,
        objective: &Objective<'_>,
        part: &Part,
    ) -> Result<(), FlatnessError> {
        let settings = part.settings();
        let figure = |name: String, value, error, unit: &str, complete, definition: &str| Figure {
            name,
            value,
            error,
            unit: unit.into(),
            definition: definition.into(),
            settings: settings.clone(),
            complete,
        };
        match part {
            Part::Eigenvalues(lanczos) => {
                let spectrum = lanczos.run(&objective.hessian())?;
                let condition = spectrum.condition_number();
                let ends = [
                    (&spectrum.top, "lambda max", LAMBDA_MAX),
                    (&spectrum.bottom, "lambda min", LAMBDA_MIN),
                ];
                for (pairs, name, definition) in ends {
                    if let Some(pair) = pairs.first() {
                        let (name, error) = (name.into(), Some(pair.residual));
                        let complete = spectrum.complete;
                        let unit = CURVATURE;
                        self.figure(figure(name, pair.value, error, unit, complete, definition));
                    }
                }
                match condition {
                    Some(condition) => self.figure(figure(
                        "condition number".into(),
                        condition.value,
                        Some(
                            (condition.upper - condition.value)
                                .max(condition.value - condition.lower),
                        ),
                        "1",
                        spectrum.complete,
                        CONDITION,
                    )),
                    None => self.miss("condition number", settings, &NO_CONDITION),
                }
                self.approximations.extend(spectrum.approximations);
            }
            Part::Trace(trace) => {
                let found = trace.run(&objective.hessian())?;
                let error = Some(found.standard_error);
                let complete = found.complete;
                self.figure(figure(
                    "trace".into(),
                    found.trace,
                    error,
                    CURVATURE,
                    complete,
                    TRACE,
                ));
                self.approximations.extend(found.approximations);
            }
            Part::Keskar(keskar) => {
                let found = keskar.run(objective)?;
                let space = found.subspace.map(|size| format!(", subspace {size}"));
                let name = format!(
                    "Keskar, epsilon {}{}",
                    found.epsilon,
                    space.unwrap_or_default()
                );
                let (value, complete) = (found.sharpness, found.maximum.complete);
                self.figure(figure(name, value, None, "%", complete, KESKAR));
            }
            Part::Sam(sam) => {
                let found = sam.run(objective)?;
                let (name, value) = (ball("SAM", &found), found.sharpness);
                let complete = found.maximum.complete;
                self.figure(figure(name, value, None, LOSS, complete, SAM));
            }
            Part::Asam(asam) => {
                let found = asam.run(objective)?;
                let kind = format!("ASAM, eta {}", asam.eta);
                let (name, value) = (ball(&kind, &found), found.sharpness);
                let complete = found.maximum.complete;
                self.figure(figure(name, value, None, LOSS, complete, ASAM));
            }
            Part::Gaussian(gaussian) => {
                let found = gaussian.run(objective)?;
                let relative = if found.relative { ", relative" } else { "" };
                let name = format!("average, sigma {}{relative}", found.sigma);
                let (value, error) = (found.sharpness, found.standard_error);
                self.figure(figure(name, value, error, LOSS, found.complete, AVERAGE));
            }
            Part::Volume(volume) => {
                let found = volume.run(objective)?;
                let length = if found.euclidean {
                    "weights"
                } else {
                    "filters"
                };
                let cutoff = match volume.cutoff {
                    Cutoff::Rise(rise) => format!("rise {rise}"),
                    Cutoff::Loss(loss) => format!("cutoff {loss}"),
                };
                let in_units = |name: &str| format!("{name}, in units of {length}, {cutoff}");
                let (complete, n) = (found.complete, found.dimension);
                let power = format!("ln(length^{n})");
                let error = Some(found.standard_error);
                let name = in_units("log volume");
                self.figure(figure(
                    name,
                    found.log_volume,
                    error,
                    &power,
                    complete,
                    VOLUME,
                ));
                let each = found.log_volume_per_dimension;
                let error = Some(found.standard_error / n as f64);
                let name = in_units("log volume per dimension");
                self.figure(figure(name, each, error, "ln(length)", complete, EACH));
                let mean = found.mean_log_radius;
                let error = Some(found.mean_log_radius_error);
                let name = in_units("mean log radius");
                self.figure(figure(name, mean, error, "ln(length)", complete, RADIUS));
            }
        }
        Ok(())
    }
}

fn ball(name: &str, found: &BallSharpness) -> String {
    let how = match found.maximum.maximiser {
        Maximiser::OneStep => "one step",
        Maximiser::ProjectedAscent => "maximised",
    };
    format!("{name}, rho {}, {how}", found.rho)
}
