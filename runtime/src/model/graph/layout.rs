//! Where the nodes of a graph stand: layers from top to bottom, after Sugiyama, Tagawa and Toda,
//! "Methods for visual understanding of hierarchical system structures" (1981).
//!
//! Each cluster is laid out by itself and stands in the one around it as one large node; edges
//! cross its border at ports. Within one cluster a node's layer is the longest path to it, edges
//! over several layers get a place in each, the order within a layer is by barycentres, and chains
//! of neighbours stand in straight columns (after Brandes and Köpf 2001) that are packed together.

mod columns;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use super::fold::View;

/// Between neighbours of a layer.
const BESIDE: f64 = 22.0;
/// Between layers.
const BELOW: f64 = 26.0;
/// Between the border of a cluster and what it holds.
const BORDER: f64 = 14.0;
/// The height of a cluster's title.
const TITLE: f64 = 22.0;

/// A box by its upper left corner and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// An edge, or a part of it up to a border: from one point to the next, always downwards.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) points: [(f64, f64); 4],
    /// Whether it ends at a node.
    pub(super) arrow: bool,
}

/// A part of the graph with everything in its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) nodes: Vec<(usize, Area)>,
    /// The clusters, each before those within it, with the place of the title.
    pub(super) clusters: Vec<(usize, Area, f64)>,
    pub(super) lines: Vec<Line>,
    /// Where the value of a node outside goes in at the top.
    entries: BTreeMap<usize, f64>,
    /// Where the value of a node inside goes out at the bottom.
    exits: BTreeMap<usize, f64>,
}

/// The sizes of what is drawn.
pub(super) struct Sizes<'a> {
    pub(super) node: &'a dyn Fn(usize) -> (f64, f64),
    /// The width of a title.
    pub(super) title: &'a dyn Fn(usize) -> f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Node(usize),
    Cluster(usize),
    /// The value of a node outside comes in from above.
    Entry(usize),
    /// The value of a node inside goes out below.
    Exit(usize),
    /// An edge that begins at an item, with the value of a node, is on its way past a layer.
    Passing(usize, usize, usize),
}

#[derive(Clone, Copy, Debug)]
struct Item {
    kind: Kind,
    width: f64,
    height: f64,
    layer: usize,
    /// The middle.
    x: f64,
}

/// A piece of an edge between neighbouring layers, with its ends' distances from the middles.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: usize,
    to: usize,
    out: f64,
    into: f64,
}

/// What stands directly in one cluster, or in none.
#[derive(Default)]
struct Level {
    items: Vec<Item>,
    found: BTreeMap<Kind, usize>,
    /// From item to item, with the node whose value it is.
    edges: Vec<(usize, usize, usize)>,
    known: BTreeSet<(usize, usize, usize)>,
    /// Below each layer.
    pieces: Vec<Vec<Piece>>,
    layers: Vec<Vec<usize>>,
}

/// Lays out the whole graph.
pub(super) fn picture(view: &View, sizes: &Sizes) -> Picture {
    // The last one is that of no cluster.
    let clusters = &view.graph.clusters;
    let mut levels: Vec<_> = (0..=clusters.len()).map(|_| Level::default()).collect();
    let around = |node: usize| {
        let parent = |cluster: &usize| clusters[*cluster].parent;
        let around = std::iter::successors(view.graph.nodes[node].cluster, parent);
        let mut around: Vec<_> = around.collect();
        around.reverse();
        around
    };
    // What a node is to each level around it, from the outside in.
    let places = |node: usize| {
        let around = around(node);
        let levels = std::iter::once(clusters.len()).chain(around.clone());
        let kinds = around.into_iter().map(Kind::Cluster);
        levels
            .zip(kinds.chain([Kind::Node(node)]))
            .collect::<Vec<_>>()
    };
    for node in &view.nodes {
        for (level, kind) in places(*node) {
            levels[level].item(kind);
        }
    }
    for (from, to) in &view.edges {
        let (starts, ends) = (places(*from), places(*to));
        let same = starts.iter().zip(&ends).take_while(|(a, b)| a == b).count();
        levels[starts[same].0].edge(starts[same].1, ends[same].1, *from);
        for (level, kind) in &starts[same + 1..] {
            levels[*level].edge(*kind, Kind::Exit(*from), *from);
        }
        for (level, kind) in &ends[same + 1..] {
            levels[*level].edge(Kind::Entry(*from), *kind, *from);
        }
    }
    let whole = levels.pop().unwrap_or_default();
    let mut inner = BTreeMap::new();
    // Each cluster stands before those within it.
    for (cluster, level) in levels.into_iter().enumerate().rev() {
        if !level.items.is_empty() {
            let mut picture = level.picture(&mut inner, sizes);
            picture.enclose(cluster, (sizes.title)(cluster));
            inner.insert(cluster, picture);
        }
    }
    whole.picture(&mut inner, sizes)
}

impl Level {
    fn item(&mut self, kind: Kind) -> usize {
        *self.found.entry(kind).or_insert_with(|| {
            self.items.push(Item {
                kind,
                width: 0.0,
                height: 0.0,
                layer: 0,
                x: 0.0,
            });
            self.items.len() - 1
        })
    }

    fn edge(&mut self, from: Kind, to: Kind, value: usize) {
        let edge = (self.item(from), self.item(to), value);
        if self.known.insert(edge) {
            self.edges.push(edge);
        }
    }

    fn picture(mut self, inner: &mut BTreeMap<usize, Picture>, sizes: &Sizes) -> Picture {
        for item in &mut self.items {
            (item.width, item.height) = match item.kind {
                Kind::Node(node) => (sizes.node)(node),
                Kind::Cluster(cluster) => {
                    let inner = &inner[&cluster];
                    (inner.width, inner.height)
                }
                Kind::Entry(_) => (0.0, TITLE),
                _ => (0.0, 0.0),
            };
        }
        self.layer();
        self.split(inner);
        self.order();
        self.place();
        self.draw(inner)
    }

    /// Layers by the longest path; what comes in is the first, what goes out the last.
    fn layer(&mut self) {
        let enters = |item: &Item| matches!(item.kind, Kind::Entry(_));
        let first = usize::from(self.items.iter().any(enters));
        for item in self.items.iter_mut().filter(|item| !enters(item)) {
            item.layer = first;
        }
        // Edges into an item stand before those out of it.
        for (from, to, _) in &self.edges {
            let below = self.items[*from].layer + 1;
            let item = &mut self.items[*to];
            item.layer = item.layer.max(below);
        }
        let leaves = |item: &Item| matches!(item.kind, Kind::Exit(_));
        let others = self.items.iter().filter(|item| !leaves(item));
        let last = others.map(|item| item.layer + 1).max().unwrap_or(0);
        for item in self.items.iter_mut().filter(|item| leaves(item)) {
            item.layer = last;
        }
    }

    /// Splits the edges into pieces from layer to layer; those of one value share them.
    fn split(&mut self, inner: &BTreeMap<usize, Picture>) {
        let mut pieces = BTreeSet::new();
        for (from, to, value) in std::mem::take(&mut self.edges) {
            let (first, last) = (self.items[from].layer, self.items[to].layer);
            let mut end = from;
            for layer in first + 1..last {
                let passing = self.item(Kind::Passing(from, value, layer));
                self.items[passing].layer = layer;
                pieces.insert((end, passing, value));
                end = passing;
            }
            pieces.insert((end, to, value));
        }
        let port =
            |item: usize, value: usize, ports: fn(&Picture) -> &BTreeMap<usize, f64>| match self
                .items[item]
                .kind
            {
                Kind::Cluster(cluster) => {
                    let inner = &inner[&cluster];
                    let port = ports(inner).get(&value);
                    port.map_or(0.0, |port| port - inner.width / 2.0)
                }
                _ => 0.0,
            };
        let last = self.items.iter().map(|item| item.layer).max();
        let layers = last.map_or(0, |last| last + 1);
        self.layers = vec![Vec::new(); layers];
        self.pieces = vec![Vec::new(); layers];
        for (from, to, value) in pieces {
            let piece = Piece {
                from,
                to,
                out: port(from, value, |inner| &inner.exits),
                into: port(to, value, |inner| &inner.entries),
            };
            self.pieces[self.items[from].layer].push(piece);
        }
        for (index, item) in self.items.iter().enumerate() {
            self.layers[item.layer].push(index);
        }
    }

    fn draw(self, inner: &mut BTreeMap<usize, Picture>) -> Picture {
        let left = |item: &Item| item.x - item.width / 2.0;
        let right = |item: &Item| item.x + item.width / 2.0;
        let least = self.items.iter().map(left).fold(f64::INFINITY, f64::min);
        let most = self.items.iter().map(right).fold(least, f64::max);
        let mut picture = Picture {
            width: most - least,
            ..Picture::default()
        };
        let x = |item: usize| self.items[item].x - least;
        // What comes in leaves room for the title.
        let enters = |item: &Item| matches!(item.kind, Kind::Entry(_));
        let mut y = if self.items.iter().any(enters) {
            0.0
        } else {
            TITLE
        };
        let mut bounds = Vec::new();
        for (layer, pieces) in self.layers.iter().zip(&self.pieces) {
            let heights = layer.iter().map(|item| self.items[*item].height);
            let bottom = y + heights.fold(0.0, f64::max);
            bounds.push((y, bottom));
            let aside = pieces.iter().map(|piece| {
                let aside = x(piece.from) + piece.out - x(piece.to) - piece.into;
                aside.abs()
            });
            y = bottom + BELOW + (aside.fold(0.0, f64::max) / 8.0).min(BELOW);
        }
        let (_, bottom) = bounds.last().copied().unwrap_or_default();
        picture.height = bottom;
        let area = |index: usize| {
            let item = &self.items[index];
            let (top, bottom) = bounds[item.layer];
            Area {
                x: x(index) - item.width / 2.0,
                y: (top + bottom - item.height) / 2.0,
                width: item.width,
                height: item.height,
            }
        };
        for (index, item) in self.items.iter().enumerate() {
            let area = area(index);
            match item.kind {
                Kind::Node(node) => picture.nodes.push((node, area)),
                Kind::Cluster(cluster) => {
                    let inner = inner.remove(&cluster).unwrap_or_default();
                    picture.take(inner, area.x, area.y);
                }
                Kind::Entry(node) => drop(picture.entries.insert(node, x(index))),
                Kind::Exit(node) => drop(picture.exits.insert(node, x(index))),
                Kind::Passing(..) => {}
            }
        }
        for piece in self.pieces.iter().flatten() {
            let (from, to) = (area(piece.from), area(piece.to));
            let (start, end) = (x(piece.from) + piece.out, x(piece.to) + piece.into);
            let (_, bottom) = bounds[self.items[piece.from].layer];
            let (top, below) = bounds[self.items[piece.to].layer];
            let begin = match self.items[piece.from].kind {
                Kind::Entry(_) => from.y,
                Kind::Passing(..) => bottom,
                _ => from.y + from.height,
            };
            let stop = match self.items[piece.to].kind {
                Kind::Passing(..) => below,
                _ => to.y,
            };
            picture.lines.push(Line {
                points: [(start, begin), (start, bottom), (end, top), (end, stop)],
                arrow: matches!(self.items[piece.to].kind, Kind::Node(_)),
            });
        }
        picture
    }
}

impl Picture {
    /// Takes over what another picture holds, with its corner at a point.
    fn take(&mut self, other: Picture, x: f64, y: f64) {
        let moved = |area: Area| Area {
            x: area.x + x,
            y: area.y + y,
            ..area
        };
        let nodes = other.nodes.into_iter();
        self.nodes
            .extend(nodes.map(|(node, area)| (node, moved(area))));
        let clusters = other.clusters.into_iter();
        self.clusters
            .extend(clusters.map(|(cluster, area, title)| (cluster, moved(area), title + x)));
        self.lines.extend(other.lines.into_iter().map(|line| Line {
            points: line.points.map(|(a, b)| (a + x, b + y)),
            ..line
        }));
    }

    /// Draws the border of `cluster` around it, with room for a title of the width `title` beside
    /// what comes in.
    fn enclose(&mut self, cluster: usize, title: f64) {
        let inside = std::mem::take(self);
        let ports = |ports: &BTreeMap<usize, f64>| -> BTreeMap<usize, f64> {
            ports.iter().map(|(node, x)| (*node, x + BORDER)).collect()
        };
        (self.entries, self.exits) = (ports(&inside.entries), ports(&inside.exits));
        let first = self.entries.values().copied().fold(f64::INFINITY, f64::min);
        let last = self.entries.values().copied().fold(0.0, f64::max);
        let width = inside.width + 2.0 * BORDER;
        let needed = title + 2.0 * BORDER;
        let (place, width) = if first >= needed {
            (BORDER, width.max(needed))
        } else {
            let width = width.max(last + needed);
            (width - title - BORDER, width)
        };
        let below = if self.exits.is_empty() { BORDER } else { 0.0 };
        (self.width, self.height) = (width, inside.height + below);
        let (width, height) = (self.width, self.height);
        self.clusters.push((
            cluster,
            Area {
                x: 0.0,
                y: 0.0,
                width,
                height,
            },
            place,
        ));
        self.take(inside, BORDER, 0.0);
    }
}
