//! A range test as an SVG picture.

use std::fmt::Write;

use super::{RangePoint, RateCurve};
use crate::svg::{FONTS, GREY, short, ticks};

const SMOOTHED: &str = "#2f81f7";
const SUGGESTED: &str = "#d9822b";
const WIDTH: f64 = 840.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = TOP + 320.0;
const WHOLE: f64 = BOTTOM + 56.0;

impl RateCurve {
    /// The loss over the learning rate as an SVG picture, the rate on a logarithmic scale: the
    /// losses in grey, the smoothed ones as a line, the suggestions marked. It has no background and
    /// is readable on a light one and on a dark one.
    pub fn svg(&self) -> String {
        let title = "learning-rate range test";
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{WHOLE}\" \
             viewBox=\"0 0 {WIDTH} {WHOLE}\" role=\"img\" font-family=\"{FONTS}\" \
             font-size=\"12\" fill=\"{GREY}\">\n<title>{title}</title>\n\
             <text x=\"{}\" y=\"22\" text-anchor=\"middle\" font-size=\"14\">{title}</text>\n",
            WIDTH / 2.0,
        );
        let rates = (self.points.first(), self.points.last());
        let (first, last) = match rates {
            (Some(first), Some(last)) if first.rate < last.rate => (first.rate, last.rate),
            _ => (1e-7, 10.0),
        };
        // What explodes leaves the picture.
        let smoothed = self.points.iter().map(|point| point.smoothed);
        let losses = self.points.iter().map(|point| point.loss);
        let low = losses.chain(smoothed.clone()).fold(1e300, f64::min);
        let begun = self.points.first().map_or(1.0, |point| point.smoothed);
        let high = smoothed
            .fold(begun, f64::max)
            .min(low + 2.0 * (begun - low));
        let (low, high) = match high > low {
            true => (low, high),
            false => (low - 1.0, low + 1.0),
        };
        let x = |rate: f64| LEFT + (rate / first).ln() / (last / first).ln() * (RIGHT - LEFT);
        let y = |loss: f64| {
            let share = ((loss - low) / (high - low)).clamp(-0.03, 1.03);
            BOTTOM - (0.05 + 0.9 * share) * (BOTTOM - TOP)
        };
        let mut put = |line: std::fmt::Arguments| {
            // Writing into a string does not fail.
            let _ = writeln!(svg, "{line}");
        };
        for power in first.log10().ceil() as i32..=last.log10().floor() as i32 {
            let (rate, text) = (10f64.powi(power), format!("1e{power}"));
            put(format_args!(
                "<path d=\"M{0:.1} {TOP}V{BOTTOM}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{0:.1}\" y=\"{1}\" text-anchor=\"middle\">{text}</text>",
                x(rate),
                BOTTOM + 18.0,
            ));
        }
        for loss in ticks(low, high, 6.0) {
            put(format_args!(
                "<path d=\"M{LEFT} {0:.1}H{RIGHT}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
                y(loss),
                LEFT - 8.0,
                y(loss) + 4.0,
                short(loss),
            ));
        }
        put(format_args!(
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"{GREY}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"13\">learning rate</text>\
             <text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\" \
             font-size=\"13\">loss</text>",
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 42.0,
            (TOP + BOTTOM) / 2.0,
        ));
        // Each name on the side away from the other line.
        let right = self.steepest >= self.tenth_of_minimum;
        for (rate, name, right) in [
            (self.steepest, "steepest", right),
            (self.tenth_of_minimum, "minimum / 10", !right),
        ] {
            let (anchor, aside) = if right { ("start", -4.0) } else { ("end", 4.0) };
            if let Some(rate) = rate {
                put(format_args!(
                    "<path d=\"M{0:.1} {TOP}V{BOTTOM}\" stroke=\"{SUGGESTED}\" \
                     stroke-dasharray=\"4 4\"/><text x=\"{3:.1}\" y=\"{1}\" \
                     text-anchor=\"{anchor}\" fill=\"{SUGGESTED}\">{name} {2}</text>",
                    x(rate.max(first)),
                    TOP - 6.0,
                    short(rate),
                    x(rate.max(first)) + aside,
                ));
            }
        }
        let line = |of: fn(&RangePoint) -> f64| {
            let points = self.points.iter();
            let points = points.map(|point| format!("{:.1},{:.1}", x(point.rate), y(of(point))));
            points.collect::<Vec<_>>().join(" ")
        };
        for (points, stroke, width) in [
            (line(|point| point.loss), GREY, 1.0),
            (line(|point| point.smoothed), SMOOTHED, 2.0),
        ] {
            put(format_args!(
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" \
                 stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
            ));
        }
        svg.push_str("</svg>");
        svg
    }
}
