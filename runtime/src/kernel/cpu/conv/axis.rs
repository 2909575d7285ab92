//! One axis of a cross-correlation: where it reads, and where it writes.
//!
//! A correlation with stride 1 needs no patches. Lay the lines of an image behind each other with
//! zeros between them; then tap `t` of the kernel reads, for all outputs at once, the same numbers
//! shifted by a constant. A stride of `s` splits the image into `s` phases (every `s`-th line), of
//! which each is read with stride 1, so the same holds again; dilation only changes the shifts. And
//! the gradient by the input is such a correlation of the output's gradient, one for each phase of
//! the input. Kernels therefore see nothing but planes, shifts and a length.

/// One axis of a correlation over planes: `out[i] = sum over taps t of w[t] * plane(t)[i + shift(t)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Length of what is read.
    pub source: usize,
    /// Distance in the source between neighbours of a plane.
    pub step: usize,
    /// The planes: where in the source each begins, which may be before or behind it.
    pub planes: Vec<isize>,
    /// The taps that are read.
    pub taps: Vec<Tap>,
    /// How many outputs there are.
    pub count: usize,
    /// Where the first output is written, and the distance to the next.
    pub written: (usize, usize),
    /// Length of a line of a plane, the zeros between lines included.
    pub pitch: usize,
    /// One past the last position that a tap reads for a line's own outputs.
    pub reach: usize,
}

/// One tap of a kernel along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its index in the kernel.
    pub index: usize,
    /// The plane that it reads.
    pub plane: usize,
    /// How far behind the output it reads.
    pub shift: usize,
}

/// A convolution along one axis, as a user states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Length of the input.
    pub input: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Distance between neighbouring outputs.
    pub stride: usize,
    /// Zeros before and behind the input.
    pub padding: (usize, usize),
    /// Distance between neighbouring taps.
    pub dilation: usize,
}

impl Window {
    /// Length of the output; none where the kernel does not fit into the input.
    pub fn output(&self) -> Option<usize> {
        let padded = self.input + self.padding.0 + self.padding.1;
        let reach = self.dilation * self.kernel.checked_sub(1)? + 1;
        Some(padded.checked_sub(reach)? / self.stride + 1)
    }

    /// The axis of the forward pass, with `count` outputs.
    pub fn forward(&self, count: usize) -> Axis {
        let mut planes = Vec::new();
        let taps = (0..self.kernel).map(|index| {
            let at = index * self.dilation;
            let start = (at % self.stride) as isize - self.padding.0 as isize;
            let plane = planes.iter().position(|&plane| plane == start);
            let plane = plane.unwrap_or_else(|| {
                planes.push(start);
                planes.len() - 1
            });
            let shift = at / self.stride;
            Tap {
                index,
                plane,
                shift,
            }
        });
        let taps = taps.collect();
        Axis {
            source: self.input,
            step: self.stride,
            planes,
            taps,
            count,
            written: (0, 1),
            pitch: 0,
            reach: 0,
        }
        .with_pitch()
    }

    /// The axes of the gradient by the input, from the gradient of `count` outputs: one for each
    /// phase of the input. What no axis writes has no gradient.
    pub fn backward(&self, count: usize) -> Vec<Axis> {
        let phase = |phase: usize| {
            let taps: Vec<_> = (0..self.kernel)
                .filter(|index| index * self.dilation % self.stride == phase)
                .map(|index| (index, index * self.dilation / self.stride))
                .collect();
            let &(_, farthest) = taps.last()?;
            // Output i is multiplied with input i * stride + phase - padding.
            let first = self.padding.0.saturating_sub(phase).div_ceil(self.stride);
            let start = first * self.stride + phase - self.padding.0;
            let length = self.input.checked_sub(start + 1)? / self.stride + 1;
            let taps = taps.iter().map(|&(index, back)| Tap {
                index,
                plane: 0,
                shift: farthest - back,
            });
            let axis = Axis {
                source: count,
                step: 1,
                planes: vec![first as isize - farthest as isize],
                taps: taps.collect(),
                count: length,
                written: (start, self.stride),
                pitch: 0,
                reach: 0,
            };
            Some(axis.with_pitch())
        };
        (0..self.stride).filter_map(phase).collect()
    }
}

impl Axis {
    /// The outputs themselves as a plane that lines up with this axis's planes.
    pub fn outputs(&self) -> Axis {
        Axis {
            source: self.count,
            step: 1,
            planes: vec![0],
            taps: Vec::new(),
            count: self.count,
            written: (0, 1),
            pitch: self.pitch,
            reach: self.count,
        }
    }

    /// The same with a plane for each tap, in which it reads with shift 0: a line is as short as
    /// can be, and the source is copied once for each tap. Both axes so are the patches of the
    /// field's `im2col`.
    pub fn patches(&self) -> Axis {
        let start = |tap: &Tap| self.planes[tap.plane] + (tap.shift * self.step) as isize;
        let taps = self.taps.iter().enumerate().map(|(plane, tap)| Tap {
            index: tap.index,
            plane,
            shift: 0,
        });
        Axis {
            planes: self.taps.iter().map(start).collect(),
            taps: taps.collect(),
            pitch: self.count,
            reach: self.count,
            ..*self
        }
    }

    /// The source index of position `at` of a plane, where there is one.
    pub fn read(&self, plane: isize, at: usize) -> Option<usize> {
        let index = plane + (at * self.step) as isize;
        usize::try_from(index)
            .ok()
            .filter(|&index| index < self.source)
    }

    /// Finds the shortest line for which whatever a tap reads behind the end of a line is a zero:
    /// its own, or one with which the next line begins. Padding on both sides is so stored once.
    fn with_pitch(mut self) -> Self {
        let reach = |plane| {
            let shifts = self.taps.iter().filter(|tap| tap.plane == plane);
            self.count + shifts.map(|tap| tap.shift).max().unwrap_or(0)
        };
        let reach: Vec<_> = (0..self.planes.len()).map(reach).collect();
        let longest = reach.iter().copied().max().unwrap_or(self.count);
        let fits = |pitch: usize| {
            self.planes.iter().zip(&reach).all(|(&plane, &reach)| {
                (pitch..reach).all(|at| {
                    at < 2 * pitch
                        && self.read(plane, at).is_none()
                        && self.read(plane, at - pitch).is_none()
                })
            })
        };
        self.pitch = (self.count.max(1)..longest)
            .find(|&pitch| fits(pitch))
            .unwrap_or(longest);
        self.reach = longest;
        self
    }
}
