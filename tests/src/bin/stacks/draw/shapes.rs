//! What moves, splits, joins and drops dimensions.

use super::Draw;

impl Draw {
    pub fn reshape(&mut self, shape: &[usize]) -> Option<(String, bool)> {
        let numbers: usize = shape.iter().product();
        let mut sizes = vec![numbers];
        for _ in 1..self.between(1, 4) {
            let left = sizes.pop().unwrap_or(1);
            let divisors: Vec<_> = (1..=left)
                .filter(|size| left.is_multiple_of(*size))
                .collect();
            let size = self.one_of(&divisors);
            sizes.extend([size, left / size]);
        }
        // One that keeps the shape is another mistake.
        if sizes == shape {
            return None;
        }
        let changed = self.between(0, sizes.len() - 1);
        sizes[changed] += usize::from(self.once_in(8));
        let rest = self.once_in(3).then(|| self.between(0, sizes.len() - 1));
        let written: usize = (0..sizes.len())
            .filter(|i| Some(*i) != rest)
            .map(|i| sizes[i])
            .product();
        let possible = match rest {
            Some(_) => numbers.is_multiple_of(written),
            None => numbers == written,
        };
        let sizes = sizes.into_iter().enumerate().map(|(i, size)| match rest {
            Some(rest) if rest == i => "-1".to_owned(),
            _ => self.number(size),
        });
        let sizes: Vec<_> = sizes.collect();
        Some((format!("[{}]", sizes.join(", ")), possible))
    }

    pub fn permute(&mut self, rank: usize) -> (String, bool) {
        let mut dims: Vec<_> = (0..rank).collect();
        for i in (1..rank).rev() {
            let other = self.between(0, i);
            dims.swap(i, other);
        }
        if self.once_in(8) {
            let last = self.between(0, rank);
            dims[rank - 1] = last;
        }
        let mut seen: Vec<_> = dims.clone();
        seen.sort_unstable();
        // That it keeps the order is an error, too.
        let possible = seen.into_iter().eq(0..rank) && !dims.is_sorted();
        let from_end = self.once_in(4) && !dims.contains(&rank);
        let shown = dims.iter().map(|dim| match from_end {
            true => *dim as isize - rank as isize,
            false => *dim as isize,
        });
        (format!("{:?}", shown.collect::<Vec<_>>()), possible)
    }

    /// A dimension of an example, and whether there is one that can go away.
    pub fn dim(&mut self, rank: usize) -> (isize, bool) {
        let rank = rank as isize;
        let most = if self.once_in(8) { rank + 1 } else { rank - 1 };
        let dim = self.between(0, (most + rank) as usize) as isize - rank;
        (dim, dim < rank && rank > 1)
    }

    pub fn select(&mut self, shape: &[usize]) -> (String, bool) {
        let (dim, possible) = self.dim(shape.len());
        let at = if dim < 0 {
            dim + shape.len() as isize
        } else {
            dim
        };
        let size = shape.get(at as usize).copied().unwrap_or(1);
        let index = self.between(0, size);
        if self.once_in(2) {
            let index = index.max(1);
            return (format!("{dim}, -{}", self.number(index)), possible);
        }
        let args = format!("dim: {dim}, index: {}", self.number(index));
        (args, possible && index < size)
    }
}
