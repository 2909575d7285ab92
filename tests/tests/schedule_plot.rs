//! The picture of a schedule: that it is well formed, says what it shows, and shows the rates.

use kiln::schedule;
use kiln::schedule::{Horizon, Schedule};
use xml::reader::{EventReader, XmlEvent};

schedule! {
    /// Jumps, curves, and a letter that XML has its own use for.
    pub struct Drawn {}
    peak 0.4;
    warmup(5 epochs) -> cosine_restarts(45 epochs, period: 15 epochs, mult: 2, decay: 0.5)
        -> plateau(on: "a < b & c", mode: min);
}

/// The texts of a picture, and the points of its only curve.
fn read(svg: &str) -> (Vec<String>, Vec<[f64; 2]>) {
    let (mut texts, mut curves) = (Vec::new(), Vec::new());
    for event in EventReader::from_str(svg) {
        match event.unwrap_or_else(|error| panic!("{error} in {svg}")) {
            XmlEvent::Characters(text) => texts.push(text),
            XmlEvent::StartElement { attributes, .. } => {
                let attribute = |key: &str| {
                    let found = attributes.iter().find(|found| found.name.local_name == key);
                    found.map(|found| found.value.as_str())
                };
                if attribute("stroke") == Some("#2f81f7") {
                    curves.extend(attribute("points").map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    assert_eq!(curves.len(), 1);
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let points = curves[0].split_whitespace().map(|point| {
        let (x, y) = point.split_once(',').unwrap_or_else(|| panic!("{point}"));
        [number(x), number(y)]
    });
    (texts, points.collect())
}

#[test]
fn a_picture_says_what_it_shows_and_shows_the_rates() {
    let horizon = Horizon {
        steps: 6000,
        steps_per_epoch: 100,
        batch: 128,
    };
    let rate = Drawn::new().over(&horizon).unwrap();
    let svg = rate.svg();
    if let Ok(path) = std::env::var("KILN_PICTURE") {
        std::fs::write(path, &svg).unwrap();
    }
    let (texts, points) = read(&svg);
    let words = rate.plan().to_string();
    assert_eq!(texts[0], words);
    assert!(texts[1..].join(" ").starts_with(&words), "{texts:?}");
    for wanted in ["epoch", "learning rate", "0", "0.4", "60"] {
        assert!(
            texts.iter().any(|text| text == wanted),
            "{wanted} in {texts:?}"
        );
    }
    let [left, bottom] = points[0];
    let right = points[points.len() - 1][0];
    let top = points.iter().fold(bottom, |top, [_, y]| top.min(*y));
    for [x, y] in points {
        let step = (x - left) / (right - left) * horizon.steps as f64;
        let shown = (bottom - y) / (bottom - top) * 0.4;
        let pixel = horizon.steps as f64 / (right - left);
        let near = (-2..=2).map(|pixels| {
            let step = (step + f64::from(pixels) * pixel).clamp(0.0, horizon.steps as f64);
            rate.at(step as u64)
        });
        let (low, high) = near.fold((f64::MAX, 0.0f64), |(low, high), rate| {
            (low.min(rate), high.max(rate))
        });
        let tolerance = 0.4 / (bottom - top);
        assert!(
            (low - tolerance..=high + tolerance).contains(&shown),
            "{shown} at step {step}, not in {low}..={high}"
        );
    }
}

#[test]
fn the_largest_and_the_smallest_rates_are_drawn() {
    let horizon = Horizon {
        steps: 1,
        steps_per_epoch: 1_000_000,
        batch: 1,
    };
    schedule! {
        struct Peak { height: f64 = 1.0 }
        peak height;
        constant;
    }
    for height in [5e-324, 1e-300, 1e-9, 1.0, 1e9, 1e308] {
        let rate = Peak::new().with_height(height).over(&horizon).unwrap();
        let (texts, points) = read(&rate.svg());
        assert!(texts.iter().any(|text| text == "learning rate"));
        assert!(
            points.iter().flatten().all(|number| number.is_finite()),
            "{height}"
        );
    }
}
