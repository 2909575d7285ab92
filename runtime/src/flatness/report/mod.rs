//! All figures of flatness of one network in one table.

mod figures;
mod table;

use std::fmt;

use super::{
    Approximation, AsamSharpness, FlatnessError, GaussianSharpness, Keskar, Lanczos, Objective,
    SamSharpness, Trace, Volume,
};

/// Which figures a [`Flatness`] holds, and how each is measured.
///
/// ```
/// use kiln::flatness::{FlatnessOptions, Keskar, Trace};
///
/// let everything = FlatnessOptions::all();
/// let cheap = FlatnessOptions::none()
///     .trace(Trace::hutchinson().tolerance(0.2))
///     .keskar(Keskar::new().steps(3));
/// # let _ = (everything, cheap);
/// ```
#[derive(Clone, Debug)]
pub struct FlatnessOptions(Vec<Part>);

#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Eigenvalues(Lanczos),
    Trace(Trace),
    Keskar(Keskar),
    Sam(SamSharpness),
    Asam(AsamSharpness),
    Gaussian(GaussianSharpness),
    Volume(Volume),
}

/// One figure, and what it takes to compare it with another.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// Its name: what was measured, with the sizes that belong to it. The same figure measured in two
    /// ways, with other steps, seeds or tolerances, has one name twice, and
    /// [`settings`](Self::settings) that differ.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// How far off it may be, in its unit, where that is known; [`definition`](Self::definition)
    /// says what kind of error it is.
    pub error: Option<f64>,
    /// What it is counted in.
    pub unit: String,
    /// What it is, and what its error is.
    pub definition: String,
    /// How it was measured: the name of the measurement, and in it every setting, those that were not
    /// said too.
    pub settings: serde_json::Value,
    /// Whether the measurement came to its end: was not interrupted, and is as exact as was asked
    /// for.
    pub complete: bool,
}

/// A figure that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Missing {
    /// Its name, or that of the measurement.
    pub name: String,
    /// How it was to be measured.
    #[serde(default)]
    pub settings: serde_json::Value,
    /// Why.
    pub reason: String,
}

/// How flat the loss is around a network's weights, in all figures that were asked for.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{AsamSharpness, Flatness, FlatnessOptions, Keskar, Objective};
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// let model = NetConfig::new().init(&default_device()?)?;
/// let data = digits()?;
/// let objective = Objective::new(&model, &data)?;
/// let options = FlatnessOptions::none()
///     .keskar(Keskar::new())
///     .asam(AsamSharpness::one_step());
/// let flatness = Flatness::measure(&objective, &options)?;
/// println!("{flatness}");
/// assert!(flatness.get("Keskar, epsilon 0.001").is_some_and(|figure| figure.value > 0.0));
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Flatness {
    /// The loss at the weights.
    pub loss: f64,
    /// The length of the gradient there: the figures that speak of a minimum are for a small one.
    pub gradient_norm: f64,
    /// The number of weights.
    pub parameters: usize,
    /// The number of examples that the loss is a mean over.
    pub examples: usize,
    /// What was measured, in the order in which it was asked for.
    pub figures: Vec<Figure>,
    /// What was asked for and is not there.
    pub missing: Vec<Missing>,
    /// What of the products with the Hessian was not exact.
    pub approximations: Vec<Approximation>,
}

impl FlatnessOptions {
    /// No figure: those that are wanted are added one by one.
    pub fn none() -> Self {
        FlatnessOptions(Vec::new())
    }

    /// Each figure with its defaults: both ends of the spectrum, the trace, Keskar's measure for
    /// an ε of 1e-3 and of 5e-4, SAM's and ASAM's sharpness in one step and maximised, the rise
    /// on average, and the volume.
    pub fn all() -> Self {
        FlatnessOptions::none()
            .eigenvalues(Lanczos::new().top(1).bottom(1).seed(1))
            .trace(Trace::hutchinson().seed(2))
            .keskar(Keskar::new().seed(3))
            .keskar(Keskar::new().epsilon(5e-4).seed(3))
            .sam(SamSharpness::one_step())
            .sam(SamSharpness::maximised().seed(4))
            .asam(AsamSharpness::one_step())
            .asam(AsamSharpness::maximised().seed(5))
            .gaussian(GaussianSharpness::new().relative().seed(6))
            .volume(Volume::new().seed(7))
    }

    /// Adds the largest and the smallest eigenvalue, of those that `lanczos` asks for, and the
    /// condition number where there are both.
    pub fn eigenvalues(self, lanczos: Lanczos) -> Self {
        self.with(Part::Eigenvalues(lanczos))
    }

    /// Adds the trace of the Hessian.
    pub fn trace(self, trace: Trace) -> Self {
        self.with(Part::Trace(trace))
    }

    /// Adds sharpness in a box; any number of times.
    pub fn keskar(self, keskar: Keskar) -> Self {
        self.with(Part::Keskar(keskar))
    }

    /// Adds sharpness in a ball; any number of times.
    pub fn sam(self, sam: SamSharpness) -> Self {
        self.with(Part::Sam(sam))
    }

    /// Adds adaptive sharpness; any number of times.
    pub fn asam(self, asam: AsamSharpness) -> Self {
        self.with(Part::Asam(asam))
    }

    /// Adds sharpness on average; any number of times.
    pub fn gaussian(self, gaussian: GaussianSharpness) -> Self {
        self.with(Part::Gaussian(gaussian))
    }

    /// Adds the volume of the basin; any number of times.
    pub fn volume(self, volume: Volume) -> Self {
        self.with(Part::Volume(volume))
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

impl Flatness {
    /// Measures what `options` ask for, around the weights of `objective`.
    ///
    /// What cannot be measured is listed as [missing](Self::missing) with the reason, and so is what
    /// was left when an interruption came; the others are there.
    ///
    /// # Errors
    ///
    /// An error of the data, or a loss or a gradient that is not finite at the weights themselves.
    pub fn measure(
        objective: &Objective<'_>,
        options: &FlatnessOptions,
    ) -> Result<Flatness, FlatnessError> {
        let (loss, gradient) = objective.loss_and_gradient()?;
        let mut flatness = Flatness {
            loss,
            gradient_norm: super::spectrum::norm(&gradient),
            parameters: objective.size(),
            examples: objective.examples(),
            figures: Vec::new(),
            missing: Vec::new(),
            approximations: Vec::new(),
        };
        for part in &options.0 {
            let measured = match objective.watch().stopped() {
                true => Err(FlatnessError::Interrupted),
                false => flatness.add(objective, part),
            };
            match measured {
                Err(error @ FlatnessError::Data(_)) => return Err(error),
                Err(error) => flatness.miss(part.name(), part.settings(), &error),
                Ok(()) => {}
            }
        }
        flatness.approximations.sort();
        flatness.approximations.dedup();
        Ok(flatness)
    }

    /// The figure of this name, the first if there are several.
    pub fn get(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    fn miss(&mut self, name: &str, settings: serde_json::Value, reason: &dyn fmt::Display) {
        self.missing.push(Missing {
            name: name.into(),
            settings,
            reason: reason.to_string(),
        });
    }
}

impl Part {
    fn name(&self) -> &'static str {
        match self {
            Part::Eigenvalues(_) => "eigenvalues",
            Part::Trace(_) => "trace",
            Part::Keskar(_) => "Keskar",
            Part::Sam(_) => "SAM",
            Part::Asam(_) => "ASAM",
            Part::Gaussian(_) => "average",
            Part::Volume(_) => "volume",
        }
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
