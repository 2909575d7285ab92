//! Losses of several outputs: their sum, their targets, and a training with them.

use kiln::burn::train::metric::{Adaptor, LossInput};
use kiln::burn::train::{InferenceStep, TrainStep};
use kiln::data::{DataError, Examples, Source, Target, TensorData};
use kiln::loss;
use kiln::model::{MismatchError, Size};
use kiln::prelude::*;
use kiln_tests::{device, gradients, lock, numbers};

model! {
    /// A class for each of three places, where it is, and two readings of the whole.
    struct Heads { share: f64 = 0.25, delta: f64 = 0.5 }
    input x: [3, 4];
    let shared = x -> linear(6) -> tanh;
    let classes = shared -> linear(5);
    let place = shared -> flatten -> linear(2);
    let left = shared -> flatten -> linear(4);
    let right = shared -> flatten -> linear(4);
    let unused = left -> relu;
    output classes, place, left, right, unused;
    loss share * cross_entropy(classes, label_smoothing: 0.1)
        + huber(place, delta: delta)
        + 2 * cosine_embedding(left, right)
        + l1(place);
}

fn batch(device: &Device) -> (Tensor<3>, <Heads as Model>::Target) {
    let number = |n: usize| {
        (0..n)
            .map(|i| ((i * 37 % 23) as f32 - 11.0) / 7.0)
            .collect()
    };
    let floats = |n: usize, shape: &[usize]| TensorData::new::<f32, _>(number(n), shape.to_vec());
    let x = Tensor::from_data(floats(24, &[2, 3, 4]), device);
    let classes = Tensor::from_ints([[0, 4, 2], [1, 1, 3]], device);
    let place = Tensor::from_data(floats(4, &[2, 2]), device);
    let alike = Tensor::from_floats([1.0, -1.0], device);
    let other = Tensor::from_data(floats(4, &[2, 2]), device) + 1.0;
    (x, (classes, place, alike, other))
}

#[test]
fn a_sum_of_losses_is_the_sum_of_their_values_and_gradients() {
    let _lock = lock();
    let device = device().autodiff();
    device.seed(3);
    let config = HeadsConfig::new().with_share(0.75).with_delta(0.3);
    let model = config.init(&device).expect("the configuration is valid");
    let (x, target) = batch(&device);
    let output = model.forward(x.clone());
    let summed = model.loss(output, target.clone());

    let (classes, place, left, right, _) = model.forward(x);
    let (class, at, alike, other) = target;
    let parts = loss::cross_entropy(classes, class, 0.1) * 0.75
        + loss::huber(place.clone(), at, 0.3)
        + loss::cosine_embedding(left, right, alike, 0.0) * 2.0
        + loss::l1(place, other);
    assert_eq!(summed.to_data(), parts.to_data());
    let (found, expected) = (summed.backward(), parts.backward());
    let (found, expected) = (gradients(&model, &found), gradients(&model, &expected));
    assert_eq!(found.len(), 10);
    assert!(found.keys().eq(expected.keys()));
    for (path, gradient) in found {
        assert_eq!(numbers(&gradient), numbers(&expected[&path]), "{path}");
    }
}

#[test]
fn right_are_the_classes_of_each_place() {
    let _lock = lock();
    let device = device();
    let model = HeadsConfig::new().init(&device).expect("it is valid");
    let (x, target) = batch(&device);
    let output = model.forward(x);
    let expected = loss::correct(output.0.clone(), target.0.clone());
    let right = model.correct(output, target).expect("there are classes");
    assert_eq!(right.into_data(), expected.into_data());
}

#[test]
fn targets_are_those_of_the_losses_in_their_order() {
    let expected = [
        Target::Classes(5, vec![Size::Fixed(3)]),
        Target::Values(vec![Size::Fixed(2)]),
        Target::Values(vec![]),
        Target::Values(vec![Size::Fixed(2)]),
    ];
    assert_eq!(HeadsConfig::new().targets(), expected);
}

#[test]
fn an_open_length_is_one_of_the_targets_too() {
    model! {
        struct Tagger;
        input words: [any length, 4];
        let tags = words -> linear(3);
        output tags;
        loss cross_entropy;
    }
    model! {
        struct Speller { classes: usize = 6 }
        input sound: [any length, 4];
        let letters = sound -> linear(classes) -> log_softmax;
        output letters;
        loss ctc;
    }
    let length = Size::Any("length");
    assert_eq!(
        TaggerConfig::new().targets(),
        [Target::Classes(3, vec![length])]
    );
    let (classes, longest) = (6, length);
    assert_eq!(
        SpellerConfig::new().targets(),
        [Target::Sequence { classes, longest }]
    );
    // The inputs are [3, 4].
    let tags = |length| Rows {
        targets: vec![Target::Classes(3, vec![length])],
    };
    assert_eq!(TaggerConfig::new().check(&tags(3)), Ok(()));
    let error = TaggerConfig::new()
        .check(&tags(7))
        .expect_err("3 words, 7 tags");
    assert!(matches!(error, MismatchError::Target { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("one of 3 classes at each place of [3], the data"),
        "{text}"
    );
}

#[test]
fn a_weight_that_cannot_be_is_an_error_of_init() {
    let error = HeadsConfig::new()
        .with_share(0.0)
        .with_delta(-1.0)
        .summary();
    let error = error.expect_err("both are wrong").to_string();
    assert!(
        error.contains("the weight of a loss is above 0, found 0"),
        "{error}"
    );
    assert!(
        error.contains("`huber` needs `delta` above 0, found -1"),
        "{error}"
    );
}

/// Examples of the shape that [`Heads`] takes, with these targets.
struct Rows {
    targets: Vec<Target>,
}

impl Source for Rows {
    fn len(&self) -> usize {
        40
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![3, 4]]
    }

    fn targets(&self) -> Vec<Target> {
        self.targets.clone()
    }

    /// Everything can be read off the input.
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let n = indices.len();
        let bit = |i: usize, at: usize| f32::from(u8::from(i >> at & 1 == 1)) * 2.0 - 1.0;
        let all = |size: usize, of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            let each = |i: &usize| (0..size).map(|at| of(*i, at)).collect::<Vec<_>>();
            indices.iter().flat_map(each).collect()
        };
        let class = |i: usize, at: usize| (bit(i, at) + 1.0) * 2.0;
        let classes = all(3, &class)
            .iter()
            .map(|class| *class as i32)
            .collect::<Vec<_>>();
        Ok(Examples {
            inputs: vec![TensorData::new(all(12, &|i, at| bit(i, at / 4)), [n, 3, 4])],
            targets: vec![
                TensorData::new(classes, [n, 3]),
                TensorData::new(all(2, &bit), [n, 2]),
                TensorData::new(all(1, &bit), [n]),
                TensorData::new(all(2, &bit), [n, 2]),
            ],
        })
    }
}

optimizer! {
    struct Plain;
    update adam;
}

schedule! {
    struct Constant;
    peak 0.02;
    constant;
}

fn rows() -> Rows {
    let value = |shape: &[usize]| Target::Values(shape.to_vec());
    Rows {
        targets: vec![
            Target::Classes(5, vec![3]),
            value(&[2]),
            value(&[]),
            value(&[2]),
        ],
    }
}

#[test]
fn several_losses_are_trained_together() {
    let _lock = lock();
    device().seed(1);
    let model = HeadsConfig::new().init(&device()).expect("it is valid");
    let before = evaluate(&model, &rows(), 16).expect("the data fit");
    let trainer = Trainer::new(model, Plain::new(), Constant::new()).quiet();
    let trained = trainer.epochs(40).batch(8).fit(rows()).expect("it trains");
    let after = evaluate(&trained.model, &rows(), 16).expect("the data fit");
    assert!(after.loss < 0.5 * before.loss, "{before:?} {after:?}");
    // Of three places each, so the share is one only if every place is right.
    assert_eq!(after.accuracy, Some(1.0), "{before:?} {after:?}");
}

#[test]
fn targets_that_do_not_fit_are_refused_in_words() {
    let mut targets = rows().targets;
    targets[0] = Target::Classes(5, vec![4]);
    targets.truncate(2);
    let error = HeadsConfig::new().check(&Rows { targets });
    let error = error.expect_err("two are missing").to_string();
    let expected = "compares with one of 5 classes at each place of [3], and values of shape [2], and \
                    values of shape [], and values of shape [2], the data set holds one of 5 classes \
                    at each place of [4], and values of shape [2]";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_label_out_of_range_is_an_error_that_names_its_example() {
    let _lock = lock();
    let mut targets = rows().targets;
    targets[0] = Target::Classes(4, vec![3]);
    let model = HeadsConfig::new().init(&device()).expect("it is valid");
    let error = evaluate(&model, &Rows { targets }, 16).expect_err("4 is no label");
    let error = error.to_string();
    assert!(error.contains("example 1 has label 4"), "{error}");
}

#[test]
fn burns_learner_is_given_what_its_metrics_read() {
    let _lock = lock();
    model! {
        struct Tagger;
        input words: [3, 4];
        let other = words -> linear(2);
        let tags = words -> linear(5);
        output other, tags;
        loss cross_entropy(tags);
    }
    let device = device();
    let (x, target) = batch(&device);
    let model = TaggerConfig::new().init(&device).expect("it is valid");
    let expected = model.loss(model.forward(x.clone()), target.0.clone());
    let item = InferenceStep::step(
        &model,
        Batch {
            input: x.clone(),
            target: target.0.clone(),
        },
    );
    assert_eq!(item.loss.into_data(), expected.into_data());
    // A row of scores for each place.
    assert_eq!((item.output.dims(), item.targets.dims()), ([6, 5], [6]));

    let device = device.autodiff();
    let (x, target) = batch(&device);
    let model = HeadsConfig::new().init(&device).expect("it is valid");
    let expected = model.loss(model.forward(x.clone()), target.clone());
    let step = TrainStep::step(&model, Batch { input: x, target });
    let _: LossInput = step.item.adapt();
    assert_eq!(step.item.loss.into_data(), expected.into_data());
}

#[test]
fn a_target_that_cannot_be_spelled_is_an_infinite_loss() {
    let device = device().autodiff();
    let output = Tensor::<3>::zeros([2, 3, 4], &device).require_grad();
    // Two steps of one class need a blank between them: four steps.
    let target = Tensor::from_ints([[1, 2, 2], [1, 2, 3]], &device);
    let scores = kiln::burn::tensor::activation::log_softmax(output, 2);
    let loss: f32 = loss::ctc(scores, target).into_scalar();
    assert_eq!(loss, f32::INFINITY);
}
