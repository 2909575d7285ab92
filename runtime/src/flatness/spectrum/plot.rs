//! The density of eigenvalues as an SVG picture.

use std::fmt::Write;

use super::density::SpectralDensity;
use crate::svg::{FONTS, GREY, short, ticks};

const CURVE: &str = "#2f81f7";
const WIDTH: f64 = 840.0;
/// The area of the curve.
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = TOP + 300.0;
const WHOLE: f64 = BOTTOM + 56.0;
/// Two a pixel.
const POINTS: usize = 1600;
/// Powers of ten: a single eigenvalue of a million is seen.
const DECADES: f64 = 7.0;

impl SpectralDensity {
    /// The density as an SVG picture: eigenvalues below, the density at the left on a logarithmic
    /// scale, seven powers of ten of it. It has no background and is readable on a light one and
    /// on a dark one.
    pub fn svg(&self) -> String {
        let mut curve = self.grid(POINTS);
        // A peak may be narrower than two points are apart.
        let nodes = self.runs.iter().flat_map(|run| &run.nodes);
        curve.extend(nodes.map(|node| (*node, self.at(*node))));
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        let highest = curve
            .iter()
            .fold(f64::MIN_POSITIVE, |highest, (_, density)| {
                highest.max(*density)
            });
        let highest = highest.log10();
        let (low, high) = (curve[0].0, curve[curve.len() - 1].0);
        let x = |value: f64| LEFT + (value - low) / (high - low) * (RIGHT - LEFT);
        // A little room above the peak.
        let y = |power: f64| TOP + (highest + 0.2 - power) / (DECADES + 0.2) * (BOTTOM - TOP);
        let title = format!(
            "density of {} eigenvalues, from {} to {}",
            self.size,
            short(self.range().0),
            short(self.range().1),
        );
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{WHOLE}\" \
             viewBox=\"0 0 {WIDTH} {WHOLE}\" role=\"img\" font-family=\"{FONTS}\" \
             font-size=\"12\" fill=\"{GREY}\">\n<title>{title}</title>\n",
        );
        let mut put = |line: std::fmt::Arguments| {
            // Writing into a string does not fail.
            let _ = writeln!(svg, "{line}");
        };
        let middle = (LEFT + RIGHT) / 2.0;
        put(format_args!(
            "<text x=\"{middle}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">{title}</text>"
        ));
        for value in ticks(low, high, 10.0) {
            let x = x(value);
            put(format_args!(
                "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                BOTTOM + 18.0,
                short(value),
            ));
        }
        for decade in 0..DECADES as i32 {
            let power = highest.floor() as i32 - decade;
            let y = y(f64::from(power));
            put(format_args!(
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{power}</text>",
                LEFT - 8.0,
                y + 4.0,
            ));
        }
        put(format_args!(
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"{GREY}\"/>"
        ));
        put(format_args!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"13\">eigenvalue</text>",
            BOTTOM + 42.0,
        ));
        put(format_args!(
            "<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\" \
             font-size=\"13\">density</text>",
            (TOP + BOTTOM) / 2.0,
        ));
        let points = curve.iter().map(|(value, density)| {
            let power = density.log10().max(highest - DECADES);
            format!("{:.1},{:.1}", x(*value), y(power))
        });
        put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{CURVE}\" stroke-width=\"2\" \
             stroke-linejoin=\"round\"/>\n</svg>",
            points.collect::<Vec<_>>().join(" "),
        ));
        svg
    }
}
