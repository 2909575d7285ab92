//! Weights that PyTorch saved give PyTorch's numbers, and what does not fit is told.
//!
//! `tests/peers/weights.py` saved them.

use std::fs;
use std::path::PathBuf;

use kiln::burn;
use kiln::burn::nn::{InstanceNorm, InstanceNormConfig, PRelu, PReluConfig};
use kiln::data::TensorData;
use kiln::prelude::*;
use kiln::weights::{Mismatch, Weights, WeightsError};
use kiln_models::ResNet18Config;
use kiln_tests::peers::data;
use kiln_tests::{Folder, bits, deviation, device, lock, numbers};
use serde_json::Value;

kiln::model! {
    /// Each kind of layer whose parameters Burn names or lays out in another way.
    pub struct Small { classes: usize = 3 }
    input image: [1, 4, 4];
    let features = image -> conv: conv2d(2, kernel: 3) -> bn: batch_norm -> flatten;
    let scores = features -> norm: layer_norm -> fc: linear(classes);
    output scores;
    loss cross_entropy;
}

kiln::model! {
    /// Tables of tokens and places, an encoder and a head.
    pub struct Encoder { vocabulary: usize = 11 }
    input x: int [any length];
    let embedded = x -> tokens: embedding(vocabulary, 16) -> positions: position_embedding(8);
    let encoded = embedded
        -> encoder: transformer_encoder(4, layers: 2, feedforward: 32, activation: gelu, norm: true);
    let y = encoded -> head: linear(5);
    output y;
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("peers/weights")
        .join(name)
}

/// The inputs of a network, and what PyTorch gives for them.
fn recorded(name: &str) -> (TensorData, Vec<f32>) {
    let file = fs::read_to_string(path(&format!("{name}.json"))).expect("a recorded case");
    let case: Value = serde_json::from_str(&file).expect("JSON");
    (data(&case["inputs"][0]), numbers(&data(&case["output"])))
}

fn small() -> Small {
    device().seed(5);
    SmallConfig::new()
        .init(&device())
        .expect("a valid configuration")
}

/// How far the output is from PyTorch's.
fn off(model: &Small) -> f32 {
    let (input, expected) = recorded("small");
    let output = model.forward(Tensor::from_data(input, &device()));
    deviation(&numbers(&output.into_data()), &expected)
}

fn mismatch(result: Result<Small, WeightsError>) -> (Mismatch, String) {
    let error = result.expect_err("other weights");
    let text = error.to_string();
    match error {
        WeightsError::Mismatch { mismatch, .. } => (*mismatch, text),
        other => panic!("{other}"),
    }
}

#[test]
fn a_resnet18_of_pytorchs_gives_its_numbers() {
    let _lock = lock();
    let (input, expected) = recorded("resnet18");
    let config = ResNet18Config::new()
        .with_size(32)
        .with_width(4)
        .with_classes(10);
    for name in ["resnet18.pt", "resnet18.safetensors"] {
        let model = config.init(&device()).expect("a valid configuration");
        let model = model
            .load_weights(path(name))
            .unwrap_or_else(|error| panic!("{error}"));
        let output = model.forward(Tensor::from_data(input.clone(), &device()));
        let off = deviation(&numbers(&output.into_data()), &expected);
        assert!(off <= 1e-5, "{name} is off by {off:e}");
    }
}

#[test]
fn a_transformer_encoder_of_pytorchs_gives_its_numbers() {
    let _lock = lock();
    let (input, expected) = recorded("encoder");
    for name in ["encoder.pt", "encoder.safetensors"] {
        let model = EncoderConfig::new()
            .init(&device())
            .expect("a valid configuration");
        let model = model
            .load_weights(path(name))
            .unwrap_or_else(|error| panic!("{error}"));
        let output = model.forward(Tensor::from_data(input.clone(), &device()));
        let off = deviation(&numbers(&output.into_data()), &expected);
        assert!(off <= 1e-5, "{name} is off by {off:e}");
    }
}

#[test]
fn every_way_of_saving_is_read() {
    let _lock = lock();
    for (name, tolerance) in [
        ("small.pt", 1e-6),
        ("small.safetensors", 1e-6),
        ("small_legacy.pt", 1e-6),
        ("small_views.bin", 1e-6),
        ("small_double.pt", 1e-6),
        ("small_double.safetensors", 1e-6),
        ("small_half.pt", 2e-3),
        ("small_half.safetensors", 2e-3),
        ("small_brain.pt", 2e-2),
        ("small_brain.safetensors", 2e-2),
    ] {
        let model = small().load_weights(path(name));
        let model = model.unwrap_or_else(|error| panic!("{error}"));
        let off = off(&model);
        assert!(off <= tolerance, "{name} is off by {off:e}");
    }
    assert!(off(&small()) > 0.1);
}

#[test]
fn a_checkpoint_of_a_wrapped_model_is_renamed() {
    let _lock = lock();
    let checkpoint = || Weights::open(path("small_checkpoint.pth")).expect("a checkpoint");
    let weights = checkpoint().rename(r"^state_dict\.module\.", "");
    let model = weights.expect("a pattern").load_into(small());
    assert!(off(&model.unwrap_or_else(|error| panic!("{error}"))) <= 1e-6);

    let (_, text) = mismatch(checkpoint().load_into(small()));
    assert!(
        text.ends_with(r#"`.rename(r"^state_dict\.module\.", "")` makes the names agree"#),
        "{text}"
    );

    let error = checkpoint().rename(r"\.(weight|bias)$", "").map(drop);
    let text = error.expect_err("two of one name").to_string();
    assert!(
        text.contains("would both be called `state_dict.module.bn`"),
        "{text}"
    );
    let error = checkpoint().rename("(", "").map(drop);
    assert!(matches!(error, Err(WeightsError::Pattern { .. })));
}

#[test]
fn a_head_of_its_own_is_kept() {
    let _lock = lock();
    let seven = || {
        let config = SmallConfig::new().with_classes(7);
        config.init(&device()).expect("a valid configuration")
    };
    let (wrong, text) = mismatch(seven().load_weights(path("small.pt")));
    let shapes: Vec<_> = wrong
        .shapes
        .iter()
        .map(|wrong| {
            (
                wrong.name.as_str(),
                wrong.expected.as_slice(),
                wrong.found.as_slice(),
            )
        })
        .collect();
    assert_eq!(
        shapes,
        [
            ("fc.weight", &[7, 8][..], &[3, 8][..]),
            ("fc.bias", &[7], &[3])
        ]
    );
    assert!(
        text.contains("`fc.weight`: expected [7, 8], found [3, 8]"),
        "{text}"
    );

    let model = seven();
    let before = bits(&model);
    let weights = Weights::open(path("small.pt")).expect("a file");
    let model = weights
        .without(r"^fc\.")
        .expect("a pattern")
        .load_into(model);
    let after = bits(&model.expect("the rest fits"));
    assert_eq!(before["fc.weight"], after["fc.weight"]);
    assert_ne!(before["conv.weight"], after["conv.weight"]);
}

#[test]
fn all_that_does_not_fit_is_told_at_once_and_nothing_is_changed() {
    let _lock = lock();
    let model = small();
    let before = bits(&model);
    let weights = Weights::open(path("small_integers.pt")).expect("a file");
    let weights = weights.rename("^conv", "conf").expect("a pattern");
    // A clone shares its running statistics with the model.
    let (wrong, text) = mismatch(weights.load_into(model.clone()));
    assert_eq!(wrong.missing.len(), 2);
    assert_eq!(wrong.unexpected.len(), 2);
    assert_eq!(wrong.types.len(), 1);
    assert!(
        text.contains(
            "`conv.weight` [2, 1, 3, 3] is missing in the file; did you mean `conf.weight`?"
        ),
        "{text}"
    );
    assert!(text.contains("the model has no `conf.bias` [2]"), "{text}");
    assert!(
        text.contains("`fc.bias`: expected numbers of type F32, found I64"),
        "{text}"
    );
    assert_eq!(before, bits(&model));
}

#[test]
fn what_holds_no_weights_is_an_error() {
    let open = |name: &str| match Weights::open(path(name)) {
        Ok(weights) => panic!("{name} was read: {weights:?}"),
        Err(error) => error,
    };
    for name in ["list.pt", "numbers.pt", "small.json"] {
        let error = open(name);
        println!("{error}");
        assert!(matches!(error, WeightsError::Format { .. }), "{error}");
    }
    for name in ["absent.pt", "", "absent.safetensors"] {
        let error = open(name);
        assert!(matches!(error, WeightsError::Open { .. }), "{error}");
    }
}

#[test]
fn a_damaged_file_is_no_panic() {
    let _lock = lock();
    let folder = Folder::new("damaged-weights");
    for name in ["small.pt", "small.safetensors", "small_legacy.pt"] {
        let whole = fs::read(path(name)).expect("a file");
        let file = folder.file(name);
        for length in (0..whole.len()).step_by(61) {
            fs::write(&file, &whole[..length]).expect("a file");
            let error = small().load_weights(&file).map(drop);
            let text = error.expect_err("a part of a file").to_string();
            assert!(text.contains(name), "{text}");
        }
        for place in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x41;
            fs::write(&file, bytes).expect("a file");
            // Other numbers, or an error.
            drop(small().load_weights(&file));
        }
    }
}

#[test]
fn what_is_saved_is_what_pytorch_saves() {
    let _lock = lock();
    let folder = Folder::new("saved-weights");
    let model = small().load_weights(path("small.pt")).expect("its weights");
    let file = folder.file("small.safetensors");
    for _ in 0..2 {
        model.save_safetensors(&file).expect("a file"); // The second replaces the first.
    }
    let mut expected = tensors(&fs::read(path("small.safetensors")).expect("a file"));
    expected.retain(|(name, ..)| name != "bn.num_batches_tracked");
    assert_eq!(tensors(&fs::read(&file).expect("a file")), expected);
    let again = small().load_weights(&file).expect("its weights");
    assert_eq!(bits(&again), bits(&model));

    let error = model
        .save_safetensors(folder.file("no/such/folder"))
        .expect_err("no folder");
    assert!(matches!(error, WeightsError::Write { .. }), "{error}");
}

#[test]
fn a_model_in_training_gets_the_running_statistics_of_the_file() {
    let _lock = lock();
    let device = device().autodiff();
    let model = SmallConfig::new()
        .init(&device)
        .expect("a valid configuration");
    // The batch's statistics wait to be taken over.
    model.forward(Tensor::ones([2, 1, 4, 4], &device));
    let model = model.load_weights(path("small.pt")).expect("its weights");
    assert_eq!(
        bits(&model),
        bits(&small().load_weights(path("small.pt")).expect("its weights"))
    );
    let loss = model.forward(Tensor::ones([2, 1, 4, 4], &device)).sum();
    let gradients = kiln_tests::gradients(&model, &loss.backward());
    assert_eq!(gradients.len(), 8, "every parameter is still trained");
}

#[test]
fn any_burn_module_has_pytorchs_names() {
    #[derive(Module, Debug)]
    struct Net {
        stages: Vec<Stage>,
        act: PRelu,
    }
    #[derive(Module, Debug)]
    enum Stage {
        Norm(InstanceNorm),
        Dense(burn::nn::Linear),
    }
    let _lock = lock();
    let net = || {
        let norm = InstanceNormConfig::new(2).init(&device());
        let dense = burn::nn::LinearConfig::new(2, 3).init(&device());
        Net {
            stages: vec![Stage::Norm(norm), Stage::Dense(dense)],
            act: PReluConfig::new().init(&device()),
        }
    };
    let folder = Folder::new("weights-of-a-burn-module");
    let file = folder.file("net.safetensors");
    let saved = net();
    saved.save_safetensors(&file).expect("a file");
    let names: Vec<_> = Weights::open(&file)
        .expect("a file")
        .names()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        names,
        [
            "act.weight",
            "stages.0.bias",
            "stages.0.weight",
            "stages.1.bias",
            "stages.1.weight"
        ]
    );
    let file = tensors(&fs::read(&file).expect("a file"));
    assert_eq!(file[4].2, serde_json::json!([3, 2]));
    let loaded = net()
        .load_weights(folder.file("net.safetensors"))
        .expect("its weights");
    assert_eq!(bits(&loaded), bits(&saved));
}

/// Name, type, shape and bytes of each tensor in a safetensors file.
fn tensors(file: &[u8]) -> Vec<(String, Value, Value, Vec<u8>)> {
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let (header, data) = file[8..].split_at(length);
    let header: Value = serde_json::from_slice(header).expect("JSON");
    assert_eq!(header["__metadata__"]["format"], "pt");
    let mut tensors: Vec<_> = header
        .as_object()
        .expect("tensors by name")
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .map(|(name, tensor)| {
            let at =
                |index: usize| tensor["data_offsets"][index].as_u64().expect("a place") as usize;
            let bytes = data[at(0)..at(1)].to_vec();
            (
                name.clone(),
                tensor["dtype"].clone(),
                tensor["shape"].clone(),
                bytes,
            )
        })
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}
