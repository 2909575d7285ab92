//! The layers: for each its signature and its one rule, which says what shape comes out, what
//! must hold, and how the layer is made. One family a file.

mod activation;
mod attention;
mod conv;
mod dense;
mod noise;
mod norm;
mod pool;
mod recurrent;
mod resize;
mod sequence;
mod shape;
mod window;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::dim::{Dim, Shape};
use super::require::{Checks, Condition, LARGEST, Part, Range, message};
use crate::report::Pos;
use crate::syntax::{Bound, Expr, Param, Signature};

use Param as P;

/// A layer of the language.
pub struct Layer {
    pub name: &'static str,
    pub signature: Signature,
    /// The parameters that name another value, which goes into `forward` behind the input.
    pub values: &'static [&'static str],
    /// Whether it takes integers.
    pub integers: bool,
    rule: fn(&mut Rule) -> Made,
}

/// What a rule makes of a layer and its input.
pub struct Made {
    pub output: Shape,
    pub params: Dim,
    /// The multiplications, each with its addition, that one example takes.
    pub multiply_adds: Dim,
    /// The layer's type.
    pub ty: TokenStream,
    /// How it is made; `self` is the configuration, `device` the device.
    pub init: TokenStream,
    /// Whether it is made where it is used: no parameters, no settings, no state.
    pub inline: bool,
    /// Why it changes nothing, if so.
    pub idle: Option<&'static str>,
}

/// What a rule sees.
pub struct Rule<'a, 'b> {
    pub args: Bound<'b>,
    pub input: &'b Shape,
    /// The shapes of the other values, in the order of [`Layer::values`].
    pub values: &'b [Shape],
    pub checks: &'b mut Checks<'a>,
    /// The layer with its parameter path, for messages at run time.
    pub place: &'b str,
}

const fn layer(
    name: &'static str,
    params: &'static [Param],
    positional: usize,
    rule: fn(&mut Rule) -> Made,
) -> Layer {
    Layer {
        name,
        signature: Signature { params, positional },
        values: &[],
        integers: false,
        rule,
    }
}

/// Every layer by family; names and parameter names are PyTorch's and Burn's.
const FAMILIES: &[&[Layer]] = &[
    dense::LAYERS,
    noise::LAYERS,
    conv::LAYERS,
    pool::LAYERS,
    norm::LAYERS,
    activation::LAYERS,
    shape::LAYERS,
    sequence::LAYERS,
    recurrent::LAYERS,
    attention::LAYERS,
    resize::LAYERS,
];

/// Every layer.
pub fn all() -> impl Iterator<Item = &'static Layer> + Clone {
    FAMILIES.iter().copied().flatten()
}

/// The layer called `name`.
pub fn find(name: &str) -> Option<&'static Layer> {
    all().find(|layer| layer.name == name)
}

/// What the axes of an image are called behind its channels.
pub fn axes(rank: usize) -> &'static [&'static str] {
    match rank {
        1 => &["length"],
        2 => &["height", "width"],
        _ => &["depth", "height", "width"],
    }
}

impl Layer {
    pub fn apply(&self, rule: &mut Rule) -> Made {
        (self.rule)(rule)
    }
}

impl Made {
    /// A layer of the type `ty` of `kiln::layer` without parameters.
    fn new(output: Shape, ty: TokenStream, init: TokenStream) -> Made {
        Made {
            output,
            params: Dim::of(0),
            multiply_adds: Dim::of(0),
            ty: quote!(::kiln::layer::#ty),
            init,
            inline: false,
            idle: None,
        }
    }

    /// What is left of a layer behind a mistake; nothing of it is written out.
    fn unknown() -> Made {
        Made::new(Shape::UNKNOWN, quote!(Identity), quote!())
    }

    /// A layer without parameters and settings.
    fn inline(output: Shape, layer: TokenStream) -> Made {
        Made {
            inline: true,
            ..Made::new(output, layer.clone(), quote!(::kiln::layer::#layer::new()))
        }
    }

    fn params(self, params: Dim) -> Made {
        Made { params, ..self }
    }

    fn multiply_adds(self, multiply_adds: Dim) -> Made {
        Made {
            multiply_adds,
            ..self
        }
    }

    /// Changes nothing where `idle` holds.
    fn idle(self, idle: bool, reason: &'static str) -> Made {
        Made {
            idle: idle.then_some(reason),
            ..self
        }
    }
}

impl Rule<'_, '_> {
    /// A layer that acts on each element, or keeps the shape otherwise.
    fn pointwise(&mut self, layer: TokenStream) -> Made {
        Made::inline(self.input.clone(), layer)
    }

    pub fn require(&mut self, condition: Condition, arg: &str, message: Vec<Part>) -> bool {
        let pos = self.args.pos(arg);
        self.checks.require(condition, pos, self.place, message)
    }

    /// Whether `word` is no word of the language but the name of a number.
    fn names_number(&self, word: &Ident) -> bool {
        let head = self.checks.head;
        head.hyper(word).is_some() || head.local(word).is_some()
    }

    /// A dimension of the input.
    fn dim(&self, index: usize) -> Dim {
        let dims = self.input.0.as_ref();
        dims.and_then(|dims| dims.get(index))
            .cloned()
            .unwrap_or(Dim::UNKNOWN)
    }

    /// The last dimension of the input: its features.
    fn last(&self) -> Dim {
        let dims = self.input.0.as_ref();
        dims.and_then(|dims| dims.last())
            .cloned()
            .unwrap_or(Dim::UNKNOWN)
    }

    /// The input's shape with another last dimension.
    fn with_last(&self, last: Dim) -> Shape {
        let mut dims = self.input.0.clone();
        if let Some(found) = dims.as_mut().and_then(|dims| dims.last_mut()) {
            *found = last;
        }
        Shape(dims)
    }

    /// The numbers of the input of one example.
    fn numbers(&self) -> Dim {
        numbers(self.input)
    }

    /// The input as its channels and the sizes of its `rank` axes; reported if it is of another
    /// rank.
    fn image(&mut self, rank: usize) -> Option<(Dim, Vec<Dim>)> {
        match self.input.0.as_deref() {
            None => Some((Dim::UNKNOWN, vec![Dim::UNKNOWN; rank])),
            Some([channels, sizes @ ..]) if sizes.len() == rank => {
                Some((channels.clone(), sizes.to_vec()))
            }
            Some(dims) => {
                let help = match (rank, dims.len()) {
                    (2, 1) => {
                        "; a `flatten` or `global_avg_pool` before it took the image apart, \
                          or the `input` lacks its channels"
                    }
                    (2, 2) => "; a grey image has one channel: [1, height, width]",
                    (_, found) if found == rank + 2 => {
                        "; the batch dimension is implied, leave it out of the `input`"
                    }
                    (1, 1) => "; a single signal has one channel: [1, length]",
                    _ => "",
                };
                let what = if rank == 2 { "an image" } else { "an input" };
                let message = format!(
                    "`{}` needs {what} [channels, {}], found {}{help}",
                    self.args.name,
                    axes(rank).join(", "),
                    self.input,
                );
                self.checks.report.error(self.args.name, message);
                None
            }
        }
    }

    /// A size: a whole number of at least 1.
    fn size(&mut self, arg: &'static str, default: Option<i128>) -> Dim {
        self.whole(arg, 1, default)
    }

    /// A whole number of at least `low`.
    fn whole(&mut self, arg: &'static str, low: i128, default: Option<i128>) -> Dim {
        let Some(expr) = self.args.int(arg) else {
            // Where it was given and wrong, it was reported.
            return default
                .filter(|_| self.args.value(arg).is_none())
                .map_or(Dim::UNKNOWN, Dim::of);
        };
        self.at_least(arg, expr, low)
    }

    /// A size for each of `rank` axes.
    pub fn sizes(
        &mut self,
        arg: &'static str,
        low: i128,
        rank: usize,
        default: Option<Vec<Dim>>,
    ) -> Vec<Dim> {
        match self.args.sizes(arg, axes(rank)) {
            Some(sizes) => {
                let mut dims: Vec<Dim> = Vec::new();
                for (i, expr) in sizes.iter().enumerate() {
                    // One number for all is looked at once.
                    let one = i > 0 && std::ptr::eq(sizes[0], *expr);
                    let dim = if one {
                        dims[0].clone()
                    } else {
                        self.at_least(arg, expr, low)
                    };
                    dims.push(dim);
                }
                dims
            }
            None => match default {
                Some(default) if self.args.value(arg).is_none() => default,
                _ => vec![Dim::UNKNOWN; rank],
            },
        }
    }

    /// The number of `expr`, the value of `arg`, if `init` can know it and it is not below `low`.
    fn at_least(&mut self, arg: &str, expr: &Expr, low: i128) -> Dim {
        let dim = self.checks.dim(expr);
        if let Some(name) = dim.anys().first() {
            let message = format!(
                "`{}` is made before a tensor arrives, and `{name}` is known only then; give \
                 `{arg}` a number or a hyper-parameter",
                self.args.name,
            );
            self.checks.report.error(expr.pos, message);
            return Dim::UNKNOWN;
        }
        let message = message![
            format!(
                "`{}` needs `{arg}` between {low} and {LARGEST}, found ",
                self.args.name
            ),
            &dim,
        ];
        let condition = Condition::Within(dim.clone(), low, LARGEST);
        let fits = self
            .checks
            .require(condition, expr.pos, self.place, message);
        if fits { dim } else { Dim::UNKNOWN }
    }

    /// A real number in `range`, as tokens.
    fn real(&mut self, arg: &str, range: Range) -> Option<TokenStream> {
        let expr = self.args.float(arg)?.clone();
        let text = format!("`{}` needs `{arg}` {}", self.args.name, range.described());
        let tokens = expr.float_tokens(self.checks.head, &quote!(self));
        self.require(Condition::Real(expr, range), arg, message![text]);
        Some(tokens)
    }

    /// Refuses what no memory could hold.
    fn limit(&mut self, dim: &Dim, pos: Pos, what: &str) -> bool {
        let message = message![
            format!("{what} may hold at most {LARGEST} numbers, found "),
            dim,
        ];
        let condition = Condition::Within(dim.clone(), 0, LARGEST);
        self.checks.require(condition, pos, self.place, message)
    }
}

/// The numbers that one example of `shape` holds.
fn numbers(shape: &Shape) -> Dim {
    shape.0.as_ref().map_or(Dim::UNKNOWN, Dim::product)
}
