//! The planes of a block of images: copied once, then read by every tap.

use super::axis::Axis;

/// The widest vector of any processor, in numbers: what is read in vectors is padded to it.
pub const WIDEST: usize = 16;

/// Planes as [`Plan::gather`] lays them out, to be filled again and again.
#[derive(Default)]
pub struct Planes {
    pub numbers: Vec<f32>,
    /// Channels and images: with the plan they say where the zeros lie.
    layout: (usize, usize),
}

/// Both axes of a correlation.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rows: Axis,
    pub columns: Axis,
}

impl Plan {
    /// The plan for `outputs` outputs that is estimated to be the fastest. Where zeros between the
    /// lines are many and outputs too, copying more and computing less pays.
    pub fn new(rows: Axis, columns: Axis, outputs: usize) -> Self {
        let patches = (rows.patches(), columns.patches());
        let mut best = Plan { rows, columns };
        let others = [
            (best.rows.clone(), patches.1.clone()),
            (patches.0.clone(), best.columns.clone()),
            patches,
        ];
        for (rows, columns) in others {
            let other = Plan { rows, columns };
            if other.cost(outputs) < 0.9 * best.cost(outputs) {
                best = other;
            }
        }
        best
    }

    /// An estimate of the time for one image and channel, in cycles.
    fn cost(&self, outputs: usize) -> f64 {
        let positions = self.rows.pitch * self.columns.pitch;
        let lines = self.rows.planes.len() * self.columns.planes.len() * self.rows.pitch;
        // Two multiplications of a vector a cycle; a call and a move or two for each line.
        let computed = (self.taps() * positions * outputs) as f64 / (2 * WIDEST) as f64;
        let copied = lines as f64 * (16.0 + self.columns.pitch as f64 / 8.0);
        computed + copied
    }

    /// The outputs as planes that line up with this plan's.
    pub fn outputs(&self) -> Plan {
        Plan {
            rows: self.rows.outputs(),
            columns: self.columns.outputs(),
        }
    }

    /// Taps of the kernel that are read, per channel.
    pub fn taps(&self) -> usize {
        self.rows.taps.len() * self.columns.taps.len()
    }

    /// Indices into a kernel of `width` columns of the taps, in the order of [`Plan::offsets`].
    pub fn kernel_indices(&self, width: usize) -> Vec<usize> {
        let rows = self.rows.taps.iter();
        rows.flat_map(|row| {
            let columns = self.columns.taps.iter();
            columns.map(move |column| row.index * width + column.index)
        })
        .collect()
    }

    /// Numbers in one image of one channel of the source.
    pub fn source(&self) -> usize {
        self.rows.source * self.columns.source
    }

    /// Numbers in the planes of one image and channel.
    pub fn planes(&self) -> usize {
        self.rows.planes.len() * self.columns.planes.len() * self.rows.pitch * self.columns.pitch
    }

    /// How many images are taken at once: as many as `bytes` hold, so that their planes stay in a
    /// processor's own cache; at least one, at most `most`.
    pub fn images(&self, channels: usize, bytes: usize, most: usize) -> usize {
        let image = channels * self.planes() * size_of::<f32>();
        (bytes / image.max(1)).clamp(1, most.max(1))
    }

    /// How many positions of a plane of `images` images have an output, those between counted.
    pub fn positions(&self, images: usize) -> usize {
        let rows = (images - 1) * self.rows.pitch + self.rows.count;
        (rows - 1) * self.columns.pitch + self.columns.count
    }

    /// Length of a plane of `images` images: whatever a tap reads for an output lies in it.
    fn plane(&self, images: usize) -> usize {
        let (rows, columns) = (&self.rows, &self.columns);
        let lines = (images - 1) * rows.pitch + rows.reach.max(rows.pitch);
        (lines * columns.pitch + columns.reach.saturating_sub(columns.pitch))
            .next_multiple_of(WIDEST)
    }

    /// Where each tap of each of `channels` channels begins to read.
    pub fn offsets(&self, channels: usize, images: usize) -> Vec<usize> {
        let plane = self.plane(images);
        let mut offsets = Vec::with_capacity(channels * self.taps());
        for channel in 0..channels {
            for row in &self.rows.taps {
                for column in &self.columns.taps {
                    let phase = row.plane * self.columns.planes.len() + column.plane;
                    let planes = self.rows.planes.len() * self.columns.planes.len();
                    offsets.push(
                        (channel * planes + phase) * plane
                            + row.shift * self.columns.pitch
                            + column.shift,
                    );
                }
            }
        }
        offsets
    }

    /// Copies channels `first..first + channels` of `images` images of `of` channels each from
    /// `source` into `planes`, `[channel][plane][image][row][column]`, with zeros wherever the
    /// source has nothing; `slack` zeros follow. Gives the length of a plane. `planes` is new
    /// or was gathered by this plan.
    pub fn gather(
        &self,
        planes: &mut Planes,
        source: &[f32],
        (first, channels, of): (usize, usize, usize),
        slack: usize,
    ) -> usize {
        let image = of * self.source();
        let images = source.len() / image;
        let plane = self.plane(images);
        let phases = self.rows.planes.len() * self.columns.planes.len();
        if planes.layout != (channels, images) {
            planes.layout = (channels, images);
            planes.numbers.clear();
            planes
                .numbers
                .resize(channels * phases * plane + slack, 0.0);
        }
        for (index, to) in planes
            .numbers
            .chunks_exact_mut(plane)
            .take(channels * phases)
            .enumerate()
        {
            let (channel, phase) = (first + index / phases, index % phases);
            let row_start = self.rows.planes[phase / self.columns.planes.len()];
            let column_start = self.columns.planes[phase % self.columns.planes.len()];
            for (image, lines) in source
                .chunks_exact(image)
                .zip(to.chunks_mut(self.rows.pitch * self.columns.pitch))
            {
                let from = &image[channel * self.source()..][..self.source()];
                self.lines(lines, from, row_start, column_start);
            }
        }
        plane
    }

    /// One image of one channel of one plane.
    fn lines(&self, lines: &mut [f32], from: &[f32], row_start: isize, column_start: isize) {
        let columns = &self.columns;
        let skipped = (-column_start).max(0) as usize;
        let skipped = skipped.div_ceil(columns.step);
        let Some(start) = columns.read(column_start, skipped) else {
            return;
        };
        for (row, line) in lines.chunks_exact_mut(columns.pitch).enumerate() {
            let Some(row) = self.rows.read(row_start, row) else {
                continue;
            };
            let from = &from[row * columns.source..][start..columns.source];
            let to = line.get_mut(skipped..).unwrap_or_default();
            if columns.step == 1 {
                let length = from.len().min(to.len());
                to[..length].copy_from_slice(&from[..length]);
            } else {
                for (to, from) in to.iter_mut().zip(from.iter().step_by(columns.step)) {
                    *to = *from;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Window;
    use super::*;

    /// Whatever the plan, a tap finds the number that the definition of a convolution names, or a
    /// zero where there is none.
    #[test]
    fn every_tap_reads_what_the_definition_says() {
        let mut windows = Vec::new();
        for (input, kernel) in [(1, 1), (5, 3), (6, 2), (9, 4)] {
            for stride in 1..4 {
                for padding in [(0, 0), (1, 1), (2, 1), (0, 3)] {
                    for dilation in 1..3 {
                        windows.push(Window {
                            input,
                            kernel,
                            stride,
                            padding,
                            dilation,
                        });
                    }
                }
            }
        }
        let windows: Vec<_> = windows
            .into_iter()
            .filter_map(|window| Some((window, window.output()?)))
            .collect();
        let (channels, images) = (2, 3);
        // Every window meets some others.
        for (index, &(row, height)) in windows.iter().enumerate() {
            let (column, width) = windows[index * 29 % windows.len()];
            let (rows, columns) = (row.forward(height), column.forward(width));
            let area = row.input * column.input;
            let source: Vec<f32> = (1..=images * channels * area).map(|n| n as f32).collect();
            for rows in [rows.clone(), rows.patches()] {
                for columns in [columns.clone(), columns.patches()] {
                    let plan = Plan {
                        rows: rows.clone(),
                        columns,
                    };
                    let mut planes = Planes::default();
                    plan.gather(&mut planes, &source, (0, channels, channels), WIDEST);
                    let mut offsets = plan.offsets(channels, images).into_iter();
                    for channel in 0..channels {
                        for y in 0..row.kernel {
                            for x in 0..column.kernel {
                                let offset = offsets.next().unwrap();
                                for image in 0..images {
                                    for i in 0..height {
                                        for j in 0..width {
                                            let at = (image * plan.rows.pitch + i)
                                                * plan.columns.pitch
                                                + j;
                                            let r = i * row.stride + y * row.dilation;
                                            let c = j * column.stride + x * column.dilation;
                                            let inside = |at: usize, window: &Window| {
                                                at.checked_sub(window.padding.0)
                                                    .filter(|&at| at < window.input)
                                            };
                                            let expected = inside(r, &row)
                                                .zip(inside(c, &column))
                                                .map_or(0.0, |(r, c)| {
                                                    let image = image * channels + channel;
                                                    source[image * area + r * column.input + c]
                                                });
                                            let found = planes.numbers[offset + at];
                                            assert_eq!(found, expected, "{row:?} {column:?}");
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
