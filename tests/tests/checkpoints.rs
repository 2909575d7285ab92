//! Checkpoints: what is kept, what is refused, and what no accident can take away.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln::data::{Augmentation, Augmented, Border, Images, Source, Subset, digits};
use kiln::prelude::*;
use kiln::schedule::{Metric, MetricMode};
use kiln::train::{
    Checkpoint, CheckpointError, Checkpoints, Difference, Every, TrainError, TrainFailure, Trained,
};
use kiln_tests::{Folder, Lcg, bits, device, lock};

model! {
    struct Net { hidden: usize = 16, drop: f64 = 0.3 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(hidden) -> batch_norm -> relu -> dropout(drop)
        -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    struct Momentum { momentum: f64 = 0.9 }
    update sgd(momentum: momentum);
}

optimizer! {
    struct Adam;
    update adam();
}

schedule! {
    struct Decay { peak: f64 = 0.05 }
    peak peak;
    cosine;
}

fn examples() -> Subset<Images> {
    let digits = digits().expect("the digits are built in");
    digits.split(200.4 / 1797.0, 5).expect("it is a share").0
}

fn net(config: &NetConfig) -> Net {
    device().seed(2);
    config.init(&device()).expect("the configuration is valid")
}

type Digits<'a> = Trainer<'a, Net, Momentum, Decay>;

/// Two epochs of six steps.
fn trainer<'a>() -> Digits<'a> {
    Trainer::new(net(&NetConfig::new()), Momentum::new(), Decay::new())
        .epochs(2)
        .batch(32)
        .seed(4)
        .quiet()
}

fn every_second(folder: &Folder) -> Checkpoints {
    Checkpoints::new(folder.path()).every(Every::Steps(2))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Why `trained` failed.
fn refused(trained: Result<Trained<Net>, TrainFailure<Net>>) -> CheckpointError {
    match trained.map_err(|failure| failure.error) {
        Err(TrainError::Checkpoint(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_ones_and_the_best_are_kept() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-keep");
    let checkpoints = every_second(&folder)
        .keep(2)
        .best(Metric::TrainingLoss, MetricMode::Min);
    let run = trainer()
        .checkpoints(checkpoints)
        .fit(examples())
        .expect("it trains");
    let kept = ["best.kiln", "step-0000000010.kiln", "step-0000000012.kiln"];
    assert_eq!(names(folder.path()), kept);
    // The loss falls, so the best is the last.
    let best = Checkpoint::open(folder.file("best.kiln")).expect("it is whole");
    assert_eq!((best.steps(), best.history().len()), (12, 2));
    let model: Net = best.model(&device()).expect("it is that of this model");
    assert_eq!(bits(&model), bits(&run.model));
}

#[test]
fn a_folder_with_checkpoints_is_not_begun_in() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-occupied");
    let run = || trainer().checkpoints(every_second(&folder)).fit(examples());
    run().expect("it trains");
    let before = names(folder.path());
    let error = refused(run());
    assert!(matches!(error, CheckpointError::Occupied { steps: 12, .. }));
    let message = error.to_string();
    assert!(
        message.contains("go on from it (`Checkpoints::resume`)"),
        "{message}"
    );
    assert_eq!(names(folder.path()), before);
}

#[test]
fn every_damage_is_found_and_the_newest_whole_one_is_taken() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-damage");
    trainer()
        .checkpoints(every_second(&folder))
        .fit(examples())
        .expect("it trains");
    let newest = folder.file("step-0000000012.kiln");
    let whole = fs::read(&newest).expect("it is there");
    let mut random = Lcg(7);
    let place = |random: &mut Lcg, case: usize| match case {
        // The first and the last bytes have meanings of their own.
        0..60 => case,
        60..90 => whole.len() - 1 - (case - 60),
        _ => random.draw(0, whole.len() - 1),
    };
    for case in 0..500 {
        let at = place(&mut random, case);
        let mut flipped = whole.clone();
        flipped[at] ^= random.draw(1, 255) as u8;
        fs::write(&newest, &flipped).expect("it can be written");
        let found = Checkpoint::open(&newest);
        assert!(
            matches!(found, Err(CheckpointError::Damaged { .. })),
            "byte {at}: {found:?}"
        );
        fs::write(&newest, &whole[..at]).expect("it can be written");
        let found = Checkpoint::open(&newest);
        assert!(
            matches!(found, Err(CheckpointError::Damaged { .. })),
            "cut at {at}: {found:?}"
        );
    }
    let longer = [whole.as_slice(), &[0]].concat();
    fs::write(&newest, longer).expect("it can be written");
    let resume = || {
        trainer()
            .checkpoints(every_second(&folder).resume(true))
            .fit(examples())
    };
    let run = resume().expect("it goes on from the one before");
    assert_eq!(run.steps, 12);
    assert_eq!(
        Checkpoint::open(&newest).map(|again| again.steps()).ok(),
        Some(12)
    );

    for name in names(folder.path()) {
        fs::write(folder.file(&name), b"nothing").expect("it can be written");
    }
    let error = refused(resume());
    let message = error.to_string();
    let CheckpointError::NoneWhole { skipped, .. } = error else {
        panic!("{message}");
    };
    assert_eq!(skipped.len(), 3);
    assert!(
        message.contains("it ends after 7 bytes") && message.contains("begin anew"),
        "{message}"
    );
}

#[test]
fn damaged_ones_of_later_steps_count_for_nothing() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-later");
    let one = || {
        Checkpoints::new(folder.path())
            .every(Every::Steps(5))
            .keep(1)
    };
    trainer()
        .checkpoints(one().keep(2))
        .fit(examples())
        .expect("it trains");
    // 10 and 12 are there.
    fs::write(folder.file("step-0000000012.kiln"), b"nothing").expect("it can be written");
    fs::write(folder.file("step-0000000099.kiln"), b"nothing").expect("it can be written");
    fs::write(folder.file("step-0000000011.kiln.partial"), b"half").expect("it can be written");
    let run = trainer()
        .checkpoints(one().resume(true))
        .fit(examples())
        .expect("it goes on");
    assert_eq!(run.steps, 12);
    assert_eq!(
        names(folder.path()),
        ["step-0000000012.kiln", "step-0000000099.kiln"]
    );
    let again = trainer()
        .checkpoints(one().resume(true))
        .fit(examples())
        .expect("it has ended");
    assert_eq!(bits(&again.model), bits(&run.model));
}

#[test]
fn the_best_alone_is_gone_on_from() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-best");
    let best = || every_second(&folder).best(Metric::TrainingLoss, MetricMode::Min);
    trainer()
        .checkpoints(best())
        .fit(examples())
        .expect("it trains");
    for name in names(folder.path())
        .iter()
        .filter(|name| name.starts_with("step"))
    {
        fs::remove_file(folder.file(name)).expect("it can be removed");
    }
    let error = refused(trainer().checkpoints(best()).fit(examples()));
    assert!(
        matches!(error, CheckpointError::Occupied { steps: 12, .. }),
        "{error}"
    );
    let run = trainer()
        .checkpoints(best().resume(true))
        .fit(examples())
        .expect("it goes on");
    assert_eq!((run.steps, run.history.len()), (12, 2));
}

#[test]
fn another_augmentation_is_another_training() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-augmented");
    let augmented = |padding| {
        let border = Border::Constant(0.0);
        let crop = Augmentation::Crop {
            size: [8, 8],
            padding,
            border,
        };
        Augmented::new(examples(), vec![crop]).expect("it fits")
    };
    trainer()
        .checkpoints(every_second(&folder))
        .fit(augmented(1))
        .expect("it trains");
    let found = differences(&folder, trainer(), augmented(2));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "augmentation of the examples");
}

#[test]
fn no_content_of_a_file_is_a_panic() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-foreign");
    let file = folder.file("step-0000000001.kiln");
    let mut random = Lcg(3);
    for case in 0..300 {
        // A head that fits its length, whatever is in it, and a right checksum.
        let state: Vec<u8> = (0..case).map(|_| random.draw(0, 255) as u8).collect();
        let mut bytes = b"kilnCP\x00\x01".to_vec();
        for length in [state.len(), 0, 0, 0, 0] {
            bytes.extend((length as u64).to_le_bytes());
        }
        bytes.extend(state);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        fs::write(&file, &bytes).expect("it can be written");
        let found = Checkpoint::open(&file);
        assert!(
            matches!(found, Err(CheckpointError::Version { .. })),
            "{found:?}"
        );
    }
    // It is nobody's damage, and not passed over.
    let checkpoints = Checkpoints::new(folder.path()).resume(true);
    let error = refused(trainer().checkpoints(checkpoints).fit(examples()));
    assert!(
        error.to_string().contains("another version of Kiln"),
        "{error}"
    );
    let missing = Checkpoint::open(folder.file("missing.kiln"));
    assert!(matches!(missing, Err(CheckpointError::Read { .. })));
}

/// In what a training differs from that in `folder`.
fn differences(folder: &Folder, trainer: Digits, source: impl Source + 'static) -> Vec<Difference> {
    let error = refused(
        trainer
            .checkpoints(every_second(folder).resume(true))
            .fit(source),
    );
    match error {
        CheckpointError::Changed { differences, .. } => differences,
        other => panic!("{other}"),
    }
}

fn shown(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn another_training_is_refused_with_all_in_which_it_differs() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-changes");
    trainer()
        .checkpoints(every_second(&folder))
        .fit(examples())
        .expect("it trains");

    let found = differences(&folder, trainer().batch(16).seed(5).epochs(3), examples());
    assert_eq!(
        shown(&found),
        [
            "epochs: 2 then, 3 now",
            "batch: 32 then, 16 now",
            "seed: 4 then, 5 now"
        ]
    );
    assert_eq!(
        found.iter().map(|one| one.safe).collect::<Vec<_>>(),
        [true, false, false]
    );

    let (_, rest) = digits()
        .and_then(|all| all.split(200.4 / 1797.0, 5))
        .expect("they are there");
    let found = differences(&folder, trainer(), rest);
    assert_eq!(shown(&found)[0], "examples: 200 then, 1597 now");
    assert!(
        found[1].name.contains("content of the examples"),
        "{found:?}"
    );

    let wider = net(&NetConfig::new().with_hidden(8).with_drop(0.5));
    let other = Trainer::new(
        wider,
        Momentum::new().with_momentum(0.8),
        Decay::new().with_peak(0.1),
    );
    let found = shown(&differences(
        &folder,
        other.epochs(2).batch(32).seed(4).quiet(),
        examples(),
    ));
    assert!(
        found.contains(&"model.hidden: 16 then, 8 now".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"model.drop: 0.3 then, 0.5 now".to_owned()),
        "{found:?}"
    );
    let weights = "parameter scores.1.weight: [64, 16] of F32 then, [64, 8] of F32 now";
    assert!(found.contains(&weights.to_owned()), "{found:?}");
    assert!(
        found.iter().any(|one| one.contains("momentum: 0.8")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|one| one.starts_with("schedule: 0.05")),
        "{found:?}"
    );
}

#[test]
fn what_does_no_harm_can_be_allowed_and_nothing_else() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-allowed");
    trainer()
        .checkpoints(every_second(&folder))
        .fit(examples())
        .expect("it trains");
    let allowed = || every_second(&folder).resume(true).allow_changes(true);

    let error = refused(
        trainer()
            .batch(16)
            .epochs(3)
            .checkpoints(allowed())
            .fit(examples()),
    );
    let message = error.to_string();
    assert!(
        message.contains("cannot go on with another batch"),
        "{message}"
    );
    assert!(message.contains("epochs could be allowed"), "{message}");

    let model = net(&NetConfig::new().with_drop(0.1));
    let longer = Trainer::new(model, Momentum::new().with_momentum(0.8), Decay::new());
    let longer = longer.epochs(3).batch(32).seed(4).quiet();
    let run = longer
        .checkpoints(allowed())
        .fit(examples())
        .expect("it goes on");
    assert_eq!((run.history.len(), run.steps), (3, 18));
    // Of a cosine over three epochs, not over two.
    assert!(run.history[2].rate > 0.0 && run.history[2].rate < 0.05 * 0.1);

    let other = Trainer::new(net(&NetConfig::new()), Adam::new(), Decay::new());
    let other = other
        .epochs(3)
        .batch(32)
        .seed(4)
        .quiet()
        .checkpoints(allowed());
    let error = other
        .fit(examples())
        .expect_err("its state is that of another rule")
        .error;
    assert!(matches!(error, TrainError::Optimizer(_)), "{error}");
}

#[test]
fn a_full_disk_leaves_the_checkpoint_before_and_the_model() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-full");
    // Where the kernel says of every write that there is no space left.
    let partial = folder.file("step-0000000006.kiln.partial");
    symlink("/dev/full", partial).expect("a link can be made");
    let run = trainer().checkpoints(every_second(&folder)).fit(examples());
    let failure = run.expect_err("there is no space left");
    let message = failure.to_string();
    assert!(message.contains("No space left on device"), "{message}");
    assert!(
        message.contains("those before it are as they were"),
        "{message}"
    );
    assert_eq!(failure.trained.steps, 6);
    assert_eq!(
        names(folder.path()),
        ["step-0000000002.kiln", "step-0000000004.kiln"]
    );

    let resumed = trainer()
        .checkpoints(every_second(&folder).resume(true))
        .fit(examples());
    let whole = trainer().fit(examples()).expect("it trains");
    assert_eq!(
        bits(&resumed.expect("it goes on").model),
        bits(&whole.model)
    );
}

/// Set in the process of a user who may not write everywhere.
const ALONE: &str = "KILN_TEST_READ_ONLY";

#[test]
fn a_read_only_folder_leaves_the_checkpoint_before() {
    if let Some(folder) = std::env::var_os(ALONE) {
        let checkpoints = Checkpoints::new(PathBuf::from(folder)).every(Every::Steps(2));
        let error = refused(
            trainer()
                .checkpoints(checkpoints.resume(true))
                .fit(examples()),
        );
        let message = error.to_string();
        assert!(matches!(error, CheckpointError::Write { .. }), "{message}");
        assert!(message.contains("Permission denied"), "{message}");
        return;
    }
    let _lock = lock();
    let folder = Folder::new("checkpoints-read-only");
    let into = folder.file("checkpoints");
    let checkpoints = Checkpoints::new(&into).every(Every::Steps(2));
    trainer()
        .checkpoints(checkpoints)
        .fit(examples())
        .expect("it trains");
    fs::remove_file(into.join("step-0000000012.kiln")).expect("it can be removed");
    let before: Vec<_> = names(&into)
        .iter()
        .map(|name| fs::read(into.join(name)).ok())
        .collect();
    fs::set_permissions(&into, fs::Permissions::from_mode(0o555)).expect("it is ours");

    // The superuser may write anywhere, so the test becomes somebody else.
    let program = folder.file("program");
    let this = std::env::current_exe().expect("it is running");
    fs::copy(this, &program).expect("it can be copied");
    let mut command = Command::new(program);
    command.args(["a_read_only_folder_leaves_the_checkpoint_before", "--exact"]);
    command.env(ALONE, &into);
    if fs::metadata("/proc/self").map(|own| own.uid()).ok() == Some(0) {
        command.uid(65534).gid(65534);
    }
    let output = command.output().expect("it can be started");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1 passed"), "{out}");
    let after: Vec<_> = names(&into)
        .iter()
        .map(|name| fs::read(into.join(name)).ok())
        .collect();
    assert!(before == after);
    fs::set_permissions(&into, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let _lock = lock();
    let folder = Folder::new("checkpoints-interval");
    for every in [Every::Steps(0), Every::Epochs(0)] {
        let checkpoints = Checkpoints::new(folder.path()).every(every);
        let error = trainer()
            .checkpoints(checkpoints)
            .fit(examples())
            .expect_err("it is no interval");
        assert!(
            error.to_string().contains("the interval of checkpoints"),
            "{error}"
        );
    }
}
