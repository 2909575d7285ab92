//! The parent: starts the contenders, lets them take turns, tells what came of it.

use std::error::Error;
use std::fs::File;
use std::io::Write;

use crate::case::{Case, Network, Rule, accumulated, images};
use crate::contender::Contender;
use crate::launch::Launcher;
use crate::memory::{self, Memory};
use crate::options::{ACCUMULATE, OPTIMIZER_STEP, Options, PEAK_MEMORY};
use crate::process::Process;
use crate::ratios::{self, Ratio};
use crate::results::Results;
use crate::rounds::{Entry, take_turns};
use crate::{environment, ndarray, table};

/// Steps after which the memory of a training is taken to be at its peak.
const MEMORY_STEPS: usize = 5;

/// The load above which ratios are not to be trusted.
const BUSY: f64 = 1.0;

/// Measures what `options` ask for.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    options.check()?;
    let json = options.json.as_ref().map(|path| {
        let file = File::create(path);
        file.map_err(|error| format!("cannot write {}: {error}", path.display()))
    });
    let mut json = json.transpose()?;
    // Asked first: what is built or started below would count.
    let load = environment::load();
    let mut results = Results::default();
    let (launcher, mut processes) = start(options, &mut results)?;
    let environment = environment::describe(
        &processes,
        options.threads,
        options.rounds,
        options.batch,
        options.quick,
        load,
    );
    introduce(options, &processes, &results, load, out)?;
    compare(options, &mut processes, &mut results, out)?;
    optimizer_step(options, &mut processes, &mut results, out)?;
    check_identical(options, &mut processes, &mut results);
    accumulate(options, &launcher, &mut processes, &mut results, out)?;
    // Nobody else is at work while memory is measured.
    drop(processes);
    peak_memory(options, &launcher, &mut results, out)?;
    table::ratios(out, &results.ratios)?;
    conclude(&results, out)?;
    if let Some(file) = &mut json {
        writeln!(file, "{:#}", results.to_json(environment))?;
    }
    match (results.identical, results.failures.len()) {
        (Some(false), _) => {
            Err("the declared network computes something else than the one by hand".into())
        }
        (_, 0) => Ok(()),
        (_, _) => Err(results.failures.join("; ").into()),
    }
}

/// Starts every contender that takes part in something.
fn start(
    options: &Options,
    results: &mut Results,
) -> Result<(Launcher, Vec<Process>), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut launcher = Launcher {
        with_ndarray: None,
        program,
        python: options.python.clone(),
        batch: options.batch,
        threads: options.threads,
        quick: options.quick,
    };
    let mut processes = Vec::new();
    for contender in Contender::ALL {
        let compared = selected(options).any(|case| contender.takes_part(case));
        let accumulates = options.wants(ACCUMULATE) && contender == Contender::Declared;
        let steps =
            options.wants(OPTIMIZER_STEP) && contender.takes_part(Case::OptimizerStep(Rule::Sgd));
        let remembers = options.wants(PEAK_MEMORY) && takes_part_in_memory(contender);
        if !compared && !accumulates && !steps && !remembers {
            continue;
        }
        if contender == Contender::NdArray {
            if options.no_ndarray {
                results
                    .absent
                    .push("ndarray: left out by --no-ndarray".into());
                continue;
            }
            match ndarray::program(&launcher.program) {
                Ok(program) => launcher.with_ndarray = Some(program),
                Err(error) => {
                    results.absent.push(format!("ndarray: {error}"));
                    continue;
                }
            }
        }
        match (launcher.start(contender), contender) {
            (Ok(process), _) => processes.push(process),
            (Err(error), Contender::PyTorch) => results.absent.push(format!(
                "pytorch: {error}; to install it: pip install torch --index-url \
                 https://download.pytorch.org/whl/cpu, and --python names the Python that has it"
            )),
            (Err(error), _) => return Err(format!("{contender}: {error}").into()),
        }
    }
    Ok((launcher, processes))
}

/// The cases that are to be compared.
fn selected(options: &Options) -> impl Iterator<Item = Case> {
    let cases = Case::compared().into_iter();
    cases.filter(|case| options.wants(&case.to_string()))
}

fn takes_part_in_memory(contender: Contender) -> bool {
    contender != Contender::ByHand && contender.takes_part(Case::Step(Network::Cnn))
}

fn introduce(
    options: &Options,
    processes: &[Process],
    results: &Results,
    load: Option<f64>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let Options {
        rounds,
        batch,
        threads,
        ..
    } = options;
    let burn = environment::burn_version();
    let cpu = environment::cpu();
    writeln!(out, "batch {batch}, {threads} threads each, {cpu}")?;
    writeln!(
        out,
        "medians of {rounds} rounds in which all take turns; Burn {burn}"
    )?;
    for process in processes {
        let about = process.about();
        let what = ["device", "version"]
            .into_iter()
            .find_map(|key| about[key].as_str());
        writeln!(out, "  {:10} {}", process.contender(), what.unwrap_or(""))?;
    }
    for absent in &results.absent {
        writeln!(out, "not measured: {absent}")?;
    }
    if let Some(load) = load.filter(|&load| load > BUSY) {
        writeln!(
            out,
            "The machine is busy (load {load}). PyTorch's threads wait for each other in a loop and \
             lose most by that: ratios to it mean little."
        )?;
    }
    if cfg!(debug_assertions) {
        writeln!(out, "This is a debug build: its times mean nothing.")?;
    }
    Ok(out.flush()?)
}

/// Everything that contenders are compared in.
fn compare(
    options: &Options,
    processes: &mut Vec<Process>,
    results: &mut Results,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let running: Vec<Contender> = processes.iter().map(Process::contender).collect();
    let mut last_title = String::new();
    for case in selected(options) {
        let alive = processes.iter().map(Process::contender);
        let takers = alive.filter(|contender| contender.takes_part(case));
        let entries = takers
            .map(|contender| Entry::new(contender, case))
            .collect();
        let (entries, failures) = take_turns(entries, processes, options.rounds, options.quick);
        let ratios = ratios::of_case(case, &entries);
        let title = table::title(case, images(options.quick));
        if title != last_title {
            table::head(out, &title, &running)?;
            last_title = title;
        }
        let row: Vec<&Entry> = entries.iter().collect();
        table::row(out, case, &running, &row, &ratios)?;
        results.entries.extend(entries);
        results.ratios.extend(ratios);
        results.failures.extend(failures);
        processes.retain(Process::is_alive);
    }
    Ok(())
}

/// The update rules, all of them in turns, so that each can be compared with each.
fn optimizer_step(
    options: &Options,
    processes: &mut Vec<Process>,
    results: &mut Results,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    if !options.wants(OPTIMIZER_STEP) {
        return Ok(());
    }
    let running: Vec<Contender> = processes.iter().map(Process::contender).collect();
    let pairs = Rule::ALL.into_iter().flat_map(|rule| {
        let case = Case::OptimizerStep(rule);
        let takers = running.iter().filter(move |taker| taker.takes_part(case));
        takers.map(move |&taker| Entry::new(taker, case))
    });
    let (entries, failures) = take_turns(pairs.collect(), processes, options.rounds, options.quick);
    let title = table::title(Case::OptimizerStep(Rule::Sgd), images(options.quick));
    table::head(out, &title, &running)?;
    for rule in Rule::ALL {
        let case = Case::OptimizerStep(rule);
        let of_case = |entry: &&Entry| entry.case == case;
        let row: Vec<&Entry> = entries.iter().filter(of_case).collect();
        table::row(out, case, &running, &row, &[])?;
    }
    results.ratios.extend(ratios::of_rules(&entries));
    results.entries.extend(entries);
    results.failures.extend(failures);
    processes.retain(Process::is_alive);
    Ok(())
}

/// Whether the declared networks give the bits of those by hand.
fn check_identical(options: &Options, processes: &mut [Process], results: &mut Results) {
    let mut all = processes.iter_mut();
    let Some(process) = all.find(|process| process.contender() == Contender::ByHand) else {
        return;
    };
    // The transformer's attention keeps its weights in PyTorch's layout, by hand it does not.
    for network in [Network::Mlp, Network::Cnn, Network::ResNet20] {
        if !options.wants(&Case::Step(network).to_string()) {
            continue;
        }
        match process.ask(&format!("identical {}", network.name())) {
            Ok(answer) => {
                let same = answer["identical"] == true;
                results.identical = Some(same && results.identical != Some(false));
            }
            Err(error) => results.failures.push(format!("by-hand: {error}")),
        }
    }
}

/// Time per image and peak memory as the batch grows.
fn accumulate(
    options: &Options,
    launcher: &Launcher,
    processes: &mut [Process],
    results: &mut Results,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let contender = Contender::Declared;
    let runs = processes
        .iter()
        .any(|process| process.contender() == contender);
    if !runs || !options.wants(ACCUMULATE) {
        return Ok(());
    }
    let batches = accumulated(options.quick);
    let cases = batches.iter().map(|&batch| Case::Accumulate(batch));
    let entries = cases.clone().map(|case| Entry::new(contender, case));
    let (entries, failures) =
        take_turns(entries.collect(), processes, options.rounds, options.quick);
    results.failures.extend(failures);
    results
        .ratios
        .extend(ratios::of_accumulation(&entries, options.quick));
    let mut measured = Vec::new();
    for case in cases {
        match memory::measure(launcher, contender, case, 1, repeats(options)) {
            Ok(memory) => measured.push(memory),
            Err(error) => results.absent.push(format!("memory of {case}: {error}")),
        }
    }
    table::accumulation(out, &entries, &measured, batches, images(options.quick))?;
    for (batch, memory) in batches.iter().zip(&measured).skip(1) {
        let name = format!("cnn_peak_memory_at_{batch}_vs_{}", batches[0]);
        results.ratios.push(of_memory(name, memory, &measured[0]));
    }
    results.entries.extend(entries);
    results.memory.extend(measured);
    Ok(())
}

/// Peak memory of the CNN's training step.
fn peak_memory(
    options: &Options,
    launcher: &Launcher,
    results: &mut Results,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    if !options.wants(PEAK_MEMORY) {
        return Ok(());
    }
    let case = Case::Step(Network::Cnn);
    let mut measured: Vec<Memory> = Vec::new();
    for contender in Contender::ALL
        .into_iter()
        .filter(|&c| takes_part_in_memory(c))
    {
        let missing = results.absent.iter();
        let prefix = format!("{contender}: ");
        if missing.clone().any(|absent| absent.starts_with(&prefix)) {
            continue;
        }
        match memory::measure(launcher, contender, case, MEMORY_STEPS, repeats(options)) {
            Ok(memory) => measured.push(memory),
            Err(error) => results
                .absent
                .push(format!("memory of {contender}: {error}")),
        }
    }
    writeln!(out, "\npeak memory of the CNN's step, MiB")?;
    writeln!(out, "{:13}{:>10}{:>10}", "", "more", "in all")?;
    table::memory(out, &measured)?;
    let of = |contender| measured.iter().find(|memory| memory.contender == contender);
    for other in [Contender::PyTorch, Contender::Burn] {
        if let (Some(ours), Some(theirs)) = (of(Contender::Declared), of(other)) {
            let name = format!("{PEAK_MEMORY}_vs_{other}");
            results.ratios.push(of_memory(name, ours, theirs));
        }
    }
    results.memory.extend(measured);
    Ok(())
}

/// In how many processes memory is measured.
fn repeats(options: &Options) -> usize {
    if options.quick { 1 } else { 3 }
}

fn of_memory(name: String, ours: &Memory, theirs: &Memory) -> Ratio {
    Ratio {
        name,
        quartiles: [ours.increase / theirs.increase; 3],
    }
}

fn conclude(results: &Results, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    match results.identical {
        Some(true) => writeln!(
            out,
            "\ndeclared and by hand: the same bits, outputs and gradients"
        )?,
        Some(false) => writeln!(
            out,
            "\ndeclared and by hand: DIFFERENT outputs or gradients"
        )?,
        None => {}
    }
    for failure in &results.failures {
        writeln!(out, "failed: {failure}")?;
    }
    Ok(())
}
