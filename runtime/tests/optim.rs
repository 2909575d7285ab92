//! What a declared optimizer promises: which rule moves which parameter, what clipping does, what
//! is refused, and that the state survives a checkpoint.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, Param};
use burn::nn::{
    BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig,
    LayerNorm, LayerNormConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig,
};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use kiln::optim::{
    AdjustLr, Clip, Optimizer, OptimizerError, Recipe, Rule, Target, Update, UpdaterRecord,
    clip_global_norm, global_norm,
};
use kiln::optimizer;

optimizer! {
    /// SGD with momentum; biases and norms are not decayed.
    pub struct Momentum { momentum: f64 = 0.9, decay: f64 = 5e-4 }

    update sgd(momentum: momentum, nesterov: true, weight_decay: decay);
    update sgd(momentum: momentum) for bias, norm;
    clip global_norm(1.0);
}

optimizer! {
    struct Plain;
    update sgd();
}

optimizer! {
    struct Arithmetic { width: usize = 4, share: f64 = 9 / 10, fast: bool = true }
    update sgd(momentum: share, nesterov: fast, weight_decay: 1 / (2 * width));
    update adamw for "head.*";
    clip global_norm(width);
}

#[derive(Module, Debug)]
struct Norms {
    batch: BatchNorm,
    layer: LayerNorm,
    group: GroupNorm,
    instance: InstanceNorm,
    rms: RmsNorm,
    blocks: Vec<Linear>,
    head: Linear,
}

fn device() -> Device {
    kiln::device::default_device().unwrap().autodiff()
}

fn norms(device: &Device) -> Norms {
    Norms {
        batch: BatchNormConfig::new(4).init(device),
        layer: LayerNormConfig::new(4).init(device),
        group: GroupNormConfig::new(2, 4).init(device),
        instance: InstanceNormConfig::new(4).init(device),
        rms: RmsNormConfig::new(4).init(device),
        blocks: vec![
            LinearConfig::new(4, 4).init(device),
            LinearConfig::new(4, 4).init(device),
        ],
        head: LinearConfig::new(4, 4).init(device),
    }
}

/// Gives every parameter of a model the gradient 1.
struct Ones(GradientsParams);

impl burn::module::ModuleVisitor for Ones {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.register(param.id, param.val().inner().ones_like());
        }
    }
}

fn ones<M: Module>(model: &M) -> GradientsParams {
    let mut ones = Ones(GradientsParams::new());
    model.visit(&mut ones);
    ones.0
}

struct Values {
    path: Vec<String>,
    values: Vec<(String, Vec<f32>)>,
}

impl burn::module::ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.values.push((
            self.path.join("."),
            param.val().into_data().try_to_vec().unwrap(),
        ));
    }
}

fn values<M: Module>(model: &M) -> Vec<(String, Vec<f32>)> {
    let mut values = Values {
        path: Vec::new(),
        values: Vec::new(),
    };
    model.visit(&mut values);
    values.values
}

fn plain() -> Update {
    Update::Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    }
}

/// Brings a parameter that is 1 to 0 where its gradient is 1: `w - γ(g + decay·w)` with γ = 1/2.
fn to_zero() -> Update {
    Update::Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 1.0,
    }
}

/// The paths of the parameters that are 0.
fn zeros<M: Module>(model: &M) -> Vec<String> {
    let zero = values(model)
        .into_iter()
        .filter(|(_, values)| values.iter().all(|v| *v == 0.0));
    zero.map(|(path, _)| path).collect()
}

/// The paths of the parameters that a rule for `target` moves.
fn moved<M: Module>(model: M, target: Target) -> Vec<String> {
    let model = model.map(&mut One);
    let rules = vec![
        Rule::new(plain(), vec![]),
        Rule::new(to_zero(), vec![target]),
    ];
    let mut updater = Recipe::new(rules).init(&model).unwrap();
    let grads = ones(&model);
    zeros(&updater.step(0.5, model, grads))
}

/// Makes every parameter 1.
struct One;

impl burn::module::ModuleMapper for One {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let grad = tensor.is_require_grad();
        let tensor = tensor.inner().ones_like();
        Param::from_mapped_value(
            id,
            Tensor::from_inner(tensor).set_require_grad(grad),
            mapper,
        )
    }
}

#[test]
fn norm_means_every_parameter_of_every_normalisation_layer_of_burn() {
    assert_eq!(
        moved(norms(&device()), Target::Norm),
        [
            "batch.gamma",
            "batch.beta",
            "layer.gamma",
            "layer.beta",
            "group.gamma",
            "group.beta",
            "instance.gamma",
            "instance.beta",
            "rms.gamma",
        ],
    );
}

#[test]
fn bias_means_parameters_of_that_name() {
    assert_eq!(
        moved(norms(&device()), Target::Bias),
        ["blocks.0.bias", "blocks.1.bias", "head.bias"]
    );
}

#[test]
fn a_pattern_means_the_paths_that_it_matches() {
    assert_eq!(
        moved(norms(&device()), Target::Path("head.*".into())),
        ["head.weight", "head.bias"]
    );
    assert_eq!(
        moved(norms(&device()), Target::Path("blocks.*.weight".into())),
        ["blocks.0.weight", "blocks.1.weight"]
    );
    assert_eq!(
        moved(norms(&device()), Target::Path("blocks.1.bias".into())),
        ["blocks.1.bias"]
    );
}

kiln::model! {
    /// Its layers are named, so that their paths are known.
    struct Declared { classes: usize = 3 }

    input image: [1, 6, 6];
    let body = image -> conv: conv2d(2, kernel: 3) -> scale: batch_norm -> relu;
    let logits = body -> flatten -> head: linear(classes);
    output logits;
    loss cross_entropy;
}

#[test]
fn a_declared_model_has_the_paths_and_kinds_that_its_labels_say() {
    let model = DeclaredConfig::new().init(&device()).unwrap();
    assert_eq!(
        moved(model.clone(), Target::Norm),
        ["scale.gamma", "scale.beta"]
    );
    assert_eq!(
        moved(model.clone(), Target::Bias),
        ["conv.bias", "head.bias"]
    );
    assert_eq!(
        moved(model.clone(), Target::Path("head.*".into())),
        ["head.weight", "head.bias"]
    );
}

kiln::model! {
    /// Every layer of Kiln's own whose parameters have a kind.
    struct Kinds { dim: usize = 4 }

    input tokens: int [6];
    let logits = tokens -> table: embedding(10, dim) -> places: position_embedding(6)
        -> layer: layer_norm -> rms: rms_norm -> head: linear(3);
    output logits;
}

kiln::model! {
    struct ImageNorms;

    input image: [4, 6, 6];
    let y = image -> batch: batch_norm -> group: group_norm(2)
        -> instance: instance_norm(affine: true);
    output y;
}

#[test]
fn kinds_are_told_by_kilns_own_layers_too() {
    let model = || KindsConfig::new().init(&device()).unwrap();
    assert_eq!(
        moved(model(), Target::Embedding),
        ["table.weight", "places.weight"]
    );
    assert_eq!(
        moved(model(), Target::Norm),
        ["layer.gamma", "layer.beta", "rms.gamma"]
    );
    let images = ImageNormsConfig::new().init(&device()).unwrap();
    assert_eq!(
        moved(images, Target::Norm),
        [
            "batch.gamma",
            "batch.beta",
            "group.gamma",
            "group.beta",
            "instance.gamma",
            "instance.beta",
        ]
    );
}

#[test]
fn the_last_rule_that_matches_wins() {
    let device = device();
    let model = norms(&device).map(&mut One);
    let rules = vec![
        Rule::new(plain(), vec![]),
        Rule::new(to_zero(), vec![Target::Bias]),
        Rule::new(plain(), vec![Target::Path("head.*".into())]),
    ];
    let mut updater = Recipe::new(rules).init(&model).unwrap();
    let grads = ones(&model);
    let model = updater.step(0.5, model, grads);
    let value = |layer: &Linear| {
        layer
            .bias
            .as_ref()
            .unwrap()
            .val()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap()[0]
    };
    assert_eq!(value(&model.blocks[0]), 0.0);
    assert_eq!(value(&model.head), 0.5);
}

#[test]
fn a_recipe_is_the_declaration_with_its_numbers() {
    let recipe = Momentum::new().with_momentum(0.5).recipe();
    let expected = Recipe {
        clip: Some(Clip::GlobalNorm { max_norm: 1.0 }),
        ..Recipe::new(vec![
            Rule::new(
                Update::Sgd {
                    momentum: 0.5,
                    nesterov: true,
                    weight_decay: 5e-4,
                },
                vec![],
            ),
            Rule::new(
                Update::Sgd {
                    momentum: 0.5,
                    nesterov: false,
                    weight_decay: 0.0,
                },
                vec![Target::Bias, Target::Norm],
            ),
        ])
    };
    assert_eq!(recipe, expected);
    let json = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
}

#[test]
fn numbers_may_be_reckoned_from_hyper_parameters() {
    assert_eq!(
        Arithmetic::new().recipe().to_string(),
        "update sgd(momentum: 0.9, nesterov: true, weight_decay: 0.125);\n\
         update adamw(beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.01, amsgrad: \
         false) for \"head.*\";\n\
         clip global_norm(4);",
    );
}

#[test]
fn what_a_configuration_file_may_hold_is_checked_at_init() {
    let device = device();
    let model = LinearConfig::new(2, 2).init(&device);
    for found in [
        1.0,
        -0.1,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.999_999_999,
    ] {
        let error = Momentum::new()
            .with_momentum(found)
            .init(&model)
            .unwrap_err();
        let OptimizerError::Range {
            parameter: "momentum",
            found: seen,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(seen.to_bits(), found.to_bits());
    }
    for found in [-1e-9, f64::NAN, f64::INFINITY, 1e39] {
        let error = Momentum::new().with_decay(found).init(&model).unwrap_err();
        assert!(matches!(
            error,
            OptimizerError::Range {
                parameter: "weight_decay",
                ..
            }
        ));
    }
    let error = Momentum::new().with_momentum(0.0).init(&model).unwrap_err();
    assert!(matches!(error, OptimizerError::Needs { .. }), "{error}");
    let error = Arithmetic::new()
        .with_width(0)
        .recipe()
        .check()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`weight_decay` of `update sgd(momentum: 0.9, nesterov: true, weight_decay: inf)` must be \
         at least 0 and finite, found inf; mend the value, or the file that the configuration was \
         read from",
    );
    for (beta_1, beta_2, epsilon, weight_decay, wrong) in [
        (1.0, 0.9, 1e-8, 0.0, "beta_1"),
        (0.9, -0.1, 1e-8, 0.0, "beta_2"),
        (0.9, 0.9, 0.0, 0.0, "epsilon"),
        (0.9, 0.9, 1e-50, 0.0, "epsilon"),
        (0.9, 0.9, 1e-8, -1.0, "weight_decay"),
    ] {
        for update in [
            Update::Adam {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                amsgrad: false,
            },
            Update::AdamW {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                amsgrad: false,
            },
        ] {
            let rules = vec![Rule::new(update, vec![])];
            let error = Recipe::new(rules).check().unwrap_err();
            assert!(
                matches!(error, OptimizerError::Range { parameter, .. } if parameter == wrong),
                "{error}",
            );
        }
    }
    for max_norm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut recipe = Plain::new().recipe();
        recipe.clip = Some(Clip::GlobalNorm { max_norm });
        let error = recipe.check().unwrap_err();
        assert!(
            matches!(
                error,
                OptimizerError::Range {
                    parameter: "max_norm",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_recipe_without_a_rule_for_all_is_refused() {
    let all = || Rule::new(plain(), vec![]);
    let bias = || Rule::new(plain(), vec![Target::Bias]);
    let check = |rules| Recipe::new(rules).check().unwrap_err();
    assert!(matches!(check(vec![]), OptimizerError::NoDefault { .. }));
    assert!(matches!(
        check(vec![bias()]),
        OptimizerError::NoDefault { .. }
    ));
    assert!(matches!(
        check(vec![all(), bias(), all()]),
        OptimizerError::Hides { number: 3, .. }
    ));
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_that_lists_the_paths() {
    let model = LinearConfig::new(2, 2).init(&device());
    let error = Arithmetic::new().init(&model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no parameter of the model matches \"head.*\" in `update adamw(beta_1: 0.9, beta_2: 0.999, \
         epsilon: 1e-8, weight_decay: 0.01, amsgrad: false) for \"head.*\"`; its parameters are `weight`, `bias`",
    );
    // A kind is a class of parameters, which a model may have none of.
    let bare = LinearConfig::new(2, 2).with_bias(false).init(&device());
    assert!(Momentum::new().init(&bare).is_ok());
}

#[derive(Module, Debug)]
struct Tied {
    encoder: Linear,
    decoder: Linear,
}

#[test]
fn tied_parameters_are_refused_unless_they_are_frozen() {
    let device = device();
    let encoder = LinearConfig::new(2, 2).with_bias(false).init(&device);
    let _ = encoder.weight.val();
    let tied = Tied {
        decoder: encoder.clone(),
        encoder,
    };
    // This is why: Burn moves one of the two, and they are tied no longer.
    let mut burns = burn::optim::SgdConfig::new().init();
    let stepped = burns.step(0.5, tied.clone(), ones(&tied));
    assert_ne!(values(&stepped)[0].1, values(&stepped)[1].1);

    let error = Plain::new().init(&tied).unwrap_err();
    let (first, second) = ("encoder.weight".to_owned(), "decoder.weight".to_owned());
    assert_eq!(error, OptimizerError::Tied { first, second });
    assert!(Plain::new().init(&tied.no_grad()).is_ok());
}

#[test]
fn a_clip_is_more_than_a_module_optimizer_of_burns_can_do() {
    let model = LinearConfig::new(2, 2).init(&device());
    let error = Momentum::new().module_optimizer(&model).err().unwrap();
    assert_eq!(
        error,
        OptimizerError::NotInBurn {
            statement: "clip global_norm(1)".into()
        }
    );
    assert!(Plain::new().module_optimizer(&model).is_ok());
}

/// A model of one weight matrix and a bias, with these gradients.
fn with_gradients(weight: [[f32; 2]; 2], bias: [f32; 2]) -> (Linear, GradientsParams) {
    let device = device();
    let model = LinearConfig::new(2, 2).init(&device);
    let plain = device.inner();
    let mut grads = GradientsParams::new();
    grads.register(model.weight.id, Tensor::<2>::from_floats(weight, &plain));
    grads.register(
        model.bias.as_ref().unwrap().id,
        Tensor::<1>::from_floats(bias, &plain),
    );
    (model, grads)
}

fn gradients(model: &Linear, grads: &GradientsParams) -> Vec<f32> {
    let weight = grads.get::<2>(model.weight.id).unwrap().into_data();
    let bias = grads
        .get::<1>(model.bias.as_ref().unwrap().id)
        .unwrap()
        .into_data();
    [
        weight.try_to_vec::<f32>().unwrap(),
        bias.try_to_vec().unwrap(),
    ]
    .concat()
}

fn norm(model: &Linear, grads: &GradientsParams) -> f32 {
    global_norm(model, grads).into_scalar::<f32>()
}

#[test]
fn the_global_norm_is_that_of_all_gradients_together() {
    // 2² + 4² + 4² + 8² + 10² + 5² = 15².
    let (model, grads) = with_gradients([[2.0, 4.0], [4.0, 8.0]], [10.0, -5.0]);
    assert_eq!(norm(&model, &grads), 15.0);
    assert_eq!(norm(&model, &GradientsParams::new()), 0.0);
}

#[test]
fn half_precision_gradients_are_summed_in_single_precision() {
    let device = device();
    if !device.supports_dtype(DType::F16) {
        // ndarray has no such gradients.
        return;
    }
    let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
    let mut grads = GradientsParams::new();
    let grad = Tensor::<2>::from_floats([[300.0, 400.0], [0.0, 0.0]], &device.inner());
    grads.register(model.weight.id, grad.cast(FloatDType::F16));
    assert_eq!(norm(&model, &grads), 500.0);
    let clipped = clip_global_norm(&model, grads, 5.0)
        .get::<2>(model.weight.id)
        .unwrap();
    assert_eq!(clipped.dtype(), DType::F16);
    let clipped = clipped
        .cast(FloatDType::F32)
        .into_data()
        .try_to_vec::<f32>()
        .unwrap();
    assert!(
        (clipped[0] - 3.0).abs() < 2e-3 && (clipped[1] - 4.0).abs() < 2e-3,
        "{clipped:?}"
    );
}

#[test]
fn clipping_keeps_the_direction_and_ends_at_the_bound() {
    let (model, grads) = with_gradients([[2.0, 4.0], [4.0, 8.0]], [10.0, -5.0]);
    let clipped = clip_global_norm(&model, grads, 3.0);
    let expected = [2.0, 4.0, 4.0, 8.0, 10.0, -5.0].map(|g: f64| g * 3.0 / (15.0 + 1e-6));
    for (found, expected) in gradients(&model, &clipped).iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} {expected}"
        );
    }
    assert!((norm(&model, &clipped) - 3.0).abs() < 1e-6);
}

#[test]
fn gradients_below_the_bound_come_back_bit_for_bit() {
    let (weight, bias) = ([[0.1, -1e-30], [f32::MIN_POSITIVE, 0.3]], [-0.0, 0.7]);
    let (model, grads) = with_gradients(weight, bias);
    let before = gradients(&model, &grads);
    let after = gradients(&model, &clip_global_norm(&model, grads, 1.0));
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(after), bits(before));
}

#[test]
fn zero_gradients_stay_zero_and_what_is_not_a_number_stays_visible() {
    let (model, grads) = with_gradients([[0.0; 2]; 2], [0.0; 2]);
    assert_eq!(
        gradients(&model, &clip_global_norm(&model, grads, 1.0)),
        [0.0; 6]
    );

    let (model, grads) = with_gradients([[1.0, f32::NAN], [1.0, 1.0]], [1.0; 2]);
    let clipped = gradients(&model, &clip_global_norm(&model, grads, 1.0));
    assert!(clipped.iter().all(|g| g.is_nan()), "{clipped:?}");

    // PyTorch: ∞ · 0 is not a number, the others become 0.
    let (model, grads) = with_gradients([[1.0, f32::INFINITY], [1.0, 1.0]], [1.0; 2]);
    let clipped = gradients(&model, &clip_global_norm(&model, grads, 1.0));
    assert!(
        clipped[1].is_nan() && clipped[0] == 0.0 && clipped[5] == 0.0,
        "{clipped:?}"
    );
}

#[test]
fn a_parameter_without_a_gradient_stays() {
    let device = device();
    let model = norms(&device);
    let before = values(&model);
    let mut updater = Momentum::new().init(&model).unwrap();
    let model = updater.step(0.1, model, GradientsParams::new());
    assert_eq!(values(&model), before);
}

#[test]
fn running_statistics_are_nobodys_to_update() {
    let device = device();
    let model = norms(&device);
    let before = values(&model);
    let mut updater = Momentum::new().init(&model).unwrap();
    let grads = ones(&model);
    let after = values(&updater.step(0.1, model, grads));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            before == after,
            before.0.contains("running"),
            "{}",
            before.0
        );
    }
}

/// One layer decayed and one not, so that a rule lost on the way shows in the weights.
fn two_rules() -> Recipe {
    let fast = Update::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    Recipe {
        clip: Some(Clip::GlobalNorm { max_norm: 1.0 }),
        ..Recipe::new(vec![
            Rule::new(Momentum::new().recipe().rules[0].update, vec![]),
            Rule::new(fast, vec![Target::Path("head.*".into())]),
        ])
    }
}

#[test]
fn a_run_resumed_from_records_goes_on_as_if_it_had_not_stopped() {
    let device = device();
    let model = norms(&device);
    let mut updater = two_rules().init(&model).unwrap();
    let grads = ones(&model);
    let model = updater.step(0.1, model, grads);

    let saved = (
        model.clone().into_record(),
        updater.to_record().into_bytes().unwrap(),
    );
    // A fresh model has identities of its own; loading the record gives it the saved ones.
    let fresh = norms(&device);
    let resumed = two_rules().init(&fresh).unwrap();
    let record = UpdaterRecord::from_bytes(saved.1).unwrap();
    let mut resumed = resumed.load_record(record).unwrap();
    let fresh = fresh.load_record(saved.0);

    let grads = (ones(&model), ones(&fresh));
    let went_on = values(&updater.step(0.1, model, grads.0));
    assert_eq!(values(&resumed.step(0.1, fresh, grads.1)), went_on);
}

#[test]
fn the_record_of_another_optimizer_is_refused() {
    let device = device();
    let model = LinearConfig::new(2, 2).init(&device);
    let adam = Update::Adam {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        amsgrad: false,
    };
    let rules = vec![Rule::new(adam, vec![])];
    let mut adam = Recipe::new(rules).init(&model).unwrap();
    let grads = ones(&model);
    let model = adam.step(0.1, model, grads);
    let error = Plain::new()
        .init(&model)
        .unwrap()
        .load_record(adam.to_record())
        .unwrap_err();
    assert!(
        matches!(
            error,
            OptimizerError::Record {
                found: 4,
                used: 0,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn the_record_of_a_model_with_other_paths_or_shapes_is_refused() {
    let device = device();
    let state = |blocks| {
        let mut model = norms(&device);
        model.blocks = blocks;
        let mut updater = two_rules().init(&model).unwrap();
        let grads = ones(&model);
        updater.step(0.1, model, grads);
        updater.to_record()
    };
    let blocks = |shapes: &[[usize; 2]]| {
        let layers = shapes.iter().map(|[i, o]| LinearConfig::new(*i, *o));
        layers.map(|layer| layer.init(&device)).collect::<Vec<_>>()
    };
    for (of, into) in [
        (blocks(&[[2, 2]]), blocks(&[[2, 3]])),
        (blocks(&[[2, 1]]), blocks(&[[2, 3]])),
        (blocks(&[[2, 2], [2, 2]]), blocks(&[[2, 2]])),
    ] {
        let mut model = norms(&device);
        model.blocks = into;
        let error = two_rules().init(&model).unwrap().load_record(state(of));
        let error = error.unwrap_err();
        assert!(matches!(error, OptimizerError::Foreign { .. }), "{error}");
        assert!(
            error.to_string().contains("its state of `blocks."),
            "{error}"
        );
    }
}

#[test]
fn what_is_frozen_is_known_where_nothing_differentiates() {
    for device in [device(), device().inner()] {
        let frozen = LinearConfig::new(2, 2).init(&device);
        let _ = (
            frozen.weight.val(),
            frozen.bias.as_ref().map(|bias| bias.val()),
        );
        let frozen = frozen.no_grad();
        let tied = Tied {
            decoder: frozen.clone(),
            encoder: frozen.clone(),
        };
        assert!(Plain::new().init(&tied).is_ok());
        let muon = Update::Muon {
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.0,
            steps: 5,
            adjust_lr: AdjustLr::Original,
        };
        let weight = LinearConfig::new(2, 2).init(&device).weight;
        let model = Linear {
            weight,
            bias: frozen.bias,
        };
        let recipe = Recipe::new(vec![Rule::new(muon, vec![])]);
        assert!(recipe.init(&model).is_ok());
    }
}

#[test]
fn a_step_takes_a_model_from_a_device_that_does_not_differentiate() {
    let device = device();
    let model = norms(&device);
    let grads = || ones(&model);
    let stepped = |model| two_rules().init(&model).unwrap().step(0.1, model, grads());
    let (plain, expected) = (stepped(model.valid()), stepped(model.clone()));
    assert_eq!(values(&plain), values(&expected));
    assert!(plain.head.weight.is_require_grad());
}
