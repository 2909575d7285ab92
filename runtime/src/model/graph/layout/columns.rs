//! Where the items stand within their layers: straight columns, packed together.

use super::{BESIDE, Kind, Level};

/// How often the columns are moved towards what they are joined with.
const ROUNDS: usize = 16;

/// Items below each other whose ports make a straight line.
#[derive(Default)]
struct Column {
    x: f64,
    /// A column to the left and how far from it this one stands at least; one to the right.
    left: Vec<(usize, f64)>,
    right: Vec<(usize, f64)>,
    /// What it is joined with, and where it would stand below or above it, from that one on.
    joined: Vec<(usize, f64)>,
}

impl Level {
    /// Gives each item its middle.
    pub(super) fn place(&mut self) {
        let above = self.aligned();
        // The column of each item, and how far right of the column's middle it stands.
        let mut places = vec![(0, 0.0); self.items.len()];
        let mut columns = Vec::new();
        for item in self.layers.iter().flatten() {
            places[*item] = match above[*item] {
                Some((above, aside)) => (places[above].0, places[above].1 + aside),
                None => {
                    columns.push(Column::default());
                    (columns.len() - 1, 0.0)
                }
            };
        }
        for pair in self.layers.iter().flat_map(|layer| layer.windows(2)) {
            let [a, b] = [pair[0], pair[1]].map(|item| &self.items[item]);
            let ((left, first), (right, second)) = (places[pair[0]], places[pair[1]]);
            let apart = (a.width + b.width) / 2.0 + BESIDE + first - second;
            columns[right].left.push((left, apart));
            columns[left].right.push((right, apart));
        }
        for piece in self.pieces.iter().flatten() {
            let ((a, first), (b, second)) = (places[piece.from], places[piece.to]);
            if a != b {
                let aside = first + piece.out - second - piece.into;
                columns[b].joined.push((a, aside));
                columns[a].joined.push((b, -aside));
            }
        }
        pack(&mut columns);
        for (item, (column, aside)) in self.items.iter_mut().zip(places) {
            item.x = columns[column].x + aside;
        }
    }

    /// For each item the one in the layer above that it stands straight below, and how far its
    /// middle is to the right of that one's. Lines between these do not cross.
    fn aligned(&self) -> Vec<Option<(usize, f64)>> {
        let order = self.places();
        let passes = |item: usize| matches!(self.items[item].kind, Kind::Passing(..));
        let mut above = vec![None; self.items.len()];
        for pieces in &self.pieces {
            let mut pieces = pieces.clone();
            // Long edges first, then what follows upon each other, then where long edges end.
            pieces.sort_by_key(|piece| match (passes(piece.from), passes(piece.to)) {
                (true, true) => 0,
                (false, false) => 1,
                _ => 2,
            });
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for piece in pieces {
                let (from, to) = (order[piece.from], order[piece.to]);
                let meets = |(a, b): &(usize, usize)| {
                    let (from, to) = (from.cmp(a), to.cmp(b));
                    from != to || from.is_eq()
                };
                if !taken.iter().any(meets) {
                    taken.push((from, to));
                    above[piece.to] = Some((piece.from, piece.out - piece.into));
                }
            }
        }
        above
    }
}

/// Moves the columns as far left as they go, then towards what they are joined with.
fn pack(columns: &mut [Column]) {
    let least = |columns: &[Column], column: usize| {
        let left = columns[column].left.iter();
        let least = left.map(|(left, apart)| columns[*left].x + apart);
        least.fold(f64::NEG_INFINITY, f64::max)
    };
    // From the left: the lines that the columns stand on do not cross, so there is an order.
    let mut waits: Vec<_> = columns.iter().map(|column| column.left.len()).collect();
    let mut ready: Vec<_> = (0..columns.len())
        .filter(|column| waits[*column] == 0)
        .collect();
    let mut order = Vec::new();
    while let Some(column) = ready.pop() {
        columns[column].x = least(columns, column).max(0.0);
        order.push(column);
        for (right, _) in &columns[column].right {
            waits[*right] -= 1;
            if waits[*right] == 0 {
                ready.push(*right);
            }
        }
    }
    for round in 0..ROUNDS {
        for step in 0..order.len() {
            let column = order[if round % 2 == 0 {
                order.len() - 1 - step
            } else {
                step
            }];
            let this = &columns[column];
            if this.joined.is_empty() {
                continue;
            }
            let wished = this
                .joined
                .iter()
                .map(|(other, aside)| columns[*other].x + aside);
            let wished = wished.sum::<f64>() / this.joined.len() as f64;
            let right = this
                .right
                .iter()
                .map(|(right, apart)| columns[*right].x - apart);
            let most = right.fold(f64::INFINITY, f64::min);
            columns[column].x = wished.min(most).max(least(columns, column));
        }
    }
}
