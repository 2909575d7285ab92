//! Volumes and means that are too large or too small for numbers, by their logarithms.

use crate::flatness::spectrum::Mean;

/// `log V_n`, by `V_n = V_(n-2) 2π / n` from `V_0 = 1` and `V_1 = 2`.
pub(super) fn log_unit_ball(dimension: usize) -> f64 {
    let first = match dimension % 2 {
        0 => 0.0,
        _ => 2f64.ln(),
    };
    let factors = (2..=dimension).rev().step_by(2);
    first
        + factors
            .map(|n| (std::f64::consts::TAU / n as f64).ln())
            .sum::<f64>()
}

fn log_sum_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + logs.map(|log| (log - largest).exp()).sum::<f64>().ln()
}

pub(super) fn log_mean_exp(logs: &[f64]) -> f64 {
    log_sum_exp(logs.iter().copied()) - (logs.len() as f64).ln()
}

pub(super) fn largest_share(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (largest - log_sum_exp(logs.iter().copied())).exp()
}

/// The standard error of [`log_mean_exp`] by leaving out one after the other (Tukey 1958).
pub(super) fn jackknife(logs: &[f64]) -> f64 {
    let without = |left_out: usize| {
        let others = logs
            .iter()
            .enumerate()
            .filter(move |(at, _)| *at != left_out);
        log_sum_exp(others.map(|(_, log)| *log))
    };
    let estimates = Mean::of((0..logs.len()).map(without));
    // The deviations' squares are summed, and not averaged over their number less one.
    estimates.standard_error() * (logs.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2, π, 4π/3, π²/2, 8π²/15, and Stirling's series in many dimensions.
    #[test]
    fn the_unit_ball_has_its_volume() {
        let pi = std::f64::consts::PI;
        let known = [
            1.0,
            2.0,
            pi,
            4.0 * pi / 3.0,
            pi * pi / 2.0,
            8.0 * pi * pi / 15.0,
        ];
        for (dimension, volume) in known.into_iter().enumerate() {
            assert!((log_unit_ball(dimension) - volume.ln()).abs() < 1e-14);
        }
        for dimension in [1000, 1_000_001] {
            let half = 0.5 * dimension as f64;
            let log_gamma =
                (half + 0.5) * half.ln() - half + 0.5 * (2.0 * pi).ln() + 1.0 / (12.0 * half)
                    - 1.0 / (360.0 * half.powi(3));
            let expected = half * pi.ln() - log_gamma;
            let off = log_unit_ball(dimension) / expected - 1.0;
            assert!(off.abs() < 1e-11, "{off}");
        }
    }

    #[test]
    fn the_jackknife_of_equal_numbers_is_zero_and_of_two_half_their_distance() {
        assert_eq!(jackknife(&[3.0; 5]), 0.0);
        assert!((jackknife(&[1000.0, 1001.0]) - 0.5).abs() < 1e-12);
        assert!((largest_share(&[7.0, 7.0, -1e6]) - 0.5).abs() < 1e-12);
    }
}
