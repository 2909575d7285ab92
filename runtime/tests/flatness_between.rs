//! The loss between two networks, whose running statistics go along.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use kiln::burn::module::{Module, RunningState};
use kiln::data::{Source, Table, digits};
use kiln::flatness::{FlatnessError, Objective, Slice};
use kiln::prelude::*;

model! {
    struct Net { hidden: usize = 6 }
    input x: [64];
    let y = x -> linear(hidden) -> norm: batch_norm -> relu -> head: linear(10);
    output y;
    loss cross_entropy;
}

fn data() -> Table {
    let digits = digits().unwrap();
    let indices: Vec<usize> = (0..100).collect();
    let pixels = digits.gather(&indices).unwrap().inputs[0].iter().collect();
    let labels = indices.iter().map(|at| digits.label(*at).unwrap());
    Table::classes(pixels, &[64], labels.collect(), 10).unwrap()
}

/// A network whose running statistics have seen some batches.
fn network(device: &Device, data: &Table) -> Net {
    let model = NetConfig::new().init(device).unwrap().train();
    let examples = data.gather(&(0..50).collect::<Vec<_>>()).unwrap();
    let batch = Batch::<Net>::upload(examples, &device.clone().autodiff()).unwrap();
    for _ in 0..5 {
        let _ = model.forward(batch.input.clone());
    }
    model.valid()
}

fn numbers(vector: Tensor<1>) -> Vec<f32> {
    vector.into_data().iter().collect()
}

fn half(from: &RunningState<Tensor<1>>, to: &RunningState<Tensor<1>>) -> RunningState<Tensor<1>> {
    RunningState::new((from.value() + to.value()) * 0.5)
}

#[test]
fn running_statistics_go_along_between_two_networks() {
    let device = default_device().unwrap();
    let data = data();
    let [mut from, mut to] = [network(&device, &data), network(&device, &data)];
    from.head = from.head.no_grad();
    to.head = to.head.no_grad();
    let objective = |model: &Net| Objective::new(model, &data);
    let loss = |model: &Net| objective(model).unwrap().loss().unwrap();
    let before = [&from, &to].map(|model| numbers(model.norm.running_var.value()));
    assert_ne!(before[0], before[1]);
    let slice = Slice::new().points(3);
    let profile = slice.between_models(&from, &to, objective).unwrap();
    assert_eq!(profile.alphas, [0.0, 0.5, 1.0]);
    assert_eq!(profile.losses[0], Some(loss(&from)));
    assert_eq!(profile.losses[2], Some(loss(&to)));
    assert!(profile.complete && profile.accuracies.iter().all(Option::is_some));

    let [start, end] = [&from, &to].map(|model| objective(model).unwrap().weights());
    let there = objective(&from).unwrap();
    let there = there.at((start.clone() + end.clone()) * 0.5).unwrap();
    let mut middle = there.write(&from).unwrap();
    middle.norm.running_mean = half(&from.norm.running_mean, &to.norm.running_mean);
    middle.norm.running_var = half(&from.norm.running_var, &to.norm.running_var);
    let [ours, theirs] = [&from, &to].map(|model| model.head.weight.val());
    middle.head.weight = middle.head.weight.clone().map(|_| (ours + theirs) * 0.5);
    let biases = [&from, &to].map(|model| model.head.bias.as_ref().unwrap().val());
    let [ours, theirs] = biases;
    let bias = middle.head.bias.take();
    middle.head.bias = bias.map(|bias| bias.map(|_| (ours + theirs) * 0.5));
    let expected = loss(&middle);
    assert!((profile.losses[1].unwrap() - expected).abs() < 1e-5 * expected);

    // The weights alone do not come to the second network.
    let alone = slice.between(&objective(&from).unwrap(), &start, &end);
    assert!((alone.unwrap().losses[2].unwrap() - loss(&to)).abs() > 1e-3);
    let after = [&from, &to].map(|model| numbers(model.norm.running_var.value()));
    assert_eq!(before, after);
}

#[test]
fn networks_of_different_parameters_are_refused() {
    let device = default_device().unwrap();
    let data = data();
    let from = network(&device, &data);
    let objective = |model: &Net| Objective::new(model, &data);
    let wider = NetConfig::new().with_hidden(7).init(&device).unwrap();
    let error = Slice::new().between_models(&from, &wider, objective);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("networks with different parameters"),
        "{error}"
    );
    let mut broken = from.clone();
    broken.head.weight = broken.head.weight.clone().map(|weight| weight / 0.0);
    let error = Slice::new().between_models(&from, &broken, objective);
    assert!(matches!(error, Err(FlatnessError::NonFinite { .. })));
}
