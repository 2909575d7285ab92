//! Mixed examples: MixUp and CutMix.

use std::f64::consts::TAU;

use super::augment::{image_shape, no_place, probability};
use super::image::Window;
use super::shuffle::SplitMix64;
use super::source::{fetched, floats};
use super::{DataError, Draw, Examples, Source, Target, TensorData};

/// A source whose training examples are each mixed with a partner, inputs and targets alike.
///
/// With λ from Beta(α, α), MixUp (Zhang et al. 2018) gives for an example `(x, t)` and its partner
/// `(x', t')`
///
/// ```text
/// λ x + (1 - λ) x',   λ t + (1 - λ) t'
/// ```
///
/// CutMix (Yun et al. 2019) puts a rectangle of x' into the image x, at its place there, whose share
/// of the image is `1 - λ` before it is cut at the edges; λ of the targets is the share that is left of
/// x in the end.
///
/// Each example has a λ and a partner of its own, any example of the source, both drawn from the seed,
/// the epoch and the example's index; the authors' code has one λ for a batch and partners within it,
/// so that an example depends on who else is there. What is [drawn](Source::draw) is mixed; what is
/// [gathered](Source::gather), as for validation, is not. Since a partner may be any example, what is to
/// be tested on is [split](Source::split) off before; afterwards that is an error.
///
/// Targets are mixed as numbers, so classes become probabilities first, by
/// [`OneHot`](super::OneHot), for training and for validation. Probabilities are values, of which none is
/// right or wrong: such a training reports its loss and no accuracy. For that compare what
/// the trained model gives with the plain classes.
///
/// ```
/// use kiln::data::{Mixed, OneHot, digits};
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(32) -> relu -> linear(10) -> log_softmax;
///     output scores;
///     loss kl_divergence;
/// }
///
/// optimizer! { struct Momentum; update sgd(momentum: 0.9); }
/// schedule! { struct Constant; peak 0.1; constant; }
///
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let train = Mixed::mixup(OneHot::new(train)?, 0.2)?;
/// let model = NetConfig::new().init(&default_device()?)?;
/// let run = Trainer::new(model, Momentum::new(), Constant::new())
///     .epochs(3)
///     .validate(&OneHot::new(test)?)
///     .quiet()
///     .fit(train)?;
/// assert!(run.validation().unwrap().loss < 0.5);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mixed<S> {
    source: S,
    kind: Kind,
    alpha: f64,
    probability: f64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    MixUp,
    CutMix([usize; 3]),
}

impl<S: Source> Mixed<S> {
    /// MixUp with λ from Beta(`alpha`, `alpha`). The paper has 0.1 to 0.4 for ImageNet and 1 for
    /// CIFAR-10.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `alpha` is positive and finite, and every target of `source` is
    /// values or, through [`OneHot`](super::OneHot), probabilities.
    pub fn mixup(source: S, alpha: f64) -> Result<Self, DataError> {
        Self::new(source, Kind::MixUp, alpha)
    }

    /// CutMix with λ from Beta(`alpha`, `alpha`), which is 1 in the paper.
    ///
    /// # Errors
    ///
    /// Those of [`mixup`](Self::mixup), and [`DataError::Argument`] unless the source has one input
    /// `[channels, height, width]` and targets of one dimension at most: an image to be learned would
    /// have to be cut alike.
    pub fn cutmix(source: S, alpha: f64) -> Result<Self, DataError> {
        let kind = Kind::CutMix(image_shape(&source)?);
        no_place(&source, "CutMix cuts a rectangle of the input alone")?;
        Self::new(source, kind, alpha)
    }

    fn new(source: S, kind: Kind, alpha: f64) -> Result<Self, DataError> {
        if !(alpha > 0.0 && alpha.is_finite()) {
            let expected = "a positive, finite number";
            return Err(DataError::argument("alpha", expected, alpha));
        }
        let targets = source.targets();
        let values = |target: &&Target| matches!(target, Target::Values(_));
        if let Some(target) = targets.iter().find(|target| !values(target)) {
            let expected = "targets of values; `OneHot` makes probabilities of classes";
            return Err(DataError::argument("source", expected, target));
        }
        Ok(Self {
            source,
            kind,
            alpha,
            probability: 1.0,
        })
    }

    /// The probability with which an example is mixed at all: 1 if nothing is said. Yun et al. have
    /// 0.5 for CIFAR.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless it is in `0..=1`.
    pub fn probability(mut self, share: f64) -> Result<Self, DataError> {
        probability(share)?;
        self.probability = share;
        Ok(self)
    }

    /// The source whose examples are mixed.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S: Source> Source for Mixed<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.source.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.source.gather(indices)
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        let len = self.len();
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            return Err(DataError::Index { index, len });
        }
        // The examples first and then the partners of those that are mixed, in one go.
        let mut both = indices.to_vec();
        let mut mixtures = Vec::new();
        for (place, &index) in indices.iter().enumerate() {
            let mut random = draw.random(index);
            if random.unit() <= self.probability {
                both.push(random.below(len as u64) as usize);
                mixtures.push((place, Mixture::new(self.kind, self.alpha, &mut random)));
            }
        }
        let Examples { inputs, targets } = fetched(&self.source, &both, Some(draw.beneath()))?;
        let mix = |tensor: TensorData, mix: Mix| {
            let mut shape = tensor.shape().to_vec();
            shape[0] = indices.len();
            let mut values = floats(tensor)?;
            let width = shape[1..].iter().product::<usize>();
            let partners = values.split_off(indices.len() * width);
            for ((place, mixture), partner) in
                mixtures.iter().zip(partners.chunks_exact(width.max(1)))
            {
                mix(mixture, &mut values[place * width..][..width], partner);
            }
            Ok::<_, DataError>(TensorData::new(values, shape))
        };
        let inputs = inputs.into_iter().map(|tensor| mix(tensor, Mixture::input));
        let inputs = inputs.collect::<Result<_, _>>()?;
        let targets = targets
            .into_iter()
            .map(|tensor| mix(tensor, Mixture::target));
        let targets = targets.collect::<Result<_, _>>()?;
        Ok(Examples { inputs, targets })
    }

    fn mixes(&self) -> bool {
        true
    }
}

/// Changes the numbers of an example by those of its partner.
type Mix = fn(&Mixture, &mut [f32], &[f32]);

/// How an example is mixed with its partner.
struct Mixture {
    /// The example's own share of the target.
    lambda: f64,
    /// Where the partner shows, in an image of this shape; without it everywhere a little.
    window: Option<(Window, [usize; 3])>,
}

impl Mixture {
    fn new(kind: Kind, alpha: f64, random: &mut SplitMix64) -> Self {
        let lambda = beta(random, alpha);
        let Kind::CutMix(shape) = kind else {
            return Self {
                lambda,
                window: None,
            };
        };
        let [_, height, width] = shape;
        let mut side = |length: usize| {
            let half = (length as f64 * (1.0 - lambda).sqrt()) as usize / 2;
            let centre = random.below(length as u64) as usize;
            let first = centre.saturating_sub(half);
            (first, (centre + half).min(length) - first)
        };
        let (sides, other) = (side(height), side(width));
        let window = Window {
            corner: [sides.0, other.0],
            size: [sides.1, other.1],
        };
        let area = (sides.1 * other.1) as f64;
        Self {
            lambda: 1.0 - area / (height * width) as f64,
            window: Some((window, shape)),
        }
    }

    fn input(&self, example: &mut [f32], partner: &[f32]) {
        let Some((Window { corner, size }, [_, height, width])) = &self.window else {
            return self.target(example, partner);
        };
        let channels = example.chunks_exact_mut(height * width);
        for (channel, partner) in channels.zip(partner.chunks_exact(height * width)) {
            for row in corner[0]..corner[0] + size[0] {
                let place = row * width + corner[1];
                channel[place..][..size[1]].copy_from_slice(&partner[place..][..size[1]]);
            }
        }
    }

    fn target(&self, example: &mut [f32], partner: &[f32]) {
        let lambda = self.lambda as f32;
        for (value, partner) in example.iter_mut().zip(partner) {
            // One weight, not two: alike examples stay what they are to the bit.
            *value += (1.0 - lambda) * (partner - *value);
        }
    }
}

/// Beta(α, α), as the share of one of two numbers from Gamma(α).
fn beta(random: &mut SplitMix64, alpha: f64) -> f64 {
    // In logarithms: for a small α both numbers are often below what a number can be. Where the
    // logarithms are so too, the share has long been 0 or 1, one as likely as the other.
    let alpha = alpha.max(1e-300);
    let [a, b] = [(); 2].map(|()| log_gamma_variate(random, alpha));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number from Gamma(`shape`): Marsaglia and Tsang, "A Simple Method for Generating
/// Gamma Variables" (2000), for shapes below 1 by way of the shape that is larger by 1.
fn log_gamma_variate(random: &mut SplitMix64, shape: f64) -> f64 {
    if shape < 1.0 {
        return log_gamma_variate(random, shape + 1.0) + random.unit().ln() / shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller 1958.
        let x = (-2.0 * random.unit().ln()).sqrt() * (TAU * random.unit()).cos();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && random.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_of_a_tiny_alpha_is_0_or_1_as_often() {
        for alpha in [f64::from_bits(1), f64::MIN_POSITIVE, 1e-300] {
            let sample = sample(alpha);
            assert!(sample.iter().all(|&value| value == 0.0 || value == 1.0));
            let ones = sample.iter().sum::<f64>();
            assert!((ones - 10_000.0).abs() < 4.0 * 5_000f64.sqrt(), "{ones}");
        }
    }

    fn sample(alpha: f64) -> Vec<f64> {
        let mut random = SplitMix64::new(5);
        (0..20_000).map(|_| beta(&mut random, alpha)).collect()
    }

    /// Beta(α, α) has mean 1/2, variance 1 / (4 (2α + 1)) and fourth central moment
    /// 3 / (16 (2α + 1) (2α + 3)).
    #[test]
    fn beta_has_its_moments() {
        for alpha in [0.01, 0.2, 0.99, 1.0, 4.0, 100.0] {
            let sample = sample(alpha);
            let n = sample.len() as f64;
            let moment = |power| {
                let powers = sample.iter().map(|value| (value - 0.5f64).powi(power));
                powers.sum::<f64>() / n
            };
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            let fourth = 3.0 / (16.0 * (2.0 * alpha + 1.0) * (2.0 * alpha + 3.0));
            // Four standard deviations.
            let (mean, spread) = (moment(1), moment(2) - variance);
            assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "{alpha}: {mean}");
            let bound = 4.0 * ((fourth - variance * variance) / n).sqrt();
            assert!(spread.abs() < bound, "{alpha}: {spread} off {variance}");
        }
    }

    /// The arcsine law and the uniform one: quartiles at sin²(π/8) and 1/4.
    #[test]
    fn beta_has_its_quartiles() {
        for (alpha, quartile) in [(0.5, 0.146_446_609), (1.0, 0.25)] {
            let below = sample(alpha).into_iter().filter(|&value| value < quartile);
            let share = below.count() as f64 / 20_000.0;
            assert!(
                (share - 0.25).abs() < 4.0 * (0.1875f64 / 20_000.0).sqrt(),
                "{alpha}: {share}"
            );
        }
    }
}
