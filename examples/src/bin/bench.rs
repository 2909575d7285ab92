//! Times declared networks against the same networks written by hand in Burn.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use kiln::burn::module::{ModuleVisitor, Param};
use kiln::burn::optim::momentum::MomentumConfig;
use kiln::burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use kiln::burn::tensor::{Distribution, Gradients};
use kiln::prelude::*;
use kiln_examples::{by_hand, finish};
use kiln_models::{CnnConfig, MlpConfig};
use serde_json::json;

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
    finish(run(&Options::parse(), &mut std::io::stdout().lock()))
}

fn run(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    if options.rounds == 0 || options.batch == 0 {
        return Err("--rounds and --batch are at least 1".into());
    }
    let device = default_device()?.autodiff();
    writeln!(
        out,
        "training step at a batch of {}, on {}; medians of {} rounds\n",
        options.batch,
        kiln::device::name(&device),
        options.rounds,
    )?;
    writeln!(
        out,
        "network   declared    by hand  ratio (quartiles)        outputs and gradients"
    )?;
    let mlp = (MlpConfig::new().init(&device)?, by_hand::Mlp::new(&device));
    let mlp = compare(
        options,
        mlp,
        |model, input| model.forward(input),
        20,
        &device,
    );
    writeln!(out, "MLP     {mlp}")?;
    let cnn = (CnnConfig::new().init(&device)?, by_hand::Cnn::new(&device));
    let cnn = compare(
        options,
        cnn,
        |model, input| model.forward(input),
        3,
        &device,
    );
    writeln!(out, "CNN     {cnn}")?;
    if let Some(file) = &options.json {
        let results = json!({
            "declared_vs_handwritten_mlp": mlp.ratio[1],
            "declared_vs_handwritten_cnn": cnn.ratio[1],
            "declared_mlp_ms": mlp.declared,
            "declared_cnn_ms": cnn.declared,
            "identical": mlp.identical && cnn.identical,
        });
        std::fs::write(file, format!("{results:#}\n"))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if mlp.identical && cnn.identical {
        Ok(())
    } else {
        Err("the declared network computes something else than the one by hand".into())
    }
}

/// What comparing one network gives.
struct Comparison {
    /// Milliseconds per step.
    declared: f64,
    /// Milliseconds per step.
    by_hand: f64,
    /// Lower quartile, median and upper quartile of the rounds' ratios.
    ratio: [f64; 3],
    /// Whether outputs and gradients have the same bits.
    identical: bool,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison {
            declared,
            by_hand,
            ratio: [low, median, high],
            identical,
        } = self;
        let same = if *identical {
            "bit-identical"
        } else {
            "DIFFERENT"
        };
        write!(
            f,
            "{declared:7.2} ms {by_hand:7.2} ms  {median:.3} ({low:.3} to {high:.3})  {same}"
        )
    }
}

/// Measures one network: the declared one, and the same by hand.
fn compare<M, H>(
    options: &Options,
    (declared, by_hand): (M, H),
    forward: impl Fn(&H, Tensor<4>) -> Tensor<2> + Copy,
    steps: usize,
    device: &Device,
) -> Comparison
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
    let identical = {
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
    let ratio = quartiles(&mut ratios);
    let ([_, declared, _], [_, by_hand, _]) = (quartiles(&mut a_times), quartiles(&mut b_times));
    Comparison {
        declared,
        by_hand,
        ratio,
        identical,
    }
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
