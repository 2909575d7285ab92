//! The losses: what each takes, and what it needs of the output.

use super::ir::{Loss, Output};
use super::require::{Checks, Condition, Range, message};
use crate::suggest;
use crate::syntax::{Call, Param, Signature};

/// The loss that `call` names; what it needs of the `output` is asked here.
pub fn loss(call: &Call, outputs: &[Output], checks: &mut Checks) -> Option<Loss> {
    const CROSS_ENTROPY: Signature = Signature {
        params: &[Param::optional("label_smoothing")],
        positional: 0,
    };
    const MSE: Signature = Signature {
        params: &[],
        positional: 0,
    };
    let name = call.name.to_string();
    match name.as_str() {
        "cross_entropy" => {
            let args = CROSS_ENTROPY.bind(call, checks.head, checks.report);
            let smoothing = args.float("label_smoothing").cloned();
            if let Some(smoothing) = &smoothing {
                let text = "`cross_entropy` needs `label_smoothing` at least 0 and below 1";
                let condition = Condition::Real(smoothing.clone(), Range::Share);
                checks.require(condition, smoothing.pos, "loss", message![text]);
            }
            if let [
                Output {
                    name,
                    shape,
                    last_layer: last,
                    ..
                },
            ] = outputs
            {
                if let Some(dims) = shape.0.as_ref().filter(|dims| dims.len() != 1) {
                    let message = format!(
                        "`cross_entropy` needs one score per class, a shape of [classes]; \
                         the output `{name}` is {shape}; {}",
                        if dims.len() > 1 {
                            "put `flatten` before its last `linear`"
                        } else {
                            ""
                        },
                    );
                    checks.report.error(&call.name, message);
                }
                if let Some(last) = last.as_ref().filter(|last| *last == "softmax") {
                    let message = "`cross_entropy` takes scores before the softmax and applies \
                                   it itself; leave this `softmax` out";
                    checks.report.error(last, message);
                }
            }
            Some(Loss::CrossEntropy {
                label_smoothing: smoothing,
            })
        }
        "mse" => {
            MSE.bind(call, checks.head, checks.report);
            Some(Loss::Mse)
        }
        other => {
            let hint = suggest::hint(other, "the losses are", ["cross_entropy", "mse"]);
            checks
                .report
                .error(&call.name, format!("no loss is called `{other}`{hint}"));
            None
        }
    }
}
