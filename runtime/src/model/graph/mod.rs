//! A network as a graph: its layers, what goes from one to the other, and how that is drawn.

mod family;
mod fold;
mod layout;
mod mermaid;
mod svg;

use std::fmt;
use std::path::{Path, PathBuf};

use super::size::{Size, product};
use super::summary::{Scope, Summary, grouped};

/// The values of a network and what each is made of, worked out without running it.
///
/// [`to_mermaid`](Self::to_mermaid) is text that GitHub, GitLab and many editors draw,
/// [`to_svg`](Self::to_svg) a drawing for light and dark backgrounds. Both draw repetitions and
/// nested networks as boxes, and a run of equal repetitions once, with their number. `Display` is
/// the Mermaid text.
///
/// ```
/// use kiln::prelude::*;
///
/// model! {
///     pub struct Net;
///     input x: [4];
///     let y = x -> residual { linear(4) } -> linear(1);
///     output y;
///     loss mse;
/// }
/// let graph = NetConfig::new().graph()?;
/// let labels: Vec<_> = graph.nodes.iter().map(|node| node.label.as_str()).collect();
/// assert_eq!(labels, ["x", "linear", "+", "linear", "y"]);
/// assert_eq!(graph.edges, [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4)]);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The model's name.
    pub model: String,
    /// The nodes; each stands behind those that it is made of.
    pub nodes: Vec<GraphNode>,
    /// From which node to which a value goes, by their indices; in the order of the second, and
    /// of its arguments.
    pub edges: Vec<(usize, usize)>,
    /// The repetitions and nested networks; each stands before those within it.
    pub clusters: Vec<Cluster>,
}

/// A node of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphNode {
    /// What it is.
    pub kind: NodeKind,
    /// The layer as it is declared, such as `conv2d`, the sign of a join, or the name of an input
    /// or an output.
    pub label: String,
    /// The path of its parameters; empty for what is no layer.
    pub path: String,
    /// The shape that it gives for one example.
    pub shape: Vec<Size>,
    /// How many parameters it has; 0 where it shares those of another.
    pub params: usize,
    /// Whether it shares the parameters of a node before it.
    pub shared: bool,
    /// The index of the innermost cluster that it stands in.
    pub cluster: Option<usize>,
}

/// What a [`GraphNode`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// An input of the network.
    Input,
    /// A layer.
    Layer,
    /// Values that are added, multiplied or concatenated.
    Join,
    /// An output of the network.
    Output,
}

/// A repetition of a `repeat`, or a network within another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The path of its parameters.
    pub path: String,
    /// The path of the `repeat` that it is a repetition of.
    pub repeat: Option<String>,
    /// The name of the network that it is.
    pub network: Option<String>,
    /// The index of the cluster around it.
    pub parent: Option<usize>,
}

/// A drawing that could not be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The name of the file does not say what to write.
    #[error(
        "cannot tell what to draw into {}: expected a name that ends in .svg (a picture) or .mmd \
         (Mermaid text)", path.display()
    )]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write the graph to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Graph {
    pub(super) fn new(summary: &Summary) -> Graph {
        let inputs = summary.inputs.len();
        let mut edges = Vec::new();
        let mut nodes = Vec::new();
        for (index, value) in summary.nodes.iter().enumerate() {
            edges.extend(value.inputs.iter().map(|input| (*input, index)));
            let row = value.row.map(|row| &summary.layers[row]);
            nodes.push(GraphNode {
                kind: match row {
                    Some(_) => NodeKind::Layer,
                    None if index < inputs => NodeKind::Input,
                    None => NodeKind::Join,
                },
                label: value.label.clone(),
                path: row.map_or_else(String::new, |row| row.path.clone()),
                shape: value.shape.clone(),
                params: row.map_or(0, |row| row.params),
                shared: row.is_some_and(|row| row.shared),
                cluster: value.scope,
            });
        }
        for (name, output) in &summary.outputs {
            edges.push((*output, nodes.len()));
            nodes.push(GraphNode {
                kind: NodeKind::Output,
                label: name.clone(),
                path: String::new(),
                shape: nodes[*output].shape.clone(),
                params: 0,
                shared: false,
                cluster: None,
            });
        }
        let clusters = summary.scopes.iter().cloned().map(|scope| {
            let Scope {
                path,
                repeat,
                network,
                parent,
            } = scope;
            Cluster {
                path,
                repeat,
                network,
                parent,
            }
        });
        Graph {
            model: summary.model.clone(),
            nodes,
            edges,
            clusters: clusters.collect(),
        }
    }

    /// The graph in the language of [Mermaid](https://mermaid.js.org), a `flowchart`.
    pub fn to_mermaid(&self) -> String {
        mermaid::text(self)
    }

    /// The graph as a picture, a whole SVG file without a background.
    pub fn to_svg(&self) -> String {
        svg::text(self)
    }

    /// Writes the graph to a file: [`to_svg`](Self::to_svg) where its name ends in `.svg`,
    /// [`to_mermaid`](Self::to_mermaid) where it ends in `.mmd`.
    ///
    /// # Errors
    ///
    /// When the name ends in neither, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), GraphError> {
        let path = path.as_ref();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => self.to_svg(),
            Some("mmd") => self.to_mermaid(),
            _ => {
                let path = path.to_owned();
                return Err(GraphError::Extension { path });
            }
        };
        std::fs::write(path, text).map_err(|source| {
            let path = path.to_owned();
            GraphError::Write { path, source }
        })
    }

    /// The path of a node's parameters, if it has any, from the cluster on that it stands in.
    fn path<'a>(&self, node: &'a GraphNode) -> &'a str {
        if node.params == 0 && !node.shared {
            return "";
        }
        let around = node.cluster.map_or("", |index| &self.clusters[index].path);
        relative(&node.path, around)
    }
}

/// `path` without what it begins with.
fn relative<'a>(path: &'a str, around: &str) -> &'a str {
    let rest = path.strip_prefix(around).unwrap_or(path);
    rest.strip_prefix('.').unwrap_or(rest)
}

impl GraphNode {
    /// What is said of it beside its name and path: `16×28×28`, `160 parameters`.
    fn details(&self) -> Vec<String> {
        let params = match self.params {
            0 if self.shared => Some("shared parameters".to_owned()),
            0 => None,
            1 => Some("1 parameter".to_owned()),
            params => Some(format!("{} parameters", grouped(params))),
        };
        let shape = Some(product(&self.shape)).filter(|shape| !shape.is_empty());
        shape.into_iter().chain(params).collect()
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_mermaid())
    }
}
