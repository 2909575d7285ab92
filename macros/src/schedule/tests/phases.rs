//! What is said to wrong arguments of the phases that take words, flags, cycles and metrics.

use super::{chain, errors, fine};

#[test]
fn every_phase_and_every_word_is_accepted() {
    for phases in [
        "hold",
        "warmup(5 epochs) -> hold(n epochs) -> cosine",
        "warmup(5 epochs, from: 0.1, shape: constant) -> constant",
        "warmup(5 epochs, shape: linear) -> polynomial(10 %, power: 0.5, to: 0.1) -> polynomial",
        "cosine_restarts(period: 10 epochs)",
        "cosine_restarts(90 %, period: n steps, mult: 1.5, decay: 0.9, to: 0.01) -> hold",
        "inverse_sqrt(timescale: 4000 steps)",
        "warmup(4000 steps) -> inverse_sqrt",
        "warmup(4000 steps) -> inverse_sqrt(10 epochs, timescale: n epochs) -> linear",
        "one_cycle",
        "one_cycle(90 %, up: 0.25, from: 0.1, to: 0.0, shape: linear, three_phase: true) -> hold",
        "one_cycle(up: 0.9, shape: cosine, three_phase: false)",
        "cyclic(up: 2000 steps, from: 0.1)",
        "cyclic(10 epochs, up: 1 epoch, down: 2 epochs, from: 0.1, mode: triangular2) -> hold",
        "cyclic(up: n steps, from: 0, mode: exp_range, gamma: 0.9999)",
        "cyclic(up: n steps, from: 0, mode: exp_range, gamma: 1 - 1 / n)",
        "plateau",
        "warmup(5 epochs) -> plateau(factor: 0.5, patience: 0 epochs, threshold: 0, cooldown: 3 epochs)",
        "plateau(patience: n epochs, threshold_mode: absolute, min_lr: 1e-5, on: training_loss)",
        "plateau(on: accuracy)",
        "plateau(on: validation_loss, mode: min, threshold_mode: relative)",
        "plateau(on: \"f1\", mode: max)",
    ] {
        fine(&format!(
            "struct S {{ n: usize = 5 }} peak n * 0.1; {phases};"
        ));
    }
}

#[test]
fn a_word_is_one_of_those_that_there_are() {
    assert_eq!(
        chain("warmup(5 epochs, shape: liner)"),
        "`shape` is one of `linear`, `constant`, found `liner`; did you mean `linear`?",
    );
    assert_eq!(
        chain("one_cycle(shape: 3)"),
        "`shape` is one of `cosine`, `linear`"
    );
    assert_eq!(
        chain("cyclic(up: 5 epochs, from: 0.1, mode: triangular3)"),
        "`mode` is one of `triangular`, `triangular2`, `exp_range`, found `triangular3`; did you \
         mean `triangular`?",
    );
    assert_eq!(
        chain("one_cycle(three_phase: 1)"),
        "expected `true` or `false`, found `1`"
    );
    assert_eq!(
        chain("one_cycle(shape: linear %)"),
        "a unit has no place here"
    );
    assert_eq!(
        chain("cosine(to: \"none\")"),
        "expected a number, found a text"
    );
    assert_eq!(
        chain("warmup(\"5 epochs\")"),
        "`duration` is one time such as `5 epochs`, `500 steps` or `5 %`, found a text",
    );
}

#[test]
fn a_constant_warmup_says_its_factor() {
    assert_eq!(
        chain("warmup(5 epochs, shape: constant)"),
        "`shape: constant` needs `from`, the factor that it keeps: `from: 0.1`",
    );
}

#[test]
fn an_inverse_root_has_a_time_scale() {
    assert_eq!(
        chain("inverse_sqrt"),
        "no phase stands before this `inverse_sqrt` to take the time scale from: \
         `inverse_sqrt(timescale: 4000 steps)`",
    );
    assert_eq!(
        chain("inverse_sqrt(timescale: 0 steps)"),
        "`timescale` must be above 0, found 0 steps",
    );
}

#[test]
fn a_cycle_lasts_a_step() {
    assert_eq!(
        chain("cosine_restarts(period: 0.5 steps)"),
        "`period` must be at least 1 step, found 0.5 steps",
    );
    assert_eq!(
        chain("cyclic(up: 1 step, down: 0.2 steps, from: 0.1)"),
        "`down` must be at least 1 step, found 0.2 steps",
    );
    assert_eq!(
        chain("cosine_restarts"),
        "`cosine_restarts` needs `period`: `cosine_restarts([duration], period: .., [mult: ..], \
         [decay: ..], [to: ..])`",
    );
    assert_eq!(
        errors("struct S; peak 1; cyclic;"),
        [
            "`cyclic` needs `up`: `cyclic([duration], up: .., [down: ..], from: .., [mode: ..], \
             [gamma: ..])`",
            "`cyclic` needs `from`: `cyclic([duration], up: .., [down: ..], from: .., [mode: ..], \
             [gamma: ..])`",
        ],
    );
}

#[test]
fn numbers_of_cycles_lie_in_their_range() {
    for (phases, message) in [
        (
            "cosine_restarts(period: 1 epoch, mult: 0.5)",
            "`mult` must be 1 or more, found 0.5",
        ),
        (
            "cosine_restarts(period: 1 epoch, decay: 0)",
            "`decay` must be above 0 and at most 1, found 0",
        ),
        ("polynomial(power: 0)", "`power` must be above 0, found 0"),
        (
            "one_cycle(up: 1)",
            "`up` must be above 0 and below 1, found 1",
        ),
        (
            "one_cycle(up: 0.5, three_phase: true)",
            "`up` must be below 0.5 with `three_phase`, found 0.5: the way down to `from` takes as \
             long as the way up",
        ),
        (
            "cyclic(up: 1 epoch, from: 0, mode: exp_range)",
            "`mode: exp_range` needs `gamma`, the factor of each step: `gamma: 0.9999`",
        ),
        (
            "cyclic(up: 1 epoch, from: 0, mode: exp_range, gamma: 1.1)",
            "`gamma` must be above 0 and at most 1, found 1.1",
        ),
        (
            "cyclic(up: 1 epoch, from: 0, gamma: 0.9)",
            "`gamma` belongs to `mode: exp_range`, found `mode: triangular`",
        ),
    ] {
        assert_eq!(chain(phases), message);
    }
}

#[test]
fn a_plateau_counts_whole_epochs() {
    for phases in ["plateau(patience: 500 steps)", "plateau(patience: 10 %)"] {
        let message = chain(phases);
        assert!(
            message.starts_with(
                "`patience` counts epochs, because a metric is observed once an epoch: \
                 `10 epochs`, found "
            ),
            "{message}"
        );
    }
    assert_eq!(
        chain("plateau(cooldown: 0.5 epochs)"),
        "`cooldown` counts whole epochs, because a metric is observed once an epoch; found 0.5 \
         epochs",
    );
    assert_eq!(
        chain("plateau(patience: 10)"),
        "`patience` needs a unit: `10 epochs`",
    );
    assert_eq!(
        chain("plateau(patience: [1, 2] epochs)"),
        "`patience` is one time such as `10 epochs`, found a list",
    );
}

#[test]
fn a_plateau_watches_a_metric_whose_better_side_is_known() {
    assert_eq!(
        chain("plateau(on: validation_los)"),
        "`on` is one of `validation_loss`, `training_loss`, `accuracy`, found `validation_los`; \
         did you mean `validation_loss`?",
    );
    assert_eq!(
        chain("plateau(on: f1)"),
        "`on` is one of `validation_loss`, `training_loss`, `accuracy`, found `f1`; a metric of \
         your own is a text: `on: \"f1\"`",
    );
    assert_eq!(
        chain("plateau(on: \"f1\")"),
        "a metric of your own needs its `mode`: `min` if less of it is better, `max` if more is",
    );
    assert_eq!(
        chain("plateau(factor: 1.0)"),
        "`factor` must be above 0 and below 1, found 1",
    );
    assert_eq!(
        chain("plateau(min_lr: -1e-3)"),
        "`min_lr` must be 0 or more, found -0.001",
    );
}

#[test]
fn what_does_not_end_is_last_and_what_jumps_back_is_first() {
    assert_eq!(
        chain("plateau -> cosine"),
        "`cosine` is never reached: `plateau` lasts for ever; make it the last phase",
    );
    assert_eq!(
        chain("warmup(1 epoch) -> inverse_sqrt -> cosine"),
        "`cosine` is never reached: `inverse_sqrt` lasts for ever because it has no duration; give \
         it one, or make it the last phase",
    );
    assert_eq!(
        chain("warmup(1 epoch) -> one_cycle"),
        "`one_cycle` can only be the first phase: it starts at `from`, so the rate would jump back",
    );
}
