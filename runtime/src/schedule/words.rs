//! A phase in words.

use std::fmt;

use super::shared::Unit;
use super::{CyclicMode, MetricMode, Phase, Time, WarmupShape};

/// The phase in words: `warmup from 0 over 5 epochs`.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasting = |duration: &Option<Time>| {
            duration.map_or(String::new(), |duration| format!(" for {duration}"))
        };
        let over = |duration: &Option<Time>| match duration {
            Some(duration) => format!("over {duration}"),
            None => "until the end".into(),
        };
        match self {
            Phase::Constant { duration } => write!(f, "constant{}", lasting(duration)),
            Phase::Hold { duration } => write!(f, "hold{}", lasting(duration)),
            Phase::Warmup {
                duration,
                from,
                shape,
            } => match shape {
                WarmupShape::Linear => write!(f, "warmup from {from} over {duration}"),
                WarmupShape::Constant => write!(f, "warmup at {from} for {duration}"),
            },
            Phase::Step { factor, at } => write!(f, "x{factor} at {}", moments(at)),
            Phase::Linear { duration, from, to } => {
                write!(f, "linear from {from} to {to} {}", over(duration))
            }
            Phase::Polynomial {
                duration,
                power,
                to,
            } => write!(f, "polynomial of power {power} to {to} {}", over(duration)),
            Phase::Cosine { duration, to } => write!(f, "cosine to {to} {}", over(duration)),
            Phase::CosineRestarts {
                duration,
                period,
                mult,
                decay,
                to,
            } => {
                write!(f, "cosine to {to}, restarted after {period}")?;
                if *mult != 1.0 {
                    write!(f, ", each {mult} times as long")?;
                }
                if *decay != 1.0 {
                    write!(f, ", each x{decay} as high")?;
                }
                f.write_str(&lasting(duration))
            }
            Phase::Exponential {
                duration,
                factor,
                every,
            } => {
                write!(f, "x{factor} every {every}{}", lasting(duration))
            }
            Phase::InverseSqrt {
                duration,
                timescale,
            } => {
                f.write_str("inverse square root")?;
                if let Some(timescale) = timescale {
                    write!(f, " with a time scale of {timescale}")?;
                }
                f.write_str(&lasting(duration))
            }
            Phase::OneCycle {
                duration,
                up,
                from,
                to,
                shape,
                three_phase,
            } => {
                write!(f, "one {} cycle from {from} up in {up} of it", shape.word())?;
                if *three_phase {
                    write!(f, ", down to {from} in as long")?;
                }
                write!(f, ", down to {to} {}", over(duration))
            }
            Phase::Cyclic {
                duration,
                up,
                down,
                from,
                mode,
                gamma,
            } => {
                let down = down.unwrap_or(*up);
                write!(f, "cycles from {from}, {up} up and {down} down")?;
                match mode {
                    CyclicMode::Triangular => {}
                    CyclicMode::Triangular2 => f.write_str(", each half as high")?,
                    CyclicMode::ExpRange => {
                        write!(f, ", x{} as high each step", gamma.unwrap_or(1.0))?;
                    }
                }
                f.write_str(&lasting(duration))
            }
            Phase::Plateau {
                factor,
                patience,
                threshold,
                threshold_mode,
                cooldown,
                min_lr,
                on,
                mode,
            } => {
                let better = match mode.or_else(|| on.mode()) {
                    Some(MetricMode::Max) => "risen",
                    _ => "fallen",
                };
                write!(
                    f,
                    "x{factor} when {on} has not {better} by {threshold} ({}) for more than {patience}",
                    threshold_mode.word(),
                )?;
                if *cooldown != Time::Epochs(0.0) {
                    write!(f, ", then {cooldown} of cooldown")?;
                }
                if *min_lr > 0.0 {
                    write!(f, ", not below {min_lr}")?;
                }
                Ok(())
            }
        }
    }
}

/// `epochs 30, 60, 80`
fn moments(at: &[Time]) -> String {
    let list = |show: &dyn Fn(Time) -> String| {
        at.iter().map(|at| show(*at)).collect::<Vec<_>>().join(", ")
    };
    let plain = |at: Time| at.parts().1.to_string();
    let all = |unit| at.iter().all(|at| at.parts().0 == unit);
    if all(Unit::Epochs) {
        format!("epochs {}", list(&plain))
    } else if all(Unit::Steps) {
        format!("steps {}", list(&plain))
    } else if all(Unit::Percent) {
        format!("{} % of training", list(&plain))
    } else {
        list(&|at| at.to_string())
    }
}
