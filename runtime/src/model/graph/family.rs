//! What kinds of layers are told apart by their colours.

use super::{GraphNode, NodeKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Boundary,
    Join,
    Convolution,
    Dense,
    Attention,
    Recurrent,
    Norm,
    Pool,
    /// Other layers with parameters.
    Other,
    /// Other layers without: activations, dropout, shapes.
    Plain,
}

impl Family {
    pub(super) const ALL: [Family; 10] = [
        Family::Boundary,
        Family::Join,
        Family::Convolution,
        Family::Dense,
        Family::Attention,
        Family::Recurrent,
        Family::Norm,
        Family::Pool,
        Family::Other,
        Family::Plain,
    ];

    /// By the name of the layer, so that a layer of a user's own finds its family, too.
    pub(super) fn of(node: &GraphNode) -> Family {
        match node.kind {
            NodeKind::Input | NodeKind::Output => return Family::Boundary,
            NodeKind::Join => return Family::Join,
            NodeKind::Layer => {}
        }
        let label = node.label.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| label.contains(word));
        if is(&["norm"]) {
            Family::Norm
        } else if is(&["pool"]) {
            Family::Pool
        } else if is(&["conv"]) {
            Family::Convolution
        } else if is(&["attention", "transformer"]) {
            Family::Attention
        } else if is(&["lstm", "gru", "rnn"]) {
            Family::Recurrent
        } else if is(&["linear", "embedding"]) {
            Family::Dense
        } else if node.params > 0 {
            Family::Other
        } else {
            Family::Plain
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Family::Boundary => "boundary",
            Family::Join => "join",
            Family::Convolution => "convolution",
            Family::Dense => "dense",
            Family::Attention => "attention",
            Family::Recurrent => "recurrent",
            Family::Norm => "norm",
            Family::Pool => "pool",
            Family::Other => "other",
            Family::Plain => "plain",
        }
    }

    /// A light fill for dark text, and a border that shows on light and dark.
    pub(super) fn colours(self) -> [&'static str; 2] {
        match self {
            Family::Boundary => ["#dfe3e8", "#69737d"],
            Family::Join => ["#ffffff", "#69737d"],
            Family::Convolution => ["#cfe3fb", "#3b7dd8"],
            Family::Dense => ["#d9d3f7", "#7158c9"],
            Family::Attention => ["#f9d0e3", "#c8447f"],
            Family::Recurrent => ["#fbd9c5", "#cf6a2e"],
            Family::Norm => ["#fdf0bf", "#b58a10"],
            Family::Pool => ["#c5ebe6", "#1f8f84"],
            Family::Other => ["#d5efcb", "#4f9a35"],
            Family::Plain => ["#f1f3f5", "#8b949e"],
        }
    }
}
