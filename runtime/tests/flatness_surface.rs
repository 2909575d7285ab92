//! Lines, planes and trajectories over losses that are known in closed form, in double precision.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use kiln::burn;
use kiln::burn::module::{Module, Param};
use kiln::burn::tensor::{Distribution, FloatDType, TensorData};
use kiln::data::{DataError, Examples, Source, Target};
use kiln::flatness::{
    FilterNormalisation, Objective, Plane, Profile, Slice, Surface, Trajectory, Watch,
};
use kiln::prelude::*;

/// In double precision; nothing on wgpu, which has none.
static DEVICE: LazyLock<Option<Device>> = LazyLock::new(|| {
    let mut device = default_device().expect("there is a device");
    if kiln::device::name(&device) == "wgpu" {
        return None;
    }
    let doubles = device.configure(FloatDType::F64);
    doubles.expect("nothing was computed yet");
    Some(device)
});

/// The device, for one test at a time: what one draws, another would miss.
fn alone() -> Option<(Device, MutexGuard<'static, ()>)> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Some((DEVICE.clone()?, alone))
}

#[derive(Module, Debug)]
struct Point {
    w: Param<Tensor<1>>,
}

const SIZE: usize = 6;

fn tensor(values: &[f64], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::from(values), device)
}

fn numbers(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn start() -> Vec<f64> {
    (0..SIZE).map(|i| (i as f64 * 1.7).sin()).collect()
}

fn point(device: &Device) -> Point {
    Point {
        w: Param::from_tensor(tensor(&start(), device)),
    }
}

/// 1/2 wᵀ A w + c · w with A_ij = cos(i j) + 4 [i = j].
fn quadratic(w: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..SIZE {
        for j in 0..SIZE {
            sum += 0.5 * w[i] * w[j] * entry(i, j);
        }
        sum += w[i] * (i as f64 - 2.0);
    }
    sum
}

fn entry(i: usize, j: usize) -> f64 {
    ((i * j) as f64).cos() + if i == j { 4.0 } else { 0.0 }
}

fn objective(model: &Point, device: &Device) -> Objective<'static> {
    let entries: Vec<f64> = (0..SIZE * SIZE)
        .map(|at| entry(at / SIZE, at % SIZE))
        .collect();
    let a = Tensor::<2>::from_data(TensorData::new(entries, [SIZE, SIZE]), device);
    let c: Vec<f64> = (0..SIZE).map(|i| i as f64 - 2.0).collect();
    let a = Tensor::from_inner(a);
    let c = Tensor::from_inner(tensor(&c, device));
    Objective::plain(model, vec![((a, c), 1)], |model: &Point, (a, c)| {
        let w = model.w.val();
        let column = w.clone().unsqueeze_dim::<2>(1);
        let square = (a.matmul(column.clone()) * column).sum() * 0.5;
        square + (w * c).sum()
    })
    .unwrap()
}

fn moved(w: &[f64], steps: &[(f64, &[f64])]) -> Vec<f64> {
    let mut w = w.to_vec();
    for (step, along) in steps {
        for (w, along) in w.iter_mut().zip(*along) {
            *w += step * along;
        }
    }
    w
}

fn directions() -> [Vec<f64>; 2] {
    [0.9, 2.3].map(|by| (0..SIZE).map(|i| (1.0 + i as f64 * by).cos()).collect())
}

#[test]
fn a_line_over_a_quadratic_is_the_closed_form() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = point(&device);
    let objective = objective(&model, &device);
    let [d, _] = directions();
    let profile = Slice::new()
        .points(21)
        .run(&objective, &tensor(&d, &device))
        .unwrap();
    assert_eq!(
        (profile.alphas[0], profile.alphas[10], profile.alphas[20]),
        (-1.0, 0.0, 1.0)
    );
    for (alpha, loss) in profile.alphas.iter().zip(&profile.losses) {
        let expected = quadratic(&moved(&start(), &[(*alpha, &d)]));
        assert!((loss.unwrap() - expected).abs() < 1e-10);
    }
    assert!(profile.complete && profile.accuracies.iter().all(Option::is_none));

    let (from, to) = (vec![0.3; SIZE], directions()[1].clone());
    let slice = Slice::new().range(-0.5..=1.5).points(9);
    let profile = slice.between(&objective, &tensor(&from, &device), &tensor(&to, &device));
    let profile = profile.unwrap();
    for (alpha, loss) in profile.alphas.iter().zip(&profile.losses) {
        let there = from.iter().zip(&to).map(|(a, b)| a + alpha * (b - a));
        let expected = quadratic(&there.collect::<Vec<_>>());
        assert!((loss.unwrap() - expected).abs() < 1e-10);
    }
    let ends = Slice::new().points(2);
    let ends = ends.between(&objective, &tensor(&from, &device), &tensor(&to, &device));
    assert_eq!(ends.unwrap().alphas, [0.0, 1.0]);

    let csv = profile.to_csv();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("alpha,loss,accuracy"));
    for (line, (alpha, loss)) in lines.zip(profile.alphas.iter().zip(&profile.losses)) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0].parse(), Ok(*alpha));
        assert_eq!(cells[1].parse().ok(), *loss);
        assert_eq!(cells[2], "");
    }
    assert_eq!(csv.lines().count(), 10);
    assert_eq!(numbers(&model.w.val()), start());
}

#[test]
fn a_plane_over_a_quadratic_is_the_closed_form() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = point(&device);
    let objective = objective(&model, &device);
    let [d, e] = directions();
    let plane = Plane::new().x(-2.0..=1.0).y(0.5..=3.0).points(7);
    let surface = plane
        .run(&objective, &[tensor(&d, &device), tensor(&e, &device)])
        .unwrap();
    for (row, y) in surface.y.iter().enumerate() {
        for (column, x) in surface.x.iter().enumerate() {
            let expected = quadratic(&moved(&start(), &[(*x, &d), (*y, &e)]));
            assert!((surface.at(column, row).unwrap() - expected).abs() < 1e-10);
        }
    }
    assert_eq!(
        (
            surface.at(7, 0),
            surface.at(0, 7),
            surface.at(0, usize::MAX)
        ),
        (None, None, None)
    );
    let csv = surface.to_csv();
    assert_eq!(csv.lines().count(), 50);
    let cells: Vec<&str> = csv.lines().nth(10).unwrap().split(',').collect();
    assert_eq!(cells[0].parse(), Ok(surface.x[2]));
    assert_eq!(cells[1].parse(), Ok(surface.y[1]));
    assert_eq!(cells[2].parse().ok(), surface.at(2, 1));
    let json = serde_json::to_string(&surface).unwrap();
    let read: Surface = serde_json::from_str(&json).unwrap();
    assert_eq!(read.x.len(), 7);
    // The reader may be off by the last bit.
    for (read, written) in read.losses.iter().zip(&surface.losses) {
        assert!((read.unwrap() / written.unwrap() - 1.0).abs() < 1e-15);
    }
    assert_eq!(numbers(&model.w.val()), start());
}

#[test]
fn a_point_that_is_not_finite_is_missing() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = point(&device);
    // Infinite and no number where w_0 < -0.5 or so.
    let objective = Objective::plain(&model, vec![((), 1)], |model: &Point, ()| {
        (model.w.val().narrow(0, 0, 1) + 0.5).log().sum()
    });
    let objective = objective.unwrap();
    let along = tensor(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], &device);
    let profile = Slice::new().points(5).run(&objective, &along).unwrap();
    assert!(profile.complete);
    let found: Vec<_> = profile.losses.iter().map(Option::is_some).collect();
    assert_eq!(found, [false, false, true, true, true]);
    assert_eq!(profile.to_csv().lines().nth(1), Some("-1,,"));
    let json = serde_json::to_string(&profile).unwrap();
    let read: Profile = serde_json::from_str(&json).unwrap();
    assert_eq!((read.losses[0], read.alphas), (None, profile.alphas));
}

#[test]
fn an_interruption_leaves_the_points_until_then() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let (model, flag) = (point(&device), Arc::new(AtomicBool::new(false)));
    let (calls, raised) = (std::cell::Cell::new(0), flag.clone());
    let objective = Objective::plain(&model, vec![((), 1)], move |model: &Point, ()| {
        calls.set(calls.get() + 1);
        raised.store(calls.get() == 4, Ordering::Relaxed);
        model.w.val().square().sum()
    });
    let objective = objective.unwrap();
    let objective = objective.watched(Watch::silent().stop_when(flag));
    let [d, e] = directions().map(|d| tensor(&d, &device));
    let profile = Slice::new().points(9).run(&objective, &d).unwrap();
    assert!(!profile.complete);
    assert_eq!(profile.losses.iter().flatten().count(), 4);
    assert_eq!((profile.losses.len(), profile.alphas.len()), (9, 9));
    let surface = Plane::new().points(3).run(&objective, &[d, e]).unwrap();
    assert!(surface.complete);
}

/// Examples with a class.
struct Classes;

impl Source for Classes {
    fn len(&self) -> usize {
        7
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![2, 5, 5]]
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Classes(3, vec![])]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let pixel = |at: usize| ((at * 37 % 101) as f64 / 50.0) - 1.0;
        let images = indices
            .iter()
            .flat_map(|i| (0..50).map(move |at| pixel(i * 50 + at)));
        let classes: Vec<i32> = indices.iter().map(|i| (i % 3) as i32).collect();
        Ok(Examples {
            inputs: vec![TensorData::new(
                images.collect::<Vec<f64>>(),
                [indices.len(), 2, 5, 5],
            )],
            targets: vec![TensorData::new(classes, [indices.len()])],
        })
    }
}

model! {
    struct Net;
    input image: [2, 5, 5];
    let features = image -> conv: conv2d(4, kernel: 3) -> norm: batch_norm -> relu -> flatten;
    let scores = features -> first: linear(5) -> last: linear(3);
    output scores;
    loss cross_entropy;
}

model! {
    struct Words;
    input word: int [4];
    let scores = word -> table: embedding(11, 6) -> flatten -> last: linear(3);
    output scores;
    loss cross_entropy;
}

/// Lengths of the vectors that are a filter's numbers, by its place in the parameter.
fn norms(values: &[f64], filters: usize, of: impl Fn(usize) -> usize) -> Vec<f64> {
    let mut squares = vec![0.0; filters];
    for (at, value) in values.iter().enumerate() {
        squares[of(at)] += value * value;
    }
    squares.into_iter().map(f64::sqrt).collect()
}

#[test]
fn each_filter_of_a_random_direction_is_as_long_as_the_networks() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = NetConfig::new().init(&device).unwrap();
    let objective = Objective::new(&model, &Classes).unwrap();
    let weights = numbers(&objective.weights());
    let direction = FilterNormalisation::new().random(&objective, 3).unwrap();
    let found = numbers(&direction);
    let whole = FilterNormalisation::new()
        .with_vectors()
        .random(&objective, 3)
        .unwrap();
    let whole = numbers(&whole);
    let mut seen = Vec::new();
    for parameter in objective.parameters() {
        let range = parameter.range.clone();
        let (found, own) = (&found[range.clone()], &weights[range.clone()]);
        let same = |filters: usize, of: &dyn Fn(usize) -> usize| {
            let (found, own) = (norms(found, filters, of), norms(own, filters, of));
            for (found, own) in found.iter().zip(own) {
                assert!((found - own).abs() < 1e-9 * (1.0 + own), "{found} {own}");
            }
        };
        seen.push((parameter.path.clone(), parameter.layer.clone()));
        match parameter.path.as_str() {
            // [out, in, height, width].
            "conv.weight" => same(4, &|at| at / (2 * 3 * 3)),
            // [in, out].
            "first.weight" => same(5, &|at| at % 5),
            "last.weight" => same(3, &|at| at % 3),
            _ => {
                assert!(found.iter().all(|value| *value == 0.0));
                let length = |values: &[f64]| dot(values, values).sqrt();
                assert!((length(&whole[range]) - length(own)).abs() < 1e-8);
            }
        }
    }
    assert_eq!(seen[0], ("conv.weight".into(), "Conv2d".into()));
    assert!(seen.contains(&("first.weight".into(), "Linear".into())));

    // Of one's own: d ‖w‖ / (‖d‖ + 1e-10), here of ones.
    let ones = objective.weights().ones_like();
    let found = numbers(&FilterNormalisation::new().of(&objective, &ones).unwrap());
    let first = &weights[..18];
    let expected = dot(first, first).sqrt() / (18f64.sqrt() + 1e-10);
    assert!(
        found[..18]
            .iter()
            .all(|value| (value - expected).abs() < 1e-12)
    );

    let again = FilterNormalisation::new().random(&objective, 3).unwrap();
    assert_eq!(numbers(&direction), numbers(&again));
    let other = FilterNormalisation::new().random(&objective, 4).unwrap();
    assert_ne!(numbers(&direction), numbers(&other));
}

#[test]
fn an_embeddings_filters_are_its_rows() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    struct Text;
    impl Source for Text {
        fn len(&self) -> usize {
            2
        }
        fn inputs(&self) -> Vec<Vec<usize>> {
            vec![vec![4]]
        }
        fn targets(&self) -> Vec<Target> {
            vec![Target::Classes(3, vec![])]
        }
        fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
            let words: Vec<i32> = indices.iter().flat_map(|i| [*i as i32, 3, 5, 10]).collect();
            Ok(Examples {
                inputs: vec![TensorData::new(words, [indices.len(), 4])],
                targets: vec![TensorData::new(vec![1i32; indices.len()], [indices.len()])],
            })
        }
    }
    let model = WordsConfig::new().init(&device).unwrap();
    let objective = Objective::new(&model, &Text).unwrap();
    let slice = objective.parameters().remove(0);
    assert_eq!(
        (slice.path.as_str(), slice.shape.as_slice()),
        ("table.weight", &[11, 6][..])
    );
    let found = numbers(&FilterNormalisation::new().random(&objective, 0).unwrap());
    let rows = |values: &[f64]| norms(&values[slice.range.clone()], 11, |at| at / 6);
    let (found, own) = (rows(&found), rows(&numbers(&objective.weights())));
    assert!(
        found
            .iter()
            .zip(own)
            .all(|(found, own)| (found - own).abs() < 1e-8)
    );
}

#[test]
fn the_accuracy_is_there_where_the_loss_knows_it_and_nothing_is_disturbed() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = NetConfig::new().init(&device).unwrap();
    let before = Objective::new(&model, &Classes).unwrap().weights();
    let random = |measure: bool| {
        device.seed(3);
        if measure {
            let objective = Objective::new(&model, &Classes).unwrap().batch(3).unwrap();
            let direction = FilterNormalisation::new().random(&objective, 3).unwrap();
            let profile = Slice::new().points(3).run(&objective, &direction).unwrap();
            let whole = evaluate(&model, &Classes, 7).unwrap();
            assert_eq!(profile.accuracies[1], whole.accuracy);
            assert!((profile.losses[1].unwrap() - whole.loss).abs() < 1e-12);
        }
        numbers(&Tensor::random([5], Distribution::Default, &device))
    };
    assert_eq!(random(false), random(true));
    let after = Objective::new(&model, &Classes).unwrap().weights();
    assert_eq!(numbers(&before), numbers(&after));
}

/// Snapshots w_T + a_t p + b_t q with orthonormal p and q; the a_t and b_t are uncorrelated, so that
/// p and q are the components themselves.
#[test]
fn a_trajectory_in_a_plane_is_found_again() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = point(&device);
    let objective = objective(&model, &device);
    let [d, e] = directions();
    let length = dot(&d, &d).sqrt();
    let p: Vec<f64> = d.iter().map(|d| d / length).collect();
    let along = dot(&e, &p);
    let q: Vec<f64> = e.iter().zip(&p).map(|(e, p)| e - along * p).collect();
    let length = dot(&q, &q).sqrt();
    let q: Vec<f64> = q.iter().map(|q| q / length).collect();
    // About their mean (3, 1): (3, 1), (1, -1), (0, 0), (-1, -1), (-3, 1).
    let places = [[6.0, 2.0], [4.0, 0.0], [3.0, 1.0], [2.0, 0.0], [0.0, 2.0]];
    let [a, b] = places[4];
    let last = start();
    let snapshots: Vec<_> = places
        .iter()
        .map(|[x, y]| tensor(&moved(&last, &[(x - a, &p), (y - b, &q)]), &device))
        .collect();
    let trajectory = Trajectory::new(&snapshots).unwrap();
    let [first, second] = trajectory.explained;
    assert!((first + second - 1.0).abs() < 1e-12);
    assert!((first - 20.0 / 24.0).abs() < 1e-12, "{first}");
    let [one, two] = trajectory
        .directions
        .clone()
        .map(|direction| numbers(&direction));
    assert!((dot(&one, &p).abs() - 1.0).abs() < 1e-12);
    assert!((dot(&two, &q).abs() - 1.0).abs() < 1e-12);
    for ([x, y], [found, other]) in places.iter().zip(&trajectory.path) {
        assert!(((x - a).abs() - found.abs()).abs() < 1e-12);
        assert!(((y - b).abs() - other.abs()).abs() < 1e-12);
    }
    assert!(trajectory.path[0][0] > 0.0);

    let surface = trajectory.margin(0.25).points(9).run(&objective).unwrap();
    assert!((surface.x[0] + 1.5).abs() < 1e-12 && (surface.x[8] - 7.5).abs() < 1e-12);
    for (row, y) in surface.y.iter().enumerate() {
        for (column, x) in surface.x.iter().enumerate() {
            let expected = quadratic(&moved(&last, &[(*x, &one), (*y, &two)]));
            assert!((surface.at(column, row).unwrap() - expected).abs() < 1e-10);
        }
    }
    assert_eq!(surface.path.len(), 5);
    assert_eq!(surface.path_to_csv().lines().count(), 6);
    assert_eq!(surface.explained, Some([first, second]));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = point(&device);
    let objective = objective(&model, &device);
    let [d, e] = directions().map(|d| tensor(&d, &device));
    let error = |slice: Slice| slice.run(&objective, &d).unwrap_err().to_string();
    assert_eq!(
        error(Slice::new().range(1.0..=1.0)),
        "`range` is finite, from a number to a larger one, found 1 to 1"
    );
    for (low, high) in [(0.0, f64::INFINITY), (f64::NAN, 1.0), (f64::MIN, f64::MAX)] {
        assert!(error(Slice::new().range(low..=high)).starts_with("`range`"));
    }
    assert_eq!(
        error(Slice::new().points(1)),
        "`points` is at least 2, found 1"
    );
    let short = tensor(&[1.0], &device);
    assert!(Slice::new().run(&objective, &short).is_err());
    assert!(Slice::new().between(&objective, &d, &short).is_err());
    let nan = d.clone() * f64::NAN;
    let error = Slice::new().run(&objective, &nan).unwrap_err();
    assert!(error.to_string().starts_with("the direction is not finite"));
    let plane = |plane: Plane| plane.run(&objective, &[d.clone(), e.clone()]);
    assert!(plane(Plane::new().x(0.0..=-1.0)).is_err());
    assert!(plane(Plane::new().y(0.0..=-1.0)).is_err());
    assert!(plane(Plane::new().points(0)).is_err());
    assert!(
        Plane::new()
            .run(&objective, &[d.clone(), nan.clone()])
            .is_err()
    );
    assert!(FilterNormalisation::new().of(&objective, &nan).is_err());
    assert!(FilterNormalisation::new().of(&objective, &short).is_err());

    let line: Vec<_> = (0..4).map(|t| d.clone() * f64::from(t)).collect();
    for snapshots in [&line[..], &line[..2], &line[..1], &[], &vec![d.clone(); 5]] {
        let error = Trajectory::new(snapshots).unwrap_err().to_string();
        assert!(error.contains("do not lie on one line"), "{error}");
    }
    assert!(Trajectory::new(&[d.clone(), e.clone(), short]).is_err());
    assert!(Trajectory::new(&[d.clone(), e.clone(), nan]).is_err());
    let trajectory = Trajectory::new(&[d.clone(), e.clone(), d.zeros_like()]).unwrap();
    for margin in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(trajectory.clone().margin(margin).run(&objective).is_err());
    }
}

/// A surface of `points` each way from -1 to 1.
fn surface(points: usize, loss: impl Fn(f64, f64) -> Option<f64>) -> Surface {
    let last = (points - 1) as f64;
    let along: Vec<f64> = (0..points).map(|at| 2.0 * at as f64 / last - 1.0).collect();
    let losses = along
        .iter()
        .flat_map(|y| along.iter().map(|x| loss(*x, *y)));
    Surface {
        losses: losses.collect(),
        accuracies: vec![None; points * points],
        x: along.clone(),
        y: along.clone(),
        path: vec![],
        explained: None,
        complete: true,
    }
}

#[test]
fn contours_of_a_paraboloid_are_circles() {
    let bowl = surface(41, |x, y| Some(x * x + y * y));
    for level in [0.04, 0.3, 0.81] {
        let lines = bowl.contour(level);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for [x, y] in &lines[0] {
            // Between points h apart a parabola is h²/4 above its chord at most, twice over.
            let radius = x.hypot(*y) - level.sqrt();
            assert!(
                (-0.05f64.powi(2) / 4.0 / level.sqrt()..1e-12).contains(&radius),
                "{radius}"
            );
        }
        let around = lines[0].windows(2).map(|pair| {
            let [[x, y], [to_x, to_y]] = [pair[0], pair[1]];
            (x - to_x).hypot(y - to_y)
        });
        let expected = std::f64::consts::TAU * level.sqrt();
        assert!((around.sum::<f64>() / expected - 1.0).abs() < 0.01);
    }
    // Four arcs that end at the border; nothing beyond the largest or below the smallest.
    assert_eq!(bowl.contour(1.5).len(), 4);
    assert!(bowl.contour(2.5).is_empty() && bowl.contour(-1.0).is_empty());
    assert!(bowl.contour(f64::NAN).is_empty());
    // A hole: the circle is open where it meets it.
    let torn = surface(41, |x, y| {
        (x < 0.0 || y.abs() > 0.2).then_some(x * x + y * y)
    });
    let lines = torn.contour(0.3);
    assert_eq!(lines.len(), 1);
    assert_ne!(lines[0].first(), lines[0].last());
}

/// Where a surface has two valleys, a saddle between them and a line through it.
#[test]
fn contours_of_a_saddle_do_not_cross() {
    let saddle = surface(20, |x, y| Some(x * y));
    for level in [-0.2, 0.2] {
        let lines = saddle.contour(level);
        assert_eq!(lines.len(), 2);
        for [x, y] in lines.iter().flatten() {
            assert!((x * y - level).abs() < 0.01);
        }
    }
}

/// Whole, of finite numbers, and with the words in it.
fn is_picture(svg: &str, words: &[&str]) {
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    for word in words {
        assert!(svg.contains(word), "{word}");
    }
}

#[test]
fn every_surface_has_its_pictures() {
    let surfaces = [
        surface(25, |x, y| Some(x * x + 3.0 * y * y)),
        surface(25, |x, y| Some(1e-3 + x * x + 3.0 * y * y)),
        surface(15, |x, y| Some((40.0 * (x + y)).exp() + 1e-9)),
        surface(15, |x, y| (x + y < 0.5).then_some((8.0 * x).exp())),
        surface(2, |_, _| Some(0.0)),
        surface(3, |_, _| Some(-7.0)),
        surface(3, |_, _| None),
        surface(3, |x, y| (x == 0.0 && y == 0.0).then_some(2.0)),
        surface(9, |x, y| Some(if x == y { 1e300 } else { 1e-300 })),
    ];
    for mut surface in surfaces {
        for path in [vec![], vec![[0.9, 0.9], [0.2, 0.4], [0.0, 0.0]]] {
            surface.explained = (!path.is_empty()).then_some([0.7, 0.2]);
            surface.path = path;
            let words: &[&str] = match surface.explained {
                Some(_) => &[
                    "first component, 70.0 % of the variance",
                    "second component, 20.0 %",
                ],
                None => &["first direction", "second direction"],
            };
            is_picture(&surface.contours_svg(), words);
            is_picture(&surface.mesh_svg(), words);
        }
    }
    let none = Surface {
        x: vec![],
        y: vec![],
        losses: vec![],
        accuracies: vec![],
        ..surface(2, |_, _| None)
    };
    is_picture(&none.contours_svg(), &[]);
    is_picture(&none.mesh_svg(), &[]);
}

#[test]
fn every_line_has_its_picture() {
    let profile = |loss: &dyn Fn(f64) -> Option<f64>| {
        let alphas: Vec<f64> = (-10..=10).map(|at| f64::from(at) / 10.0).collect();
        Profile {
            losses: alphas.iter().map(|alpha| loss(*alpha)).collect(),
            accuracies: alphas.iter().map(|alpha| Some(1.0 - alpha.abs())).collect(),
            alphas,
            complete: true,
        }
    };
    is_picture(
        &profile(&|a| Some(a * a)).svg(),
        &["loss along a line", "accuracy"],
    );
    is_picture(
        &profile(&|a| Some((20.0 * a).exp())).svg(),
        &["on a logarithmic scale"],
    );
    is_picture(&profile(&|a| (a.abs() < 0.5).then_some(a)).svg(), &[]);
    is_picture(&profile(&|_| None).svg(), &[]);
    is_picture(&profile(&|_| Some(3.0)).svg(), &[]);
    let none = Profile {
        alphas: vec![],
        losses: vec![],
        accuracies: vec![],
        complete: false,
    };
    is_picture(&none.svg(), &[]);
}
