//! What the pictures of lines and surfaces share.

use std::fmt::{Arguments, Write};

use super::scale::Scale;
use crate::svg::{FONTS, GREY, short};

/// An SVG picture, line by line.
pub(super) struct Picture(String);

impl Picture {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Picture {
        let middle = width / 2.0;
        Picture(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{FONTS}\" \
             font-size=\"12\" fill=\"{GREY}\">\n<title>{title}</title>\n\
             <text x=\"{middle}\" y=\"22\" text-anchor=\"middle\" font-size=\"14\">{title}</text>\n",
        ))
    }

    pub(super) fn put(&mut self, line: Arguments) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// Text at a place: from there on, before it, or around it.
    pub(super) fn text(&mut self, [x, y]: [f64; 2], anchor: &str, text: &str) {
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    /// The name of an axis that goes up.
    pub(super) fn upright(&mut self, [x, y]: [f64; 2], text: &str) {
        self.put(format_args!(
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\" \
             font-size=\"13\">{text}</text>"
        ));
    }

    /// The colours of a scale with their losses, its upper left corner at `[x, y]`.
    pub(super) fn legend(&mut self, [x, y]: [f64; 2], height: f64, scale: &Scale) {
        let bands: Vec<_> = scale.bands().collect();
        let step = height / bands.len() as f64;
        let mut bottom = y + height;
        for (_, high, colour) in &bands {
            let top = bottom - step;
            self.put(format_args!(
                "<path d=\"M{x} {top:.1}h18v{step:.2}h-18z\" fill=\"{colour}\"/>"
            ));
            if high.is_finite() {
                self.text([x + 24.0, top + 4.0], "start", &short(*high));
            }
            bottom = top;
        }
        self.put(format_args!(
            "<path d=\"M{x} {y}h18v{height}h-18z\" fill=\"none\" stroke=\"{GREY}\"/>"
        ));
        self.text([x, y - 8.0], "start", "loss");
    }

    pub(super) fn finished(mut self) -> String {
        self.0.push_str("</svg>");
        self.0
    }
}

/// `M x y L x y ..`.
pub(super) fn path(places: impl IntoIterator<Item = [f64; 2]>) -> String {
    let mut path = String::new();
    for (at, [x, y]) in places.into_iter().enumerate() {
        let letter = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{x:.1} {y:.1}");
    }
    path
}

/// The colour of the path of a training: on all colours of the scale.
pub(super) const PATH: &str = "#ff4d4d";

/// The path of a training over a surface: its places, with the first and the last marked.
pub(super) fn trail(picture: &mut Picture, places: &[[f64; 2]]) {
    let line = path(places.iter().copied());
    for (stroke, width) in [("#ffffff", 4.0), (PATH, 2.0)] {
        picture.put(format_args!(
            "<path d=\"{line}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"/>"
        ));
    }
    for [x, y] in places {
        picture.put(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{PATH}\" stroke=\"#ffffff\"/>"
        ));
    }
    for (place, name) in [(places.first(), "start"), (places.last(), "end")] {
        if let Some([x, y]) = place {
            picture.put(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{PATH}\" stroke=\"#ffffff\" \
                 stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" \
                 fill=\"#ffffff\" stroke=\"#202020\" stroke-width=\"3\" paint-order=\"stroke\">\
                 {name}</text>",
                x + 10.0,
                y - 8.0,
            ));
        }
    }
}
