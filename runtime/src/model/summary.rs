//! A network in a table: layer, path, output shape, parameters, multiply-adds, memory.

use std::collections::HashSet;
use std::fmt;

use super::graph::Graph;
use super::path::Path;
use super::size::{Size, product};

/// The layers of a network, worked out without running it. `Display` prints them as a table.
///
/// Everything is for one example, numbers of 4 bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub model: String,
    /// Name and shape of each input of one example.
    pub inputs: Vec<(String, Vec<Size>)>,
    /// The layers in the order in which they run.
    pub layers: Vec<LayerSummary>,
    path: Path,
    /// The paths of the parameters so far.
    held: HashSet<String>,
    /// The values, in the order in which they come about.
    pub(super) nodes: Vec<Value>,
    /// The names of those that the network gives.
    pub(super) outputs: Vec<(String, usize)>,
    /// The repetitions and nested networks, each before those within it.
    pub(super) scopes: Vec<Scope>,
    /// Those that are being walked, from the outside in.
    around: Vec<usize>,
    /// The sizes that were asked for by the names of open dimensions.
    lengths: Vec<(String, usize)>,
}

/// A line of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// What the layer is, as it is declared: `conv2d`.
    pub layer: String,
    /// The path of its parameters: `stem.0`.
    pub path: String,
    /// The shape of its output for one example.
    pub shape: Vec<Size>,
    /// How many parameters it has; 0 where it shares those of another.
    pub params: usize,
    /// Whether it shares the parameters of a layer before it.
    pub shared: bool,
    /// The multiplications, each with its addition, for one example; none where they depend on
    /// what is known only when a tensor arrives. Activations, norms and pools count none.
    pub multiply_adds: Option<usize>,
}

impl LayerSummary {
    /// The bytes of its output for one example.
    pub fn memory(&self) -> Option<usize> {
        let numbers = self.shape.iter().try_fold(1usize, |product, size| {
            Some(product.saturating_mul(size.fixed()?))
        });
        numbers.map(|numbers| numbers.saturating_mul(4))
    }
}

/// A value of the network, by its number.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(usize);

/// A value and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) label: String,
    /// The line of its layer, if a layer made it.
    pub(super) row: Option<usize>,
    pub(super) shape: Vec<Size>,
    pub(super) inputs: Vec<usize>,
    /// What it stands in.
    pub(super) scope: Option<usize>,
}

/// A repetition of a `repeat`, or a network in another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) path: String,
    /// The path of the `repeat`.
    pub(super) repeat: Option<String>,
    /// The network's name.
    pub(super) network: Option<String>,
    pub(super) parent: Option<usize>,
}

#[doc(hidden)]
impl Summary {
    pub fn new(model: &str, lengths: &[(&str, usize)]) -> Summary {
        let lengths = lengths
            .iter()
            .map(|(name, size)| ((*name).to_owned(), *size));
        Summary {
            model: model.to_owned(),
            inputs: Vec::new(),
            layers: Vec::new(),
            path: Path::default(),
            held: HashSet::new(),
            nodes: Vec::new(),
            outputs: Vec::new(),
            scopes: Vec::new(),
            around: Vec::new(),
            lengths: lengths.collect(),
        }
    }

    /// The size that was asked for, of the open dimension `name`.
    pub fn length(&self, name: &str) -> Option<i128> {
        let found = self.lengths.iter().find(|(known, _)| known == name);
        found.map(|(_, size)| *size as i128)
    }

    pub fn input(&mut self, name: &str, shape: &[Size]) -> Node {
        self.inputs.push((name.to_owned(), shape.to_vec()));
        self.node(name.to_owned(), None, shape, &[])
    }

    pub fn layer(
        &mut self,
        layer: &str,
        path: &str,
        shape: &[Size],
        params: i128,
        multiply_adds: Option<i128>,
        inputs: &[Node],
    ) -> Node {
        let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let path = self.path.of(path);
        let shared = self.held.contains(&path);
        if params > 0 {
            self.held.insert(path.clone());
        }
        self.layers.push(LayerSummary {
            layer: layer.to_owned(),
            path,
            shared,
            shape: shape.to_vec(),
            params: number(params),
            multiply_adds: multiply_adds.map(number),
        });
        let row = Some(self.layers.len() - 1);
        self.node(layer.to_owned(), row, shape, inputs)
    }

    /// Values joined element by element; what is 1 is spread.
    pub fn join(&mut self, sign: &str, inputs: &[Node]) -> Node {
        let mut shape = self.shape(inputs[0]).to_vec();
        for (size, other) in shape.iter_mut().zip(self.shape(inputs[1])) {
            if *size == Size::Fixed(1) {
                *size = *other;
            }
        }
        self.node(sign.to_owned(), None, &shape, inputs)
    }

    pub fn concat(&mut self, dim: usize, shape: &[Size], inputs: &[Node]) -> Node {
        self.node(format!("concat {dim}"), None, shape, inputs)
    }

    pub fn outputs(&mut self, names: &[&str], outputs: &[Node]) {
        let names = names.iter().map(|name| (*name).to_owned());
        self.outputs = names.zip(outputs.iter().map(|node| node.0)).collect();
    }

    /// The shape of a value.
    pub fn shape(&self, node: Node) -> &[Size] {
        &self.nodes[node.0].shape
    }

    /// A dimension of a value, if it is known.
    pub fn size(&self, node: Node, dim: usize) -> Option<i128> {
        crate::__private::known(self.shape(node), dim)
    }

    fn node(&mut self, label: String, row: Option<usize>, shape: &[Size], inputs: &[Node]) -> Node {
        self.nodes.push(Value {
            label,
            row,
            shape: shape.to_vec(),
            inputs: inputs.iter().map(|node| node.0).collect(),
            scope: self.around.last().copied(),
        });
        Node(self.nodes.len() - 1)
    }

    /// The repetition number `index` of the `repeat` at `path` begins.
    pub fn enter(&mut self, path: &str, index: usize) {
        let repeat = Some(self.path.of(path));
        self.path.enter(path, index);
        self.scope(self.path.of(""), repeat, None);
    }

    /// The network `name` at `path` in this one begins.
    pub fn model(&mut self, name: &str, path: &str) {
        self.path.model(path);
        match self.around.last() {
            // It is all that the repetition around it holds.
            Some(&scope) if path.is_empty() => {
                self.scopes[scope].network = Some(name.to_owned());
                self.around.push(scope);
            }
            _ => self.scope(self.path.of(""), None, Some(name.to_owned())),
        }
    }

    /// The repetition number `index` of the `repeat` at `path` begins, of which the layers are given
    /// with their whole paths.
    pub fn written(&mut self, path: &str, index: usize) {
        let path = self.path.of(path);
        self.scope(format!("{path}.{index}"), Some(path), None);
    }

    pub fn written_end(&mut self) {
        self.around.pop();
    }

    fn scope(&mut self, path: String, repeat: Option<String>, network: Option<String>) {
        self.scopes.push(Scope {
            path,
            repeat,
            network,
            parent: self.around.last().copied(),
        });
        self.around.push(self.scopes.len() - 1);
    }

    /// The repetition or the network ends.
    pub fn exit(&mut self) {
        self.path.exit();
        self.around.pop();
    }
}

impl Summary {
    /// The network as a graph, to be drawn.
    pub fn graph(&self) -> Graph {
        Graph::new(self)
    }

    /// The number of parameters.
    pub fn params(&self) -> usize {
        let params = self.layers.iter().map(|layer| layer.params);
        params.fold(0, usize::saturating_add)
    }

    /// The multiplications, each with its addition, for one example.
    pub fn multiply_adds(&self) -> Option<usize> {
        let layers = self.layers.iter();
        layers
            .map(|layer| layer.multiply_adds)
            .try_fold(0usize, |sum, found| Some(sum.saturating_add(found?)))
    }

    /// The bytes that the outputs of all layers take for one example.
    pub fn memory(&self) -> Option<usize> {
        let layers = self.layers.iter();
        layers
            .map(LayerSummary::memory)
            .try_fold(0usize, |sum, found| Some(sum.saturating_add(found?)))
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: usize) -> String {
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

/// Bytes as `1.5 MiB`.
fn bytes(bytes: usize) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let digits = usize::from(unit != "B");
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// The number, nothing for 0, or a mark that it depends on the tensor.
fn cell(number: Option<usize>, shown: fn(usize) -> String) -> String {
    match number {
        Some(0) => String::new(),
        Some(number) => shown(number),
        None => "?".to_owned(),
    }
}

const COLUMNS: usize = 6;

impl Summary {
    /// The table: its heading, a line for each input and layer, and the total.
    pub(crate) fn table(&self) -> Vec<[String; COLUMNS]> {
        let heading = [
            "layer",
            "path",
            "output",
            "parameters",
            "multiply-adds",
            "memory",
        ];
        let inputs = self.inputs.iter().map(|(name, sizes)| {
            let [params, multiply_adds, memory] = [const { String::new() }; 3];
            let layer = "input".to_owned();
            [
                layer,
                name.clone(),
                product(sizes),
                params,
                multiply_adds,
                memory,
            ]
        });
        let layers = self.layers.iter().map(|layer| {
            let path = match layer.params {
                0 if !layer.shared => "",
                _ => &layer.path,
            };
            let params = match layer.params {
                0 if layer.shared => "shared".to_owned(),
                params => cell(Some(params), grouped),
            };
            [
                layer.layer.clone(),
                path.to_owned(),
                product(&layer.shape),
                params,
                cell(layer.multiply_adds, grouped),
                cell(layer.memory(), bytes),
            ]
        });
        let total = [
            "total".to_owned(),
            String::new(),
            String::new(),
            grouped(self.params()),
            cell(self.multiply_adds(), grouped),
            cell(self.memory(), bytes),
        ];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.extend(inputs.chain(layers));
        rows.push(total);
        rows
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.table();
        let mut widths = [0; COLUMNS];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let rule = "─".repeat(widths.iter().sum::<usize>() + 3 * (COLUMNS - 1));
        write!(f, "{}, for one example", self.model)?;
        for (i, row) in rows.iter().enumerate() {
            if i == 1 || i == rows.len() - 1 {
                write!(f, "\n{rule}")?;
            }
            let cells = row
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    // Words to the left, numbers to the right.
                    if column < 3 {
                        format!("{cell:width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            let line = cells.collect::<Vec<_>>().join("   ");
            write!(f, "\n{}", line.trim_end())?;
        }
        Ok(())
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
