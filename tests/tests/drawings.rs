//! Networks as graphs: what is in them, and what of it is drawn.

use kiln::model::{Graph, NodeKind, Size};
use kiln::prelude::*;
use kiln_tests::Folder;
use kiln_tests::networks::{JoinedConfig, NestedConfig, ResNetConfig, TwinsConfig, UNetConfig};

#[test]
fn every_layer_is_a_node_and_everything_that_goes_in_an_edge() {
    let graph = JoinedConfig::new().graph().expect("valid");
    let of = |node: usize| graph.nodes[node].label.as_str();
    let edges: Vec<_> = graph.edges.iter().map(|(a, b)| (of(*a), of(*b))).collect();
    assert_eq!(
        edges,
        [
            ("left", "conv2d"),
            ("right", "*"),
            ("conv2d", "*"),
            ("conv2d", "+"),
            ("*", "+"),
            ("+", "relu"),
            ("right", "tanh"),
            ("relu", "concat 0"),
            ("tanh", "concat 0"),
            ("left", "concat 0"),
            ("concat 0", "flatten"),
            ("flatten", "linear"),
            ("relu", "global_avg_pool"),
            ("global_avg_pool", "linear"),
            ("linear", "+"),
            ("linear", "+"),
            ("+", "gelu"),
            ("gelu", "linear"),
            ("linear", "scores"),
            ("concat 0", "wide"),
        ],
    );
    let config = ResNetConfig::new().with_blocks(3);
    let (graph, summary) = (
        config.graph().expect("valid"),
        config.summary().expect("valid"),
    );
    let layers = graph
        .nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Layer);
    let layers = layers.map(|node| (&node.label, &node.path, &node.shape, node.params));
    let rows = summary.layers.iter();
    let rows = rows.map(|row| (&row.layer, &row.path, &row.shape, row.params));
    assert_eq!(layers.collect::<Vec<_>>(), rows.collect::<Vec<_>>());
    assert!(graph.edges.iter().all(|(from, to)| from < to));
}

#[test]
fn the_graph_of_a_model_is_that_of_its_configuration() {
    let config = NestedConfig::new().with_channels(3);
    let model = config.init(&kiln_tests::device()).expect("valid");
    assert_eq!(model.graph(), config.graph().expect("valid"));
    assert_eq!(
        Model::config(&model).summary().expect("valid").graph(),
        model.graph()
    );
    let open = TwinsConfig::new().graph().expect("valid");
    let known = TwinsConfig::new().graph_at(&[("n", 5)]).expect("valid");
    let shape = |graph: &Graph| graph.nodes.last().expect("an output").shape.clone();
    assert_eq!(shape(&open), [Size::Any("n"), Size::Fixed(4)]);
    assert_eq!(shape(&known), [Size::Fixed(5), Size::Fixed(4)]);
    assert!(NestedConfig::new().with_channels(0).graph().is_err());
}

#[test]
fn a_layer_used_twice_says_that_it_shares_its_parameters() {
    let text = TwinsConfig::new().graph().expect("valid").to_mermaid();
    for line in [
        r#"["<b>linear</b> encode<br/>4<br/>28 parameters"]"#,
        r#"["<b>linear</b> encode<br/>n×4<br/>shared parameters"]"#,
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let table = TwinsConfig::new().summary().expect("valid").to_string();
    let lines: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[5][..4], ["linear", "encode", "4", "28"], "{table}");
    assert_eq!(
        lines[6][..4],
        ["linear", "encode", "n×4", "shared"],
        "{table}"
    );
}

#[test]
fn repetitions_and_networks_are_clusters_by_their_paths() {
    let graph = NestedConfig::new().graph().expect("valid");
    let clusters = graph.clusters.iter().map(|cluster| {
        let parent = cluster
            .parent
            .map_or("", |parent| &graph.clusters[parent].path);
        let [repeat, network] = [&cluster.repeat, &cluster.network].map(|name| name.as_deref());
        (cluster.path.as_str(), repeat, network, parent)
    });
    let (stage, block) = (Some("stage"), Some("Block"));
    assert_eq!(
        clusters.collect::<Vec<_>>(),
        [
            ("block", None, block, ""),
            ("stage.0", stage, None, ""),
            ("stage.0.0.0", Some("stage.0.0"), block, "stage.0"),
            ("stage.0.0.1", Some("stage.0.0"), block, "stage.0"),
            ("stage.0.0.2", Some("stage.0.0"), block, "stage.0"),
            ("stage.1", stage, None, ""),
            ("stage.1.0.0", Some("stage.1.0"), block, "stage.1"),
            ("stage.1.0.1", Some("stage.1.0"), block, "stage.1"),
            ("stage.1.0.2", Some("stage.1.0"), block, "stage.1"),
        ],
    );
    for node in &graph.nodes {
        if let Some(cluster) = node.cluster {
            let path = &graph.clusters[cluster].path;
            assert!(
                node.path.is_empty() || node.path.starts_with(path),
                "{node:?}"
            );
        }
    }
}

#[test]
fn a_run_of_equal_repetitions_is_drawn_once_with_its_number() {
    let titles = |graph: &Graph| {
        let text = graph.to_mermaid();
        let lines = text
            .lines()
            .filter_map(|line| line.split_once("subgraph")?.1.split_once('"'));
        let titles = lines.map(|(_, title)| title.trim_end_matches("\"]").to_owned());
        titles.collect::<Vec<_>>()
    };
    let deep = ResNetConfig::new().with_blocks(3).with_deep(6);
    assert_eq!(
        titles(&deep.graph().expect("valid")),
        [
            "layer1.0 to layer1.2 (×3)",
            "layer2.0",
            "layer2.1 to layer2.5 (×5)"
        ],
    );
    assert_eq!(
        titles(&ResNetConfig::new().with_blocks(1).graph().expect("valid")),
        ["layer1.0", "layer2.0", "layer2.1"],
    );
    assert_eq!(
        titles(&NestedConfig::new().graph().expect("valid")),
        [
            "block: Block",
            "stage.0 to stage.1 (×2)",
            "stage.0.0.0 to stage.0.0.2: Block (×3)",
        ],
    );
    // Of the three and of the six the layers of one are drawn, and what leaves the last one leaves
    // that one.
    let (text, shallow) = (deep.graph(), ResNetConfig::new().with_blocks(1).graph());
    let [text, shallow] = [text, shallow].map(|graph| graph.expect("valid").to_mermaid());
    let count = |text: &str| text.lines().filter(|line| line.contains("-->")).count();
    assert_eq!(count(&text), count(&shallow));
}

#[test]
fn mermaid_text_is_as_expected() {
    // Nodes with their text, clusters with what is in them, edges, then the colours. The residual's
    // sum has two edges, and the two equal repetitions are one cluster, whose last value goes on.
    model! {
        struct Net;
        input x: [4];
        let h = x -> repeat 2 { residual { linear(4) } };
        let y = h -> head: linear(1, bias: false);
        output y;
    }
    assert_eq!(
        NetConfig::new().graph().expect("valid").to_mermaid(),
        r##"flowchart TD
    n0(["<b>x</b><br/>4"])
    n5["<b>linear</b> head<br/>1<br/>4 parameters"]
    n6(["<b>y</b><br/>1"])
    subgraph c0 ["h.0 to h.1 (×2)"]
        n1["<b>linear</b><br/>4<br/>20 parameters"]
        n2(("#43;"))
    end
    n0 --> n1
    n0 --> n2
    n1 --> n2
    n2 --> n5
    n5 --> n6
    classDef block fill:#7d85901a,stroke:#7d8590
    class c0 block
    classDef boundary fill:#dfe3e8,stroke:#69737d,color:#1b1f24
    class n0,n6 boundary
    classDef join fill:#ffffff,stroke:#69737d,color:#1b1f24
    class n2 join
    classDef dense fill:#d9d3f7,stroke:#7158c9,color:#1b1f24
    class n1,n5 dense
"##,
    );
}

#[test]
fn a_drawing_is_the_same_every_time_and_goes_where_its_name_says() {
    let graph = UNetConfig::new().graph().expect("valid");
    let again = UNetConfig::new().graph().expect("valid");
    assert_eq!(graph.to_svg(), again.to_svg());
    assert_eq!(graph.to_string(), again.to_mermaid());
    let folder = Folder::new("drawings");
    let [svg, mmd, other] = ["a.svg", "a.mmd", "a.png"].map(|name| folder.file(name));
    graph.save(&svg).expect("written");
    graph.save(&mmd).expect("written");
    assert_eq!(std::fs::read_to_string(svg).expect("there"), graph.to_svg());
    assert_eq!(
        std::fs::read_to_string(mmd).expect("there"),
        graph.to_mermaid()
    );
    let error = graph
        .save(&other)
        .expect_err("no kind of drawing")
        .to_string();
    assert!(
        error.contains("expected a name that ends in .svg"),
        "{error}"
    );
    let error = graph
        .save(folder.file("none/a.svg"))
        .expect_err("no folder")
        .to_string();
    assert!(error.starts_with("cannot write the graph to "), "{error}");
}
