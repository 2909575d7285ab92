//! What moves, splits, joins and drops dimensions.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Condition, Dim, Layer, Made, P, Rule, layer, message};
use crate::model::dim::Shape;
use crate::model::require::shape_parts;
use crate::syntax::{Expr, Number};

pub const LAYERS: &[Layer] = &[
    layer("flatten", &[], 0, flatten),
    layer("reshape", &[P::required("shape")], 1, reshape),
    layer("permute", &[P::required("dims")], 1, permute),
    layer("mean", &[P::required("dim")], 1, |rule| {
        reduce(rule, quote!(Mean))
    }),
    layer("max", &[P::required("dim")], 1, |rule| {
        reduce(rule, quote!(Max))
    }),
    layer("sum", &[P::required("dim")], 1, |rule| {
        reduce(rule, quote!(Sum))
    }),
    layer(
        "select",
        &[P::required("dim"), P::required("index")],
        2,
        select,
    ),
    layer("identity", &[], 0, |rule| rule.pointwise(quote!(Identity))),
];

fn flatten(rule: &mut Rule) -> Made {
    let size = rule.numbers();
    let fits = rule.limit(&size, rule.args.pos, "the flattened example");
    let output = Shape::of(vec![if fits { size } else { Dim::UNKNOWN }]);
    let flat = rule.input.0.as_ref().is_some_and(|dims| dims.len() == 1);
    Made::inline(output, quote!(Flatten)).idle(flat, "its input is flat")
}

fn reshape(rule: &mut Rule) -> Made {
    let Some(exprs) = rule.args.list("shape") else {
        return Made::unknown();
    };
    let is_rest = |expr: &Expr| expr.literal() == Some(Number::Int(-1));
    let mut rests = exprs.iter().filter(|expr| is_rest(expr));
    let wrong = match (exprs.as_slice(), rests.next(), rests.next()) {
        ([], ..) => Some("`reshape` needs at least one size, such as `reshape([features])`"),
        (.., Some(_)) => Some("`reshape` takes -1 once: it is what the other sizes leave"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        rule.checks.report.error(rule.args.pos("shape"), wrong);
        return Made::unknown();
    }
    let mut rest = None;
    let mut dims = Vec::new();
    for expr in exprs {
        if is_rest(expr) {
            rest = Some(dims.len());
            dims.push(Dim::of(1));
        } else {
            dims.push(rule.at_least("shape", expr, 1));
        }
    }
    let (whole, product) = (rule.numbers(), Dim::product(&dims));
    let mut message = message!["`reshape` keeps how many numbers there are: "];
    message.extend(shape_parts(rule.input));
    message.extend(message![" has ", &whole, ", the sizes here make "]);
    message.push((&product).into());
    let condition = match rest {
        None => Condition::Equal(whole.clone(), product.clone()),
        Some(_) => {
            message.push(", which must divide it".into());
            Condition::Multiple(whole.clone(), product.clone())
        }
    };
    let fits = rule.require(condition, "shape", message);
    let mut sizes: Vec<_> = dims.iter().map(Dim::usize_tokens).collect();
    if let Some(rest) = rest {
        // Left to the tensor: its size may be known only when it arrives.
        sizes[rest] = quote!(-1);
        dims[rest] = match fits {
            true => whole.floor_div(&product),
            false => Dim::UNKNOWN,
        };
    }
    let output = Shape::of(dims);
    let same = output == *rule.input;
    let init = quote!(::kiln::layer::Reshape::new([#(#sizes as ::core::primitive::i64),*]));
    Made::new(output, quote!(Reshape), init).idle(same, "its input has this shape")
}

fn permute(rule: &mut Rule) -> Made {
    let (Some(exprs), Some(dims)) = (rule.args.list("dims"), rule.input.0.as_ref()) else {
        return Made::unknown();
    };
    let mut order = Vec::new();
    for expr in exprs {
        let Some(dim) = rule.dimension("dims", expr, dims.len()) else {
            return Made::unknown();
        };
        if order.contains(&dim) {
            let message = format!("`permute` names each dimension once, here is {dim} again");
            rule.checks.report.error(expr.pos, message);
            return Made::unknown();
        }
        order.push(dim);
    }
    if order.len() < dims.len() {
        let message = format!(
            "`permute` names each dimension once: {} has {}, found {}",
            rule.input,
            dims.len(),
            order.len(),
        );
        rule.checks.report.error(rule.args.pos("dims"), message);
        return Made::unknown();
    }
    let output = order.iter().map(|dim| dims[*dim].clone()).collect();
    let init = quote!(::kiln::layer::Permute::new([#(#order),*]));
    Made::new(Shape::of(output), quote!(Permute), init)
        .idle(order.is_sorted(), "it keeps the order")
}

/// Over one dimension, which goes away.
fn reduce(rule: &mut Rule, layer: TokenStream) -> Made {
    let Some((dim, _, output)) = rule.without() else {
        return Made::unknown();
    };
    let init = quote!(::kiln::layer::#layer::new(#dim));
    Made::new(output, layer, init)
}

fn select(rule: &mut Rule) -> Made {
    let index = rule.args.int("index").map(|expr| rule.checks.dim(expr));
    let (Some((dim, size, output)), Some(index)) = (rule.without(), index) else {
        return Made::unknown();
    };
    for (low, spare) in [(1, size.sub(&index)), (0, size.add(&index))] {
        let message = message![
            "`select` takes an index below the size of the dimension, ",
            &size,
            ", or one from its end, down to -",
            &size,
            "; found ",
            &index,
        ];
        if !rule.require(Condition::Within(spare, low, i128::MAX), "index", message) {
            break;
        }
    }
    let index = index.tokens();
    let init = quote!(::kiln::layer::Select::new(#dim, (#index) as ::core::primitive::isize));
    Made::new(output, quote!(Select), init)
}

impl Rule<'_, '_> {
    /// The dimension that `dim` names, its size, and the shape without it.
    fn without(&mut self) -> Option<(usize, Dim, Shape)> {
        let expr = self.args.int("dim")?;
        let mut dims = self.input.0.clone()?;
        let dim = self.dimension("dim", expr, dims.len())?;
        if dims.len() == 1 {
            let message = format!(
                "`{}` takes away the only dimension of {}; an example keeps at least one",
                self.args.name, self.input,
            );
            self.checks.report.error(self.args.name, message);
            return None;
        }
        let size = dims.remove(dim);
        Some((dim, size, Shape::of(dims)))
    }

    /// The dimension of an example that `expr` names, below 0 from the end.
    fn dimension(&mut self, arg: &str, expr: &Expr, rank: usize) -> Option<usize> {
        let Some(Number::Int(named)) = expr.literal() else {
            let message = format!(
                "`{arg}` of `{}` must be written as a number: it decides on the shape",
                self.args.name,
            );
            self.checks.report.error(expr.pos, message);
            return None;
        };
        let from_end = if named < 0 { rank as i128 } else { 0 };
        let dim = usize::try_from(named.saturating_add(from_end)).ok();
        let dim = dim.filter(|dim| *dim < rank);
        if dim.is_none() {
            let message = format!(
                "{} has the dimensions 0 to {}, not counting the batch; found {named}",
                self.input,
                rank - 1,
            );
            self.checks.report.error(expr.pos, message);
        }
        dim
    }
}
