//! Times declared networks against the same networks written by hand in Burn.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use kiln::Result;
use kiln::burn::module::{ModuleVisitor, Param};
use kiln::burn::optim::momentum::MomentumConfig;
use kiln::burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use kiln::burn::tensor::{Distribution, Gradients};
use kiln::prelude::*;
use kiln_examples::{by_hand, report};
use kiln_models::{CnnConfig, MlpConfig};
use serde_json::{Map, json};

/// Prints the time of a training step (forward, backward, SGD with momentum) of a declared network
/// beside that of the same network by hand. The two take turns, so that what else the machine
/// does meets both; the ratio is the median over the rounds.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Options {
    /// How often the two take turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Images per step.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Write the ratios to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(error),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    if options.rounds == 0 || options.batch == 0 {
        return Err("--rounds and --batch are at least 1".into());
    }
    let device = default_device()?.autodiff();
    let mut results = Map::new();
    println!(
        "training step at a batch of {}, on {}; median of {} rounds\n",
        options.batch,
        kiln::device::name(&device),
        options.rounds,
    );
    println!("network   declared   by hand   ratio (quartiles)     outputs and gradients");
    let mlp = (MlpConfig::new().init(&device)?, by_hand::Mlp::new(&device));
    let forward = |model: &by_hand::Mlp, input| model.forward(input);
    results.insert(
        "declared_vs_handwritten_mlp".into(),
        row("MLP", options, mlp, forward, 20, &device),
    );
    let cnn = (CnnConfig::new().init(&device)?, by_hand::Cnn::new(&device));
    let forward = |model: &by_hand::Cnn, input| model.forward(input);
    results.insert(
        "declared_vs_handwritten_cnn".into(),
        row("CNN", options, cnn, forward, 3, &device),
    );
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", json!(results)))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(())
}

/// Measures one network and prints its line; the ratio.
fn row<M, H>(
    name: &str,
    options: &Options,
    (declared, by_hand): (M, H),
    forward: impl Fn(&H, Tensor<4>) -> Tensor<2> + Copy,
    steps: usize,
    device: &Device,
) -> serde_json::Value
where
    M: Model<Input = Tensor<4>, Output = Tensor<2>>,
    H: Module,
{
    let shape = [options.batch, 1, 28, 28];
    let images = Tensor::<4>::random(shape, Distribution::Default, device);
    let labels = Tensor::<1, Int>::arange(0..options.batch as i64, device).remainder_scalar(10);
    // Both start from the same weights, in the same order.
    let by_hand = copied(&declared, by_hand);
    let run_declared = |model: &M| model.forward(images.clone());
    let run_by_hand = |model: &H| forward(model, images.clone());
    let same = {
        let (a, b) = (run_declared(&declared), run_by_hand(&by_hand));
        let outputs = a.to_data() == b.to_data();
        let (a, b) = (loss(a, &labels).backward(), loss(b, &labels).backward());
        outputs && gradients(&declared, &a) == gradients(&by_hand, &b)
    };
    let (mut a, mut b) = (Some(declared), Some(by_hand));
    let (mut a_optimizer, mut b_optimizer) = (sgd(), sgd());
    let (mut a_times, mut b_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms caches and, on a GPU, compiles kernels: it is not counted.
    for round in 0..=options.rounds {
        let mut first = || {
            time(
                &mut a,
                &mut a_optimizer,
                run_declared,
                &labels,
                steps,
                device,
            )
        };
        let mut second = || {
            time(
                &mut b,
                &mut b_optimizer,
                run_by_hand,
                &labels,
                steps,
                device,
            )
        };
        let (x, y) = if round % 2 == 0 {
            let x = first();
            (x, second())
        } else {
            let y = second();
            (first(), y)
        };
        if round > 0 {
            a_times.push(x);
            b_times.push(y);
            ratios.push(x / y);
        }
    }
    let [low, ratio, high] = quartiles(&mut ratios);
    let ([_, declared, _], [_, by_hand, _]) = (quartiles(&mut a_times), quartiles(&mut b_times));
    println!(
        "{name:8}  {declared:6.2} ms  {by_hand:6.2} ms  {ratio:.3} ({low:.3} to {high:.3})   {}",
        if same { "bit-identical" } else { "DIFFERENT" },
    );
    json!({ "ratio": ratio, "declared_ms": declared, "by_hand_ms": by_hand, "identical": same })
}

fn sgd() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

fn loss(output: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    kiln::loss::cross_entropy(output, labels.clone(), 0.0)
}

/// Milliseconds per step.
fn time<M: Module>(
    model: &mut Option<M>,
    optimizer: &mut ModuleOptimizer,
    forward: impl Fn(&M) -> Tensor<2>,
    labels: &Tensor<1, Int>,
    steps: usize,
    device: &Device,
) -> f64 {
    let start = Instant::now();
    for _ in 0..steps {
        if let Some(current) = model.take() {
            let gradients = loss(forward(&current), labels).backward();
            let gradients = GradientsParams::from_grads(gradients, &current);
            *model = Some(optimizer.step(1e-3, current, gradients));
        }
    }
    // What fails to finish has no time; the next step reports why.
    let _ = device.sync();
    start.elapsed().as_secs_f64() * 1e3 / steps as f64
}

/// `to` with the parameters of `from`, which come in the same order.
fn copied<A: Module, B: Module>(from: &A, to: B) -> B {
    use kiln::burn::module::ModuleMapper;

    struct Put(std::vec::IntoIter<kiln::data::TensorData>);
    impl ModuleMapper for Put {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(data) = self.0.next() else {
                return param;
            };
            param.map(|old| Tensor::from_data(data, &old.device()).require_grad())
        }
    }
    let mut values = Values(Vec::new());
    from.visit(&mut values);
    to.map(&mut Put(values.0.into_iter()))
}

struct Values(Vec<kiln::data::TensorData>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data());
    }
}

/// The gradients of a module's parameters, in order.
fn gradients<M: Module>(model: &M, gradients: &Gradients) -> Vec<kiln::data::TensorData> {
    struct Collect<'a>(&'a Gradients, Vec<kiln::data::TensorData>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1
                .extend(param.val().grad(self.0).map(Tensor::into_data));
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    model.visit(&mut collect);
    collect.1
}

/// Lower quartile, median and upper quartile.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [last / 4, last / 2, last - last / 4].map(|at| values[at])
}
