//! What the compiler says to a wrong schedule, and that it never gives up.

mod phases;

use proc_macro2::TokenStream;
use syn::{Item, LitStr};

use super::phases::{METRICS, PHASES};
use super::rules::Kind;
use crate::fuzz::{self, Language};

/// The items and the errors of an expansion.
fn expanded(tokens: TokenStream) -> (Vec<Item>, Vec<String>) {
    let file: syn::File = syn::parse2(super::expand(tokens)).expect("an expansion is Rust");
    let mut errors = Vec::new();
    let mut items = Vec::new();
    for item in file.items {
        match item {
            Item::Macro(item) => {
                let message: LitStr = item.mac.parse_body().expect("a message");
                errors.push(message.value());
            }
            item => items.push(item),
        }
    }
    (items, errors)
}

/// The errors of a declaration; the type must be there all the same.
fn errors(declaration: &str) -> Vec<String> {
    let (items, errors) = expanded(declaration.parse().expect("tokens"));
    let declares = |item: &Item| matches!(item, Item::Struct(item) if item.ident == "S");
    assert!(items.iter().any(declares), "no type beside {errors:?}");
    errors
}

/// The one error of a chain of phases.
#[track_caller]
fn chain(phases: &str) -> String {
    one(&format!(
        "pub struct S {{ n: usize = 5 }} peak 0.1; {phases};"
    ))
}

#[track_caller]
fn one(declaration: &str) -> String {
    let mut errors = errors(declaration);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

#[track_caller]
fn fine(declaration: &str) {
    assert_eq!(errors(declaration), Vec::<String>::new());
}

#[test]
fn what_is_right_is_no_error() {
    for phases in [
        "constant",
        "constant(10 epochs)",
        "constant(duration: n steps)",
        "warmup(5 epochs, from: 0.0) -> step(factor: 0.1, at: [30, 60, 80] epochs)",
        "warmup(0.5 epoch) -> step(factor: 1, at: 100 steps)",
        "warmup(2 * n steps, from: 2) -> step(factor: 1 / 2, at: [n, 2 * n] %)",
        "warmup(10 %) -> linear(to: 0.0)",
        "linear(90 %, from: 1.0, to: 0.1) -> cosine",
        "warmup(20%) -> cosine(80%, to: 0.01)",
        "warmup(10%) -> exponential(10 epochs, factor: 0.95, every: 1 epoch) -> cosine()",
        "exponential(factor: 0.5, every: n epochs)",
    ] {
        fine(&format!(
            "struct S {{ n: usize = 5 }} peak n * 0.1; {phases};"
        ));
    }
    fine("struct S; peak 0.1 sqrt per 2 * 128 examples; constant;");
    fine("struct S { b: usize } peak 0.1 per b examples; constant;");
}

#[test]
fn a_schedule_has_one_peak_and_one_chain() {
    assert_eq!(
        errors("struct S;"),
        [
            "`S` has no peak rate; add `peak 0.1;`",
            "`S` has no phase; add a chain such as `warmup(5 epochs) -> cosine;`",
        ],
    );
    assert_eq!(
        one("struct S; peak 1.0; peak 2.0; constant;"),
        "`S` has a peak already; there is one `peak`",
    );
    assert_eq!(
        one("struct S; peak 1.0; warmup(1 epoch); cosine;"),
        "a schedule is one chain of phases; join this to the one before: `-> cosine`",
    );
}

#[test]
fn a_peak_is_above_zero_and_its_batch_is_in_examples() {
    assert_eq!(
        one("struct S; peak 0; constant;"),
        "`peak` must be above 0, found 0"
    );
    assert_eq!(
        one("struct S; peak -0.1; constant;"),
        "`peak` must be above 0, found -0.1"
    );
    assert_eq!(
        one("struct S; peak 1 / 0; constant;"),
        "`peak` must be a finite number, above 0; found inf",
    );
    assert_eq!(
        one("struct S; peak 0.1 per 256; constant;"),
        "`per` needs its unit: `per 256 examples`",
    );
    assert_eq!(
        one("struct S; peak 0.1 per 256 epochs; constant;"),
        "a batch is counted in `examples`: `per 256 examples`",
    );
    assert_eq!(
        one("struct S; peak 0.1 per 0 examples; constant;"),
        "`per` must be above 0, found 0",
    );
    assert_eq!(
        one("struct S; peak 0.1 pre 256 examples; constant;"),
        "expected `;`, `per 256 examples;` or `sqrt per 256 examples;` here, found `pre`",
    );
    assert_eq!(
        one("struct S { base: f64 = 0.1 } peak bsae; constant;"),
        "expected a number, found the unknown name `bsae`; did you mean `base`?",
    );
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    assert_eq!(
        chain("cosin(to: 0.0)"),
        "unknown phase `cosin`; did you mean `cosine`?"
    );
    assert_eq!(
        chain("triangle"),
        "unknown phase `triangle`; the phases are: `constant`, `hold`, `warmup`, `step`, `linear`, \
         `polynomial`, `cosine`, `cosine_restarts`, `exponential`, `inverse_sqrt`, `one_cycle`, \
         `cyclic`, `plateau`",
    );
    assert_eq!(
        one("struct S; peek 0.1; constant;"),
        "expected `peak` or a phase, found `peek`; did you mean `peak`?",
    );
    assert_eq!(
        chain("step(facto: 0.1, factor: 0.1, at: 3 epochs)"),
        "`step` has no parameter `facto`; did you mean `factor`?",
    );
}

#[test]
fn arguments_are_neither_missing_nor_doubled_nor_misplaced() {
    assert_eq!(
        errors("struct S; peak 1; warmup -> step -> exponential(1 epoch);"),
        [
            "`warmup` needs `duration`: `warmup(duration, [from: ..], [shape: ..])`",
            "`step` needs `factor`: `step(factor: .., at: ..)`",
            "`step` needs `at`: `step(factor: .., at: ..)`",
            "`exponential` needs `factor`: `exponential([duration], factor: .., every: ..)`",
            "`exponential` needs `every`: `exponential([duration], factor: .., every: ..)`",
            "`exponential` is never reached: `step` lasts for ever; make it the last phase",
        ],
    );
    assert_eq!(
        chain("cosine(to: 0.0, to: 0.1)"),
        "`cosine` is given `to` twice"
    );
    assert_eq!(
        chain("step(0.1, factor: 0.1, at: 3 epochs)"),
        "`step` takes its arguments by name: `step(factor: .., at: ..)`",
    );
    assert_eq!(
        chain("cosine(5 epochs, 0.0)"),
        "`cosine` takes 1 argument without a name, this is number 2: `cosine([duration], [to: ..])`",
    );
}

#[test]
fn a_time_has_a_unit_of_time() {
    assert_eq!(
        chain("warmup(5, from: 0.0)"),
        "`warmup` needs a unit: `5 epochs`, `500 steps` or `5 %`",
    );
    assert_eq!(
        chain("warmup(5 examples)"),
        "`examples` counts a batch, not time: write `5 epochs`, `500 steps` or `5 %`",
    );
    assert_eq!(
        chain("step(factor: 0.1, at: [30, 60])"),
        "`at` needs a unit: `[30, 60] epochs`, `[500, 900] steps` or `[50, 75] %`",
    );
    assert_eq!(
        chain("step(factor: 0.1, at: [30 epochs, 60 epochs])"),
        "the unit goes behind the list: `[30, 60] epochs`",
    );
    assert_eq!(
        chain("exponential(factor: 0.1, every: 10)"),
        "`every` needs a unit: `5 epochs`, `500 steps` or `5 %`",
    );
    assert_eq!(
        chain("warmup(5steps)"),
        "put a space before the unit: `5 steps`"
    );
    assert_eq!(chain("cosine(to: 10 %)"), "a unit has no place here");
    assert_eq!(
        chain("warmup([1, 2] epochs)"),
        "`duration` is one time such as `5 epochs`, `500 steps` or `5 %`, found a list",
    );
    assert_eq!(
        chain("warmup(many epochs)"),
        "expected a number, found the unknown name `many`; the hyper-parameters are: `n`",
    );
}

#[test]
fn a_time_is_above_zero_and_a_share_of_training_at_most_all_of_it() {
    assert_eq!(
        chain("warmup(0 steps)"),
        "`duration` must be above 0, found 0 steps"
    );
    assert_eq!(
        chain("cosine(-5 epochs)"),
        "`duration` must be above 0, found -5 epochs"
    );
    assert_eq!(
        chain("constant(120 %)"),
        "`duration` must be at most 100 % of training, found 120 %",
    );
    assert_eq!(
        chain("exponential(factor: 0.5, every: 0 epochs)"),
        "`every` must be above 0, found 0 epochs",
    );
    assert_eq!(
        chain("step(factor: 0.5, at: [0, 10] epochs)"),
        "`at` must be above 0, found 0 epochs",
    );
    assert_eq!(
        chain("warmup(50 %) -> linear(40 %) -> constant(20 %)"),
        "the durations up to here come to 110 % of training, at most 100 % is there",
    );
    assert_eq!(
        chain("warmup(50 %) -> linear(50 %) -> cosine"),
        "no training is left for `cosine`: the durations before it come to 100 %",
    );
}

#[test]
fn moments_rise_and_lie_in_their_phase() {
    let step = |at: &str| chain(&format!("step(factor: 0.1, at: {at})"));
    assert_eq!(
        step("[30, 80, 60] epochs"),
        "`at` must rise, but 60 epochs stands behind 80 epochs"
    );
    assert_eq!(step("[30, n, 30] epochs"), "`at` names 30 epochs twice");
    assert_eq!(
        step("[] epochs"),
        "`at` names no moment: `at: [30, 60, 80] epochs`"
    );
    assert_eq!(
        chain("warmup(5 epochs) -> step(factor: 0.1, at: [3, 30] epochs)"),
        "3 epochs lies before this `step` begins, at 5 epochs; moments count from the start of \
         training",
    );
}

#[test]
fn numbers_lie_in_their_range() {
    for (factor, found) in [("0.0", "0"), ("1.5", "1.5"), ("-0.1", "-0.1")] {
        let message = format!("`factor` must be above 0 and at most 1, found {found}");
        assert_eq!(
            chain(&format!("step(factor: {factor}, at: 1 epoch)")),
            message
        );
        assert_eq!(
            chain(&format!("exponential(factor: {factor}, every: 1 epoch)")),
            message
        );
    }
    assert_eq!(
        chain("warmup(1 epoch, from: -0.5)"),
        "`from` must be 0 or more, found -0.5"
    );
    assert_eq!(
        chain("linear(from: -1, to: 0)"),
        "`from` must be 0 or more, found -1"
    );
    assert_eq!(
        chain("cosine(to: -1e-3)"),
        "`to` must be 0 or more, found -0.001"
    );
}

#[test]
fn no_phase_follows_an_endless_one_and_a_warmup_comes_first() {
    assert_eq!(
        chain("constant -> cosine"),
        "`cosine` is never reached: `constant` lasts for ever because it has no duration; give it \
         one, or make it the last phase",
    );
    assert_eq!(
        chain("linear(to: 0.1) -> constant"),
        "`constant` is never reached: `linear` lasts until the end of training because it has no \
         duration; give it one, or make it the last phase",
    );
    assert_eq!(
        chain("step(factor: 0.1, at: 30 epochs) -> cosine"),
        "`cosine` is never reached: `step` lasts for ever; make it the last phase",
    );
    assert_eq!(
        chain("cosine(5 epochs) -> warmup(5 epochs)"),
        "`warmup` can only be the first phase: it starts at `from`, so the rate would jump back",
    );
}

#[test]
fn one_mistake_is_one_error() {
    for phases in [
        "linear(5steps) -> cosine",
        "linear(duraton: 5 steps) -> cosine",
        "step(factr: 0.1, at: 3 epochs)",
        "step(factor: 0.1, at: [3 epochs])",
        "warmup(5) -> cosine",
        "warmup(0 epochs) -> step(factor: 0.1, at: 3 epochs)",
    ] {
        chain(phases);
    }
}

#[test]
fn an_expression_has_an_end() {
    let long = "1 + ".repeat(100_000);
    assert_eq!(
        one(&format!("struct S; peak {long} 1; constant;")),
        "this expression has too many terms",
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    let declaration = "
        pub struct S { base: f64 = 0.1 }
        peak bsae per 256 epochs;
        warmup(5, from: -1) -> cosin -> step(factor: 2, at: [60, 30] epochs);";
    assert_eq!(
        errors(declaration),
        [
            "expected a number, found the unknown name `bsae`; did you mean `base`?",
            "a batch is counted in `examples`: `per 256 examples`",
            "`warmup` needs a unit: `5 epochs`, `500 steps` or `5 %`",
            "`from` must be 0 or more, found -1",
            "unknown phase `cosin`; did you mean `cosine`?",
            "`factor` must be above 0 and at most 1, found 2",
            "`at` must rise, but 30 epochs stands behind 60 epochs",
        ],
    );
}

#[test]
fn a_broken_statement_does_not_hide_the_next() {
    assert_eq!(
        errors("struct S; peak 0.1 = 3; cosin;"),
        [
            "expected `;` here, found `=`",
            "unknown phase `cosin`; did you mean `cosine`?",
        ],
    );
    assert_eq!(chain("cosine ->"), "expected a phase after `->`, found `;`");
    assert_eq!(
        chain("cosine -> 5"),
        "expected a phase after `->`, found `5`"
    );
    assert_eq!(
        chain("cosine() cosine"),
        "expected `;` here, found `cosine`"
    );
    assert_eq!(chain("cosine; 0.1"), "expected `peak` or a phase here");
    assert_eq!(
        one("struct S; peak 0.1; constant"),
        "expected `;` at the end of this statement",
    );
    assert_eq!(
        one("struct S; peak 0.1 constant;"),
        "expected `;`, `per 256 examples;` or `sqrt per 256 examples;` here, found `constant`",
    );
}

/// For the trials by random declarations.
pub fn language() -> Language {
    let sources = fuzz::sources(&["runtime/src", "tests/tests", "examples/src"]);
    let names = PHASES.iter().flat_map(|phase| {
        let params = phase.params.iter().flat_map(|param| {
            let words: &[&str] = match param.kind {
                Kind::Word(words, _) => words.words,
                Kind::Metric => METRICS.words,
                Kind::Flag => &["true", "false"],
                _ => &[],
            };
            [param.name].into_iter().chain(words.iter().copied())
        });
        [phase.name].into_iter().chain(params)
    });
    Language {
        name: "schedule",
        expand: super::expand,
        declarations: fuzz::calls(&sources, "schedule"),
        words: names.map(str::to_owned).collect(),
    }
}
