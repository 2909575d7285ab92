//! A network in a table: layer, path, output shape, parameters.

use std::fmt;

use super::path::Path;

/// The layers of a network. `Display` prints them as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub model: String,
    /// Name and shape of each input of one example.
    pub inputs: Vec<(String, Vec<usize>)>,
    /// The layers in the order in which they run.
    pub layers: Vec<LayerSummary>,
    path: Path,
}

/// A line of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// What the layer is, as it is declared: `conv2d`.
    pub layer: String,
    /// The path of its parameters: `stem.0`.
    pub path: String,
    /// The shape of its output for one example.
    pub shape: Vec<usize>,
    /// How many parameters it has.
    pub params: usize,
}

impl Summary {
    #[doc(hidden)]
    pub fn new(model: &str) -> Summary {
        let model = model.to_owned();
        Summary {
            model,
            inputs: Vec::new(),
            layers: Vec::new(),
            path: Path::default(),
        }
    }

    #[doc(hidden)]
    pub fn input(&mut self, name: &str, shape: Vec<usize>) {
        self.inputs.push((name.to_owned(), shape));
    }

    #[doc(hidden)]
    pub fn layer(&mut self, layer: &str, path: &str, shape: Vec<usize>, params: i128) {
        let path = self.path.of(path);
        let params = usize::try_from(params).unwrap_or(usize::MAX);
        self.layers.push(LayerSummary {
            layer: layer.to_owned(),
            path,
            shape,
            params,
        });
    }

    #[doc(hidden)]
    pub fn enter(&mut self, path: &str, index: usize) {
        self.path.enter(path, index);
    }

    #[doc(hidden)]
    pub fn exit(&mut self) {
        self.path.exit();
    }

    /// The number of parameters.
    pub fn params(&self) -> usize {
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.params))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |shape: &[usize]| {
            let dims: Vec<_> = shape.iter().map(usize::to_string).collect();
            dims.join("×")
        };
        let heading = ["layer", "path", "output", "parameters"].map(str::to_owned);
        let inputs = self.inputs.iter().map(|(name, shape)| {
            [
                "input".to_owned(),
                name.clone(),
                shown(shape),
                String::new(),
            ]
        });
        let layers = self.layers.iter().map(|layer| {
            let params = if layer.params > 0 {
                grouped(layer.params)
            } else {
                String::new()
            };
            let path = if layer.params > 0 {
                layer.path.clone()
            } else {
                String::new()
            };
            [layer.layer.clone(), path, shown(&layer.shape), params]
        });
        let total = [
            "total".to_owned(),
            String::new(),
            String::new(),
            grouped(self.params()),
        ];
        let rows: Vec<_> = std::iter::once(heading)
            .chain(inputs)
            .chain(layers)
            .collect();
        let mut widths = [0; 4];
        for row in rows.iter().chain([&total]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let rule = "─".repeat(widths.iter().sum::<usize>() + 3 * 3);
        let [layer, path, shape, params] = widths;
        let line = |f: &mut fmt::Formatter<'_>, row: &[String; 4]| {
            writeln!(
                f,
                "{:layer$}   {:path$}   {:shape$}   {:>params$}",
                row[0], row[1], row[2], row[3]
            )
        };
        writeln!(f, "{}", self.model)?;
        for (i, row) in rows.iter().enumerate() {
            line(f, row)?;
            if i == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        writeln!(f, "{rule}")?;
        write!(
            f,
            "{:layer$}   {:path$}   {:shape$}   {:>params$}",
            total[0], total[1], total[2], total[3]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "25,557,032"],
            [0, 999, 1000, 25_557_032].map(grouped)[..]
        );
    }
}
