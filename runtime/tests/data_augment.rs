//! Augmentation: against torchvision, whose numbers `tests/peers/augment.py` recorded, against what can
//! be said in closed form, and what its random numbers depend on.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use kiln::data::{
    Augmentation, Augmented, Border, Draw, Examples, Fill, LabelNoise, Loader, Mixed, OneHot,
    Sampler, Source, Subset, Table, TensorData, digits,
};
use serde_json::Value;

const BLACK: Border = Border::Constant(0.0);

fn peer() -> Value {
    serde_json::from_str(include_str!("../../tests/peers/augment.json")).unwrap()
}

fn shape(record: &Value) -> [usize; 3] {
    let shape: Vec<usize> = serde_json::from_value(record["shape"].clone()).unwrap();
    shape.try_into().unwrap()
}

fn numbers(record: &Value) -> Vec<f32> {
    serde_json::from_value(record["data"].clone()).unwrap()
}

/// So many copies of one image.
fn copies(image: &[f32], shape: [usize; 3], count: usize) -> Table {
    Table::values(image.repeat(count), &shape, vec![0.0; count], &[]).unwrap()
}

/// What `steps` make of `count` copies of an image.
fn augmented(
    image: &[f32],
    shape: [usize; 3],
    count: usize,
    steps: impl IntoIterator<Item = Augmentation>,
) -> Vec<Vec<f32>> {
    let source = Augmented::new(copies(image, shape, count), steps).unwrap();
    let all: Vec<usize> = (0..count).collect();
    let batch = source.draw(&all, Draw { seed: 1, epoch: 2 }).unwrap();
    let values: Vec<f32> = batch.inputs[0].iter().collect();
    values
        .chunks(values.len() / count)
        .map(<[f32]>::to_vec)
        .collect()
}

fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 2e-5,
            "{what}: {found} for {expected}"
        );
    }
}

#[test]
fn a_rotation_is_torchvisions() {
    let peer = peer();
    let (image, shape) = (numbers(&peer["image"]), shape(&peer["image"]));
    for rotation in peer["rotations"].as_array().unwrap() {
        let angle = rotation["degrees"].as_f64().unwrap();
        for (name, border) in [("constant", BLACK), ("reflect", Border::Reflect)] {
            let degrees = [angle, angle];
            let turn = Augmentation::Rotation { degrees, border };
            let [found] = augmented(&image, shape, 1, [turn]).try_into().unwrap();
            assert_near(
                &found,
                &numbers(&rotation[name]),
                &format!("{angle}° {name}"),
            );
        }
    }
}

#[test]
fn a_crop_is_every_window_of_the_padded_image_alike_often() {
    let peer = peer();
    let (image, shape) = (numbers(&peer["image"]), shape(&peer["image"]));
    let size = [7, 13];
    for (name, border) in [
        ("constant", Border::Constant(0.25)),
        ("reflect", Border::Reflect),
    ] {
        let padded = numbers(&peer["padded"][name]);
        let window = |[row, column]: [usize; 2]| {
            let line = |channel: usize, at: usize| {
                &padded[(channel * 12 + row + at) * 15 + column..][..size[1]]
            };
            let rows = (0..2).flat_map(|channel| (0..size[0]).map(move |at| (channel, at)));
            rows.flat_map(|(channel, at)| line(channel, at).to_vec())
                .collect::<Vec<_>>()
        };
        let places: Vec<_> = (0..6)
            .flat_map(|row| (0..3).map(move |column| [row, column]))
            .collect();
        let windows: Vec<_> = places.into_iter().map(window).collect();
        let crop = Augmentation::Crop {
            size,
            padding: 3,
            border,
        };
        let mut seen = vec![0.0; windows.len()];
        for found in augmented(&image, shape, 3600, [crop]) {
            seen[windows.iter().position(|window| *window == found).unwrap()] += 1.0;
        }
        // Pearson's χ² with 17 degrees of freedom is below 40.8 in 999 of 1000.
        let chi_square: f64 = seen.iter().map(|n: &f64| (n - 200.0).powi(2) / 200.0).sum();
        assert!(chi_square < 40.8, "{name}: {seen:?}");

        let source = Augmented::new(copies(&image, shape, 1), [crop]).unwrap();
        assert_eq!(source.inputs(), [[2, 7, 13]]);
        let middle: Vec<f32> = source.gather(&[0]).unwrap().inputs[0].iter().collect();
        assert_eq!(middle, window([2, 1]));
    }
}

#[test]
fn flips_mirror_at_their_rate() {
    let image: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let shape = [1, 3, 4];
    let horizontal: Vec<f32> = image
        .chunks(4)
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    let vertical: Vec<f32> = image.chunks(4).rev().flatten().copied().collect();
    type Flip = fn(f64) -> Augmentation;
    let flips: [(Flip, _); 2] = [
        (
            |probability| Augmentation::HorizontalFlip { probability },
            horizontal,
        ),
        (
            |probability| Augmentation::VerticalFlip { probability },
            vertical,
        ),
    ];
    for (flip, flipped) in flips {
        for rate in [0.0, 0.3, 0.5, 1.0] {
            let count = 10_000;
            let found = augmented(&image, shape, count, [flip(rate)]);
            let mirrored = found.iter().filter(|found| **found == flipped).count();
            let plain = found.iter().filter(|found| **found == image).count();
            assert_eq!(mirrored + plain, count);
            // Four standard deviations.
            let bound = 4.0 * (rate * (1.0 - rate) / count as f64).sqrt();
            assert!(
                (mirrored as f64 / count as f64 - rate).abs() <= bound,
                "{mirrored} at {rate}"
            );
        }
    }
}

#[test]
fn erasing_draws_rectangles_as_torchvision_does() {
    for peer in peer()["erasing"].as_array().unwrap() {
        let of = |name: &str| -> Vec<f64> { serde_json::from_value(peer[name].clone()).unwrap() };
        let [height, width] = [0, 1].map(|axis| of("size")[axis] as usize);
        let erase = Augmentation::Erasing {
            probability: 1.0,
            area: of("area").try_into().unwrap(),
            aspect: of("aspect").try_into().unwrap(),
            fill: Fill::Constant(1.0),
        };
        let count = 20_000;
        let mut rectangles = Vec::new();
        for found in augmented(
            &vec![0.0; height * width],
            [1, height, width],
            count,
            [erase],
        ) {
            let written = found.iter().enumerate().filter(|(_, value)| **value == 1.0);
            let written: Vec<_> = written
                .map(|(place, _)| [place / width, place % width])
                .collect();
            let (Some(first), Some(last)) = (written.first(), written.last()) else {
                continue;
            };
            let size = [0, 1].map(|axis| last[axis] + 1 - first[axis]);
            assert_eq!(written.len(), size[0] * size[1], "one rectangle");
            rectangles.push([first[0], first[1], size[0], size[1]].map(|number| number as f64));
        }
        let (draws, erased) = (
            peer["draws"].as_f64().unwrap(),
            peer["erased"].as_f64().unwrap(),
        );
        let (share, expected) = (rectangles.len() as f64 / count as f64, erased / draws);
        let bound = 4.0 * (expected * (1.0 - expected) * (1.0 / count as f64 + 1.0 / draws)).sqrt();
        assert!(
            (share - expected).abs() <= bound,
            "{share} of images, {expected} of torchvision's"
        );
        let n = rectangles.len() as f64;
        for (axis, (mean, deviation)) in of("mean").into_iter().zip(of("deviation")).enumerate() {
            let found = rectangles
                .iter()
                .map(|rectangle| rectangle[axis])
                .sum::<f64>()
                / n;
            let bound = 4.0 * deviation * (1.0 / n + 1.0 / erased).sqrt();
            assert!((found - mean).abs() < bound, "{axis}: {found} for {mean}");
            let squares = rectangles
                .iter()
                .map(|rectangle| (rectangle[axis] - found).powi(2));
            let spread = (squares.sum::<f64>() / n).sqrt();
            assert!(
                (spread / deviation - 1.0).abs() < 0.04,
                "{axis}: {spread} for {deviation}"
            );
        }
    }
}

#[test]
fn what_erasing_writes_is_what_was_asked_for() {
    let erase = |fill| Augmentation::Erasing {
        probability: 1.0,
        area: [0.25, 0.25],
        aspect: [1.0, 1.0],
        fill,
    };
    let found = augmented(
        &[9.0; 3 * 400],
        [3, 20, 20],
        50,
        [erase(Fill::Uniform([-1.0, 3.0]))],
    );
    let written: Vec<f32> = found
        .into_iter()
        .flatten()
        .filter(|value| *value != 9.0)
        .collect();
    assert_eq!(
        written.len(),
        50 * 3 * 100,
        "a square of 10 in every channel"
    );
    assert!(written.iter().all(|value| (-1.0..=3.0).contains(value)));
    let mean = written.iter().sum::<f32>() / written.len() as f32;
    assert!((mean - 1.0).abs() < 4.0 * (16.0f32 / 12.0 / written.len() as f32).sqrt());
}

/// Everything that draws, one upon the other.
fn all_of_it() -> impl Source + 'static {
    let steps = [
        Augmentation::Crop {
            size: [7, 7],
            padding: 1,
            border: Border::Reflect,
        },
        Augmentation::HorizontalFlip { probability: 0.5 },
        Augmentation::Rotation {
            degrees: [-20.0, 20.0],
            border: BLACK,
        },
        Augmentation::Erasing {
            probability: 0.5,
            area: [0.02, 0.4],
            aspect: [0.3, 1.0 / 0.3],
            fill: Fill::Uniform([0.0, 1.0]),
        },
    ];
    let (train, _) = digits().unwrap().split(0.5, 3).unwrap();
    let source = LabelNoise::symmetric(train, 0.2, 5).unwrap();
    let source = OneHot::new(Augmented::new(source, steps).unwrap()).unwrap();
    let source = Mixed::mixup(source, 0.4).unwrap();
    Mixed::cutmix(source, 1.0)
        .unwrap()
        .probability(0.5)
        .unwrap()
}

/// The bits of each example of a batch, inputs and targets.
fn bits(batch: &Examples, count: usize) -> Vec<Vec<u32>> {
    let of = |tensor: &TensorData| -> Vec<u32> { tensor.iter::<f32>().map(f32::to_bits).collect() };
    let (inputs, targets) = (of(&batch.inputs[0]), of(&batch.targets[0]));
    let each =
        |of: &[u32], at: usize| of[at * of.len() / count..(at + 1) * of.len() / count].to_vec();
    (0..count)
        .map(|at| [each(&inputs, at), each(&targets, at)].concat())
        .collect()
}

#[test]
fn the_numbers_of_an_example_come_of_seed_epoch_and_index_alone() {
    let source = all_of_it();
    let all: Vec<usize> = (0..source.len()).collect();
    let draw = Draw { seed: 9, epoch: 4 };
    let whole = bits(&source.draw(&all, draw).unwrap(), all.len());

    // Whatever the batch.
    let mut shuffled = Sampler::new(all.len(), all.len(), 1)
        .unwrap()
        .epoch(0)
        .batch(0)
        .to_vec();
    shuffled.truncate(100);
    shuffled.push(shuffled[3]);
    for batch in [&[17][..], &[898, 0, 17], &shuffled] {
        let found = bits(&source.draw(batch, draw).unwrap(), batch.len());
        for (found, &index) in found.iter().zip(batch) {
            assert_eq!(
                *found,
                whole[index],
                "example {index} of {} in the batch",
                batch.len()
            );
        }
    }
    // Whatever the subset: its examples are those of its source.
    let source = Arc::new(source);
    let subset = Subset::new(source.clone(), vec![5, 400, 6]).unwrap();
    let found = bits(&subset.draw(&[1, 0], draw).unwrap(), 2);
    assert_eq!(found, [whole[400].clone(), whole[5].clone()]);

    // Whatever the workers, the first step, and the number of ranks.
    let sampler = |batch| Sampler::new(all.len(), batch, 9).unwrap();
    let order = sampler(8).epoch(4);
    for (workers, first, ranks) in [(0, 0, 1), (2, 0, 1), (5, 3, 1), (0, 0, 4), (3, 2, 2)] {
        for rank in 0..ranks {
            let sampler = sampler(8 / ranks).ranks(rank, ranks).unwrap();
            let loader = Loader::new(source.clone(), sampler, workers).unwrap();
            for (step, batch) in (first..).zip(loader.epoch(4, first).unwrap()) {
                let part = 8 / ranks;
                let indices = &order.batch(step)[rank * part..][..part];
                for (found, &index) in bits(&batch.unwrap(), part).iter().zip(indices) {
                    assert_eq!(
                        *found, whole[index],
                        "{workers} workers, rank {rank} of {ranks}"
                    );
                }
            }
        }
    }

    // Another epoch and another seed draw others, and neighbours share nothing.
    for other in [Draw { epoch: 5, ..draw }, Draw { seed: 10, ..draw }] {
        let other = bits(&source.draw(&all, other).unwrap(), all.len());
        let same = whole.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert_eq!(same, 0, "of {}", all.len());
    }
}

#[test]
fn what_is_gathered_is_not_augmented() {
    let source = all_of_it();
    let (train, _) = digits().unwrap().split(0.5, 3).unwrap();
    let plain = train.gather(&[3]).unwrap();
    let found = source.gather(&[3]).unwrap();
    let pixels: Vec<f32> = plain.inputs[0].iter().collect();
    let middle: Vec<f32> = (0..7)
        .flat_map(|row| pixels[row * 8..][..7].to_vec())
        .collect();
    assert_eq!(found.inputs[0].iter::<f32>().collect::<Vec<_>>(), middle);
    let target: Vec<f32> = found.targets[0].iter().collect();
    assert_eq!(target.iter().filter(|&&share| share == 1.0).count(), 1);
}

#[test]
fn an_augmentation_that_cannot_be_is_refused() {
    let images = || copies(&[0.0; 12], [1, 3, 4], 1);
    let crop = |size, padding| Augmentation::Crop {
        size,
        padding,
        border: BLACK,
    };
    let erase = |probability, area, aspect, fill| Augmentation::Erasing {
        probability,
        area,
        aspect,
        fill,
    };
    let (area, aspect, black) = ([0.1, 0.2], [0.5, 2.0], Fill::Constant(0.0));
    let nan = f64::NAN;
    let refused = [
        crop([0, 3], 0),
        crop([4, 4], 0),
        crop([3, 7], 1),
        crop([3, 4], 5),
        crop([3, 4], usize::MAX),
        crop([usize::MAX, 1], 4),
        Augmentation::Crop {
            size: [3, 4],
            padding: 1,
            border: Border::Constant(f32::NAN),
        },
        Augmentation::HorizontalFlip { probability: -0.1 },
        Augmentation::HorizontalFlip { probability: 1.1 },
        Augmentation::VerticalFlip { probability: nan },
        Augmentation::Rotation {
            degrees: [1.0, -1.0],
            border: BLACK,
        },
        Augmentation::Rotation {
            degrees: [0.0, f64::INFINITY],
            border: BLACK,
        },
        Augmentation::Rotation {
            degrees: [nan, 0.0],
            border: BLACK,
        },
        erase(2.0, area, aspect, black),
        erase(0.5, [0.0, 0.2], aspect, black),
        erase(0.5, [0.1, 1.1], aspect, black),
        erase(0.5, [0.2, 0.1], aspect, black),
        erase(0.5, area, [-1.0, 2.0], black),
        erase(0.5, area, [0.5, f64::INFINITY], black),
        erase(0.5, area, aspect, Fill::Constant(f32::NAN)),
        erase(0.5, area, aspect, Fill::Uniform([1.0, 0.0])),
    ];
    for step in refused {
        let error = Augmented::new(images(), [step]).map(drop);
        assert!(error.is_err(), "{step:?}");
    }
    // What moves the image would move it away from a target that has places.
    let image = || Table::values(vec![0.0; 18], &[1, 3, 3], vec![0.0; 18], &[1, 3, 3]).unwrap();
    let flip = Augmentation::HorizontalFlip { probability: 0.5 };
    assert_eq!(
        Augmented::new(image(), [flip]).unwrap_err().to_string(),
        "source: expected targets of one dimension at most, as a crop, a flip or a rotation moves the \
         input alone, found values of shape [1, 3, 3]"
    );
    assert!(Augmented::new(image(), [erase(0.5, area, aspect, black)]).is_ok());
    // Each step is held to what the one before it leaves.
    assert!(Augmented::new(images(), [crop([2, 2], 0), crop([2, 2], 0)]).is_ok());
    let error = Augmented::new(images(), [crop([2, 2], 0), crop([3, 3], 0)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "size of a crop: expected 1×1 to 2×2, as images are 2×2 with a padding of 0, found 3×3"
    );
    let table = Table::values(vec![0.0; 4], &[4], vec![0.0], &[]).unwrap();
    assert_eq!(
        Augmented::new(table, []).unwrap_err().to_string(),
        "source: expected one input of images [channels, height, width], found [[4]]"
    );
    // The extremes of what is allowed do not panic.
    let edge = [
        Augmentation::Rotation {
            degrees: [f64::MIN, f64::MAX],
            border: Border::Reflect,
        },
        erase(
            1.0,
            [f64::MIN_POSITIVE, 1.0],
            [f64::MIN_POSITIVE, f64::MAX],
            black,
        ),
        crop([11, 12], 4),
    ];
    augmented(&[0.0; 12], [1, 3, 4], 500, edge);
    augmented(
        &[0.0],
        [1, 1, 1],
        500,
        [Augmentation::Rotation {
            degrees: [0.0, 360.0],
            border: Border::Reflect,
        }],
    );
}
