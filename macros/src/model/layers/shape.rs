//! What changes the shape and nothing else.

use quote::quote;

use super::{Dim, Layer, Made, Rule, layer};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[layer("flatten", &[], 0, flatten)];

fn flatten(rule: &mut Rule) -> Made {
    let size = rule.numbers();
    let fits = rule.limit(&size, rule.args.pos, "the flattened example");
    let output = Shape::of(vec![if fits { size } else { Dim::UNKNOWN }]);
    let flat = rule.input.0.as_ref().is_some_and(|dims| dims.len() == 1);
    Made::inline(output, quote!(Flatten)).idle(flat, "its input is flat")
}
