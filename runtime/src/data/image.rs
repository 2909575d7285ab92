//! What augmentation does to the numbers of one image.

use super::Border;

/// A rectangle of pixels.
pub(super) struct Window {
    /// Its first row and its first column.
    pub corner: [usize; 2],
    /// Rows and columns.
    pub size: [usize; 2],
}

/// One image `[channels, height, width]`.
pub(super) struct Image {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Image {
    pub(super) fn new(values: &[f32], [_, height, width]: [usize; 3]) -> Self {
        Self {
            values: values.to_vec(),
            height,
            width,
        }
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// `[height, width]`.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    fn channels(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.height * self.width)
    }

    /// `window` of the image with so much `padding` at each side.
    pub(super) fn crop(&mut self, window: Window, padding: usize, border: Border) {
        let Window { corner, size } = window;
        let place = |axis: usize, at: usize| (corner[axis] + at) as isize - padding as isize;
        let mut values = Vec::with_capacity(self.values.len());
        for channel in self.channels() {
            for row in 0..size[0] {
                let row = place(0, row);
                values.extend(
                    (0..size[1]).map(|column| self.at(channel, row, place(1, column), border)),
                );
            }
        }
        self.values = values;
        [self.height, self.width] = size;
    }

    pub(super) fn flip_horizontally(&mut self) {
        for row in self.values.chunks_exact_mut(self.width) {
            row.reverse();
        }
    }

    pub(super) fn flip_vertically(&mut self) {
        for channel in self.values.chunks_exact_mut(self.height * self.width) {
            for row in 0..self.height / 2 {
                let (upper, lower) = channel.split_at_mut((self.height - 1 - row) * self.width);
                upper[row * self.width..][..self.width].swap_with_slice(&mut lower[..self.width]);
            }
        }
    }

    /// Turns the image about its centre, by an angle in radians.
    pub(super) fn rotate(&mut self, angle: f64, border: Border) {
        let (sine, cosine) = angle.sin_cos();
        let centre = [self.height, self.width].map(|length| (length as f64 - 1.0) / 2.0);
        let mut values = Vec::with_capacity(self.values.len());
        for channel in self.channels() {
            for row in 0..self.height {
                let down = row as f64 - centre[0];
                values.extend((0..self.width).map(|column| {
                    let right = column as f64 - centre[1];
                    // Where the pixel comes from; rows count downwards.
                    let y = sine * right + cosine * down + centre[0];
                    let x = cosine * right - sine * down + centre[1];
                    self.between(channel, y, x, border)
                }));
            }
        }
        self.values = values;
    }

    pub(super) fn fill(&mut self, window: Window, mut value: impl FnMut() -> f32) {
        let Window { corner, size } = window;
        for channel in self.values.chunks_exact_mut(self.height * self.width) {
            for row in channel
                .chunks_exact_mut(self.width)
                .skip(corner[0])
                .take(size[0])
            {
                row[corner[1]..][..size[1]].fill_with(&mut value);
            }
        }
    }

    /// The bilinear interpolation of the four pixels about a place.
    fn between(&self, channel: &[f32], y: f64, x: f64, border: Border) -> f32 {
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = ((y - top) as f32, (x - left) as f32);
        let (row, column) = (top as isize, left as isize);
        let line = |row| {
            self.at(channel, row, column, border) * (1.0 - right)
                + self.at(channel, row, column + 1, border) * right
        };
        line(row) * (1.0 - down) + line(row + 1) * down
    }

    /// A pixel, which may be beyond the border.
    fn at(&self, channel: &[f32], row: isize, column: isize, border: Border) -> f32 {
        let inside = |at: isize, length: usize| usize::try_from(at).ok().filter(|&at| at < length);
        let (row, column) = match border {
            Border::Constant(value) => {
                match (inside(row, self.height), inside(column, self.width)) {
                    (Some(row), Some(column)) => (row, column),
                    _ => return value,
                }
            }
            Border::Reflect => (reflected(row, self.height), reflected(column, self.width)),
        };
        channel[row * self.width + column]
    }
}

/// The place that a mirror at the outermost of `length` places shows.
fn reflected(at: isize, length: usize) -> usize {
    // There and back again, each end once.
    let period = (2 * length as isize - 2).max(1);
    let at = at.rem_euclid(period) as usize;
    at.min(period as usize - at)
}
