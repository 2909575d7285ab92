//! A saved model comes back bit for bit, and whatever happens to the file, loading it never
//! panics.

use std::fs;
use std::path::Path;
use std::process::Command;

use kiln::burn::store::ModuleRecord;
use kiln::data::TensorData;
use kiln::device::name;
use kiln::model::StoreError;
use kiln::prelude::*;
use kiln_models::{Mlp, MlpConfig};
use kiln_tests::{Folder, alone, bits, device, lock, tensors};

model! {
    /// Every kind of parameter, running statistics too, in blocks and outside.
    pub struct Residual { channels: usize = 3, blocks: usize = 2, drop: f64 = 0.25 }
    input image: [1, 6, 6];
    let stem = image -> conv2d(channels, kernel: 3, padding: same) -> batch_norm -> relu;
    let body = stem -> repeat blocks {
        residual { conv2d(channels, kernel: 3, padding: same) -> batch_norm } -> relu
    };
    let scores = body -> flatten -> layer_norm -> dropout(drop) -> linear(4);
    output scores;
    loss cross_entropy;
}

model! {
    /// The same input and output, other parameters.
    pub struct Other { channels: usize = 3, blocks: usize = 2, drop: f64 = 0.25 }
    input image: [1, 6, 6];
    let scores = image -> flatten -> linear(channels * blocks) -> dropout(drop) -> linear(4);
    output scores;
    loss cross_entropy;
}

/// A network whose running statistics have moved: one batch went through it in training.
fn trained(seed: u64) -> Residual {
    let device = device().autodiff();
    device.seed(seed);
    let config = ResidualConfig::new().with_channels(4).with_drop(0.125);
    let model = config.init(&device).expect("the configuration is valid");
    let pixels: Vec<f32> = (0..5 * 36)
        .map(|i| (i as f32 * 0.37).sin() * 3.0 + 1.0)
        .collect();
    model.forward(Tensor::from_data(
        TensorData::new(pixels, [5, 1, 6, 6]),
        &device,
    ));
    model.valid()
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).expect("the folder is there").count()
}

#[test]
fn a_model_comes_back_bit_for_bit_with_its_configuration() {
    let _lock = lock();
    let folder = Folder::new("round-trip");
    let path = folder.file("model.bpk");
    let model = trained(1);
    let running = &tensors(&model)["stem.1.running_mean"];
    assert!(
        running.iter::<f32>().all(|mean| mean != 0.0),
        "the statistics did not move"
    );
    model.save(&path).expect("the folder can be written");
    let loaded = Residual::load(&path, &device()).expect("the file is whole");
    assert_eq!(bits(&loaded), bits(&model));
    assert_eq!((loaded.config().channels, loaded.config().blocks), (4, 2));
    assert_eq!(loaded.config().drop, 0.125);
    let image = Tensor::<4>::ones([2, 1, 6, 6], &device());
    let scores = [&model, &loaded].map(|model| model.forward(image.clone()).into_data());
    assert_eq!(scores[0], scores[1]);
    assert_eq!(files_in(folder.path()), 1);
}

#[test]
fn a_model_in_training_is_saved_with_statistics_that_are_up_to_date() {
    let _lock = lock();
    let folder = Folder::new("in-training");
    let path = folder.file("model");
    let model = trained(2).train();
    model.save(&path).expect("the folder can be written");
    let loaded = Residual::load(&path, &device().autodiff()).expect("the file is whole");
    assert_eq!(bits(&loaded), bits(&model));
}

#[test]
fn a_second_save_replaces_the_first() {
    let _lock = lock();
    let folder = Folder::new("replace");
    let path = folder.file("model.bpk");
    let (first, second) = (trained(3), trained(4));
    first.save(&path).expect("the folder can be written");
    second.save(&path).expect("the folder can be written");
    let loaded = Residual::load(&path, &device()).expect("the file is whole");
    assert_eq!(bits(&loaded), bits(&second));
    assert_ne!(bits(&loaded), bits(&first));
}

#[test]
fn burns_own_record_reads_the_file() {
    let _lock = lock();
    let folder = Folder::new("burns-record");
    let path = folder.file("model.bpk");
    let model = trained(5);
    model.save(&path).expect("the folder can be written");
    let record = ModuleRecord::load(&path).expect("a burnpack file");
    let fresh = model
        .config()
        .init(&device())
        .expect("the configuration is valid");
    let loaded = fresh
        .try_load_record(record)
        .expect("the parameters are those of the network");
    assert_eq!(bits(&loaded), bits(&model));
}

#[test]
fn a_file_of_parameters_alone_says_that_it_has_no_configuration() {
    let _lock = lock();
    let folder = Folder::new("parameters");
    let path = folder.file("model.bpk");
    trained(6)
        .into_record()
        .save(&path)
        .expect("the folder can be written");
    let error = Residual::load(&path, &device()).expect_err("there is no configuration");
    assert!(
        error
            .to_string()
            .contains("parameters without a configuration"),
        "{error}"
    );
}

#[test]
fn another_models_file_names_both_models() {
    let _lock = lock();
    let folder = Folder::new("other-model");
    let path = folder.file("model.bpk");
    trained(7).save(&path).expect("the folder can be written");
    let error = Other::load(&path, &device()).expect_err("the file holds another model");
    assert!(matches!(error, StoreError::OtherModel { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("`Residual`") && text.contains("`Other`"),
        "{text}"
    );
}

/// A network that was saved, and one that has since become larger under the same name.
mod before {
    kiln::model! {
        pub struct Net { width: usize = 4 }
        input x: [3];
        let y = x -> linear(width);
        output y;
        loss mse;
    }
}
mod since {
    kiln::model! {
        pub struct Net { width: usize = 4 }
        input x: [3];
        let y = x -> linear(width * 400_000_000);
        output y;
        loss mse;
    }
}

#[test]
fn a_file_that_lacks_parameters_is_an_error_before_the_network_is_allocated() {
    let _lock = lock();
    let folder = Folder::new("lacking");
    let path = folder.file("model.bpk");
    let net = before::NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    net.save(&path).expect("the folder can be written");
    let error = since::Net::load(&path, &device()).expect_err("25 GB are not in the file");
    assert!(matches!(error, StoreError::Parameters { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("6400000000 numbers, the file 16"),
        "{error}"
    );
}

#[test]
fn what_is_no_model_file_is_an_error_that_names_the_path() {
    let folder = Folder::new("no-file");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.file(name);
        fs::write(&path, bytes).expect("the folder can be written");
        path
    };
    let paths = [
        folder.file("missing.bpk"),
        folder.path().to_owned(),
        write("empty.bpk", b""),
        write("text.bpk", b"this is no model"),
        write("zeros.bpk", &[0; 4096]),
        // A right beginning, then the largest sizes that there are.
        write(
            "sizes.bpk",
            &[b"NRUB\x01\x00".as_slice(), &[0xff; 64]].concat(),
        ),
    ];
    for path in paths {
        let error = Residual::load(&path, &device()).expect_err("no model is there");
        assert!(
            matches!(error, StoreError::Open { .. } | StoreError::Read { .. }),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let _lock = lock();
    let folder = Folder::new("cut");
    let path = folder.file("model.bpk");
    trained(8).save(&path).expect("the folder can be written");
    let whole = fs::read(&path).expect("it was written");
    let places = (0..40).chain((1..=160).map(|i| (whole.len() - 1) * i / 160));
    for length in places {
        fs::write(&path, &whole[..length]).expect("the folder can be written");
        let loaded = Residual::load(&path, &device());
        assert!(
            loaded.is_err(),
            "{length} of {} bytes were a model",
            whole.len()
        );
    }
}

/// The peak of the process's address space in KiB, where the system tells it.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing() {
    // To see what it allocates. A thread's first allocation reserves an arena of 128 MiB for it,
    // whenever that may be; and a GPU's driver starts threads of its own.
    let one_arena = |command: &mut Command| {
        command.env("MALLOC_ARENA_MAX", "1");
    };
    if alone("a_flipped_bit_is_an_error_or_changes_nothing", one_arena).is_some() {
        return;
    }
    let folder = Folder::new("flip");
    let path = folder.file("model.bpk");
    let model = trained(9);
    model.save(&path).expect("the folder can be written");
    let whole = fs::read(&path).expect("it was written");
    let expected = bits(&model);
    Residual::load(&path, &device()).expect("the file is whole");
    let before = peak();
    // Every byte of the header and the descriptions, then 500 places anywhere.
    let last = b"kiln.model";
    let text = whole.windows(last.len()).rposition(|window| window == last);
    let described = text.expect("the metadata names the model") + 32;
    let anywhere = (0..500u64).map(|i| {
        let mixed = i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        (mixed % whole.len() as u64) as usize
    });
    let (mut refused, mut same) = (0, 0);
    for (i, place) in (0..described).chain(anywhere).enumerate() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (i % 8);
        fs::write(&path, &damaged).expect("the folder can be written");
        match Residual::load(&path, &device()) {
            Err(_) => refused += 1,
            Ok(loaded) => {
                assert_eq!(bits(&loaded), expected, "byte {place}, bit {}", i % 8);
                assert_eq!(loaded.config().drop, model.config().drop);
                same += 1;
            }
        }
    }
    println!(
        "{refused} flips refused, {same} in bytes that mean nothing, of {} bytes",
        whole.len()
    );
    assert!(
        refused > described / 2,
        "{refused} of {described} flips in the description"
    );
    if let (Some(before), Some(after)) = (before, peak()) {
        println!("{} KiB more at the peak", after - before);
        assert!(
            name(&device()) == "wgpu" || after - before < 16 * 1024,
            "loading took {} KiB more",
            after - before
        );
    }
}

#[test]
fn a_save_onto_a_folder_or_into_none_is_an_error_and_leaves_nothing_behind() {
    let _lock = lock();
    let folder = Folder::new("onto-folder");
    let model = trained(10);
    let inside = folder.file("folder");
    fs::create_dir(&inside).expect("the folder can be written");
    fs::write(inside.join("kept"), "kept").expect("the folder can be written");
    for path in [
        inside.clone(),
        folder.file("missing/model.bpk"),
        folder.file("folder/kept/model"),
    ] {
        let error = model.save(&path).expect_err("no file can be there");
        assert!(matches!(error, StoreError::Write { .. }), "{error:?}");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
    assert_eq!(
        fs::read_to_string(inside.join("kept")).ok().as_deref(),
        Some("kept")
    );
    assert_eq!((files_in(folder.path()), files_in(&inside)), (1, 1));
}

#[cfg(unix)]
#[test]
fn a_save_into_a_folder_that_is_read_only_leaves_the_old_file_whole() {
    use std::os::unix::fs::PermissionsExt;
    let _lock = lock();
    let folder = Folder::new("read-only");
    let path = folder.file("model.bpk");
    trained(11).save(&path).expect("the folder can be written");
    let old = fs::read(&path).expect("it was written");
    let mode = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.path(), permissions).expect("the folder is ours");
    };
    mode(0o555);
    // Nothing is read-only to a superuser.
    let superuser = fs::write(folder.file("probe"), "").is_ok();
    let saved = trained(12).save(&path);
    mode(0o755);
    if !superuser {
        assert!(matches!(saved, Err(StoreError::Write { .. })), "{saved:?}");
        assert_eq!(fs::read(&path).expect("it is still there"), old);
        assert_eq!(files_in(folder.path()), 1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_save_that_runs_out_of_space_leaves_the_old_file_whole() {
    use std::process::Command;
    // A limit on the size of a file stands for a full disk; the signal that comes with it is
    // ignored, so that the write fails instead.
    let limited = |command: &mut Command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        *command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
        command.arg(program).args(arguments);
    };
    if alone(
        "a_save_that_runs_out_of_space_leaves_the_old_file_whole",
        limited,
    )
    .is_some()
    {
        return;
    }
    let folder = Folder::new("no-space");
    let path = folder.file("model.bpk");
    let small = MlpConfig::new()
        .with_size(4)
        .with_hidden_1(8)
        .with_hidden_2(8);
    let small = small.init(&device()).expect("the configuration is valid");
    small.save(&path).expect("a small file is allowed");
    let large = MlpConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let error = large.save(&path).expect_err("a file of 2 MB is not");
    assert!(matches!(error, StoreError::Write { .. }), "{error:?}");
    let loaded = Mlp::load(&path, &device()).expect("the old file is whole");
    assert_eq!(bits(&loaded), bits(&small));
    assert_eq!(files_in(folder.path()), 1);
}
