//! What of a graph is drawn: a run of equal repetitions once.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Cluster, Graph, relative};

/// The part of a graph that is drawn.
pub(super) struct View<'a> {
    pub(super) graph: &'a Graph,
    /// The nodes that are drawn.
    pub(super) nodes: Vec<usize>,
    /// The edges between them, each once, in the order of what they go to.
    pub(super) edges: Vec<(usize, usize)>,
    /// For each cluster that is drawn, and holds anything, the last repetition that it stands for.
    last: Vec<Option<usize>>,
    /// How many repetitions it stands for.
    times: Vec<usize>,
}

impl<'a> View<'a> {
    pub(super) fn new(graph: &'a Graph) -> View<'a> {
        let fold = Fold::new(graph);
        let mut stands: Vec<usize> = (0..graph.nodes.len()).collect();
        let mut last: Vec<_> = (0..graph.clusters.len()).map(Some).collect();
        let mut times = vec![1; graph.clusters.len()];
        for first in 0..graph.clusters.len() {
            let parent = graph.clusters[first].parent;
            if fold.ranges[first].is_empty() || parent.is_some_and(|parent| last[parent].is_none())
            {
                last[first] = None;
            }
            if last[first].is_none() {
                continue;
            }
            let mut before = first;
            while let Some(next) = fold.next(before).filter(|next| fold.same(before, *next)) {
                for (copy, shown) in fold.ranges[next].clone().zip(fold.ranges[first].clone()) {
                    stands[copy] = shown;
                }
                last[first] = Some(next);
                last[next] = None;
                times[first] += 1;
                before = next;
            }
        }
        // What a repetition stands for may itself stand in one that another stands for; the
        // outermost was dealt with first, so what it stands for lies before it.
        for node in 0..stands.len() {
            stands[node] = stands[stands[node]];
        }
        let shown = |node: usize| stands[node] == node;
        let edges = graph.edges.iter().filter(|(_, to)| shown(*to));
        let edges: BTreeSet<_> = edges.map(|(from, to)| (*to, stands[*from])).collect();
        View {
            graph,
            nodes: (0..stands.len()).filter(|node| shown(*node)).collect(),
            edges: edges.into_iter().map(|(to, from)| (from, to)).collect(),
            last,
            times,
        }
    }

    /// Whether a cluster is drawn.
    pub(super) fn shows(&self, cluster: usize) -> bool {
        self.last[cluster].is_some()
    }

    /// The clusters that are drawn within `parent`.
    pub(super) fn clusters(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let clusters = self.graph.clusters.iter().enumerate();
        clusters
            .filter(move |(index, cluster)| cluster.parent == parent && self.last[*index].is_some())
            .map(|(index, _)| index)
    }

    /// What stands over a cluster: `layer1.1 to layer1.5 (×5)`.
    pub(super) fn title(&self, cluster: usize) -> String {
        let Cluster { path, network, .. } = &self.graph.clusters[cluster];
        let mut title = path.clone();
        if let Some(last) = self.last[cluster].filter(|last| *last != cluster) {
            title += &format!(" to {}", self.graph.clusters[last].path);
        }
        if let Some(network) = network {
            title += &format!(": {network}");
        }
        if self.times[cluster] > 1 {
            title += &format!(" (×{})", self.times[cluster]);
        }
        title
    }
}

/// What is asked of a graph to tell whether two repetitions are equal.
struct Fold<'a> {
    graph: &'a Graph,
    /// The nodes within each cluster; they are behind each other.
    ranges: Vec<Range<usize>>,
    /// What each node is made of.
    inputs: Vec<Vec<usize>>,
}

impl<'a> Fold<'a> {
    fn new(graph: &'a Graph) -> Fold<'a> {
        let mut ranges = vec![0..0; graph.clusters.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            let mut cluster = node.cluster;
            while let Some(around) = cluster {
                if ranges[around].is_empty() {
                    ranges[around].start = index;
                }
                ranges[around].end = index + 1;
                cluster = graph.clusters[around].parent;
            }
        }
        let mut inputs = vec![Vec::new(); graph.nodes.len()];
        for (from, to) in &graph.edges {
            inputs[*to].push(*from);
        }
        Fold {
            graph,
            ranges,
            inputs,
        }
    }

    /// The repetition behind this one.
    fn next(&self, cluster: usize) -> Option<usize> {
        let clusters = &self.graph.clusters;
        let Cluster { repeat, parent, .. } = &clusters[cluster];
        repeat.as_ref()?;
        // Those within it come first.
        let beside = |next: &usize| clusters[*next].parent.is_none_or(|parent| parent < cluster);
        let next = (cluster + 1..clusters.len()).find(beside)?;
        (clusters[next].repeat == *repeat && clusters[next].parent == *parent).then_some(next)
    }

    /// Whether the repetition `b`, behind `a`, holds the same layers of the same shapes, joined in
    /// the same way.
    fn same(&self, a: usize, b: usize) -> bool {
        let (first, second) = (&self.ranges[a], &self.ranges[b]);
        // What goes from the repetition before into each of the two.
        let mut carried = None;
        let mut joined = |from: usize, to: usize| {
            if second.contains(&to) {
                first.contains(&from) && from - first.start == to - second.start
            } else if first.contains(&to) {
                !first.contains(&from) && *carried.get_or_insert((from, to)) == (from, to)
            } else {
                from == to
            }
        };
        first.len() == second.len()
            && first.clone().zip(second.clone()).all(|(x, y)| {
                let (left, right) = (&self.graph.nodes[x], &self.graph.nodes[y]);
                let [path, other] = [(left, a), (right, b)].map(|(node, cluster)| {
                    relative(&node.path, &self.graph.clusters[cluster].path)
                });
                let [inside, other_inside] = [(left, a), (right, b)]
                    .map(|(node, cluster)| node.cluster.map(|c| c - cluster));
                (
                    left.kind,
                    &left.label,
                    &left.shape,
                    left.params,
                    path,
                    inside,
                ) == (
                    right.kind,
                    &right.label,
                    &right.shape,
                    right.params,
                    other,
                    other_inside,
                ) && self.inputs[x].len() == self.inputs[y].len()
                    && self.inputs[x]
                        .iter()
                        .zip(&self.inputs[y])
                        .all(|(x, y)| joined(*x, *y))
            })
    }
}
