//! The ratios, by name.

use crate::case::{Case, Rule, accumulated};
use crate::contender::Contender;
use crate::rounds::{Entry, quartiles};

/// How one contender's time relates to another's.
pub struct Ratio {
    pub name: String,
    /// Lower quartile, median and upper quartile of the rounds' ratios.
    pub quartiles: [f64; 3],
}

impl Ratio {
    pub fn median(&self) -> f64 {
        self.quartiles[1]
    }
}

/// Every ratio between the entries of one case.
pub fn of_case(case: Case, entries: &[Entry]) -> Vec<Ratio> {
    let kiln = Contender::Declared;
    let mut pairs = vec![
        (format!("{case}_vs_pytorch"), kiln, Contender::PyTorch),
        (
            format!("{case}_ndarray_vs_pytorch"),
            Contender::NdArray,
            Contender::PyTorch,
        ),
        (format!("{case}_vs_burn"), kiln, Contender::Burn),
    ];
    if let Case::Step(network) = case {
        pairs.push((
            format!("declared_vs_handwritten_{}", network.name()),
            Contender::Declared,
            Contender::ByHand,
        ));
    }
    let entry = |contender| entries.iter().find(|entry| entry.contender == contender);
    let ratios = pairs
        .into_iter()
        .filter_map(|(name, ours, theirs)| ratio(name, entry(ours)?, entry(theirs)?));
    ratios.collect()
}

/// The update rules: declared beside Burn's own, and LARS beside SGD.
pub fn of_rules(entries: &[Entry]) -> Vec<Ratio> {
    let entry = |contender, rule| {
        let case = Case::OptimizerStep(rule);
        let mut all = entries.iter();
        all.find(|entry| entry.contender == contender && entry.case == case)
    };
    let beside_burns = [Rule::Sgd, Rule::AdamW].into_iter().filter_map(|rule| {
        let name = format!("{}_vs_burn", Case::OptimizerStep(rule));
        let burns = entry(Contender::Burn, rule)?;
        ratio(name, entry(Contender::Declared, rule)?, burns)
    });
    let [lars, sgd] = [Rule::Lars, Rule::Sgd].map(|rule| entry(Contender::Declared, rule));
    let name = format!("{}_vs_sgd", Case::OptimizerStep(Rule::Lars));
    let lars = lars.zip(sgd).and_then(|(lars, sgd)| ratio(name, lars, sgd));
    beside_burns.chain(lars).collect()
}

/// The time per image at each batch, relative to that at the smallest.
pub fn of_accumulation(entries: &[Entry], quick: bool) -> Vec<Ratio> {
    let batches = accumulated(quick);
    let at = |batch| {
        entries
            .iter()
            .find(|entry| entry.case == Case::Accumulate(batch))
    };
    let ratios = batches[1..].iter().filter_map(|&batch| {
        let name = format!("cnn_ms_per_image_at_{batch}_vs_{}", batches[0]);
        ratio(name, at(batch)?, at(batches[0])?)
    });
    ratios.collect()
}

/// The quartiles of the rounds' ratios: what slows a round slows both.
fn ratio(name: String, ours: &Entry, theirs: &Entry) -> Option<Ratio> {
    let rounds = ours.turns.iter().zip(&theirs.turns);
    let quartiles = quartiles(rounds.map(|(ours, theirs)| ours / theirs).collect())?;
    Some(Ratio { name, quartiles })
}
