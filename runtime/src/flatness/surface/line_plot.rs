//! The loss along a line as an SVG picture.

use super::Profile;
use super::picture::{Picture, path};
use super::scale::Scale;
use crate::svg::{GREY, short, ticks};

const LOSS: &str = "#2f81f7";
const ACCURACY: &str = "#d9822b";
const WIDTH: f64 = 840.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 84.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = TOP + 320.0;
const WHOLE: f64 = BOTTOM + 56.0;

impl Profile {
    /// The loss along the line as an SVG picture, on a logarithmic scale where the largest is many times
    /// the smallest, and the accuracy with it, where there is one. The line is interrupted where the
    /// loss is not finite, and leaves the picture where it explodes. No background: it is
    /// readable on a light one and on a dark one.
    pub fn svg(&self) -> String {
        let scale = Scale::of(&self.losses);
        let ends = (self.alphas.first(), self.alphas.last());
        let (low, high) = match ends {
            (Some(low), Some(high)) if low < high => (*low, *high),
            _ => (-1.0, 1.0),
        };
        let x = |alpha: f64| LEFT + (alpha - low) / (high - low) * (RIGHT - LEFT);
        // A little room above and below.
        let up = |share: f64| BOTTOM - (0.03 + 0.94 * share) * (BOTTOM - TOP);
        let title = match scale.logarithmic {
            true => "loss along a line, on a logarithmic scale",
            false => "loss along a line",
        };
        let mut picture = Picture::new(WIDTH, WHOLE, title);
        for alpha in ticks(low, high, 10.0) {
            let x = x(alpha);
            picture.put(format_args!(
                "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>"
            ));
            picture.text([x, BOTTOM + 18.0], "middle", &short(alpha));
        }
        for level in &scale.levels {
            let y = up(scale.height(*level));
            picture.put(format_args!(
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{GREY}\" stroke-opacity=\"0.25\"/>"
            ));
            picture.text([LEFT - 8.0, y + 4.0], "end", &short(*level));
        }
        picture.put(format_args!(
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"{GREY}\"/>"
        ));
        picture.text([(LEFT + RIGHT) / 2.0, BOTTOM + 42.0], "middle", "α");
        picture.upright([20.0, (TOP + BOTTOM) / 2.0], "loss");
        if self.accuracies.iter().any(Option::is_some) {
            self.curve(&mut picture, &self.accuracies, ACCURACY, |alpha, share| {
                [x(alpha), up(share)]
            });
            for percent in [0, 20, 40, 60, 80, 100] {
                let y = up(f64::from(percent) / 100.0);
                picture.text([RIGHT + 8.0, y + 4.0], "start", &format!("{percent} %"));
            }
            let middle = (TOP + BOTTOM) / 2.0;
            picture.upright([WIDTH - 20.0, middle], "accuracy");
            for (x, colour, name) in [
                (RIGHT - 160.0, LOSS, "loss"),
                (RIGHT - 86.0, ACCURACY, "accuracy"),
            ] {
                let y = TOP - 12.0;
                picture.put(format_args!(
                    "<path d=\"M{x} {}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                    y - 4.0
                ));
                picture.text([x + 30.0, y], "start", name);
            }
        }
        self.curve(&mut picture, &self.losses, LOSS, |alpha, loss| {
            [x(alpha), up(scale.height(loss))]
        });
        picture.finished()
    }

    fn curve(
        &self,
        picture: &mut Picture,
        values: &[Option<f64>],
        colour: &str,
        place: impl Fn(f64, f64) -> [f64; 2],
    ) {
        let points: Vec<_> = self.alphas.iter().zip(values).collect();
        for piece in points.split(|(_, value)| value.is_none()) {
            let places = piece
                .iter()
                .filter_map(|(alpha, value)| Some(place(**alpha, (**value)?)));
            picture.put(format_args!(
                "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
                path(places),
            ));
        }
    }
}
