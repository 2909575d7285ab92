//! The order of the items within each layer: as few crossings as barycentres find.

use std::collections::HashMap;

use super::Level;

/// How often the layers are gone through, down and up in turns.
const ROUNDS: usize = 12;

impl Level {
    /// Orders each layer by the mean places of its neighbours, and keeps what crosses least.
    pub(super) fn order(&mut self) {
        let mut least = self.crossings();
        let mut best = self.layers.clone();
        for round in 0..ROUNDS {
            if least == 0 {
                break;
            }
            if round % 2 == 0 {
                for layer in 1..self.layers.len() {
                    self.sort(layer, layer - 1);
                }
            } else {
                for layer in (1..self.layers.len()).rev() {
                    self.sort(layer - 1, layer);
                }
            }
            let crossings = self.crossings();
            if crossings < least {
                least = crossings;
                best.clone_from(&self.layers);
            }
        }
        self.layers = best;
    }

    /// Sorts a layer by the places that its neighbours have in the one beside it.
    fn sort(&mut self, layer: usize, beside: usize) {
        let of = |layer: &[usize]| -> HashMap<usize, usize> {
            let places = layer.iter().enumerate();
            places.map(|(place, item)| (*item, place)).collect()
        };
        let (own, places) = (of(&self.layers[layer]), of(&self.layers[beside]));
        let mut sums: HashMap<usize, (f64, f64)> = HashMap::new();
        for piece in &self.pieces[layer.min(beside)] {
            let (item, neighbour) = match layer > beside {
                true => (piece.to, piece.from),
                false => (piece.from, piece.to),
            };
            let (sum, count) = sums.entry(item).or_default();
            *sum += places[&neighbour] as f64;
            *count += 1.0;
        }
        let mean = |item: &usize| match sums.get(item) {
            None => own[item] as f64,
            Some((sum, count)) => sum / count,
        };
        self.layers[layer].sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    }

    /// The place of each item within its layer.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.items.len()];
        for layer in &self.layers {
            for (place, item) in layer.iter().enumerate() {
                places[*item] = place;
            }
        }
        places
    }

    fn crossings(&self) -> usize {
        let places = self.places();
        let mut crossings = 0;
        for pieces in &self.pieces {
            for (index, a) in pieces.iter().enumerate() {
                let before = pieces[..index].iter();
                let crossed = before.filter(|b| {
                    let [from, to] =
                        [(a.from, b.from), (a.to, b.to)].map(|(a, b)| places[a].cmp(&places[b]));
                    from == to.reverse() && from.is_ne()
                });
                crossings += crossed.count();
            }
        }
        crossings
    }
}
