//! A surface from above as an SVG picture.

use std::fmt::Write;

use super::Surface;
use super::picture::{Picture, path, trail};
use super::scale::Scale;
use crate::svg::{GREY, short, ticks};

const WIDTH: f64 = 780.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = LEFT + 580.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = TOP + 580.0;
const WHOLE: f64 = BOTTOM + 56.0;
/// How far labels of lines are apart, and how long a line is that has one.
const APART: f64 = 44.0;
const LABELLED: f64 = 90.0;

impl Surface {
    /// The surface from above as an SVG picture: lines of equal loss with their values, areas in
    /// colours, and the path of the training where it is that of one. Values are equally far apart, or
    /// their logarithms where the largest loss is many times the smallest; what explodes has
    /// the last colour, and what is not finite is hatched.
    pub fn contours_svg(&self) -> String {
        let scale = Scale::of(&self.losses);
        let (low, high) = (self.corner(false), self.corner(true));
        let place = |at: [f64; 2]| {
            let share = |axis: usize| (at[axis] - low[axis]) / (high[axis] - low[axis]);
            [
                LEFT + share(0) * (RIGHT - LEFT),
                BOTTOM - share(1) * (BOTTOM - TOP),
            ]
        };
        let mut picture = Picture::new(WIDTH, WHOLE, &self.title(&scale));
        if self.losses.iter().any(Option::is_none) {
            picture.put(format_args!(
                "<pattern id=\"missing\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\"><path d=\"M0 0V8\" stroke=\"{GREY}\" \
                 stroke-width=\"3\" stroke-opacity=\"0.5\"/></pattern>\
                 <path d=\"M{LEFT} {TOP}H{RIGHT}V{BOTTOM}H{LEFT}z\" fill=\"url(#missing)\"/>"
            ));
            let (x, y) = (RIGHT + 24.0, BOTTOM - 14.0);
            picture.put(format_args!(
                "<path d=\"M{x} {y}h18v14h-18z\" fill=\"url(#missing)\" stroke=\"{GREY}\"/>"
            ));
            picture.text([x + 24.0, y + 11.0], "start", "no value");
        }
        // Between points the logarithm is linear where the scale is logarithmic.
        let losses = self.losses.iter().map(|loss| Some(scale.place((*loss)?)));
        let scaled = Surface {
            losses: losses.collect(),
            ..self.clone()
        };
        let bound = |level: f64| match level.is_finite() {
            true => scale.place(level),
            false => level,
        };
        for (low, high, colour) in scale.bands() {
            let mut areas = String::new();
            for area in scaled.areas(bound(low), bound(high)) {
                let corners = area.into_iter().map(|[x, y, _]| place([x, y]));
                // Writing into a string does not fail.
                let _ = write!(areas, "{}z", path(corners));
            }
            // The stroke closes the seams between triangles.
            picture.put(format_args!(
                "<path d=\"{areas}\" fill=\"{colour}\" stroke=\"{colour}\" stroke-width=\"0.7\"/>"
            ));
        }
        let mut labels: Vec<([f64; 2], f64, f64)> = Vec::new();
        for level in &scale.levels {
            for line in scaled.contour(scale.place(*level)) {
                let line: Vec<[f64; 2]> = line.into_iter().map(place).collect();
                picture.put(format_args!(
                    "<path d=\"{}\" fill=\"none\" stroke=\"#ffffff\" stroke-opacity=\"0.8\"/>",
                    path(line.iter().copied()),
                ));
                let free =
                    |at: [f64; 2]| labels.iter().all(|(other, ..)| length(at, *other) > APART);
                labels.extend(label(&line, free).map(|(at, turn)| (at, turn, *level)));
            }
        }
        for ([x, y], turn, level) in labels {
            picture.put(format_args!(
                "<text transform=\"translate({x:.1} {y:.1}) rotate({turn:.0})\" dy=\"4\" \
                 text-anchor=\"middle\" font-size=\"11\" fill=\"#ffffff\" stroke=\"#202020\" \
                 stroke-width=\"2.5\" paint-order=\"stroke\">{}</text>",
                short(level),
            ));
        }
        if !self.path.is_empty() {
            let places: Vec<_> = self.path.iter().map(|at| place(*at)).collect();
            trail(&mut picture, &places);
        }
        for x in ticks(low[0], high[0], 8.0) {
            let [at, _] = place([x, low[1]]);
            picture.put(format_args!(
                "<path d=\"M{at:.1} {BOTTOM}v5\" stroke=\"{GREY}\"/>"
            ));
            picture.text([at, BOTTOM + 19.0], "middle", &short(x));
        }
        for y in ticks(low[1], high[1], 8.0) {
            let [_, at] = place([low[0], y]);
            picture.put(format_args!(
                "<path d=\"M{LEFT} {at:.1}h-5\" stroke=\"{GREY}\"/>"
            ));
            picture.text([LEFT - 9.0, at + 4.0], "end", &short(y));
        }
        picture.put(format_args!(
            "<path d=\"M{LEFT} {TOP}H{RIGHT}V{BOTTOM}H{LEFT}z\" fill=\"none\" stroke=\"{GREY}\"/>"
        ));
        let [first, second] = self.axes();
        picture.text([(LEFT + RIGHT) / 2.0, BOTTOM + 42.0], "middle", &first);
        picture.upright([20.0, (TOP + BOTTOM) / 2.0], &second);
        picture.legend([RIGHT + 24.0, TOP + 16.0], BOTTOM - TOP - 56.0, &scale);
        picture.finished()
    }

    /// The least place of both axes, or the largest.
    pub(super) fn corner(&self, last: bool) -> [f64; 2] {
        [&self.x, &self.y].map(|axis| {
            let ends = (axis.first(), axis.last());
            match ends {
                (Some(low), Some(high)) if low < high => *(if last { high } else { low }),
                _ => f64::from(u8::from(last)),
            }
        })
    }

    pub(super) fn title(&self, scale: &Scale) -> String {
        let mut title = "loss".to_owned();
        if scale.logarithmic {
            title.push_str(" on a logarithmic scale");
        }
        if scale.cut {
            let _ = write!(title, ", cut off at {}", short(scale.high));
        }
        title
    }

    pub(super) fn axes(&self) -> [String; 2] {
        [0, 1].map(|axis| {
            let name = ["first", "second"][axis];
            match self.explained {
                Some(shares) => format!(
                    "{name} component, {:.1} % of the variance",
                    100.0 * shares[axis]
                ),
                None => format!("{name} direction"),
            }
        })
    }
}

fn length([x, y]: [f64; 2], [to_x, to_y]: [f64; 2]) -> f64 {
    (x - to_x).hypot(y - to_y)
}

/// Where a label stands on a line that is long enough for one, and how it is turned, in degrees:
/// the place next to the middle that is free.
fn label(line: &[[f64; 2]], free: impl Fn([f64; 2]) -> bool) -> Option<([f64; 2], f64)> {
    let whole: f64 = line.windows(2).map(|pair| length(pair[0], pair[1])).sum();
    if whole < LABELLED {
        return None;
    }
    let inside = |[x, y]: [f64; 2]| {
        (LEFT + 20.0..RIGHT - 20.0).contains(&x) && (TOP + 12.0..BOTTOM - 12.0).contains(&y)
    };
    let middle = line.len() / 2;
    let mut places: Vec<usize> = (2..line.len().saturating_sub(2)).collect();
    places.sort_by_key(|at| at.abs_diff(middle));
    let at = places
        .into_iter()
        .find(|at| inside(line[*at]) && free(line[*at]))?;
    let ([x, y], [to_x, to_y]) = (line[at - 2], line[at + 2]);
    // Upright, from the left to the right.
    let turn = (to_y - y).atan2(to_x - x).to_degrees();
    let turn = match turn {
        turn if turn > 90.0 => turn - 180.0,
        turn if turn < -90.0 => turn + 180.0,
        turn => turn,
    };
    Some((line[at], turn))
}
