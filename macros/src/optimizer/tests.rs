//! What is said about each mistake, and that nothing makes the macro panic.

use proc_macro2::{TokenStream, TokenTree};

use super::expand;
use super::rules::{STATEMENTS, UPDATES};
use crate::fuzz::{self, Language};

/// The messages of the `compile_error!`s in `tokens`.
fn messages(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut after_error = false;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => after_error = name == "compile_error",
            TokenTree::Group(group) => {
                if std::mem::take(&mut after_error) {
                    let message: syn::LitStr = syn::parse2(group.stream()).unwrap();
                    found.push(message.value());
                } else {
                    found.extend(messages(group.stream()));
                }
            }
            _ => {}
        }
    }
    found
}

fn expanded(source: &str) -> TokenStream {
    expand(source.parse().unwrap())
}

/// The mistakes of a declaration with these statements and a hyper-parameter or two.
#[track_caller]
fn mistakes(statements: &str) -> Vec<String> {
    let uses = "struct O { m: f64 = 0.9, big: f64 = 1.5, n: usize = 3, on: bool = true }";
    messages(expanded(&format!("{uses} {statements}")))
}

#[track_caller]
fn assert_mistakes(statements: &str, expected: &[&str]) {
    assert_eq!(mistakes(statements), expected);
}

/// A statement that uses every hyper-parameter of [`mistakes`].
const ALL: &str = "update sgd(momentum: m * big / n, nesterov: on);";

#[test]
fn a_declaration_without_a_mistake_has_none() {
    for source in [
        "struct A; update sgd();",
        "pub struct A {} update adam;",
        "pub(crate) struct A { m: f64 } update sgd(momentum: m, nesterov: true);",
        "struct A { f: bool = false } update sgd(nesterov: f);",
        "struct A { w: usize = 2 } update sgd(weight_decay: 1 / w) ; clip global_norm(w);",
        "struct A; update adamw(weight_decay: 0); update sgd() for bias, norm, \"head.*\",\"a\";",
        "struct A; update sgd(momentum: (1 + 8) / 10, nesterov: true); clip global_norm(max_norm: 2);",
        "struct A; update sgd; update sgd for \"a.*\"; update sgd for \"a.b\";",
    ] {
        assert_eq!(messages(expanded(source)), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn a_declaration_needs_a_rule_for_all_parameters_first() {
    assert_mistakes(
        "",
        &["`O` does not say how parameters are updated; write `update sgd(momentum: 0.9);`"],
    );
    assert_mistakes(
        "update sgd() for bias;",
        &["the first rule must be for all parameters; write one without `for` before it"],
    );
    assert_mistakes(
        "update sgd() for bias; update sgd();",
        &[
            "this rule is for all parameters and hides the rules before it, because the last rule \
           that matches wins; write it first",
        ],
    );
    assert_mistakes(
        "update sgd(); update adam() for bias; update sgd(momentum: m);",
        &[
            "this is the second rule for all parameters, and the last rule that matches wins: the \
           rules before it would never be used; keep one, or say what this one is `for`",
        ],
    );
}

#[test]
fn a_rule_that_never_wins_is_refused() {
    const NEVER: &str = "this rule never wins: the rules behind it match all that it matches, and \
                         the last rule that matches wins";
    for statements in [
        "update sgd(); update sgd() for bias; update adam() for norm, bias;",
        "update sgd(); update sgd() for bias, norm; update adam() for norm; update adam() for bias;",
        "update sgd(); update sgd() for \"head.out.*\"; update adam() for \"head.*\";",
        "update sgd(); update adam() for \"*\";",
        "update sgd(); update sgd() for \"a\"; update sgd() for \"*a*\";",
        "update lars(); update sgd() for embedding; update lion() for bias, embedding;",
    ] {
        assert_mistakes(statements, &[NEVER]);
    }
}

#[test]
fn unknown_words_are_met_with_the_nearest_known_one() {
    assert_mistakes(
        "updte sgd();",
        &["unknown statement `updte`; did you mean `update`?"],
    );
    assert_mistakes(
        "update sgd(); weigh it;",
        &[
            "unknown statement `weigh`; an optimizer is made of: `update`, `clip`, `noise`, \
             `sharpness`, `average`, `switch`",
        ],
    );
    assert_mistakes(
        "update sdg();",
        &["unknown update rule `sdg`; did you mean `sgd`?"],
    );
    assert_mistakes(
        "update shampoo();",
        &[
            "unknown update rule `shampoo`; the update rules are: `sgd`, `adam`, `adamw`, `adagrad`, \
             `rmsprop`, `adafactor`, `adan`, `lamb`, `lion`, `muon`, `lars`, `sign`, `steepest`, \
             `lbfgs`, `newton_cg`",
        ],
    );
    assert_mistakes(
        "update larz(); update steepest(norm: l3) for bias;",
        &[
            "unknown update rule `larz`; did you mean `lars`?",
            "`norm` is one of `l2`, `l1`, `linf`, found `l3`; did you mean `l1`?",
        ],
    );
    assert_mistakes(
        "update sgd(); clip globl_norm(1);",
        &["unknown way of clipping `globl_norm`; did you mean `global_norm`?"],
    );
    assert_mistakes(
        "update sgd(momentm: m);",
        &["`sgd` has no parameter `momentm`; did you mean `momentum`?"],
    );
    assert_mistakes(
        "update sgd(momentum: decay);",
        &[
            "expected a number, found the unknown name `decay`; the hyper-parameters are: `m`, \
           `big`, `n`, `on`",
        ],
    );
    assert_mistakes(
        "update sgd(); update adam() for biases;",
        &["unknown kind of parameter `biases`; did you mean `bias`?"],
    );
    assert_mistakes(
        "update sgd(); update adam() for head;",
        &[
            "unknown kind of parameter `head`; the kinds are: `bias`, `norm`, `embedding`, and a path \
           is written in quotes: \"head.*\"",
        ],
    );
}

#[test]
fn every_statement_is_read() {
    for statements in [
        "update sgd(momentum: m, lr: 10x); update sgd(lr: 0.5x) for norm; update adam(lr: n x) for bias;",
        "update sgd(momentum: big - m, nesterov: on, lr: n x); noise gaussian(eta: 0.01);",
        "update sgd(nesterov: on, momentum: m); sharpness sam(rho: big); average lookahead(k: n);",
        "update adam(beta_1: m); sharpness asam; average swa(from: big %, every: n epochs); \
         update sgd(nesterov: on, momentum: m) for bias;",
        "update sgd(momentum: m, nesterov: on); average ema(decay: m); average lookahead(alpha: 1); \
         clip global_norm(big); switch at n epochs to adam; switch at 80% to sgd; \
         switch at 80 % to adam() for norm; switch at 9000 steps to adamw();",
    ] {
        let uses = "update sgd(momentum: m * big / n, nesterov: on) for \"all.of.them\";";
        assert_mistakes(&format!("{statements} {uses}"), &[]);
    }
}

#[test]
fn what_excludes_each_other_is_said_once() {
    for (statements, message) in [
        (
            "sharpness sam(); sharpness asam();",
            "sharpness is minimised twice; keep one `sharpness`",
        ),
        (
            "noise gaussian(eta: 1); noise gaussian(eta: 2);",
            "noise is added twice; keep one `noise`",
        ),
        (
            "average ema(decay: 0.9); average lookahead(); average swa(from: 75 %, every: 1 epoch);",
            "a second average of this kind; keep one `lookahead` at most, and one of `ema` and `swa`",
        ),
    ] {
        assert_mistakes(&format!("{ALL} {statements}"), &[message]);
    }
}

#[test]
fn a_rule_takes_a_multiple_of_the_rate() {
    const FORM: &str = "the learning rate of a rule is a multiple of the schedule's: `lr: 10x`";
    for value in ["10", "10 %", "[10]", "2 epochs"] {
        assert_mistakes(
            &format!("{ALL} update adam(lr: {value}) for \"a\";"),
            &[FORM],
        );
    }
    assert_mistakes(
        &format!("{ALL} update adam(lr: 0 x) for \"a\";"),
        &["`lr` must be above 0 and finite, found 0"],
    );
    assert_mistakes(
        &format!("{ALL} clip global_norm(10x);"),
        &["a unit has no place here"],
    );
}

#[test]
fn the_moments_of_switch_rise_and_each_begins_with_a_rule_for_all() {
    for (statements, message) in [
        (
            "switch at 80 % to sgd; switch at 50 % to adam;",
            "moments must rise, but 50 % stands behind 80 %",
        ),
        (
            "switch at 80 % to sgd; switch at 80 % to adam;",
            "this is the second rule for all parameters, and the last rule that matches wins: the \
             rules before it would never be used; keep one, or say what this one is `for`",
        ),
        (
            "switch at 80 % to sgd; switch at 80 % to sgd() for \"a.b\"; switch at 80 % to adam() for \"a.*\";",
            "this rule never wins: the rules behind it match all that it matches, and the last rule \
             that matches wins",
        ),
        (
            "switch at 80 % to;",
            "expected an update rule here: `switch at 80 % to sgd(momentum: 0.9);`",
        ),
        (
            "switch at 80 % to sgd() for bias;",
            "the first rule from a moment on (rules with the same time) must be for all parameters; \
             write one without `for` before it",
        ),
        (
            "switch at 80 to sgd;",
            "`at` needs a unit of time: `80 %`, `30 epochs` or `5000 steps`",
        ),
        (
            "switch at 120 % to sgd;",
            "`at` must be at most 100 % of training, found 120 %",
        ),
        (
            "switch to sgd;",
            "expected `at` here: `switch at 80 % to sgd(momentum: 0.9);`",
        ),
        (
            "switch at 5 epochs sgd;",
            "expected `to` here: `switch at 80 % to sgd(momentum: 0.9);`",
        ),
        (
            "average swa(from: 75 %);",
            "`swa` needs `every`: `swa(from: .., every: ..)`",
        ),
        (
            "switch at 80 % to sgd; switch at 8 epochs to sgd() for bias;",
            "the first rule from a moment on (rules with the same time) must be for all parameters; \
             write one without `for` before it",
        ),
        (
            "average lookahead(k: 0);",
            "`k` must be a whole number of at least 1, found 0",
        ),
        (
            "average emma(decay: 0.9);",
            "unknown kind of average `emma`; did you mean `ema`?",
        ),
    ] {
        assert_mistakes(&format!("{ALL} {statements}"), &[message]);
    }
}

#[test]
fn arguments_are_bound_once_and_by_name() {
    assert_mistakes(
        "update sgd(momentum: m, momentum: m);",
        &["`sgd` is given `momentum` twice"],
    );
    assert_mistakes(
        "update sgd(0.9);",
        &[
            "`sgd` takes its arguments by name: `sgd([momentum: ..], [nesterov: ..], \
             [weight_decay: ..], [lr: ..])`",
        ],
    );
    assert_mistakes(
        "update sgd(); clip global_norm;",
        &["`global_norm` needs `max_norm`: `global_norm(max_norm)`"],
    );
    assert_mistakes(
        "update sgd(momentum: 0.9 epochs); clip global_norm(5 %); update adam(beta_1: 90%) for bias;",
        &["a unit has no place here"; 3],
    );
    assert_mistakes(
        "update sgd(momentum: [0.9]);",
        &["expected a number, found a list"],
    );
    assert_mistakes(
        "update sgd(nesterov: 1);",
        &["expected `true` or `false`, found `1`"],
    );
    assert_mistakes(
        "update sgd(momentum: on);",
        &["expected a number, but the hyper-parameter `on` is of type `bool`"],
    );
}

#[test]
fn numbers_stay_in_their_range() {
    for (statements, message) in [
        (
            "update sgd(momentum: 1);",
            "`momentum` must be at least 0 and below 1, found 1",
        ),
        (
            "update sgd(momentum: -0.1);",
            "`momentum` must be at least 0 and below 1, found -0.1",
        ),
        (
            "update sgd(momentum: 0.999999999);",
            "`momentum` must be at least 0 and below 1, found 0.999999999",
        ),
        (
            "update sgd(momentum: big);",
            "`momentum` must be at least 0 and below 1, found 1.5 with the default big = 1.5",
        ),
        (
            "update sgd(weight_decay: m - big);",
            "`weight_decay` must be at least 0 and finite, found -0.6 with the default m = 0.9, \
             big = 1.5",
        ),
        (
            "update sgd(weight_decay: 1 / (n - 3));",
            "`weight_decay` must be at least 0 and finite, found inf with the default n = 3",
        ),
        (
            "update sgd(weight_decay: 0 / 0);",
            "`weight_decay` must be at least 0 and finite, found NaN",
        ),
        (
            "update adam(beta_1: 1);",
            "`beta_1` must be at least 0 and below 1, found 1",
        ),
        (
            "update adamw(beta_2: 7);",
            "`beta_2` must be at least 0 and below 1, found 7",
        ),
        (
            "update adam(epsilon: 0);",
            "`epsilon` must be above 0 and finite, found 0",
        ),
        (
            "update adamw(weight_decay: -1);",
            "`weight_decay` must be at least 0 and finite, found -1",
        ),
        (
            "update lars(trust_coefficient: 0);",
            "`trust_coefficient` must be above 0 and finite, found 0",
        ),
        (
            "update adafactor(decay_rate: 0.8);",
            "`decay_rate` must be below 0 and finite, found 0.8",
        ),
        (
            "update adafactor(epsilon_1: 1e-50);",
            "`epsilon_1` must be above 0 and finite, found 0.00000000000000000000000000000000000000000000000001",
        ),
        (
            "update muon(steps: 0);",
            "`steps` must be a whole number of at least 1, found 0",
        ),
        (
            "update muon(steps: 2.5);",
            "expected a whole number, found `2.5`",
        ),
        (
            "update sgd(); clip global_norm(0);",
            "`max_norm` must be above 0 and finite, found 0",
        ),
    ] {
        assert_mistakes(statements, &[message]);
    }
}

#[test]
fn a_count_is_a_count_whatever_its_hyper_parameters_are() {
    const MAY_BE_NONE: &str = "`k` is a count, and a difference or a quotient of hyper-parameters may \
                               be none; use `+` and `*` alone, or a hyper-parameter of its own";
    for count in ["n - 1", "n / 3", "-n", "2 * (n - 2) + 1"] {
        let statements = format!("{ALL} average lookahead(k: {count});");
        assert_mistakes(&statements, &[MAY_BE_NONE]);
    }
    for count in ["2 * n + 1", "6 / 2", "3 - 1"] {
        let statements = format!("{ALL} average lookahead(k: {count});");
        assert_mistakes(&statements, &[]);
    }
}

#[test]
fn nesterov_needs_momentum() {
    const NEEDS: &str =
        "`nesterov` needs a `momentum` above 0: write `sgd(momentum: 0.9, nesterov: true)`";
    for statements in [
        "update sgd(nesterov: true);",
        "update sgd(momentum: 0, nesterov: true);",
        "update sgd(nesterov: on, momentum: m - m);",
    ] {
        assert_mistakes(statements, &[NEEDS]);
    }
    assert_mistakes(
        "update lars(momentum: 0, nesterov: true);",
        &["`nesterov` needs a `momentum` above 0: write `lars(momentum: 0.9, nesterov: true)`"],
    );
}

#[test]
fn lbfgs_stands_alone() {
    const BESIDE: &str = "`lbfgs` evaluates the loss several times a step, and nothing stands beside it; \
         leave this out, or choose another update rule";
    const SWITCH: &str = "training cannot switch to `lbfgs`, which evaluates the loss several times a \
         step; declare it alone, as `update lbfgs();`";
    assert_mistakes(
        "update sgd(); update lbfgs(max_iter: 0) for bias; update lbfgs(); clip global_norm(1); \
         average ema(decay: 0.9); switch at 80 % to sgd(); switch at 90 % to lbfgs();",
        &[
            "`max_iter` must be a whole number of at least 1, found 0",
            BESIDE,
            "`lbfgs` moves all parameters as one vector; leave out its `for`",
            BESIDE,
            BESIDE,
            BESIDE,
            BESIDE,
            SWITCH,
        ],
    );
    assert_mistakes("update sgd(); switch at 90 % to lbfgs();", &[SWITCH]);
    assert_mistakes(
        "update lbfgs(line_search: wolfe, tolerance_grad: -1);",
        &[
            "`line_search` is one of `none`, `strong_wolfe`, found `wolfe`",
            "`tolerance_grad` must be at least 0 and finite, found -1",
        ],
    );
}

#[test]
fn newton_cg_stands_alone() {
    assert_mistakes(
        "update newton_cg(products: 0, damping: -1, curvature: fisher) for bias; clip global_norm(1);",
        &[
            "`products` must be a whole number of at least 1, found 0",
            "`damping` must be at least 0 and finite, found -1",
            "`curvature` is one of `hessian`, `gauss_newton`, found `fisher`",
            "`newton_cg` moves all parameters as one vector; leave out its `for`",
            "`newton_cg` evaluates the loss several times a step, and nothing stands beside it; leave \
             this out, or choose another update rule",
        ],
    );
    assert_mistakes(
        "update sgd(); switch at 90 % to newton_cg();",
        &[
            "training cannot switch to `newton_cg`, which evaluates the loss several times a step; \
           declare it alone, as `update newton_cg();`",
        ],
    );
}

#[test]
fn patterns_are_paths() {
    assert_mistakes(
        "update sgd(); update adam() for \"\";",
        &["this pattern is empty and matches no parameter; `*` alone matches all"],
    );
    assert_mistakes(
        "update sgd(); update adam() for \"head/*\";",
        &[
            "no path holds `/`: a path is names with dots, as in \"head.weight\", and `*` stands for \
           any run of characters",
        ],
    );
    assert_mistakes(
        "update sgd(); update adam() for bias, bias;",
        &["`bias` is said twice"],
    );
    assert_mistakes(
        "update sgd(); update adam() for 3 + 4, bias, biass,; update sgd() for bias;",
        &[
            "expected `bias`, `norm`, `embedding` or a path in quotes such as \"head.*\"",
            "expected `bias`, `norm`, `embedding` or a path in quotes such as \"head.*\"",
            "unknown kind of parameter `biass`; did you mean `bias`?",
        ],
    );
}

#[test]
fn an_endless_expression_is_refused_before_it_exhausts_the_stack() {
    for (part, message) in [
        ("1+", "this expression has too many terms"),
        ("m*", "this expression has too many terms"),
        ("-", "this expression is nested too deeply"),
    ] {
        let sum = part.repeat(20_000);
        assert_mistakes(&format!("update sgd(weight_decay: {sum}1);"), &[message]);
    }
    let sum = "1+".repeat(63);
    let fits = expanded(&format!("struct O; update sgd(weight_decay: {sum}1);"));
    assert_eq!(messages(fits), Vec::<String>::new());
}

#[test]
fn a_hyper_parameter_that_nothing_reads_is_refused() {
    let found = messages(expanded(
        "struct O { m: f64 = 0.9, decay: f64 } update sgd(momentum: m);",
    ));
    assert_eq!(found, ["the hyper-parameter `decay` is never used"]);
}

#[test]
fn every_mistake_is_reported_at_once() {
    assert_mistakes(
        "update sgd(momentum: 2, wieght_decay: 0.1) for bias;
         clip global_norm(-1);
         clip global_norm(1);
         average ema();
         update adm() for \"\", bais;",
        &[
            "`sgd` has no parameter `wieght_decay`; did you mean `weight_decay`?",
            "`momentum` must be at least 0 and below 1, found 2",
            "`max_norm` must be above 0 and finite, found -1",
            "gradients are clipped twice; keep one `clip`",
            "`ema` needs `decay`: `ema(decay: ..)`",
            "this pattern is empty and matches no parameter; `*` alone matches all",
            "unknown kind of parameter `bais`; did you mean `bias`?",
            "unknown update rule `adm`; did you mean `adam`?",
            "the first rule must be for all parameters; write one without `for` before it",
        ],
    );
}

#[test]
fn a_missing_semicolon_hides_no_other_mistake_and_adds_none() {
    assert_mistakes(
        "update sgd(momentum: m) update adam() for bias; clip global_norm(0);",
        &[
            "expected `;` here, found `update`",
            "`max_norm` must be above 0 and finite, found 0",
        ],
    );
    assert_mistakes(
        "update sgd(momentum: m)",
        &["expected `;` at the end of this statement"],
    );
    assert_mistakes(
        "update sgd() fro bias;",
        &["expected `;` here, found `fro`"],
    );
}

#[test]
fn a_mistake_leaves_the_types_in_place() {
    let code = expanded("pub struct O { m: f64 } update nothing();").to_string();
    for part in [
        "pub struct O",
        "impl :: kiln :: optim :: Optimizer for O",
        "Update :: Sgd",
    ] {
        assert!(code.contains(part), "{part} in {code}");
    }
}

/// For the trials by random declarations.
pub fn language() -> Language {
    let sources = fuzz::sources(&["runtime/src", "tests/tests", "examples/src"]);
    let others = STATEMENTS.iter().flat_map(|statement| {
        let words = [statement.keyword, "switch", "at", "to", "x", "steps"];
        statement.specs().map(move |spec| (spec, words))
    });
    let updates = UPDATES
        .iter()
        .map(|spec| (*spec, ["update", "for", "lr", "epochs", "percent", "clip"]));
    let names = updates.chain(others).flat_map(|(spec, words)| {
        let params = spec.params.iter().map(|param| param.name);
        words.into_iter().chain([spec.name]).chain(params)
    });
    Language {
        name: "optimizer",
        expand,
        declarations: fuzz::calls(&sources, "optimizer"),
        words: names.map(str::to_owned).collect(),
    }
}
