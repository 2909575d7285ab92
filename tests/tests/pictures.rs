//! Pictures of networks: that they are well formed, and that nothing in them overlaps.

use kiln::model::{Graph, Size, Summary};
use kiln_tests::Lcg;
use kiln_tests::networks::{JoinedConfig, NestedConfig, ResNetConfig, UNetConfig};
use xml::reader::{EventReader, XmlEvent};

/// A box: left, top, right, bottom.
#[derive(Clone, Copy, Debug)]
struct Area([f64; 4]);

impl Area {
    fn meets(&self, other: &Area) -> bool {
        let Area([left, top, right, bottom]) = *self;
        let Area([l, t, r, b]) = *other;
        left < r && l < right && top < b && t < bottom
    }

    fn holds(&self, other: &Area) -> bool {
        let Area([left, top, right, bottom]) = *self;
        let Area([l, t, r, b]) = *other;
        left <= l && top <= t && r <= right && b <= bottom
    }
}

/// What a picture shows, read by an XML parser.
#[derive(Default)]
struct Read {
    nodes: Vec<Area>,
    clusters: Vec<Area>,
    /// Points along each line.
    lines: Vec<Vec<[f64; 2]>>,
    texts: Vec<String>,
}

fn read(svg: &str) -> Read {
    let mut read = Read::default();
    for event in EventReader::from_str(svg) {
        match event.unwrap_or_else(|error| panic!("{error} in {svg}")) {
            XmlEvent::StartElement {
                name, attributes, ..
            } => {
                let attribute = |key: &str| {
                    let found = attributes.iter().find(|found| found.name.local_name == key);
                    found.map(|found| found.value.as_str())
                };
                let number = |key| attribute(key).and_then(|text| text.parse::<f64>().ok());
                if name.local_name == "rect" {
                    let [x, y, width, height] =
                        ["x", "y", "width", "height"].map(|key| number(key).expect("a number"));
                    let area = Area([x, y, x + width, y + height]);
                    match attribute("stroke-dasharray") {
                        Some(_) => read.clusters.push(area),
                        None => read.nodes.push(area),
                    }
                } else if let Some(path) = attribute("d").filter(|path| !path.contains('z')) {
                    read.lines.push(points(path));
                }
            }
            XmlEvent::Characters(text) => read.texts.push(text),
            _ => {}
        }
    }
    read
}

/// Points along `Mx yVy` or `Mx yVyCx y x y x yVy`.
fn points(path: &str) -> Vec<[f64; 2]> {
    let numbers = path.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    let numbers: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [x, y, end] => vec![[x, y], [x, (y + end) / 2.0], [x, end]],
        [x, y, first, _, m, _, _, to, second, end] => {
            let curve = (0..=20).map(|step| {
                let t = f64::from(step) / 20.0;
                let s = 1.0 - t;
                let bend = |a: f64, b: f64, c: f64, d: f64| {
                    s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d
                };
                [bend(x, x, to, to), bend(first, m, m, second)]
            });
            [[x, y]]
                .into_iter()
                .chain(curve)
                .chain([[to, end]])
                .collect()
        }
        _ => panic!("{path}"),
    }
}

#[track_caller]
fn assert_drawn(graph: &Graph) {
    let svg = graph.to_svg();
    let Read {
        nodes,
        clusters,
        lines,
        texts,
    } = read(&svg);
    for (index, area) in nodes.iter().enumerate() {
        for other in &nodes[..index] {
            assert!(!area.meets(other), "{area:?} {other:?} {svg}");
        }
        for cluster in &clusters {
            assert!(
                cluster.holds(area) || !cluster.meets(area),
                "{cluster:?} {area:?} {svg}"
            );
        }
    }
    for (index, area) in clusters.iter().enumerate() {
        for other in &clusters[..index] {
            let apart = !area.meets(other) || area.holds(other) || other.holds(area);
            assert!(apart, "{area:?} {other:?} {svg}");
        }
    }
    for line in &lines {
        assert!(line.is_sorted_by(|a, b| a[1] <= b[1]), "{line:?}");
        for [x, y] in line {
            let through = |area: &&Area| {
                let Area([left, top, right, bottom]) = **area;
                left + 0.2 < *x && *x < right - 0.2 && top + 0.2 < *y && *y < bottom - 0.2
            };
            let crossed = nodes.iter().find(through);
            assert!(crossed.is_none(), "({x}, {y}) is in {crossed:?}: {svg}");
        }
    }
    let drawn = texts
        .iter()
        .filter(|text| text.contains('×') || text.contains("parameter"));
    assert!(drawn.count() > 0, "{texts:?}");
}

#[test]
fn a_picture_is_well_formed_and_nothing_in_it_overlaps() {
    for graph in [
        ResNetConfig::new().graph(),
        ResNetConfig::new().with_blocks(3).with_deep(6).graph(),
        JoinedConfig::new().graph(),
        NestedConfig::new().graph(),
        UNetConfig::new().graph(),
        kiln_models::CnnConfig::new().graph(),
    ] {
        assert_drawn(&graph.expect("valid"));
    }
}

#[test]
fn a_picture_of_any_graph_is_as_good() {
    let mut random = Lcg(5);
    for round in 0..150 {
        let mut summary = Summary::new("Random", &[]);
        let shape = [Size::Fixed(random.draw(1, 4000)), Size::Any("length - 2")];
        let mut values = vec![summary.input("x", &shape), summary.input("second", &shape)];
        let mut depth = 0;
        for step in 0..random.draw(1, 60) {
            match random.draw(0, 9) {
                0 if depth < 4 => {
                    depth += 1;
                    summary.enter("stage", step);
                }
                1 if depth < 4 => {
                    depth += 1;
                    summary.model("AnInnerNetworkWithALongName", "inner");
                }
                2 if depth > 0 => {
                    depth -= 1;
                    summary.exit();
                }
                3 => {
                    let count = random.draw(2, 4);
                    let of: Vec<_> = (0..count)
                        .map(|_| values[random.draw(0, values.len() - 1)])
                        .collect();
                    values.push(summary.concat(0, &shape, &of));
                }
                kind => {
                    // Mostly chains, as networks are.
                    let back = random
                        .draw(1, if kind > 5 { 1 } else { 8 })
                        .min(values.len());
                    let from = values[values.len() - back];
                    let name = ["conv2d", "relu", "a_layer_with_a_rather_long_name"][kind % 3];
                    let params = random.draw(0, 1_000_000) as i128;
                    values.push(summary.layer(name, "0", &shape, params, None, &[from]));
                }
            }
        }
        for _ in 0..depth {
            summary.exit();
        }
        let outputs: Vec<_> = values.iter().rev().take(1 + round % 3).copied().collect();
        summary.outputs(&["y", "z", "w"][..outputs.len()], &outputs);
        assert_drawn(&summary.graph());
    }
}

#[test]
fn names_are_shown_as_they_are() {
    const NAME: &str = "<b>\"T&C\" `x` *y* #35; ]]> \u{1}\\é";
    let mut summary = Summary::new(NAME, &[]);
    let x = summary.input(NAME, &[Size::Fixed(1)]);
    summary.model(NAME, NAME);
    let y = summary.layer(NAME, "<path>", &[Size::Any("a < b")], 1, None, &[x]);
    summary.exit();
    summary.outputs(&[NAME], &[y]);
    let graph = summary.graph();
    let texts = read(&graph.to_svg()).texts;
    let shown = NAME.replace('\u{1}', "");
    let count = texts.iter().filter(|text| text.contains(&shown)).count();
    // The heading and its tooltip; three nodes with theirs; the cluster.
    assert_eq!(count, 2 + 6 + 1, "{texts:#?}");
    let text = graph.to_mermaid();
    let named = "#60;b#62;#34;T#38;C#34; #96;x#96; #42;y#42; #35;35; ]]#62;  #92;é";
    assert_eq!(text.matches(named).count(), 3 + 2, "{text}");
    for line in text.lines().filter(|line| line.contains('"')) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
    }
}

#[test]
fn a_network_of_thousands_of_layers_is_drawn() {
    let mut summary = Summary::new("Deep", &[]);
    let x = summary.input("x", &[Size::Fixed(1)]);
    let mut value = x;
    for step in 0..3_000 {
        summary.enter("stage", step);
        // No two neighbours are alike.
        value = summary.layer(
            "linear",
            "0",
            &[Size::Fixed(1)],
            step as i128 % 7,
            None,
            &[value],
        );
        summary.exit();
    }
    let sum = summary.join("+", &[x, value]);
    summary.outputs(&["y"], &[sum]);
    assert_eq!(read(&summary.graph().to_svg()).nodes.len(), 3_000 + 3);
}
