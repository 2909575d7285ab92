//! The tangent of every loss is its derivative, and the gradient of it the product with its Hessian.

use kiln::burn::tensor::FloatDType;
use kiln_tests::drawn::Numbers;
use kiln_tests::tangents::{self, Tried, device_in};

/// Declares one network per case, and tests it; its target holds `$numbers`.
macro_rules! losses {
    ($($case:ident $numbers:ident { $($body:tt)* })*) => {
        const CASES: &[(&str, tangents::Product)] = &[$((stringify!($case), $case::product)),*];
        $(
            mod $case {
                use super::*;

                kiln::model! {
                    pub struct Net;
                    $($body)*
                }

                fn tried(precision: FloatDType) -> Tried<Net> {
                    let (case, device) = (stringify!($case), device_in(precision));
                    Tried::new(case, &NetConfig::new(), Numbers::$numbers, &device)
                }

                pub fn product(precision: FloatDType) -> Vec<f64> {
                    tried(precision).product()
                }

                #[test]
                fn is_the_derivative() {
                    tried(FloatDType::F64).check();
                }
            }
        )*
    };
}

#[test]
fn every_loss_is_tested() {
    let tests = include_str!("tangents_losses.rs");
    tangents::covers(tests, "loss ", "loss", &["entry(", "pair("]);
}

#[test]
fn single_precision_gives_the_same() {
    tangents::single_precision("single_precision_gives_the_same", CASES);
}

losses! {
    cross_entropy Any {
        input x: [4];
        let y = x -> linear(3) -> tanh -> linear(5);
        output y;
        loss cross_entropy;
    }
    cross_entropy_smoothed Any {
        input x: [3, 4];
        let y = x -> linear(3) -> tanh -> linear(5);
        output y;
        loss cross_entropy(label_smoothing: 0.2);
    }
    multi_margin Any {
        input x: [4];
        let y = x -> linear(3) -> tanh -> linear(5);
        output y;
        loss multi_margin;
    }
    multi_margin_squared Any {
        input x: [3, 4];
        let y = x -> linear(5);
        output y;
        loss multi_margin(p: 2, margin: 0.4);
    }
    ctc Any {
        input x: [6, 3];
        let y = x -> linear(3) -> tanh -> linear(4) -> log_softmax;
        output y;
        loss ctc;
    }
    ctc_tight Any {
        input x: [3, 3];
        let y = x -> linear(3) -> log_softmax;
        output y;
        loss ctc;
    }
    binary_cross_entropy Shares {
        input x: [4];
        let y = x -> linear(3) -> sigmoid;
        output y;
        loss binary_cross_entropy;
    }
    binary_cross_entropy_with_logits Shares {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss binary_cross_entropy_with_logits;
    }
    kl_divergence Shares {
        input x: [4];
        let y = x -> linear(3) -> log_softmax;
        output y;
        loss kl_divergence;
    }
    mse Any {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss mse;
    }
    l1 Any {
        input x: [4];
        let y = x -> linear(3) -> tanh -> linear(3);
        output y;
        loss l1;
    }
    huber Any {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss huber(delta: 0.5);
    }
    smooth_l1 Any {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss smooth_l1(beta: 0.5);
    }
    poisson_nll Counts {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss poisson_nll(full: true);
    }
    poisson_nll_of_counts Counts {
        input x: [4];
        let y = x -> linear(3) -> softplus;
        output y;
        loss poisson_nll(log_input: false, epsilon: 1e-3);
    }
    soft_margin Signs {
        input x: [4];
        let y = x -> linear(3);
        output y;
        loss soft_margin;
    }
    hinge_embedding Signs {
        input x: [4];
        let y = x -> linear(3) -> tanh -> linear(3);
        output y;
        loss hinge_embedding(margin: 0.7);
    }
    cosine_embedding Signs {
        input x: [4];
        let a = x -> linear(3);
        let b = x -> linear(3);
        output a, b;
        loss cosine_embedding(a, b, margin: -0.5);
    }
    margin_ranking Signs {
        input x: [4];
        let a = x -> linear(3) -> tanh;
        let b = x -> linear(3) -> tanh;
        output a, b;
        loss margin_ranking(a, b, margin: 0.3);
    }
    gaussian_nll Any {
        input x: [4];
        let a = x -> linear(3);
        let b = x -> linear(3) -> softplus;
        output a, b;
        loss gaussian_nll(a, b, full: true);
    }
    weighted_sum Any {
        input x: [4];
        let a = x -> linear(3) -> tanh;
        let b = a -> linear(2);
        output a, b;
        loss 0.3 * mse(a) + 2.0 * cross_entropy(b);
    }
}
