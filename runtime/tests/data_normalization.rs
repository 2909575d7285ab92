//! Standardisation and whitening: against scikit-learn and NumPy, whose numbers `tests/peers/whiten.py`
//! recorded, and against what whitening means.
#![allow(missing_docs, clippy::unwrap_used)]

use kiln::data::{
    DataError, Examples, Normalization, Source, Subset, Table, Target, TensorData, digits,
};
use serde_json::Value;

fn peer() -> Value {
    serde_json::from_str(include_str!("../../tests/peers/whiten.json")).unwrap()
}

fn numbers(record: &Value) -> Vec<f32> {
    serde_json::from_value(record.clone()).unwrap()
}

fn table(features: Vec<f32>, width: usize) -> Table {
    let targets = vec![0.0; features.len() / width];
    Table::values(features, &[width], targets, &[]).unwrap()
}

fn features(source: &impl Source) -> Vec<f32> {
    let all: Vec<usize> = (0..source.len()).collect();
    source.gather(&all).unwrap().inputs[0].iter().collect()
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let off = (found - expected).abs();
        assert!(
            off <= tolerance * (1.0 + expected.abs()),
            "{what}: {found} for {expected}"
        );
    }
}

#[test]
fn the_numbers_are_those_of_scikit_learn_and_numpy() {
    let peer = peer();
    let (train, test) = (
        table(numbers(&peer["train"]), 6),
        table(numbers(&peer["test"]), 6),
    );
    let applied = |fitted: Result<Normalization, DataError>, to: &Table| {
        features(&fitted.unwrap().apply(to).unwrap())
    };
    let found = applied(Normalization::standardize(&train), &test);
    assert_near(&found, &numbers(&peer["standardize"]), 1e-5, "standardised");
    let found = applied(Normalization::standardize_whole(&train), &test);
    assert_near(&found, &numbers(&peer["whole"]), 1e-5, "as a whole");
    let found = applied(Normalization::pca(&train, 4, 0.0), &test);
    assert_near(&found, &numbers(&peer["pca"]), 1e-4, "principal components");
    let found = applied(Normalization::zca(&train, 0.0), &train);
    assert_near(
        &found,
        &numbers(&peer["zca_of_train"]),
        1e-4,
        "zero-phase components",
    );
    for epsilon in [0.0, 0.1, 10.0] {
        let found = applied(Normalization::zca(&train, epsilon), &test);
        let expected = numbers(&peer["zca"][format!("{epsilon:?}")]);
        assert_near(&found, &expected, 1e-4, &format!("ε = {epsilon}"));
    }
    // scikit-learn takes a feature that never changes for one of deviation 1.
    let constant = &peer["constant"];
    let fitted = Normalization::standardize(&table(numbers(&constant["train"]), 6));
    let found = applied(fitted, &table(numbers(&constant["test"]), 6));
    assert_near(
        &found,
        &numbers(&constant["standardize"]),
        1e-5,
        "with a constant",
    );
}

/// Mean and covariance of examples of so many features.
fn moments(values: &[f32], width: usize) -> (Vec<f64>, Vec<f64>) {
    let n = (values.len() / width) as f64;
    let mut mean = vec![0.0; width];
    for example in values.chunks(width) {
        for (mean, &x) in mean.iter_mut().zip(example) {
            *mean += f64::from(x) / n;
        }
    }
    let mut covariance = vec![0.0; width * width];
    for example in values.chunks(width) {
        for (row, &x) in example.iter().enumerate() {
            for (column, &y) in example.iter().enumerate() {
                let product = (f64::from(x) - mean[row]) * (f64::from(y) - mean[column]);
                covariance[row * width + column] += product / n;
            }
        }
    }
    (mean, covariance)
}

fn assert_identity(values: &[f32], width: usize, what: &str) {
    let (mean, covariance) = moments(values, width);
    assert!(
        mean.iter().all(|mean| mean.abs() < 1e-3),
        "{what}: {mean:?}"
    );
    for (place, value) in covariance.iter().enumerate() {
        let expected = f64::from(u8::from(place % width == place / width));
        assert!(
            (value - expected).abs() < 1e-3,
            "{what}: {value} for {expected}"
        );
    }
}

#[test]
fn what_is_whitened_has_the_identity_for_its_covariance() {
    let train = table(numbers(&peer()["train"]), 6);
    let zca = Normalization::zca(&train, 0.0)
        .unwrap()
        .apply(&train)
        .unwrap();
    assert_identity(&features(&zca), 6, "zero-phase components");
    let pca = Normalization::pca(&train, 6, 0.0)
        .unwrap()
        .apply(&train)
        .unwrap();
    assert_identity(&features(&pca), 6, "principal components");

    // Of real digits some pixels never change: among the others as many directions as there are ranks.
    let digits = digits().unwrap();
    let pca = Normalization::pca(&digits, 40, 0.0)
        .unwrap()
        .apply(&digits)
        .unwrap();
    assert_eq!(pca.inputs(), [[40]]);
    assert_identity(&features(&pca), 40, "digits");
    let whole = Normalization::pca(&digits, 64, 0.0)
        .unwrap()
        .apply(&digits)
        .unwrap();
    assert!(features(&whole).iter().all(|value| value.is_finite()));
    // With an ε, each component has the variance λ / (λ + ε), and ZCA keeps the shape.
    let zca = Normalization::zca(&digits, 0.05)
        .unwrap()
        .apply(&digits)
        .unwrap();
    assert_eq!(zca.inputs(), [[1, 8, 8]]);
    let (_, covariance) = moments(&features(&zca), 64);
    let trace: f64 = (0..64).map(|at| covariance[at * 65]).sum();
    assert!((1.0..64.0).contains(&trace), "{trace}");
}

#[test]
fn digits_are_standardised_by_feature_and_by_channel() {
    let digits = digits().unwrap();
    let by_feature = Normalization::standardize(&digits)
        .unwrap()
        .apply(&digits)
        .unwrap();
    let (mean, covariance) = moments(&features(&by_feature), 64);
    for (at, mean) in mean.into_iter().enumerate() {
        let variance = covariance[at * 65];
        // The first pixel of every line is always white.
        let expected = f64::from(u8::from(variance > 0.5));
        assert!(
            mean.abs() < 1e-5 && (variance - expected).abs() < 1e-5,
            "{at}: {variance}"
        );
    }
    assert_eq!(covariance[0], 0.0);
    let (mean, std) = digits.moments();
    let expected = digits.clone().normalized(mean, std).unwrap();
    for fitted in [
        Normalization::standardize_whole(&digits).unwrap(),
        Normalization::standardize_channels(&digits).unwrap(),
    ] {
        let found = features(&fitted.apply(&digits).unwrap());
        assert_near(&found, &features(&expected), 1e-5, "one channel");
    }
    // Two channels of two pixels.
    let table = Table::values(
        vec![1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 30.0, 30.0],
        &[2, 1, 2],
        vec![0.0; 2],
        &[],
    )
    .unwrap();
    let fitted = Normalization::standardize_channels(&table).unwrap();
    let found = features(&fitted.apply(&table).unwrap());
    let outer = 3.0 / 5f32.sqrt();
    let inner = 1.0 / 5f32.sqrt();
    assert_near(
        &found,
        &[-outer, -inner, -1.0, -1.0, inner, outer, 1.0, 1.0],
        1e-6,
        "channels",
    );
}

#[test]
fn what_never_changes_becomes_nothing_and_never_nan() {
    // One third, whose mean over 1000 is not what it was to the bit.
    let constant = table(vec![1.0 / 3.0; 3000], 3);
    for fitted in [
        Normalization::standardize(&constant).unwrap(),
        Normalization::standardize_whole(&constant).unwrap(),
        Normalization::pca(&constant, 3, 0.0).unwrap(),
        Normalization::zca(&constant, 0.0).unwrap(),
        Normalization::zca(&constant, 0.1).unwrap(),
    ] {
        let found = features(&fitted.apply(&constant).unwrap());
        assert!(
            found.iter().all(|value| *value == 0.0),
            "{fitted:?}: {:?}",
            &found[..3]
        );
    }
    // Deviations whose reciprocal is no number.
    let tiny = table(vec![1e-42, 0.0, -1e-42, 0.0], 1);
    for fitted in [
        Normalization::standardize(&tiny).unwrap(),
        Normalization::pca(&tiny, 1, 0.0).unwrap(),
        Normalization::zca(&tiny, 0.0).unwrap(),
    ] {
        let found = features(&fitted.apply(&tiny).unwrap());
        assert!(found.iter().all(|value| value.abs() < 1e-38), "{found:?}");
    }
    let single = table(vec![5.0, -5.0], 2);
    let zca = Normalization::zca(&single, 0.0).unwrap();
    assert_eq!(features(&zca.apply(&single).unwrap()), [0.0, 0.0]);
}

#[test]
fn it_is_fitted_to_one_part_and_serves_both_and_a_program_that_reads_it() {
    let (train, test) = digits().unwrap().split(0.8, 1).unwrap();
    for fitted in [
        Normalization::standardize(&train).unwrap(),
        Normalization::zca(&train, 0.1).unwrap(),
        Normalization::pca(&train, 10, 0.1).unwrap(),
    ] {
        let read: Normalization =
            serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
        assert_eq!(read, fitted);
        let batch = test.gather(&[0, 5, 9]).unwrap();
        let applied = fitted
            .apply(test.clone())
            .unwrap()
            .gather(&[0, 5, 9])
            .unwrap();
        assert_eq!(
            read.transform(batch.inputs[0].clone()).unwrap(),
            applied.inputs[0]
        );
        assert_eq!(applied.targets, batch.targets);
        // An example is what it is, whatever is beside it.
        let alone = fitted.apply(test.clone()).unwrap().gather(&[5]).unwrap();
        let width: usize = applied.inputs[0].num_elements() / 3;
        let beside: Vec<f32> = applied.inputs[0].iter().skip(width).take(width).collect();
        assert_near(
            &alone.inputs[0].iter::<f32>().collect::<Vec<_>>(),
            &beside,
            1e-5,
            "alone",
        );
    }
}

/// A source that says more than any has.
struct Endless;

impl Source for Endless {
    fn len(&self) -> usize {
        1
    }
    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![usize::MAX, 2]]
    }
    fn targets(&self) -> Vec<Target> {
        vec![]
    }
    fn gather(&self, _: &[usize]) -> Result<Examples, DataError> {
        unreachable!("its shape is refused before")
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let two = || table(vec![1.0, 2.0, 3.0, 5.0], 2);
    for epsilon in [-1e-9, f64::NAN, f64::INFINITY] {
        assert!(Normalization::zca(&two(), epsilon).is_err());
        assert!(Normalization::pca(&two(), 1, epsilon).is_err());
    }
    for components in [0, 3, usize::MAX] {
        assert!(Normalization::pca(&two(), components, 0.1).is_err());
    }
    // Before the data are read, of which these would be refused.
    let error = Normalization::pca(&table(vec![f32::NAN; 4], 2), 3, 0.1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "components: expected 1 to 2, the number of features, found 3"
    );
    assert!(matches!(
        Normalization::standardize(&Endless),
        Err(DataError::Shape { .. })
    ));
    assert!(Normalization::standardize(&table(vec![], 2)).is_err());
    assert_eq!(
        Normalization::standardize(&table(vec![1.0, 2.0, f32::NAN, 1.0], 2))
            .unwrap_err()
            .to_string(),
        "source: expected finite features, found NaN in example 1"
    );
    let wide = table(vec![0.0; 8193], 8193);
    assert!(Normalization::zca(&wide, 0.1).is_err());
    assert!(Normalization::standardize(&wide).is_ok());
    let fitted = Normalization::standardize(&two()).unwrap();
    assert_eq!(
        fitted
            .apply(table(vec![0.0; 3], 3))
            .unwrap_err()
            .to_string(),
        "source: expected one input of shape [2], as fitted to, found [[3]]"
    );
    assert!(fitted.transform(TensorData::from([1.0f32, 2.0])).is_err());
    assert!(fitted.transform(TensorData::from([[1.0f64, 2.0]])).is_err());
    let subset = Subset::new(std::sync::Arc::new(two()), vec![]).unwrap();
    assert!(Normalization::standardize(&subset).is_err());
    // A file that somebody changed.
    for text in [
        r#"{"shape":[2],"mean":[0.0],"map":{"scale":[1.0]}}"#,
        r#"{"shape":[2],"mean":[0.0,1.0],"map":{"scale":[1.0]}}"#,
        r#"{"shape":[0],"mean":[],"map":{"scale":[]}}"#,
        r#"{"shape":[2],"mean":[0.0,1.0],"map":{"matrix":{"shape":[3],"values":[1.0]}}}"#,
        r#"{"shape":[2],"mean":[0.0,1.0],"map":{"matrix":{"shape":[0],"values":[]}}}"#,
        r#"{"shape":[4294967296,4294967296],"mean":[],"map":{"scale":[]}}"#,
    ] {
        let read: Normalization = serde_json::from_str(text).unwrap();
        assert!(read.apply(two()).is_err(), "{text}");
        assert!(
            read.transform(TensorData::from([[1.0f32, 2.0]])).is_err(),
            "{text}"
        );
    }
}
