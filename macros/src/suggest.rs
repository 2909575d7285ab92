//! "Did you mean": the nearest known word to an unknown one.

/// The candidate nearest to `word`, if it is near enough to be a slip of the hand:
/// at most a third of its letters away (Damerau-Levenshtein), or a prefix of it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().max(3) / 3;
    let mut candidates: Vec<_> = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .collect();
    candidates.sort();
    let prefixed = |candidate: &str| {
        word.len() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate))
    };
    let close = candidates.iter().find(|(distance, _)| *distance <= limit);
    let found = close.or_else(|| candidates.iter().find(|(_, candidate)| prefixed(candidate)));
    found.map(|(_, candidate)| *candidate)
}

/// ``; did you mean `x`?`` where something is near, else the list of what there is.
pub fn hint<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if candidates.is_empty() => String::new(),
        None => format!("; {what}: {}", list(&candidates)),
    }
}

/// `` `a`, `b`, `c` ``
pub fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of two
/// neighbours each cost 1.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in table.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in table[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution
                .min(table[i - 1][j] + 1)
                .min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = best;
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        let layers = [
            "linear",
            "conv2d",
            "relu",
            "flatten",
            "batch_norm",
            "dropout",
        ];
        assert_eq!(nearest("lienar", layers), Some("linear"));
        assert_eq!(nearest("flaten", layers), Some("flatten"));
        assert_eq!(nearest("conv", layers), Some("conv2d"));
        assert_eq!(nearest("attention", layers), None);
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance("kernel", "kernle"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
