//! The factor of each phase, as a pure function of the step.

use std::f64::consts::PI;

use super::time::whole;
use super::{CycleShape, CyclicMode, Horizon, Phase, WarmupShape};

/// Where a step stands in a phase.
pub(super) struct Progress<'a> {
    /// Steps since the phase began, at most `length`.
    pub t: f64,
    /// Steps of the phase, which may be infinite.
    pub length: f64,
    /// Steps since training began.
    pub step: f64,
    /// The step at which the phase begins.
    pub start: f64,
    /// The factor that the phase before ended with, 1 where there is none.
    pub entry: f64,
    pub horizon: &'a Horizon,
}

impl Phase {
    /// The factor on the peak; of a plateau that which it begins with.
    pub(super) fn factor(&self, progress: &Progress) -> f64 {
        let &Progress { t, horizon, .. } = progress;
        match self {
            Phase::Constant { .. } => 1.0,
            Phase::Hold { .. } | Phase::Plateau { .. } => progress.entry,
            Phase::Warmup { from, shape, .. } => {
                progress.between(*from, 1.0, |share| match shape {
                    WarmupShape::Linear => share,
                    WarmupShape::Constant => 0.0,
                })
            }
            Phase::Step { factor, at } => {
                let come = at.iter().filter(|at| at.steps(horizon) <= progress.step);
                factor.powf(come.count() as f64)
            }
            Phase::Linear { from, to, .. } => progress.between(*from, *to, |share| share),
            Phase::Polynomial { power, to, .. } => {
                if t >= progress.length {
                    return *to;
                }
                // Not 1 less that of 1: what is left of a small factor would be rounding.
                blend(*to, 1.0, (1.0 - t / progress.length).powf(*power))
            }
            Phase::Cosine { to, .. } => progress.between(1.0, *to, half_cosine),
            Phase::CosineRestarts {
                period,
                mult,
                decay,
                to,
                ..
            } => {
                let (cycle, share) = progress.restart(period.steps(horizon), *mult);
                let top = decay.powf(cycle).max(*to);
                blend(top, *to, half_cosine(share))
            }
            // Not 0 / 0 where the time is too short for any number of steps.
            Phase::Exponential { .. } | Phase::InverseSqrt { .. } if t == 0.0 => 1.0,
            Phase::Exponential { factor, every, .. } => factor.powf(t / every.steps(horizon)),
            Phase::InverseSqrt { timescale, .. } => {
                let timescale = timescale.map_or(progress.start, |time| time.steps(horizon));
                (1.0 + t / timescale).sqrt().recip()
            }
            Phase::OneCycle {
                up,
                from,
                to,
                shape,
                three_phase,
                ..
            } => {
                let curve = |share| match shape {
                    CycleShape::Cosine => half_cosine(share),
                    CycleShape::Linear => share,
                };
                let up = up * progress.length;
                if t >= progress.length {
                    *to
                } else if t < up {
                    blend(*from, 1.0, curve(t / up))
                } else if !three_phase {
                    blend(1.0, *to, curve((t - up) / (progress.length - up)))
                } else if t < 2.0 * up {
                    blend(1.0, *from, curve((t - up) / up))
                } else {
                    let down = 2.0 * up;
                    blend(*from, *to, curve((t - down) / (progress.length - down)))
                }
            }
            Phase::Cyclic {
                up,
                down,
                from,
                mode,
                gamma,
                ..
            } => {
                let down = down.unwrap_or(*up).steps(horizon);
                let up = up.steps(horizon);
                let since = t % (up + down);
                let height = if since <= up {
                    since / up
                } else {
                    1.0 - (since - up) / down
                };
                let shrunk = match mode {
                    CyclicMode::Triangular => 1.0,
                    CyclicMode::Triangular2 => 0.5f64.powf((t / (up + down)).floor()),
                    CyclicMode::ExpRange => gamma.unwrap_or(1.0).powf(t),
                };
                blend(*from, 1.0, height * shrunk)
            }
        }
    }
}

impl Progress<'_> {
    /// From `from` to `to` along `curve`, which maps [0, 1] to itself; exactly `to` at the end.
    fn between(&self, from: f64, to: f64, curve: impl Fn(f64) -> f64) -> f64 {
        if self.t >= self.length {
            to
        } else {
            blend(from, to, curve(self.t / self.length))
        }
    }

    /// Which cycle this is, from 0, and the share of it that is over, where the first lasts `period`
    /// steps and each next one `mult` times as long.
    fn restart(&self, period: f64, mult: f64) -> (f64, f64) {
        let more = mult - 1.0;
        // The sum of a geometric series, and its inverse; near 1 only these are exact.
        let begins = |cycle: f64| {
            if cycle == 0.0 {
                0.0
            } else if more == 0.0 {
                whole(period * cycle)
            } else {
                whole(period * ((cycle * more.ln_1p()).exp_m1() / more))
            }
        };
        let passed = self.t / period;
        let mut cycle = match more == 0.0 {
            true => passed.floor(),
            false => ((passed * more).min(f64::MAX).ln_1p() / more.ln_1p()).floor(),
        };
        // A phase ends with the cycle before the restart at which it ends.
        let over = |end: f64| self.t > end || (self.t == end && self.t < self.length);
        if over(begins(cycle + 1.0)) {
            cycle += 1.0;
        } else if cycle > 0.0 && !over(begins(cycle)) {
            cycle -= 1.0;
        }
        let share = (self.t - begins(cycle)) / (period * mult.powf(cycle));
        (cycle, share.clamp(0.0, 1.0))
    }
}

/// From `from` to `to`, of which `share` is done; exactly `to` where all is.
fn blend(from: f64, to: f64, share: f64) -> f64 {
    if share >= 1.0 {
        to
    } else {
        from + (to - from) * share
    }
}

/// From 0 to 1 along half a cosine.
fn half_cosine(share: f64) -> f64 {
    0.5 - 0.5 * (PI * share).cos()
}
