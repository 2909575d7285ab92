//! Lines and areas of equal loss over a surface.
//!
//! Each square of the grid is split into four triangles at its middle, over which the loss is linear:
//! unlike in a square, a line enters and leaves a triangle in one way.

use std::collections::BTreeMap;

use super::Surface;

/// A place in the plane, and the loss there.
pub(super) type Corner = [f64; 3];

/// The ends of an edge of a triangle, as numbers of corners, the smaller first.
type Edge = (usize, usize);

impl Surface {
    /// The lines along which the loss is `level`: each as its points in order, in units of the
    /// directions, one that closes with its first point again at its end. Squares of the grid that lack a
    /// point have none.
    ///
    /// ```
    /// use kiln::flatness::Surface;
    ///
    /// // x² + y².
    /// let along: Vec<f64> = (-10..=10).map(|at| f64::from(at) / 10.0).collect();
    /// let losses = along.iter().flat_map(|y| along.iter().map(move |x| Some(x * x + y * y)));
    /// let surface = Surface {
    ///     losses: losses.collect(),
    ///     accuracies: vec![None; 441],
    ///     x: along.clone(),
    ///     y: along,
    ///     path: vec![],
    ///     explained: None,
    ///     complete: true,
    /// };
    /// let circle = surface.contour(0.25).remove(0);
    /// assert!(circle.iter().all(|[x, y]| (x.hypot(*y) - 0.5).abs() < 0.01));
    /// assert_eq!(circle.first(), circle.last());
    /// ```
    pub fn contour(&self, level: f64) -> Vec<Vec<[f64; 2]>> {
        // For each edge that the line crosses, where, and the other edges of its triangles.
        let mut crossed: BTreeMap<Edge, ([f64; 2], Vec<Edge>)> = BTreeMap::new();
        for triangle in self.triangles() {
            let mut pair = Vec::new();
            for at in 0..3 {
                let ((from, a), (to, b)) = (triangle[at], triangle[(at + 1) % 3]);
                // A corner at the level counts as above it: no line goes through a corner.
                if (a[2] < level) != (b[2] < level) {
                    // From the smaller number, so that both triangles come to the same bits.
                    let ((from, a), (to, b)) = match from < to {
                        true => ((from, a), (to, b)),
                        false => ((to, b), (from, a)),
                    };
                    pair.push(((from, to), crossing(a, b, level)));
                }
            }
            if let [(one, here), (other, there)] = pair[..] {
                crossed.entry(one).or_insert((here, vec![])).1.push(other);
                crossed.entry(other).or_insert((there, vec![])).1.push(one);
            }
        }
        let mut lines = Vec::new();
        // Those that end at a border first; what remains is closed.
        let ends: Vec<Edge> = crossed
            .iter()
            .filter(|(_, (_, next))| next.len() == 1)
            .map(|(edge, _)| *edge)
            .collect();
        for end in ends {
            lines.extend(walk(&mut crossed, end));
        }
        while let Some(edge) = crossed.keys().next().copied() {
            if let Some(mut line) = walk(&mut crossed, edge) {
                line.push(line[0]);
                lines.push(line);
            }
        }
        lines
    }

    /// The part of each triangle in which the loss is between `low` and `high`.
    pub(super) fn areas(&self, low: f64, high: f64) -> impl Iterator<Item = Vec<Corner>> {
        self.triangles().filter_map(move |triangle| {
            let corners = triangle.map(|(_, corner)| corner).to_vec();
            let above = clipped(&corners, low, |value| value >= low);
            let between = clipped(&above, high, |value| value <= high);
            (between.len() > 2).then_some(between)
        })
    }

    /// All triangles, with the numbers of their corners.
    fn triangles(&self) -> impl Iterator<Item = [(usize, Corner); 3]> {
        let (columns, rows) = (self.x.len(), self.y.len());
        let squares = (1..rows).flat_map(move |row| (1..columns).map(move |column| (column, row)));
        squares.flat_map(move |(column, row)| {
            let around = [
                (column - 1, row - 1),
                (column, row - 1),
                (column, row),
                (column - 1, row),
            ];
            let corner = |(column, row): (usize, usize)| {
                let loss = self.at(column, row)?;
                let number = row * columns + column;
                Some((number, [self.x[column], self.y[row], loss]))
            };
            let corners: Option<Vec<_>> = around.into_iter().map(corner).collect();
            corners.into_iter().flat_map(move |corners| {
                let mean = |axis: usize| {
                    let terms = corners.iter().map(|(_, corner)| corner[axis] / 4.0);
                    terms.sum::<f64>()
                };
                // Behind those of the grid.
                let number = columns * rows + row * columns + column;
                let middle = (number, [mean(0), mean(1), mean(2)]);
                let triangle = |at: usize| [corners[at], corners[(at + 1) % 4], middle];
                [0, 1, 2, 3].map(triangle)
            })
        })
    }
}

/// Where between two corners the loss is `level`.
fn crossing(a: Corner, b: Corner, level: f64) -> [f64; 2] {
    let share = (level - a[2]) / (b[2] - a[2]);
    [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]
}

/// The line from `edge` on, which is taken out of `crossed`.
fn walk(crossed: &mut BTreeMap<Edge, ([f64; 2], Vec<Edge>)>, edge: Edge) -> Option<Vec<[f64; 2]>> {
    let (place, mut next) = crossed.remove(&edge)?;
    let mut line = vec![place];
    while let Some(edge) = next.into_iter().find(|edge| crossed.contains_key(edge)) {
        let (place, following) = crossed.remove(&edge)?;
        line.push(place);
        next = following;
    }
    Some(line)
}

/// The part of a convex polygon on one side of a level (Sutherland and Hodgman 1974).
fn clipped(corners: &[Corner], level: f64, inside: impl Fn(f64) -> bool) -> Vec<Corner> {
    let mut kept = Vec::new();
    for (at, corner) in corners.iter().enumerate() {
        let next = corners[(at + 1) % corners.len()];
        if inside(corner[2]) {
            kept.push(*corner);
        }
        if inside(corner[2]) != inside(next[2]) {
            let [x, y] = crossing(*corner, next, level);
            kept.push([x, y, level]);
        }
    }
    kept
}
