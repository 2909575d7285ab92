//! A graph as an SVG picture.

use std::fmt::Write;

use super::family::Family;
use super::fold::View;
use super::layout::{Area, Line, Sizes, picture};
use super::{Graph, GraphNode, NodeKind};
use crate::model::summary::grouped;
use crate::svg::{FONTS, GREY, escaped};

/// Sizes of letters: a layer's name, what is said of it, the heading.
const NAME: f64 = 13.0;
const SMALL: f64 = 11.0;
const HEADING: f64 = 15.0;
/// Between a layer's name and its path.
const SPACE: f64 = 6.0;
/// Around the whole.
const MARGIN: f64 = 16.0;
/// Between heading and graph.
const TOP: f64 = 24.0;
const TEXT: &str = "#1b1f24";

pub(super) fn text(graph: &Graph) -> String {
    let view = View::new(graph);
    let sizes = Sizes {
        node: &|node| size(graph, &graph.nodes[node]),
        title: &|cluster| width(&view.title(cluster), SMALL),
    };
    let drawn = picture(&view, &sizes);
    let heading = heading(graph);
    let whole = drawn.width.max(1.1 * width(&heading, HEADING)) + 2.0 * MARGIN;
    let height = drawn.height + TOP + 2.0 * MARGIN;
    let mut svg = Svg(String::new());
    svg.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {whole:.0} {height:.0}\" role=\"img\" font-family=\"{FONTS}\" \
         font-size=\"{SMALL}\">"
    ));
    svg.line(format_args!("<title>{}</title>", escaped(&heading)));
    svg.line(format_args!(
        "<text x=\"{MARGIN}\" y=\"{:.1}\" font-size=\"{HEADING}\" font-weight=\"600\" \
         fill=\"{GREY}\">{}</text>",
        MARGIN + HEADING,
        escaped(&heading),
    ));
    svg.line(format_args!(
        "<g transform=\"translate({MARGIN} {})\">",
        MARGIN + TOP
    ));
    for (cluster, area, title) in &drawn.clusters {
        svg.cluster(&view.title(*cluster), *area, *title);
    }
    svg.line(format_args!(
        "<g fill=\"none\" stroke=\"{GREY}\" stroke-width=\"1.5\" \
         stroke-linecap=\"round\">"
    ));
    for line in &drawn.lines {
        svg.edge(line);
    }
    svg.line(format_args!("</g>"));
    for line in drawn.lines.iter().filter(|line| line.arrow) {
        let (x, y) = line.points[3];
        svg.line(format_args!(
            "<path d=\"M{x:.1} {y:.1}l-4 -8h8z\" fill=\"{GREY}\"/>"
        ));
    }
    for (node, area) in &drawn.nodes {
        svg.node(graph, &graph.nodes[*node], *area);
    }
    svg.line(format_args!("</g>"));
    svg.line(format_args!("</svg>"));
    svg.0
}

/// `DigitNet, 12,345 parameters`
fn heading(graph: &Graph) -> String {
    let params = graph.nodes.iter().map(|node| node.params);
    let params = params.fold(0, usize::saturating_add);
    format!("{}, {} parameters", graph.model, grouped(params))
}

fn size(graph: &Graph, node: &GraphNode) -> (f64, f64) {
    if node.kind == NodeKind::Join {
        let wide = width(&node.label, NAME) + 14.0;
        return (wide.max(26.0), 26.0);
    }
    let (name, path) = first_line(graph, node);
    let details = width(&node.details().join(", "), SMALL);
    ((name + path).max(details) + 24.0, 42.0)
}

/// How wide the name of a layer is, and the path with the space before it.
fn first_line(graph: &Graph, node: &GraphNode) -> (f64, f64) {
    // The name is bold.
    let name = 1.1 * width(&node.label, NAME);
    match graph.path(node) {
        "" => (name, 0.0),
        path => (name, SPACE + width(path, SMALL)),
    }
}

/// How wide a text is at most in the usual fonts: that of DejaVu Sans, which is a wide one.
fn width(text: &str, size: f64) -> f64 {
    let widths = text.chars().map(|character| match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.0,
        'a'..='z' | '0'..='9' | '_' => 0.64,
        '\u{80}'..='\u{2ff}' => 0.8,
        '\u{300}'.. => 1.1,
        _ => 0.8,
    });
    widths.sum::<f64>() * size
}

struct Svg(String);

impl Svg {
    fn line(&mut self, line: std::fmt::Arguments) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn cluster(&mut self, title: &str, area: Area, place: f64) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        self.line(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" \
             fill=\"{GREY}\" fill-opacity=\"0.1\" stroke=\"{GREY}\" stroke-dasharray=\"5 4\"/>"
        ));
        self.line(format_args!(
            "<text x=\"{place:.1}\" y=\"{:.1}\" fill=\"{GREY}\">{}</text>",
            y + SMALL + 5.0,
            escaped(title),
        ));
    }

    /// Straight past what stands beside it, and in a curve from layer to layer.
    fn edge(&mut self, line: &Line) {
        let [(x0, y0), (x1, y1), (x2, y2), (_, y3)] = line.points;
        let middle = (y1 + y2) / 2.0;
        if (x1 - x2).abs() < 0.05 {
            self.line(format_args!("<path d=\"M{x0:.1} {y0:.1}V{y3:.1}\"/>"));
            return;
        }
        self.line(format_args!(
            "<path d=\"M{x0:.1} {y0:.1}V{y1:.1}C{x1:.1} {middle:.1} {x2:.1} {middle:.1} \
             {x2:.1} {y2:.1}V{y3:.1}\"/>"
        ));
    }

    fn node(&mut self, graph: &Graph, node: &GraphNode, area: Area) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let [fill, stroke] = Family::of(node).colours();
        let round = match node.kind {
            NodeKind::Layer => 5.0,
            _ => height / 2.0,
        };
        let path = escaped(&node.path);
        let (label, details) = (escaped(&node.label), escaped(&node.details().join(", ")));
        self.line(format_args!("<g text-anchor=\"middle\" fill=\"{TEXT}\">"));
        self.line(format_args!("<title>{label} {path} {details}</title>"));
        self.line(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"{round}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.2\"/>"
        ));
        let middle = x + width / 2.0;
        let first = match node.kind {
            NodeKind::Join => y + height / 2.0 + 4.5,
            _ => y + 18.0,
        };
        let name = format!("font-size=\"{NAME}\" font-weight=\"600\"");
        match graph.path(node) {
            "" => self.line(format_args!(
                "<text x=\"{middle:.1}\" y=\"{first:.1}\" {name}>{label}</text>"
            )),
            path => {
                // Both run from where they meet, so that a narrow font leaves no gap.
                let (left, right) = first_line(graph, node);
                let end = middle + (left - right) / 2.0;
                let start = end + SPACE;
                let path = escaped(path);
                self.line(format_args!(
                    "<text x=\"{end:.1}\" y=\"{first:.1}\" text-anchor=\"end\" {name}>{label}</text>\
                     <text x=\"{start:.1}\" y=\"{first:.1}\" text-anchor=\"start\">{path}</text>"
                ));
            }
        }
        if node.kind != NodeKind::Join {
            self.line(format_args!(
                "<text x=\"{middle:.1}\" y=\"{:.1}\">{details}</text>",
                y + 33.0
            ));
        }
        self.line(format_args!("</g>"));
    }
}
