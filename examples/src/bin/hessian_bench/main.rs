//! What a product with a Hessian costs, and eigenvalues, trace and density beside PyHessian's.

mod peer;

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use kiln::data::{Source, Table, digits};
use kiln::flatness::{Density, FlatnessError, Lanczos, Objective, Operator, Trace};
use kiln::prelude::*;
use kiln_examples::{memory, on_device, writable};
use kiln_models::{Cnn, CnnConfig, Mlp, MlpConfig};
use peer::Peer;
use serde_json::{Value, json};

/// Times gradients and exact Hessian products of an MLP (784-512-256-10) and a CNN
/// (conv16-pool-conv32-pool-128-10) on one batch, beside PyTorch's double backward; and the largest
/// eigenvalue, the trace and the spectral density of the CNN beside PyHessian's, on the same
/// weights and data. All take turns; a figure is the median over the rounds of a ratio, and below 1
/// Kiln is faster.
#[derive(Parser)]
#[command(name = "hessian_bench", version)]
struct Options {
    /// How often all take turns; one more round comes before and is not counted.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Images in the batch.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// PyHessian's probes of the trace; Kiln goes on to the same standard error.
    #[arg(long, default_value_t = 100)]
    probes: usize,
    /// Products of each density.
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// The Python that has PyTorch and PyHessian; what it lacks is left out.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// Write the figures to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only print the KiB that this takes, in a process of its own.
    #[arg(long, hide = true, num_args = 2, value_names = ["NETWORK", "WORK"])]
    memory: Option<Vec<String>>,
}

schedule! {
    struct Constant;
    peak 0.05;
    constant;
}

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
}

fn main() -> ExitCode {
    let options = Options::parse();
    on_device(|device| run(&options, device))
}

fn run(options: &Options, device: &Device) -> Result<(), Box<dyn Error>> {
    for (flag, value, least) in [
        ("--rounds", options.rounds, 1),
        ("--batch", options.batch, 1),
        ("--probes", options.probes, 10),
        ("--steps", options.steps, 1),
    ] {
        if value < least {
            return Err(format!("{flag} is at least {least}, found {value}").into());
        }
    }
    if let Some(file) = &options.json {
        writable(file)?;
    }
    device.seed(1);
    let batch = images(Some(options.batch))?;
    let (mlp, cnn) = (
        MlpConfig::new().init(device)?,
        CnnConfig::new().init(device)?,
    );
    if let Some(asked) = &options.memory {
        let objective = match asked[0].as_str() {
            "mlp" => Objective::new(&mlp, &batch)?,
            _ => Objective::new(&cnn, &batch)?,
        };
        let objective = objective.batch(options.batch)?;
        println!("{}", peak(&objective, &asked[1])?);
        return Ok(());
    }
    let mlp: Mlp = trained(mlp, images(None)?)?;
    let cnn: Cnn = trained(cnn, images(None)?)?;
    let mlp_loss = Objective::new(&mlp, &batch)?.batch(options.batch)?;
    let cnn_loss = Objective::new(&cnn, &batch)?.batch(options.batch)?;

    let examples = batch.gather(&(0..options.batch).collect::<Vec<_>>())?;
    let case = json!({
        "mlp": tensors(&mlp_loss),
        "cnn": tensors(&cnn_loss),
        "images": examples.inputs[0].iter::<f32>().collect::<Vec<_>>(),
        "labels": examples.targets[0].iter::<i64>().collect::<Vec<_>>(),
    });
    let mut peer = match Peer::start(&options.python, &case) {
        Ok(peer) => Some(peer),
        Err(error) => {
            eprintln!("PyTorch is left out: {error}");
            None
        }
    };
    let pyhessian = peer
        .as_mut()
        .map(|peer| peer.ask(&json!({"what": "pyhessian"})));
    if let Some(Err(error)) = &pyhessian {
        eprintln!("PyHessian is left out: {error}");
    }
    let pyhessian = matches!(pyhessian, Some(Ok(_)));
    let mut turns = Turns::default();
    for round in 0..=options.rounds {
        let mut taken = BTreeMap::new();
        for (name, objective) in [("mlp", &mlp_loss), ("cnn", &cnn_loss)] {
            cost(name, objective, peer.as_mut(), &mut taken)?;
        }
        if let Some(peer) = peer.as_mut().filter(|_| pyhessian) {
            beside(options, round as u64, &cnn_loss, peer, &mut taken)?;
        }
        if round > 0 {
            turns.add(taken);
        }
    }
    let mut figures = turns.medians();
    for network in ["mlp", "cnn"] {
        match memory_ratio(options.batch, network) {
            Ok(ratio) => {
                let name = format!("hvp_memory_over_gradient_{network}");
                figures.insert(name, [ratio; 3]);
            }
            Err(error) => eprintln!("memory is left out: {error}"),
        }
    }
    for (name, [low, median, high]) in &figures {
        println!("{name:32} {median:8.3}  ({low:.3} to {high:.3})");
    }
    if let Some(file) = &options.json {
        let medians = figures.iter().map(|(name, [_, median, _])| (name, median));
        let text = serde_json::to_string_pretty(&medians.collect::<BTreeMap<_, _>>())?;
        std::fs::write(file, text + "\n")?;
    }
    Ok(())
}

/// The digits of the UCI, 8×8 pixels each, at 28×28; the first `count` of them, or all.
fn images(count: Option<usize>) -> Result<Table, Box<dyn Error>> {
    let digits = digits()?;
    let count = count.unwrap_or(digits.len());
    let indices: Vec<usize> = (0..count).collect();
    let examples = digits.gather(&indices)?;
    let pixels: Vec<f32> = examples.inputs[0].iter().collect();
    let enlarged = pixels.chunks(64).flat_map(|image| {
        (0..28 * 28).map(|place| image[place / 28 * 8 / 28 * 8 + place % 28 * 8 / 28])
    });
    let labels = indices.iter().map(|index| digits.label(*index));
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    Ok(Table::classes(
        enlarged.collect(),
        &[1, 28, 28],
        labels,
        10,
    )?)
}

/// After an epoch: the curvature of weights that nobody trained is nobody's question.
fn trained<M: Model>(model: M, images: Table) -> Result<M, Box<dyn Error>>
where
    M::Config: ModelConfig<Model = M>,
{
    let trainer = Trainer::new(model, Momentum::new(), Constant::new());
    let run = trainer.batch(64).epochs(2).seed(1).quiet().fit(images);
    Ok(run.map_err(|failure| failure.error)?.model)
}

/// The parameters in their order.
fn tensors(objective: &Objective) -> Value {
    let weights: Vec<f32> = objective.weights().to_data().iter().collect();
    let slices = objective.parameters().into_iter();
    let tensors =
        slices.map(|slice| json!({"shape": slice.shape, "values": weights[slice.range.clone()]}));
    tensors.collect()
}

/// The result and the seconds it took.
fn timed<T, E>(run: impl FnOnce() -> Result<T, E>) -> Result<(f64, T), E> {
    let start = Instant::now();
    let result = run()?;
    Ok((start.elapsed().as_secs_f64(), result))
}

/// Gradient and product, ours and PyTorch's.
fn cost(
    network: &str,
    objective: &Objective,
    peer: Option<&mut Peer>,
    taken: &mut BTreeMap<String, f64>,
) -> Result<(), Box<dyn Error>> {
    let hessian = objective.hessian();
    let vector = objective.weights();
    // A short run of each, so that one that the system interrupts weighs little.
    const TIMES: usize = 5;
    let several = |run: &dyn Fn() -> Result<Tensor<1>, FlatnessError>| {
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            let (each, result) = timed(run)?;
            black_box(result);
            seconds.push(each);
        }
        seconds.sort_by(f64::total_cmp);
        Ok::<f64, FlatnessError>(seconds[TIMES / 2])
    };
    let gradient = several(&|| objective.gradient())?;
    let product = several(&|| hessian.product(&vector))?;
    let gauss_newton = several(&|| objective.gauss_newton().product(&vector))?;
    taken.insert(format!("gradient_{network}_ms"), gradient * 1e3);
    taken.insert(format!("hvp_over_gradient_{network}"), product / gradient);
    taken.insert(
        format!("gauss_newton_over_gradient_{network}"),
        gauss_newton / gradient,
    );
    let Some(peer) = peer else { return Ok(()) };
    let mut theirs = |what| {
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            let answer = peer.ask(&json!({"what": what, "network": network}))?;
            seconds.push(number(&answer, "seconds")?);
        }
        seconds.sort_by(f64::total_cmp);
        Ok::<f64, Box<dyn Error>>(seconds[TIMES / 2])
    };
    let (their_gradient, their_product) = (theirs("gradient")?, theirs("product")?);
    taken.insert(
        format!("gradient_vs_pytorch_{network}"),
        gradient / their_gradient,
    );
    taken.insert(format!("hvp_vs_pytorch_{network}"), product / their_product);
    taken.insert(
        format!("pytorch_hvp_over_gradient_{network}"),
        their_product / their_gradient,
    );
    Ok(())
}

/// The KiB that `work` takes beyond what is there before it.
fn peak(objective: &Objective, work: &str) -> Result<u64, Box<dyn Error>> {
    // What is there once, however often: the batch, threads.
    objective.loss()?;
    let usage = memory::of(|| {
        for _ in 0..3 {
            black_box(match work {
                "gradient" => objective.gradient()?,
                _ => objective.hessian().product(&objective.weights())?,
            });
        }
        Ok(())
    })?;
    match usage.peak.saturating_sub(usage.before) {
        0 => Err("no memory was taken".into()),
        taken => Ok(taken),
    }
}

/// What a product takes over what a gradient takes, each in a process that did nothing before.
fn memory_ratio(batch: usize, network: &str) -> Result<f64, Box<dyn Error>> {
    let of = |work: &str| -> Result<f64, Box<dyn Error>> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(["--memory", network, work, "--batch", &batch.to_string()]);
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("{}{}", text.trim(), said.trim()).into()
        })
    };
    Ok(of("product")? / of("gradient")?)
}

/// Eigenvalue, trace and density beside PyHessian's.
fn beside(
    options: &Options,
    seed: u64,
    objective: &Objective,
    peer: &mut Peer,
    taken: &mut BTreeMap<String, f64>,
) -> Result<(), Box<dyn Error>> {
    let hessian = objective.hessian();

    let theirs = peer.ask(&json!({"what": "eigenvalue", "seed": seed}))?;
    let value = number(&theirs, "value")?;
    let tolerance = number(&theirs, "residual")? / value.abs();
    let lanczos = Lanczos::new().top(1).tolerance(tolerance).seed(seed);
    let (seconds, spectrum) = timed(|| lanczos.run(&hessian))?;
    taken.insert(
        "eigenvalue_vs_pyhessian".into(),
        seconds / number(&theirs, "seconds")?,
    );
    taken.insert("eigenvalue_products".into(), spectrum.products as f64);
    taken.insert(
        "eigenvalue_products_pyhessian".into(),
        number(&theirs, "products")?,
    );
    taken.insert(
        "eigenvalue_value_over_pyhessian".into(),
        spectrum.top[0].value / value,
    );

    let theirs = peer.ask(&json!({"what": "trace", "seed": seed, "probes": options.probes}))?;
    let tolerance = number(&theirs, "error")? / number(&theirs, "value")?.abs();
    // PyHessian's own method, and the one for a matrix with few large eigenvalues. The standard error
    // of few probes is too small on average.
    for (name, trace) in [
        ("hutchinson", Trace::hutchinson()),
        ("trace", Trace::hutch_plus_plus(10)),
    ] {
        let trace = trace.tolerance(tolerance).probes(30..=100_000).seed(seed);
        let (seconds, estimate) = timed(|| trace.run(&hessian))?;
        let mut note = |what: &str, figure| taken.insert(format!("{name}_{what}"), figure);
        note("vs_pyhessian", seconds / number(&theirs, "seconds")?);
        note("products", estimate.products as f64);
        note(
            "standard_error_over_pyhessian",
            estimate.standard_error / number(&theirs, "error")?,
        );
        note(
            "value_over_pyhessian",
            estimate.trace / number(&theirs, "value")?,
        );
    }
    taken.insert(
        "trace_products_pyhessian".into(),
        number(&theirs, "products")?,
    );

    let theirs = peer.ask(&json!({"what": "density", "seed": seed, "steps": options.steps}))?;
    let density = Density::new().steps(options.steps).vectors(1).seed(seed);
    let (seconds, density) = timed(|| density.run(&hessian))?;
    taken.insert(
        "density_vs_pyhessian".into(),
        seconds / number(&theirs, "seconds")?,
    );
    taken.insert("density_products".into(), density.products as f64);
    taken.insert(
        "density_products_pyhessian".into(),
        number(&theirs, "products")?,
    );
    Ok(())
}

fn number(answer: &Value, name: &str) -> Result<f64, String> {
    let number = answer[name].as_f64();
    number.ok_or_else(|| format!("Python answered {answer}, without a number `{name}`"))
}

/// The figures of each round.
#[derive(Default)]
struct Turns(BTreeMap<String, Vec<f64>>);

impl Turns {
    fn add(&mut self, round: BTreeMap<String, f64>) {
        for (name, figure) in round {
            self.0.entry(name).or_default().push(figure);
        }
    }

    /// Lowest, median and highest of each.
    fn medians(self) -> BTreeMap<String, [f64; 3]> {
        let figures = self.0.into_iter().map(|(name, mut figures)| {
            figures.sort_by(f64::total_cmp);
            let count = figures.len();
            let median = 0.5 * (figures[(count - 1) / 2] + figures[count / 2]);
            (name, [figures[0], median, figures[count - 1]])
        });
        figures.collect()
    }
}
