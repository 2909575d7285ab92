//! Products of matrices that lie in a near cache, on one thread; others are left to Burn.
//!
//! The right factor is copied, a panel of columns and a block of the summed dimension at a time, so
//! that it is read from the nearest cache; the left factor is read where it lies. A tile of the
//! output is held in registers over a block (Goto and van de Geijn 2008, one level less).

use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile.
const ROWS: usize = 6;
/// Terms of a sum that are added in registers before the output is touched. The order in which a
/// sum is taken depends on this alone: not on threads, nor on where its tile lies.
const BLOCK: usize = 192;

/// A factor, `rows` by `columns`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distance between the beginnings of neighbouring rows, or columns where these are stored.
    stride: usize,
    /// Whether the numbers lie column by column.
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// Numbers that lie row by row.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Matrix {
            values,
            rows,
            columns,
            stride: columns,
            transposed: false,
        }
    }

    /// The first columns of numbers that lie row by row.
    pub fn first_columns(self, columns: usize) -> Self {
        Matrix { columns, ..self }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Matrix {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            stride: self.stride,
            transposed: !self.transposed,
        }
    }
}

/// How many rows and columns are transposed at once: what is read and written stays in cache.
const SQUARE: usize = 16;

/// Writes to `to` the transpose of `rows` by `columns` numbers.
pub fn transpose(to: &mut Vec<f32>, from: &[f32], rows: usize, columns: usize) {
    to.resize(rows * columns, 0.0);
    for (square, to) in to.chunks_mut(SQUARE * rows.max(1)).enumerate() {
        let left = square * SQUARE;
        for (top, from) in from.chunks(SQUARE * columns.max(1)).enumerate() {
            for (column, to) in to.chunks_exact_mut(rows).enumerate() {
                let from = from.iter().skip(left + column).step_by(columns);
                for (to, from) in to[top * SQUARE..].iter_mut().zip(from) {
                    *to = *from;
                }
            }
        }
    }
}

/// What a product is added to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing, whatever is there.
    Zero,
    /// What is there.
    Held,
}

/// Writes `a b` to `to`, row by row, or adds it; `b` lies row by row.
pub fn product(panel: &mut Vec<f32>, to: &mut [f32], a: Matrix, b: Matrix, start: Start) {
    Arch::new().dispatch(Product {
        to,
        a,
        b,
        start,
        panel,
    });
}

/// A product.
struct Product<'a> {
    to: &'a mut [f32],
    a: Matrix<'a>,
    b: Matrix<'a>,
    start: Start,
    panel: &'a mut Vec<f32>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.b.columns;
        let mut product = self;
        let widest = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        for start in (0..product.b.rows).step_by(BLOCK) {
            let mut column = 0;
            while column < columns {
                let vectors = (columns - column).div_ceil(S::F32_LANES).min(widest);
                match vectors {
                    4 => product.panel::<S, 4>(simd, start, column),
                    3 => product.panel::<S, 3>(simd, start, column),
                    2 => product.panel::<S, 2>(simd, start, column),
                    _ => product.panel::<S, 1>(simd, start, column),
                }
                column += vectors * S::F32_LANES;
            }
        }
    }
}

impl Product<'_> {
    /// Adds a block of terms to a panel of columns.
    #[inline(always)]
    fn panel<S: Simd, const VECTORS: usize>(&mut self, simd: S, start: usize, column: usize) {
        let width = VECTORS * S::F32_LANES;
        let (a, b) = (self.a, self.b);
        let block = (b.rows - start).min(BLOCK);
        let used = (b.columns - column).min(width);
        if self.panel.len() < block * width {
            self.panel.resize(block * width, 0.0);
        }
        let rows = b.values[start * b.stride..].chunks(b.stride);
        for (to, from) in self.panel.chunks_exact_mut(width).zip(rows).take(block) {
            to[..used].copy_from_slice(&from[column..][..used]);
            to[used..].fill(0.0);
        }
        let (panel, _) = S::as_simd_f32s(&self.panel[..block * width]);
        let (panel, _) = pulp::as_arrays::<VECTORS, S::f32s>(panel);
        for (index, to) in self.to.chunks_mut(ROWS * b.columns).enumerate() {
            let count = to.len() / b.columns;
            let first = index * ROWS;
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
            if start > 0 || self.start == Start::Held {
                for (sums, to) in sums.iter_mut().zip(to.chunks_exact(b.columns)) {
                    *sums = load(simd, &to[column..][..used]);
                }
            }
            let sums = if a.transposed {
                let rows = a.values[start * a.stride..].chunks(a.stride);
                if count == ROWS {
                    let left = rows.filter_map(|row| row.get(first..)?.first_chunk());
                    tile(simd, sums, left.copied(), panel)
                } else {
                    let left = rows.map(|row| {
                        let mut left = [0.0; ROWS];
                        left[..count].copy_from_slice(&row[first..][..count]);
                        left
                    });
                    tile(simd, sums, left, panel)
                }
            } else {
                // The last rows are read more than once rather than by code of their own.
                let left: [&[f32]; ROWS] = std::array::from_fn(|row| {
                    let row = first + row.min(count - 1);
                    &a.values[row * a.stride + start..][..block]
                });
                tile(simd, sums, columns(left), panel)
            };
            for (sums, to) in sums.into_iter().zip(to.chunks_exact_mut(b.columns)) {
                store(simd, &mut to[column..][..used], sums);
            }
        }
    }
}

/// The columns of some rows of equal length.
#[inline(always)]
fn columns(rows: [&[f32]; ROWS]) -> impl Iterator<Item = [f32; ROWS]> {
    let [a, b, c, d, e, f] = rows.map(|row| row.iter().copied());
    let columns = a.zip(b).zip(c).zip(d).zip(e).zip(f);
    columns.map(|(((((a, b), c), d), e), f)| [a, b, c, d, e, f])
}

/// Adds to a tile the products of each column of the left factor with the row of the right one.
#[inline(always)]
fn tile<S: Simd, const VECTORS: usize>(
    simd: S,
    mut sums: [[S::f32s; VECTORS]; ROWS],
    left: impl Iterator<Item = [f32; ROWS]>,
    right: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; ROWS] {
    for (left, right) in left.zip(right) {
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = simd.splat_f32s(left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_e_f32s(left, *right, *sum);
            }
        }
    }
    sums
}

#[inline(always)]
fn load<S: Simd, const VECTORS: usize>(simd: S, from: &[f32]) -> [S::f32s; VECTORS] {
    let mut from = from.chunks(S::F32_LANES);
    std::array::from_fn(|_| simd.partial_load_f32s(from.next().unwrap_or_default()))
}

#[inline(always)]
fn store<S: Simd, const VECTORS: usize>(simd: S, to: &mut [f32], sums: [S::f32s; VECTORS]) {
    for (to, sum) in to.chunks_mut(S::F32_LANES).zip(sums) {
        simd.partial_store_f32s(to, sum);
    }
}
