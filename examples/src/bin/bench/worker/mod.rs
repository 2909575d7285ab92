//! A contender at work: answers the parent's lines until there are no more.
//!
//! `time CASE N` runs a case N times and tells the milliseconds of each; `memory CASE N` tells how
//! much memory that took; `identical NETWORK` whether declared and by hand are the same.

mod data;
mod identical;
mod networks;
mod training;

use std::error::Error;
use std::io::{BufRead, Write};

use kiln::device::{self, default_device};
use serde_json::{Value, json};

use self::networks::Order;
use crate::case::{Case, Network};
use crate::contender::Contender;

/// Runs a case once and gives the milliseconds that count.
type Repetition = Box<dyn FnMut() -> Result<f64, Box<dyn Error>>>;

/// What a worker is started with.
#[derive(Clone, Copy)]
pub struct Work {
    pub contender: Contender,
    /// Images per step.
    pub batch: usize,
    /// How many images the data set has.
    pub images: usize,
}

/// Serves until `requests` end.
pub fn serve(
    work: Work,
    requests: impl BufRead,
    answers: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut prepared: Vec<(Case, Repetition)> = Vec::new();
    let mut reply = |answer: Result<Value, Box<dyn Error>>| {
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(answers, "{answer}")?;
        answers.flush()
    };
    reply(default_device().map_err(Into::into).map(|device| {
        let threads = std::env::var("RAYON_NUM_THREADS").unwrap_or_default();
        json!({ "device": device::name(&device), "threads": threads })
    }))?;
    for line in requests.lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        reply(match words[..] {
            ["time", case, count] => time(work, &mut prepared, case, count),
            ["memory", case, count] => memory(work, case, count),
            ["identical", network] => identical(work, network),
            _ => Err(format!("not a request: {line:?}").into()),
        })?;
    }
    Ok(())
}

fn time(
    work: Work,
    prepared: &mut Vec<(Case, Repetition)>,
    case: &str,
    count: &str,
) -> Result<Value, Box<dyn Error>> {
    let (case, count) = (case.parse()?, count.parse::<usize>()?);
    let known = prepared.iter().position(|(known, _)| *known == case);
    let place = match known {
        Some(place) => place,
        None => {
            prepared.push((case, prepare(work, case)?));
            prepared.len() - 1
        }
    };
    let repetition = &mut prepared[place].1;
    let times = (0..count).map(|_| repetition());
    Ok(json!({ "ms": times.collect::<Result<Vec<f64>, _>>()? }))
}

fn memory(work: Work, case: &str, count: &str) -> Result<Value, Box<dyn Error>> {
    let mut repetition = prepare(work, case.parse()?)?;
    let count: usize = count.parse()?;
    let usage = kiln_examples::memory::of(|| {
        for _ in 0..count {
            repetition()?;
        }
        Ok(())
    })?;
    Ok(json!({ "before_kib": usage.before, "peak_kib": usage.peak }))
}

fn identical(work: Work, network: &str) -> Result<Value, Box<dyn Error>> {
    let device = default_device()?.autodiff();
    let Some(identical) = identical::of(network, work.batch, &device)? else {
        return Err(format!("`{network}` is declared with other weights than by hand").into());
    };
    Ok(json!({ "identical": identical }))
}

fn prepare(work: Work, case: Case) -> Result<Repetition, Box<dyn Error>> {
    let device = default_device()?;
    let network = match case {
        Case::Loader => return data::loader(work, &device),
        Case::Accumulate(batch) => return data::accumulate(work, batch, &device),
        Case::OptimizerStep(_) => Network::ResNet20,
        Case::Step(network) | Case::Infer(network) | Case::Optimizer(network) => network,
    };
    let order = Order {
        network,
        case,
        batch: network.batch(work.batch),
        device: match case {
            Case::Infer(_) => device,
            _ => device.autodiff(),
        },
    };
    match work.contender {
        Contender::Declared | Contender::NdArray => networks::declared(&order),
        Contender::ByHand => networks::by_hand(&order),
        Contender::Burn => networks::burn(&order),
        Contender::PyTorch => Err("PyTorch runs in Python".into()),
    }
}
