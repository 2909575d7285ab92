//! The learning rate over a training as an SVG picture.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::Rate;
use crate::svg::{FONTS, GREY, escaped, short, ticks};

const CURVE: &str = "#2f81f7";
const WIDTH: f64 = 840.0;
/// The area of the curve: its left and right end, and its height.
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 24.0;
const HEIGHT: f64 = 300.0;
/// Above the area beside the title, and below it for the numbers and the name of the axis.
const ABOVE: f64 = 24.0;
const BELOW: f64 = 56.0;
/// Of the title: from line to line, and letters in a line.
const SPACING: f64 = 20.0;
const LETTERS: usize = 105;
/// Two a pixel: a jump is drawn upright.
const POINTS: u64 = 1600;

impl Rate {
    /// The learning rate over the horizon as an SVG picture: epochs below, the rate at the left, the
    /// schedule in words above. It has no background and is readable on a light one and on a dark
    /// one. What a plateau did until now is in it.
    ///
    /// ```
    /// use kiln::schedule::{Horizon, Schedule};
    ///
    /// kiln::schedule! {
    ///     /// Warmup, then half a cosine.
    ///     pub struct Cosine;
    ///     peak 3.0;
    ///     warmup(10 %) -> cosine;
    /// }
    ///
    /// let rate = Cosine::new().over(&Horizon { steps: 1000, steps_per_epoch: 100, batch: 32 })?;
    /// let picture = rate.svg();
    /// assert!(picture.starts_with("<svg") && picture.contains("then cosine to 0"));
    /// # Ok::<(), kiln::schedule::ScheduleError>(())
    /// ```
    pub fn svg(&self) -> String {
        let horizon = self.horizon();
        let (steps, epoch) = (horizon.steps as f64, horizon.steps_per_epoch as f64);
        let points = horizon.steps.min(POINTS);
        let even = (0..=points).map(|point| (point as f64 / points as f64 * steps) as u64);
        // The peak is often where a phase begins.
        let begins = self.starts().filter(|start| *start <= horizon.steps);
        let drawn: BTreeSet<u64> = even.chain(begins).collect();
        let curve: Vec<(f64, f64)> = drawn
            .into_iter()
            .map(|step| (step as f64 / steps, self.at(step)))
            .collect();
        let highest = curve
            .iter()
            .fold(f64::MIN_POSITIVE, |highest, (_, rate)| highest.max(*rate));
        let title = self.plan().to_string();
        let lines = lines(&title);
        let top = lines.len() as f64 * SPACING + ABOVE;
        let bottom = top + HEIGHT;
        let x = |share: f64| LEFT + share * (RIGHT - LEFT);
        // A little room above the peak.
        let y = |rate: f64| bottom - rate / highest / 1.04 * HEIGHT;
        let whole = bottom + BELOW;

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{whole}\" \
             viewBox=\"0 0 {WIDTH} {whole}\" role=\"img\" font-family=\"{FONTS}\" \
             font-size=\"12\" fill=\"{GREY}\">\n<title>{}</title>\n",
            escaped(&title),
        );
        let mut put = |line: std::fmt::Arguments| {
            // Writing into a string does not fail.
            let _ = writeln!(svg, "{line}");
        };
        let middle = (LEFT + RIGHT) / 2.0;
        for (line, text) in lines.iter().enumerate() {
            put(format_args!(
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"14\">{}</text>",
                (line + 1) as f64 * SPACING,
                escaped(text),
            ));
        }
        for epochs in ticks(0.0, steps / epoch, 10.0) {
            let x = x(epochs * epoch / steps);
            put(format_args!(
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                short(epochs),
            ));
        }
        for rate in ticks(0.0, highest, 5.0) {
            let y = y(rate);
            put(format_args!(
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                short(rate),
            ));
        }
        put(format_args!(
            "<path d=\"M{LEFT} {top}V{bottom}H{RIGHT}\" fill=\"none\" stroke=\"{GREY}\"/>"
        ));
        put(format_args!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"13\">epoch</text>",
            bottom + 42.0,
        ));
        put(format_args!(
            "<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\" \
             font-size=\"13\">learning rate</text>",
            (top + bottom) / 2.0,
        ));
        let points = curve
            .iter()
            .map(|(share, rate)| format!("{:.1},{:.1}", x(*share), y(*rate)));
        put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{CURVE}\" stroke-width=\"2\" \
             stroke-linejoin=\"round\"/>\n</svg>",
            points.collect::<Vec<_>>().join(" "),
        ));
        svg
    }
}

/// `text` in lines of at most [`LETTERS`] letters, where its words allow.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < LETTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
