//! The table that a person reads.

use std::io::{self, Write};

use crate::case::Case;
use crate::contender::Contender;
use crate::memory::Memory;
use crate::ratios::Ratio;
use crate::rounds::Entry;

/// The head of a block of rows; what they are about comes first.
pub fn head(out: &mut impl Write, title: &str, contenders: &[Contender]) -> io::Result<()> {
    writeln!(out, "\n{title}")?;
    write!(out, "{:13}", "")?;
    for contender in contenders {
        write!(out, "{contender:>10}")?;
    }
    writeln!(out, "   Kiln/PyTorch (quartiles)")
}

/// The title of the block that starts with `case`.
pub fn title(case: Case, images: usize) -> String {
    match case {
        Case::Step(_) => "training step, ms: forward, cross entropy, backward, update".into(),
        Case::Infer(_) => "inference, ms: forward without gradients".into(),
        Case::Optimizer(_) => "the optimizer's update alone, ms".into(),
        Case::OptimizerStep(_) => "the update of ResNet-20's parameters by a rule, ms".into(),
        Case::Loader => format!("loader, ms: an epoch of {images} shuffled images"),
        Case::Accumulate(_) => "the CNN's training in micro-batches of 32".into(),
    }
}

/// One case: the contenders' times, and the ratio that matters.
pub fn row(
    out: &mut impl Write,
    case: Case,
    contenders: &[Contender],
    entries: &[&Entry],
    ratios: &[Ratio],
) -> io::Result<()> {
    let label = match case {
        Case::Step(network) | Case::Infer(network) | Case::Optimizer(network) => network.name(),
        Case::OptimizerStep(rule) => rule.name(),
        Case::Loader | Case::Accumulate(_) => "images",
    };
    write!(out, "{label:13}")?;
    for &contender in contenders {
        let entry = entries.iter().find(|entry| entry.contender == contender);
        match entry.and_then(|entry| entry.milliseconds()) {
            Some(milliseconds) => write!(out, "{milliseconds:10.3}")?,
            None => write!(out, "{:>10}", "-")?,
        }
    }
    let name = format!("{case}_vs_pytorch");
    match ratios.iter().find(|ratio| ratio.name == name) {
        Some(ratio) => {
            let [low, median, high] = ratio.quartiles;
            writeln!(out, "   {median:6.3} ({low:.3} to {high:.3})")?;
        }
        None => writeln!(out)?,
    }
    out.flush()
}

/// Peak memory of the contenders.
pub fn memory(out: &mut impl Write, measured: &[Memory]) -> io::Result<()> {
    for memory in measured {
        writeln!(
            out,
            "{:13}{:10.1}{:10.1}",
            memory.contender.name(),
            memory.increase,
            memory.peak
        )?;
    }
    Ok(())
}

/// Time per image and peak memory at each batch.
pub fn accumulation(
    out: &mut impl Write,
    entries: &[Entry],
    measured: &[Memory],
    batches: &[usize],
    images: usize,
) -> io::Result<()> {
    writeln!(out, "\n{}", title(Case::Accumulate(0), images))?;
    writeln!(out, "batch         us/image  MiB more  MiB peak")?;
    for &batch in batches {
        let case = Case::Accumulate(batch);
        let entry = entries.iter().find(|entry| entry.case == case);
        let time = entry.and_then(Entry::milliseconds);
        let memory = measured.iter().find(|memory| memory.case == case);
        let cells = [
            time.map(|milliseconds| milliseconds * 1e3 / images as f64),
            memory.map(|memory| memory.increase),
            memory.map(|memory| memory.peak),
        ];
        write!(out, "{batch:<12}")?;
        for cell in cells {
            match cell {
                Some(cell) => write!(out, "{cell:10.1}")?,
                None => write!(out, "{:>10}", "-")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Every ratio by its name in the JSON.
pub fn ratios(out: &mut impl Write, ratios: &[Ratio]) -> io::Result<()> {
    writeln!(out, "\nratios: the median over the rounds (quartiles)")?;
    for ratio in ratios {
        let [low, median, high] = ratio.quartiles;
        let name = &ratio.name;
        writeln!(out, "{name:36} {median:7.3} ({low:.3} to {high:.3})")?;
    }
    Ok(())
}
