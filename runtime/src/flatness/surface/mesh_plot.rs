//! A surface in three dimensions as an SVG picture.

use super::Surface;
use super::picture::{Picture, trail};
use super::scale::{Scale, colour};
use crate::svg::{GREY, short};

const WIDTH: f64 = 780.0;
const HEIGHT: f64 = 700.0;
/// Where the middle of the ground is seen.
const MIDDLE: [f64; 2] = [350.0, 450.0];
/// Of the ground's edges and of the largest loss above it.
const EDGE: f64 = 380.0;
const TALL: f64 = 210.0;
/// Where the observer stands: turned about the vertical, and above the ground.
const TURN: f64 = 0.61;
const ABOVE: f64 = 0.7;
/// Where the light comes from.
const LIGHT: [f64; 3] = [-0.35, -0.45, 0.82];

/// A place in space: on the ground from -1/2 to 1/2, up from 0 to 1.
type Place = [f64; 3];

impl Surface {
    /// The surface in three dimensions as an SVG picture, seen from above at an angle, without
    /// perspective: heights are losses, or their logarithms where the largest is many times the
    /// smallest; what explodes is cut off, and where it is not finite there is a hole. The path of
    /// a training lies on it.
    pub fn mesh_svg(&self) -> String {
        let scale = Scale::of(&self.losses);
        let mut picture = Picture::new(WIDTH, HEIGHT, &self.title(&scale));
        let (low, high) = (self.corner(false), self.corner(true));
        let ground = |at: [f64; 2]| {
            let share = |axis: usize| (at[axis] - low[axis]) / (high[axis] - low[axis]) - 0.5;
            [share(0), share(1)]
        };
        for (from, to) in [
            ([-0.5, -0.5, 0.0], [0.5, -0.5, 0.0]),
            ([-0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
            ([-0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]),
            ([0.5, -0.5, 0.0], [0.5, 0.5, 0.0]),
            ([-0.5, 0.5, 0.0], [-0.5, 0.5, 1.0]),
        ] {
            let ([x, y], [to_x, to_y]) = (seen(from), seen(to));
            picture.put(format_args!(
                "<path d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\" stroke=\"{GREY}\" \
                 stroke-opacity=\"0.5\"/>"
            ));
        }
        for level in &scale.levels {
            let [x, y] = seen([-0.5, 0.5, scale.height(*level)]);
            picture.put(format_args!(
                "<path d=\"M{x:.1} {y:.1}h-5\" stroke=\"{GREY}\"/>"
            ));
            picture.text([x - 9.0, y + 4.0], "end", &short(*level));
        }
        // The two edges in front, from the left to the right.
        let front = [-0.5, -0.5, 0.0];
        let edges = [(0, front, [0.5, -0.5, 0.0]), (1, [-0.5, 0.5, 0.0], front)];
        for ((axis, from, to), name) in edges.into_iter().zip(self.axes()) {
            let ([x, y], [to_x, to_y]) = (seen(from), seen(to));
            let turn = (to_y - y).atan2(to_x - x).to_degrees();
            let (start, end) = match axis {
                0 => (low[0], high[0]),
                _ => (high[1], low[1]),
            };
            for (share, down, text) in [
                (0.06, 16, short(start)),
                (0.5, 34, name),
                (0.94, 16, short(end)),
            ] {
                picture.put(format_args!(
                    "<text transform=\"translate({:.1} {:.1}) rotate({turn:.1})\" dy=\"{down}\" \
                     text-anchor=\"middle\">{text}</text>",
                    x + share * (to_x - x),
                    y + share * (to_y - y),
                ));
            }
        }
        let mut faces = Vec::new();
        for row in 1..self.y.len() {
            for column in 1..self.x.len() {
                let around = [
                    (column - 1, row - 1),
                    (column, row - 1),
                    (column, row),
                    (column - 1, row),
                ];
                let corner = |(column, row): (usize, usize)| {
                    let [x, y] = ground([self.x[column], self.y[row]]);
                    Some([x, y, scale.height(self.at(column, row)?)])
                };
                let corners: Option<Vec<Place>> = around.into_iter().map(corner).collect();
                faces.extend(corners);
            }
        }
        // The furthest first.
        faces.sort_by(|a, b| far(b).total_cmp(&far(a)));
        for face in faces {
            let height = face.iter().map(|place| place[2]).sum::<f64>() / 4.0;
            let shade = colour(height, shade(&face));
            let corners = face.iter().map(|place| seen(*place));
            picture.put(format_args!(
                "<path d=\"{}z\" fill=\"{shade}\" stroke=\"#202020\" stroke-opacity=\"0.25\" \
                 stroke-width=\"0.5\" stroke-linejoin=\"round\"/>",
                super::picture::path(corners),
            ));
        }
        if !self.path.is_empty() {
            let places = self.path.iter().filter_map(|at| {
                let [x, y] = ground(*at);
                Some(seen([x, y, scale.height(self.between(*at)?)]))
            });
            trail(&mut picture, &places.collect::<Vec<_>>());
        }
        picture.legend([WIDTH - 90.0, 80.0], 360.0, &scale);
        picture.finished()
    }

    /// The loss between the points of the grid, linear in both directions.
    fn between(&self, at: [f64; 2]) -> Option<f64> {
        let cell = |axis: &[f64], at: f64| {
            let next = axis.iter().position(|place| *place >= at)?.max(1);
            let (low, high) = (axis[next - 1], *axis.get(next)?);
            Some((next, (at - low) / (high - low)))
        };
        let ((column, right), (row, up)) = (cell(&self.x, at[0])?, cell(&self.y, at[1])?);
        let along = |row: usize| {
            let (left, other) = (self.at(column - 1, row)?, self.at(column, row)?);
            Some(left * (1.0 - right) + other * right)
        };
        Some(along(row - 1)? * (1.0 - up) + along(row)? * up)
    }
}

/// Where a place is seen.
fn seen([x, y, up]: Place) -> [f64; 2] {
    let (sine, cosine) = TURN.sin_cos();
    let (right, away) = (x * cosine - y * sine, x * sine + y * cosine);
    [
        MIDDLE[0] + EDGE * right,
        MIDDLE[1] - EDGE * away * ABOVE - TALL * up,
    ]
}

/// How far away a face is.
fn far(face: &[Place]) -> f64 {
    let (sine, cosine) = TURN.sin_cos();
    face.iter().map(|[x, y, _]| x * sine + y * cosine).sum()
}

/// How bright a face is: by the angle of the light to it (Lambert).
fn shade(face: &[Place]) -> f64 {
    let across = |from: Place, to: Place| {
        let scale = [EDGE, EDGE, TALL];
        [0, 1, 2].map(|axis| (to[axis] - from[axis]) * scale[axis])
    };
    let [a, b] = [across(face[0], face[2]), across(face[1], face[3])];
    let normal = [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ];
    let dot = |a: Place, b: Place| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = dot(normal, normal).sqrt() * dot(LIGHT, LIGHT).sqrt();
    0.55 + 0.45 * (dot(normal, LIGHT) / length).max(0.0)
}
