//! What the sampler, the split and the loader promise about the order of examples.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use kiln::data::{
    DataError, Epoch, Examples, Images, Loader, Pixels, Sampler, Source, Subset, Table, Target,
    TensorData, digits,
};

fn walk(sampler: &Sampler, epoch: &Epoch) -> Vec<usize> {
    (0..sampler.steps_per_epoch())
        .flat_map(|step| epoch.batch(step).to_vec())
        .collect()
}

#[test]
fn an_epoch_sees_each_example_once_but_for_the_rest() {
    for (len, batch) in [(1, 1), (10, 10), (100, 7), (1797, 64)] {
        let sampler = Sampler::new(len, batch, 3).unwrap();
        for e in 0..5 {
            let seen = walk(&sampler, &sampler.epoch(e));
            assert_eq!(seen.len(), len / batch * batch);
            assert!(seen.iter().all(|&index| index < len));
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
        }
    }
}

#[test]
fn m_processes_at_batch_b_see_what_one_sees_at_batch_mb_in_the_same_step() {
    for (len, batch, ranks) in [(1000, 8, 4), (1797, 16, 3), (12, 3, 4), (101, 1, 100)] {
        let one = Sampler::new(len, batch * ranks, 42).unwrap();
        let many: Vec<_> = (0..ranks)
            .map(|rank| {
                Sampler::new(len, batch, 42)
                    .unwrap()
                    .ranks(rank, ranks)
                    .unwrap()
            })
            .collect();
        for e in 0..3 {
            let whole = one.epoch(e);
            let parts: Vec<_> = many.iter().map(|sampler| sampler.epoch(e)).collect();
            for step in 0..one.steps_per_epoch() {
                let together = parts.iter().flat_map(|part| part.batch(step));
                assert!(together.eq(whole.batch(step)), "step {step}");
            }
            assert!(
                many.iter()
                    .all(|sampler| sampler.steps_per_epoch() == one.steps_per_epoch())
            );
        }
    }
}

#[test]
fn epochs_and_seeds_have_orders_of_their_own() {
    let orders: BTreeSet<_> = (0..30)
        .flat_map(|seed| (0..30).map(move |e| (seed, e)))
        .map(|(seed, e)| {
            Sampler::new(20, 20, seed)
                .unwrap()
                .epoch(e)
                .batch(0)
                .to_vec()
        })
        .collect();
    assert_eq!(orders.len(), 900);
}

/// Computed by `data_order.py` beside this file: a checkpoint of today must find its order in
/// every later version.
#[test]
fn the_order_is_the_same_in_every_version() {
    let order = |seed, epoch| {
        Sampler::new(10, 10, seed)
            .unwrap()
            .epoch(epoch)
            .batch(0)
            .to_vec()
    };
    assert_eq!(order(0, 0), [4, 7, 0, 5, 9, 3, 6, 2, 8, 1]);
    assert_eq!(order(42, 7), [0, 2, 1, 7, 5, 8, 6, 4, 9, 3]);
    let table = Table::values(vec![0.0; 10], &[1], vec![0.0; 10], &[]).unwrap();
    let (first, second) = table.split(0.6, 42).unwrap();
    assert_eq!(
        [first.indices(), second.indices()].concat(),
        [8, 3, 6, 5, 4, 0, 9, 2, 1, 7]
    );
}

#[test]
fn what_cannot_be_sampled_is_an_error() {
    for batch in [0, 101, usize::MAX] {
        assert!(Sampler::new(100, batch, 0).is_err());
    }
    assert!(Sampler::new(0, 1, 0).is_err());
    let sampler = Sampler::new(100, 20, 0).unwrap();
    for (rank, ranks) in [(0, 0), (0, 6), (5, 5), (0, usize::MAX), (usize::MAX, 5)] {
        assert!(sampler.ranks(rank, ranks).is_err(), "{rank} of {ranks}");
    }
    assert_eq!(sampler.ranks(4, 5).unwrap().steps_per_epoch(), 1);
    assert!(sampler.epoch(usize::MAX).batch(usize::MAX).is_empty());
    assert_eq!(
        sampler.ranks(0, 6).unwrap_err().to_string(),
        "ranks: expected 1 to 5, as 100 examples hold 5 batches of 20, found 6"
    );
}

#[test]
fn a_split_is_disjoint_complete_and_repeatable() {
    let digits = Arc::new(digits().unwrap());
    let (train, test) = digits.clone().split(0.8, 42).unwrap();
    assert_eq!((train.len(), test.len()), (1438, 359));
    let mut all = [train.indices(), test.indices()].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1797));
    let (again, _) = digits.clone().split(0.8, 42).unwrap();
    assert_eq!(again.indices(), train.indices());
    let (other, _) = digits.clone().split(0.8, 43).unwrap();
    assert_ne!(other.indices(), train.indices());

    // Through two layers, an example is still itself.
    let (half, _) = train.split(0.5, 1).unwrap();
    let inner = half.source().indices()[half.indices()[5]];
    assert_eq!(half.gather(&[5]).unwrap(), digits.gather(&[inner]).unwrap());
}

#[test]
fn a_split_that_leaves_a_part_empty_is_an_error() {
    for fraction in [
        0.0,
        1.0,
        -0.5,
        1.5,
        f64::NAN,
        f64::INFINITY,
        1e-9,
        1.0 - 1e-9,
    ] {
        assert!(digits().unwrap().split(fraction, 0).is_err(), "{fraction}");
    }
}

#[test]
fn an_example_that_does_not_exist_is_an_error() {
    let digits = Arc::new(digits().unwrap());
    let table = Table::classes(vec![0.0; 6], &[2], vec![0, 1, 1], 2).unwrap();
    let subset = Subset::new(digits.clone(), vec![3, 4, 5]).unwrap();
    let sources: [Box<dyn Source>; 3] =
        [Box::new(digits.clone()), Box::new(table), Box::new(subset)];
    for source in sources {
        let len = source.len();
        for index in [len, usize::MAX] {
            let error = source.gather(&[0, index]).unwrap_err();
            assert!(
                matches!(error, DataError::Index { index: i, len: l } if (i, l) == (index, len))
            );
        }
        assert_eq!(source.gather(&[]).unwrap().inputs[0].shape()[0], 0);
    }
    assert!(digits.pixels(1797).is_err() && digits.label(1797).is_err());
    assert!(digits.ascii(1797).is_err());
    assert!(Subset::new(digits, vec![1797]).is_err());
}

#[test]
fn a_data_set_that_contradicts_itself_is_an_error() {
    let pixels = || Pixels::new(vec![0; 12], [1, 2, 2]).unwrap();
    assert!(Pixels::new(vec![0; 13], [1, 2, 2]).is_err());
    assert!(Pixels::new(vec![], [1, 0, 2]).is_err());
    assert!(Pixels::new(vec![], [usize::MAX, 2, 2]).is_err());
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(pixels().scale(bad).is_err() && pixels().normalized(0.0, bad).is_err());
    }
    assert!(pixels().normalized(f64::NAN, 1.0).is_err());
    for (labels, classes) in [
        (vec![0, 1], 2),
        (vec![0, 1, 2], 2),
        (vec![0, 0, 0], 0),
        (vec![0, 0, 0], usize::MAX),
        (vec![0, 0, usize::MAX], 2),
    ] {
        assert!(Images::new(pixels(), labels.clone(), classes).is_err());
        assert!(Table::classes(vec![0.0; 6], &[2], labels, classes).is_err());
    }
    assert!(Table::values(vec![0.0; 6], &[2], vec![0.0; 5], &[2]).is_err());
    assert!(Table::values(vec![0.0; 6], &[2], vec![0.0; 4], &[2]).is_err());
    assert!(Table::values(vec![0.0; 6], &[usize::MAX, 2], vec![], &[]).is_err());
    // Nothing is allocated for examples that do not exist, however large they would be.
    let none = Table::values(vec![], &[usize::MAX], vec![], &[]).unwrap();
    assert!(none.gather(&[0]).is_err());
}

fn load(workers: usize, first: usize) -> Vec<Examples> {
    let source = Arc::new(digits().unwrap());
    let sampler = Sampler::new(source.len(), 60, 9).unwrap();
    let loader = Loader::new(source, sampler, workers).unwrap();
    loader
        .epoch(2, first)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn the_order_does_not_depend_on_the_number_of_workers() {
    let source = digits().unwrap();
    let epoch = Sampler::new(1797, 60, 9).unwrap().epoch(2);
    let expected: Vec<_> = (0..29)
        .map(|step| source.gather(epoch.batch(step)).unwrap())
        .collect();
    for workers in [0, 1, 2, 4, 1000] {
        assert_eq!(load(workers, 0), expected, "{workers} workers");
        assert_eq!(
            load(workers, 11),
            expected[11..],
            "{workers} workers from step 11"
        );
        assert!(load(workers, 29).is_empty());
    }
}

/// 1,000 examples that count how often they are asked for, and fail or panic at one of them.
struct Trap {
    bad: usize,
    panics: bool,
    gathered: AtomicUsize,
}

impl Trap {
    fn new(bad: usize, panics: bool) -> Arc<Self> {
        Arc::new(Self {
            bad,
            panics,
            gathered: AtomicUsize::new(0),
        })
    }
}

impl Source for Trap {
    fn len(&self) -> usize {
        1000
    }
    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![]]
    }
    fn targets(&self) -> Vec<Target> {
        vec![Target::Values(vec![])]
    }
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.gathered.fetch_add(1, Ordering::SeqCst);
        if indices.contains(&self.bad) {
            assert!(!self.panics, "example {} is a trap", self.bad);
            return Err(DataError::Source("the disk is gone".into()));
        }
        let data = TensorData::new(vec![0.0f32; indices.len()], [indices.len()]);
        Ok(Examples {
            inputs: vec![data.clone()],
            targets: vec![data],
        })
    }
}

#[test]
fn an_error_or_a_panic_of_the_source_arrives_in_its_place_and_ends_the_epoch() {
    let sampler = Sampler::new(1000, 10, 5).unwrap();
    let bad = sampler.epoch(0).batch(37)[4];
    for (workers, panics) in [
        (0, false),
        (1, false),
        (3, false),
        (0, true),
        (1, true),
        (3, true),
    ] {
        let loader = Loader::new(Trap::new(bad, panics), sampler, workers).unwrap();
        let mut batches = loader.epoch(0, 0).unwrap();
        assert!(batches.by_ref().take(37).all(|batch| batch.is_ok()));
        let error = batches.next().unwrap().unwrap_err().to_string();
        if panics {
            assert!(
                error.contains("step 37") && error.contains("is a trap"),
                "{error}"
            );
        } else {
            assert_eq!(error, "the disk is gone");
        }
        assert!(batches.next().is_none());
    }
}

#[test]
fn workers_stay_near_the_consumer_and_end_with_it() {
    let sampler = Sampler::new(1000, 1, 5).unwrap();
    for workers in [0, 1, 4] {
        let source = Trap::new(usize::MAX, false);
        let loader = Loader::new(source.clone(), sampler, workers).unwrap();
        let mut batches = loader.epoch(0, 0).unwrap();
        assert!(batches.by_ref().take(10).all(|batch| batch.is_ok()));
        drop(batches);
        let gathered = source.gathered.load(Ordering::SeqCst);
        assert!(
            (10..=10 + 2 * workers).contains(&gathered),
            "{gathered} by {workers}"
        );
        // The threads are joined: nobody else holds the source.
        drop(loader);
        assert_eq!(Arc::strong_count(&source), 1);
    }
}

#[test]
fn a_loader_refuses_a_sampler_of_other_data_and_a_step_beyond_the_epoch() {
    let source = Arc::new(digits().unwrap());
    let sampler = Sampler::new(1796, 60, 9).unwrap();
    assert!(Loader::new(source.clone(), sampler, 0).is_err());
    let sampler = Sampler::new(1797, 60, 9).unwrap();
    let loader = Loader::new(source, sampler, 2).unwrap();
    assert!(matches!(
        loader.epoch(0, 30),
        Err(DataError::Argument { .. })
    ));
}
