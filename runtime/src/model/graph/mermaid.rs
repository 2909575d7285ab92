//! A graph as a Mermaid flowchart.

use std::fmt::{Arguments, Write};

use super::family::Family;
use super::fold::View;
use super::{Graph, GraphNode, NodeKind};

pub(super) fn text(graph: &Graph) -> String {
    let view = View::new(graph);
    let mut text = String::from("flowchart TD\n");
    block(&view, None, 1, &mut text);
    for (from, to) in &view.edges {
        line(&mut text, 1, format_args!("n{from} --> n{to}"));
    }
    let mut class = |name: &str, style: &str, members: Vec<String>| {
        if !members.is_empty() {
            line(&mut text, 1, format_args!("classDef {name} {style}"));
            line(
                &mut text,
                1,
                format_args!("class {} {name}", members.join(",")),
            );
        }
    };
    let clusters = (0..graph.clusters.len()).filter(|cluster| view.shows(*cluster));
    let clusters = clusters.map(|cluster| format!("c{cluster}")).collect();
    class("block", "fill:#7d85901a,stroke:#7d8590", clusters);
    for family in Family::ALL {
        let nodes = view.nodes.iter();
        let nodes = nodes.filter(|node| Family::of(&graph.nodes[**node]) == family);
        let nodes = nodes.map(|node| format!("n{node}")).collect();
        let [fill, stroke] = family.colours();
        let style = format!("fill:{fill},stroke:{stroke},color:#1b1f24");
        class(family.name(), &style, nodes);
    }
    text
}

/// What stands in `cluster`, each cluster of it where its first node is.
fn block(view: &View, cluster: Option<usize>, depth: usize, text: &mut String) {
    for index in view.nodes.iter().copied() {
        let shown = &view.graph.nodes[index];
        if shown.cluster == cluster {
            let node = node(view.graph, shown);
            line(text, depth, format_args!("n{index}{node}"));
        }
    }
    for inner in view.clusters(cluster) {
        let title = escaped(&view.title(inner));
        line(text, depth, format_args!("subgraph c{inner} [\"{title}\"]"));
        block(view, Some(inner), depth + 1, text);
        line(text, depth, format_args!("end"));
    }
}

fn line(text: &mut String, depth: usize, line: Arguments) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "{:1$}{line}", "", 4 * depth);
}

fn node(graph: &Graph, node: &GraphNode) -> String {
    let label = escaped(&node.label);
    if node.kind == NodeKind::Join {
        return format!("((\"{label}\"))");
    }
    let mut lines = vec![format!("<b>{label}</b>")];
    let path = graph.path(node);
    if !path.is_empty() {
        lines[0] += &format!(" {}", escaped(path));
    }
    lines.extend(node.details().iter().map(|detail| escaped(detail)));
    let lines = lines.join("<br/>");
    match node.kind {
        NodeKind::Layer => format!("[\"{lines}\"]"),
        _ => format!("([\"{lines}\"])"),
    }
}

/// `text` with what Mermaid, its Markdown or its HTML would take as more than a character, as
/// Mermaid's entities.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '#' | '&' | '<' | '>' | '`' | '*' | '+' | '\\' => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
