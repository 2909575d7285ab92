//! MixUp, CutMix and label noise: their distributions against closed forms, and that a network trains on
//! them.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use kiln::data::{
    Augmented, Draw, LabelNoise, Mixed, Normalization, OneHot, Source, Subset, Table, Target,
    TensorData, digits,
};
use kiln::prelude::*;

/// Example i is i everywhere, and so is its target.
fn ramp(count: usize, shape: &[usize]) -> Table {
    let width: usize = shape.iter().product();
    let features = (0..count)
        .flat_map(|index| vec![index as f32; width])
        .collect();
    let targets = (0..count).map(|index| index as f32).collect();
    Table::values(features, shape, targets, &[1]).unwrap()
}

fn all(source: &impl Source) -> Vec<usize> {
    (0..source.len()).collect()
}

const DRAW: Draw = Draw { seed: 3, epoch: 1 };

#[test]
fn mixed_classes_are_probabilities_of_two() {
    let labels = (0..500).collect();
    let table = Table::classes(vec![0.0; 500], &[1], labels, 500).unwrap();
    let source = Mixed::mixup(OneHot::new(table).unwrap(), 0.5).unwrap();
    let drawn = source.draw(&all(&source), DRAW).unwrap();
    let values: Vec<f32> = drawn.targets[0].iter().collect();
    for row in values.chunks(500) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(row.iter().filter(|&&share| share > 0.0).count() <= 2);
    }
}

#[test]
fn mixup_mixes_inputs_and_targets_alike_with_partners_from_everywhere() {
    let source = Mixed::mixup(ramp(1000, &[3]), 1.0).unwrap();
    let whole = source.draw(&all(&source), DRAW).unwrap();
    let inputs: Vec<f32> = whole.inputs[0].iter().collect();
    let targets: Vec<f32> = whole.targets[0].iter().collect();
    for (row, target) in inputs.chunks(3).zip(&targets) {
        assert!(row.iter().all(|value| value == target));
    }
    // The mean of a mixture is that of the source: 499.5 with a deviation of 288.7 · √(2/3) and less.
    let mean = targets.iter().sum::<f32>() / 1000.0;
    assert!(
        (mean - 499.5).abs() < 4.0 * 289.0 / 1000f32.sqrt(),
        "{mean}"
    );

    let none = Mixed::mixup(ramp(10, &[3]), 1.0)
        .unwrap()
        .probability(0.0)
        .unwrap();
    assert_eq!(
        none.draw(&all(&none), DRAW).unwrap(),
        none.gather(&all(&none)).unwrap()
    );
    let half = Mixed::mixup(ramp(10_000, &[1]), 1.0)
        .unwrap()
        .probability(0.5)
        .unwrap();
    let drawn = half.draw(&all(&half), DRAW).unwrap();
    let plain = half.gather(&all(&half)).unwrap();
    let pairs = drawn.inputs[0]
        .iter::<f32>()
        .zip(plain.inputs[0].iter::<f32>());
    let mixed = pairs.filter(|(a, b)| a != b).count();
    assert!((4800..5200).contains(&mixed), "{mixed}");
}

#[test]
fn cutmix_puts_a_rectangle_of_the_partner_and_its_share_into_the_target() {
    let (height, width) = (12, 20);
    let source = Mixed::cutmix(ramp(4000, &[2, height, width]), 1.0).unwrap();
    let whole = source.draw(&all(&source), DRAW).unwrap();
    let inputs: Vec<f32> = whole.inputs[0].iter().collect();
    let targets: Vec<f32> = whole.targets[0].iter().collect();
    let (mut left, mut places) = (0.0, vec![0.0; height * width]);
    for (index, (image, target)) in inputs.chunks(2 * height * width).zip(&targets).enumerate() {
        let (first, second) = image.split_at(height * width);
        assert_eq!(first, second, "channels alike");
        let cut = first
            .iter()
            .enumerate()
            .filter(|(_, value)| **value != index as f32);
        let cut: Vec<_> = cut.map(|(place, &value)| (place, value)).collect();
        let (Some(&(from, partner)), Some(&(to, _))) = (cut.first(), cut.last()) else {
            assert_eq!(*target, index as f32);
            left += 1.0;
            continue;
        };
        let size = [to / width - from / width + 1, to % width - from % width + 1];
        assert_eq!(cut.len(), size[0] * size[1], "one rectangle");
        let share = cut.len() as f32 / (height * width) as f32;
        let expected = index as f32 * (1.0 - share) + partner * share;
        assert!((target - expected).abs() < 1e-2, "{target} for {expected}");
        left += f64::from(1.0 - share);
        for (place, value) in cut {
            assert_eq!(value, partner);
            places[place] += 1.0;
        }
    }
    // By the reference implementation, 20 million times: sides ⌊L √(1 - λ)⌋ / 2 about a uniform place,
    // cut at the edges. Its mean share of x is worked out here by sums over λ in 100,000 steps.
    let expected = {
        let side = |length: usize, lambda: f64| {
            let half = (length as f64 * (1.0 - lambda).sqrt()) as usize / 2;
            let cut = |centre: usize| (centre + half).min(length) - centre.saturating_sub(half);
            (0..length).map(cut).sum::<usize>() as f64 / (length * length) as f64
        };
        let steps = 100_000;
        let lambdas = (0..steps).map(|step| (f64::from(step) + 0.5) / f64::from(steps));
        1.0 - lambdas
            .map(|lambda| side(height, lambda) * side(width, lambda))
            .sum::<f64>()
            / f64::from(steps)
    };
    let found = left / 4000.0;
    assert!(
        (found - expected).abs() < 4.0 * 0.3 / 4000f64.sqrt(),
        "{found} for {expected}"
    );
    // The middle is cut more often than a corner, and alike on both sides.
    assert!(places[6 * width + 10] > 1.5 * places[0]);
    let halves = [0, 1].map(|half| {
        (0..height * width)
            .filter(|place| place % width / 10 == half)
            .map(|place| places[place])
            .sum::<f64>()
    });
    assert!((halves[0] / halves[1] - 1.0).abs() < 0.1, "{halves:?}");
}

#[test]
fn what_is_mixed_is_not_split_whatever_is_around_it() {
    let mixed = || Mixed::mixup(OneHot::new(digits().unwrap()).unwrap(), 0.2).unwrap();
    let upright = Augmented::new(mixed(), []).unwrap();
    let normal = Normalization::standardize(&mixed()).unwrap();
    let sources: [Box<dyn Source>; 5] = [
        Box::new(mixed()),
        Box::new(upright),
        Box::new(normal.apply(mixed()).unwrap()),
        Box::new(OneHot::new(mixed()).unwrap()),
        Box::new(Subset::new(Arc::new(mixed()), vec![0, 1, 2, 3]).unwrap()),
    ];
    for source in sources {
        assert_eq!(
            source.split(0.8, 1).map(drop).unwrap_err().to_string(),
            "source: expected examples that are not mixed yet; split first, then mix the part to train \
             on, found mixed ones"
        );
    }
    let (train, _) = ramp(100, &[1]).split(0.5, 1).unwrap();
    let inside = train.indices().to_vec();
    let train = Mixed::mixup(train, f64::MIN_POSITIVE).unwrap();
    let drawn = train.draw(&all(&train), DRAW).unwrap();
    // Each example is itself or its partner, as λ is 0 or 1: none is of the other part.
    assert!(
        drawn.inputs[0]
            .iter::<f32>()
            .all(|x| inside.contains(&(x as usize)))
    );
}

#[test]
fn cutmix_refuses_a_target_that_is_an_image() {
    let image = || Table::values(vec![0.0; 8], &[1, 2, 2], vec![0.0; 8], &[1, 2, 2]).unwrap();
    assert_eq!(
        Mixed::cutmix(image(), 1.0).unwrap_err().to_string(),
        "source: expected targets of one dimension at most, as CutMix cuts a rectangle of the input \
         alone, found values of shape [1, 2, 2]"
    );
    assert!(Mixed::mixup(image(), 1.0).is_ok());
}

#[test]
fn symmetric_noise_is_uniform_over_the_other_classes_and_stays() {
    let (count, classes, rate) = (60_000, 6, 0.3);
    let labels: Vec<usize> = (0..count).map(|index| index % classes).collect();
    let table = Table::classes(vec![0.0; count], &[1], labels, classes).unwrap();
    let noisy = LabelNoise::symmetric(table, rate, 11).unwrap();
    let found = noisy.gather(&all(&noisy)).unwrap();
    assert_eq!(
        found.targets[0],
        noisy.draw(&all(&noisy), DRAW).unwrap().targets[0]
    );
    assert_eq!(noisy.targets(), [Target::Classes(classes, vec![])]);
    let mut counts = vec![vec![0.0; classes]; classes];
    for (index, label) in found.targets[0].iter::<i64>().enumerate() {
        counts[index % classes][label as usize] += 1.0;
    }
    let mut chi_square = 0.0;
    for (class, row) in counts.iter().enumerate() {
        for (label, &count) in row.iter().enumerate() {
            let p = if class == label {
                1.0 - rate
            } else {
                rate / 5.0
            };
            let expected: f64 = 10_000.0 * p;
            chi_square += (count - expected).powi(2) / expected;
        }
    }
    // 30 degrees of freedom: below 59.7 in 999 of 1000.
    assert!(chi_square < 59.7, "{chi_square}");
    // One example at a time, the same.
    for index in [0, 7, 59_999] {
        let label = found.targets[0].iter::<i64>().nth(index).unwrap() as usize;
        assert_eq!(noisy.label(index).unwrap(), label);
    }
    let other = LabelNoise::symmetric(noisy.source().clone(), rate, 12).unwrap();
    assert_ne!(other.gather(&all(&other)).unwrap(), found);
    for (rate, changed) in [(0.0, 0), (1.0, 100)] {
        let noisy = LabelNoise::symmetric(noisy.source(), rate, 1).unwrap();
        let wrong = (0..100).filter(|&index| noisy.label(index).unwrap() != index % classes);
        assert_eq!(wrong.count(), changed);
    }
}

#[test]
fn a_transition_matrix_is_followed() {
    let rows = [
        vec![0.5, 0.5, 0.0],
        vec![0.0, 1.0, 0.0],
        vec![0.1, 0.2, 0.7],
    ];
    let count = 30_000;
    let labels: Vec<usize> = (0..count).map(|index| index % 3).collect();
    let table = Table::classes(vec![0.0; count], &[1], labels, 3).unwrap();
    let noisy = LabelNoise::transition(table, &rows, 2).unwrap();
    let mut counts = [[0.0f64; 3]; 3];
    for (index, label) in noisy.gather(&all(&noisy)).unwrap().targets[0]
        .iter::<i64>()
        .enumerate()
    {
        counts[index % 3][label as usize] += 1.0;
    }
    for (found, expected) in counts.iter().flatten().zip(rows.iter().flatten()) {
        let bound = 4.0 * (10_000.0 * expected * (1.0 - expected)).sqrt();
        assert!((found - 10_000.0 * expected).abs() <= bound, "{counts:?}");
    }
}

#[test]
fn what_cannot_be_mixed_or_mislabelled_is_refused() {
    let classes = || Table::classes(vec![0.0; 4], &[1], vec![0, 1, 2, 0], 3).unwrap();
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Mixed::mixup(ramp(3, &[1]), alpha).is_err(), "{alpha}");
        assert!(
            Mixed::cutmix(ramp(3, &[1, 2, 2]), alpha).is_err(),
            "{alpha}"
        );
    }
    for rate in [-0.1, 1.1, f64::NAN] {
        assert!(
            Mixed::mixup(ramp(3, &[1]), 1.0)
                .unwrap()
                .probability(rate)
                .is_err()
        );
        assert!(LabelNoise::symmetric(classes(), rate, 0).is_err(), "{rate}");
    }
    assert_eq!(
        Mixed::mixup(classes(), 1.0).unwrap_err().to_string(),
        "source: expected targets of values; `OneHot` makes probabilities of classes, found one of 3 \
         classes"
    );
    assert!(Mixed::cutmix(ramp(3, &[4]), 1.0).is_err(), "no image");
    assert!(
        LabelNoise::symmetric(ramp(3, &[4]), 0.5, 0).is_err(),
        "no classes"
    );
    let one = Table::classes(vec![0.0], &[1], vec![0], 1).unwrap();
    assert!(
        LabelNoise::symmetric(one, 0.5, 0).is_err(),
        "nothing else to be"
    );
    let row = || vec![0.2, 0.3, 0.5];
    for rows in [
        vec![row(), row()],
        vec![row(), row(), vec![0.5, 0.5]],
        vec![row(), row(), vec![0.5, 0.6, 0.0]],
        vec![row(), row(), vec![-0.5, 1.0, 0.5]],
        vec![row(), row(), vec![f64::NAN, 0.5, 0.5]],
    ] {
        assert!(
            LabelNoise::transition(classes(), &rows, 0).is_err(),
            "{rows:?}"
        );
    }
    for index in [4, usize::MAX] {
        let mixed = Mixed::mixup(ramp(4, &[1]), 1.0).unwrap();
        assert!(mixed.draw(&[0, index], DRAW).is_err());
        let noisy = LabelNoise::symmetric(classes(), 0.5, 0).unwrap();
        assert!(noisy.label(index).is_err());
    }
    // α of every size gives shares, never NaN.
    for alpha in [f64::MIN_POSITIVE, 1e-3, 1e9, f64::MAX] {
        let source = Mixed::mixup(ramp(100, &[1]), alpha).unwrap();
        let drawn = source.draw(&all(&source), DRAW).unwrap();
        assert!(
            drawn.inputs[0]
                .iter::<f32>()
                .all(|value| (0.0..=99.0).contains(&value)),
            "{alpha}"
        );
    }
}

model! {
    struct Soft;
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(32) -> relu -> linear(10) -> log_softmax;
    output scores;
    loss kl_divergence;
}

optimizer! { struct Momentum; update sgd(momentum: 0.9); }
schedule! { struct Constant; peak 0.1; constant; }

#[test]
fn a_declared_network_learns_from_mixed_examples() {
    let device = default_device().unwrap();
    let (train, test) = digits().unwrap().split(0.8, 1).unwrap();
    let train = Mixed::mixup(OneHot::new(train).unwrap(), 0.4).unwrap();
    let train = Mixed::cutmix(train, 1.0).unwrap().probability(0.5).unwrap();
    let model = SoftConfig::new().init(&device).unwrap();
    let test_soft = OneHot::new(test.clone()).unwrap();
    let run = Trainer::new(model, Momentum::new(), Constant::new())
        .epochs(8)
        .batch(32)
        .validate(&test_soft)
        .quiet()
        .fit(train)
        .unwrap();
    // Of whole classes the divergence is the cross entropy.
    let indices = all(&test);
    let batch = test.gather(&indices).unwrap();
    let input = Tensor::<4>::from_data(batch.inputs[0].clone(), &device);
    let scores: Vec<f32> = run.model.forward(input).into_data().iter().collect();
    let labels: Vec<i64> = batch.targets[0].iter().collect();
    let rows = scores.chunks(10).zip(&labels);
    let entropy = -rows
        .clone()
        .map(|(row, &label)| f64::from(row[label as usize]))
        .sum::<f64>();
    let entropy = entropy / labels.len() as f64;
    assert!((run.validation().unwrap().loss - entropy).abs() < 1e-4 * entropy);
    let best = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let right = rows
        .filter(|(row, label)| best(row) as i64 == **label)
        .count();
    assert!(
        right as f64 > 0.9 * labels.len() as f64,
        "{right} of {}",
        labels.len()
    );
}

#[test]
fn one_hot_leaves_values_and_refuses_what_is_neither() {
    let values = OneHot::new(ramp(3, &[1])).unwrap();
    assert_eq!(
        values.gather(&[2]).unwrap().targets[0],
        TensorData::from([[2.0f32]])
    );
    assert_eq!(
        OneHot::new(digits().unwrap()).unwrap().targets(),
        [Target::Values(vec![10])]
    );
}
