//! How the losses of a surface are told apart in a picture.

use crate::svg::ticks;

/// The colours of small losses to large ones, equally far apart: viridis (Smith and van der Walt
/// 2015), which keeps its order in print and for those who see no red or no green.
const COLOURS: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];
/// The largest loss over the smallest from which on the scale is logarithmic.
const LOGARITHMIC: f64 = 20.0;
/// The most levels.
const LEVELS: usize = 14;
/// Losses are cut off this many times as far above the smallest as three quarters of them are.
const CUT: f64 = 30.0;

/// What is further away than this many times the scale is drawn as if it were not.
const FAR: f64 = 1e6;

/// A scale from the smallest loss that is shown to the largest.
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) logarithmic: bool,
    /// Between them: round numbers, ascending.
    pub(super) levels: Vec<f64>,
    /// Whether there are losses above the largest that is shown.
    pub(super) cut: bool,
}

impl Scale {
    /// Of those losses that are there.
    pub(super) fn of(losses: &[Option<f64>]) -> Scale {
        let mut sorted: Vec<f64> = losses.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * sorted.len().saturating_sub(1) as f64;
            sorted.get(at as usize).copied().unwrap_or(1.0)
        };
        let (least, most) = (quantile(0.0), quantile(1.0));
        let high = most.min(least + CUT * (quantile(0.75) - least));
        // A surface without a slope has a scale too.
        let high = match high > least {
            true => high,
            false => least + least.abs().max(1.0),
        };
        let logarithmic = least > 0.0 && high / least >= LOGARITHMIC;
        // A single point may lie any number of powers of ten below all others.
        let low = match logarithmic {
            true => least.max(quantile(0.02) / 10.0),
            false => least,
        };
        let mut scale = Scale {
            low,
            high,
            logarithmic,
            levels: Vec::new(),
            cut: most > high,
        };
        scale.levels = match logarithmic {
            true => scale.powers(),
            false => ticks(low, high, 10.0).collect(),
        };
        scale
            .levels
            .retain(|level| (low..high).contains(level) && *level > low);
        scale
    }

    /// As many round multiples of powers of ten as there is room for.
    fn powers(&self) -> Vec<f64> {
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let choices: [(&[f64], usize); 4] = [
            (&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0], 1),
            (&[1.0, 2.0, 5.0], 1),
            (&[1.0, 3.0], 1),
            (&[1.0], 1),
        ];
        // At last every so many powers.
        let every = ((last - first) as usize).div_ceil(LEVELS);
        let choices = choices.into_iter().chain([(&[1.0][..], every)]);
        let mut levels = Vec::new();
        for (factors, step) in choices {
            let powers = (first..=last).step_by(step.max(1));
            levels = powers
                .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
                .filter(|level| (self.low..=self.high).contains(level))
                .collect();
            if levels.len() <= LEVELS {
                break;
            }
        }
        levels
    }

    /// Where a loss stands: 0 is the smallest that is shown and 1 the largest.
    pub(super) fn place(&self, loss: f64) -> f64 {
        let place = match self.logarithmic {
            true => (loss / self.low).ln() / (self.high / self.low).ln(),
            false => (loss - self.low) / (self.high - self.low),
        };
        place.clamp(-FAR, FAR)
    }

    /// How high a loss is drawn, from 0 to 1.
    pub(super) fn height(&self, loss: f64) -> f64 {
        self.place(loss).clamp(0.0, 1.0)
    }

    /// The areas of one colour, each from a level to the next one; the first and the last without an end.
    pub(super) fn bands(&self) -> impl Iterator<Item = (f64, f64, String)> {
        let lows = std::iter::once(f64::NEG_INFINITY).chain(self.levels.iter().copied());
        let highs = self.levels.iter().copied().chain([f64::INFINITY]);
        let last = self.levels.len().max(1) as f64;
        let bands = lows.zip(highs).enumerate();
        bands.map(move |(band, (low, high))| (low, high, colour(band as f64 / last, 1.0)))
    }
}

/// The colour of a height from 0 to 1, as bright as `light`, a share.
pub(super) fn colour(height: f64, light: f64) -> String {
    let place = height.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let at = (place as usize).min(COLOURS.len() - 2);
    let share = place - at as f64;
    let [red, green, blue] = [0, 1, 2].map(|part| {
        let mixed = COLOURS[at][part] * (1.0 - share) + COLOURS[at + 1][part] * share;
        (mixed * light).round().clamp(0.0, 255.0) as u8
    });
    format!("#{red:02x}{green:02x}{blue:02x}")
}
