//! The layers: for each its signature and its one rule, which says what shape comes out, what
//! must hold, and how the layer is made.

use proc_macro2::TokenStream;
use quote::quote;

use super::dim::{Dim, Shape};
use super::require::{Checks, Condition, LARGEST, Part, Range, message};
use super::window::Window;
use crate::report::Pos;
use crate::syntax::{Bound, Expr, Param, Signature};

/// A layer of the language.
pub struct Layer {
    pub name: &'static str,
    pub signature: Signature,
    rule: fn(&mut Rule) -> Made,
}

/// What a rule makes of a layer and its input.
pub struct Made {
    pub output: Shape,
    pub params: Dim,
    /// The layer's type.
    pub ty: TokenStream,
    /// How it is made; `self` is the configuration, `device` the device.
    pub init: TokenStream,
    /// Whether it is made where it is used: no parameters, no settings, no state.
    pub inline: bool,
}

/// What a rule sees.
pub struct Rule<'a, 'b> {
    pub args: Bound<'b>,
    pub input: &'b Shape,
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
        rule,
    }
}

use Param as P;

/// Every layer; names and parameter names are PyTorch's and Burn's.
pub const LAYERS: &[Layer] = &[
    layer(
        "linear",
        &[P::required("out"), P::optional("bias")],
        1,
        linear,
    ),
    layer(
        "conv2d",
        &[
            P::required("out"),
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
            P::optional("dilation"),
            P::optional("groups"),
            P::optional("bias"),
        ],
        1,
        conv2d,
    ),
    layer(
        "max_pool2d",
        &[
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
        ],
        1,
        max_pool2d,
    ),
    layer(
        "avg_pool2d",
        &[
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
            P::optional("count_include_pad"),
        ],
        1,
        avg_pool2d,
    ),
    layer("global_avg_pool", &[], 0, global_avg_pool),
    layer(
        "batch_norm",
        &[P::optional("epsilon"), P::optional("momentum")],
        0,
        batch_norm,
    ),
    layer(
        "layer_norm",
        &[P::optional("epsilon"), P::optional("bias")],
        0,
        layer_norm,
    ),
    layer("dropout", &[P::required("p")], 1, dropout),
    layer("flatten", &[], 0, flatten),
    layer("relu", &[], 0, |rule| rule.pointwise(quote!(Relu))),
    layer("gelu", &[], 0, |rule| rule.pointwise(quote!(Gelu))),
    layer("tanh", &[], 0, |rule| rule.pointwise(quote!(Tanh))),
    layer("sigmoid", &[], 0, |rule| rule.pointwise(quote!(Sigmoid))),
    layer("softmax", &[], 0, |rule| rule.pointwise(quote!(Softmax))),
];

/// The layer called `name`.
pub fn find(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

impl Layer {
    pub fn apply(&self, rule: &mut Rule) -> Made {
        (self.rule)(rule)
    }
}

fn linear(rule: &mut Rule) -> Made {
    let out = rule.size("out", None);
    let bias = rule.args.flag("bias", true);
    let mut dims = rule.input.0.clone();
    let features = dims
        .as_ref()
        .and_then(|dims| dims.last().cloned())
        .unwrap_or(Dim::UNKNOWN);
    if let Some(last) = dims.as_mut().and_then(|dims| dims.last_mut()) {
        *last = out.clone();
    }
    let (input, output) = (features.usize_tokens(), out.usize_tokens());
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    Made {
        output: Shape(dims),
        params: features.add(&Dim::of(bias.into())).mul(&out),
        ty: quote!(::kiln::layer::Linear),
        init: quote! {
            ::core::convert::Into::into(::kiln::layer::LinearConfig::new(#input, #output) #with_bias .init(device))
        },
        inline: false,
    }
}

fn conv2d(rule: &mut Rule) -> Made {
    let out = rule.size("out", None);
    let window = Window::read(rule, false);
    let groups = rule.size("groups", Some(1));
    let bias = rule.args.flag("bias", true);
    let image = rule.image();
    let [channels, height, width] = image.clone().unwrap_or([Dim::UNKNOWN; 3]);
    for (what, dim) in [("input channels", &channels), ("output channels", &out)] {
        let divides = rule.require(
            Condition::Multiple(dim.clone(), groups.clone()),
            "groups",
            message![
                format!("`conv2d` splits its {what} into groups of equal size: "),
                dim,
                " is no multiple of `groups`, ",
                &groups,
            ],
        );
        if !divides {
            break;
        }
    }
    let [high, wide] = window.output(rule, [&height, &width]);
    let kernel = Dim::product(&window.kernel);
    let weights = out.mul(&channels.floor_div(&groups)).mul(&kernel);
    let (input, output) = (channels.usize_tokens(), out.usize_tokens());
    let [kernel, stride, dilation] = [&window.kernel, &window.stride, &window.dilation]
        .map(|pair| pair.each_ref().map(Dim::usize_tokens));
    let padding = window.padding_tokens();
    let groups = (groups != Dim::of(1)).then(|| {
        let groups = groups.usize_tokens();
        quote!(.with_groups(#groups))
    });
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    Made {
        output: match image {
            Some(_) => Shape::of(vec![out.clone(), high, wide]),
            None => Shape::UNKNOWN,
        },
        params: if bias { weights.add(&out) } else { weights },
        ty: quote!(::kiln::layer::Conv2d),
        init: quote! {
            ::core::convert::Into::into(::kiln::layer::Conv2dConfig::new([#input, #output], [#(#kernel),*])
                .with_stride([#(#stride),*])
                .with_dilation([#(#dilation),*])
                .with_padding(#padding)
                #groups #with_bias
                .init(device))
        },
        inline: false,
    }
}

fn max_pool2d(rule: &mut Rule) -> Made {
    let (window, output) = pool(rule);
    let [kernel, stride] =
        [&window.kernel, &window.stride].map(|pair| pair.each_ref().map(Dim::usize_tokens));
    let padding = window.padding_tokens();
    Made {
        output,
        params: Dim::of(0),
        ty: quote!(::kiln::layer::MaxPool2d),
        init: quote! {
            ::core::convert::Into::into(::kiln::layer::MaxPool2dConfig::new([#(#kernel),*])
                .with_strides([#(#stride),*])
                .with_padding(#padding)
                .init())
        },
        inline: false,
    }
}

fn avg_pool2d(rule: &mut Rule) -> Made {
    let include = rule.args.flag("count_include_pad", true);
    let (window, output) = pool(rule);
    let [kernel, stride] =
        [&window.kernel, &window.stride].map(|pair| pair.each_ref().map(Dim::usize_tokens));
    let padding = window.padding_tokens();
    Made {
        output,
        params: Dim::of(0),
        ty: quote!(::kiln::layer::AvgPool2d),
        init: quote! {
            ::core::convert::Into::into(::kiln::layer::AvgPool2dConfig::new([#(#kernel),*])
                .with_strides([#(#stride),*])
                .with_padding(#padding)
                .with_count_include_pad(#include)
                .init())
        },
        inline: false,
    }
}

/// A pooling window: it strides by its own size, and is padded by at most half of it, or a window
/// would hold nothing but padding.
fn pool(rule: &mut Rule) -> (Window, Shape) {
    let window = Window::read(rule, true);
    for (kernel, [before, _]) in window.kernel.iter().zip(&window.padding) {
        let spare = kernel.sub(&before.mul(&Dim::of(2)));
        let fits = rule.require(
            Condition::Within(spare, 0, i128::MAX),
            "padding",
            message![
                format!(
                    "`{}` may be padded by at most half its kernel: padding ",
                    rule.args.name
                ),
                before,
                " for a kernel of ",
                kernel,
            ],
        );
        if !fits {
            break;
        }
    }
    let Some([channels, height, width]) = rule.image() else {
        return (window, Shape::UNKNOWN);
    };
    let [high, wide] = window.output(rule, [&height, &width]);
    let output = Shape::of(vec![channels, high, wide]);
    (window, output)
}

fn global_avg_pool(rule: &mut Rule) -> Made {
    let output = match rule.image() {
        Some([channels, ..]) => Shape::of(vec![channels]),
        None => Shape::UNKNOWN,
    };
    Made::inline(output, quote!(GlobalAvgPool))
}

fn batch_norm(rule: &mut Rule) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let momentum = rule
        .real("momentum", Range::Unit)
        .map(|value| quote!(.with_momentum(#value)));
    let features = rule.dim(0);
    let size = features.usize_tokens();
    Made {
        output: rule.input.clone(),
        params: features.mul(&Dim::of(2)),
        ty: quote!(::kiln::layer::BatchNorm),
        init: quote! {
            ::core::convert::Into::into(::kiln::layer::BatchNormConfig::new(#size) #epsilon #momentum .init(device))
        },
        inline: false,
    }
}

fn layer_norm(rule: &mut Rule) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let bias = rule.args.flag("bias", true);
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let last = rule
        .input
        .0
        .as_ref()
        .map_or(0, |dims| dims.len().saturating_sub(1));
    let features = rule.dim(last);
    let size = features.usize_tokens();
    Made {
        output: rule.input.clone(),
        params: features.mul(&Dim::of(if bias { 2 } else { 1 })),
        ty: quote!(::kiln::layer::LayerNorm),
        init: quote!(::kiln::layer::LayerNormConfig::new(#size) #epsilon #with_bias .init(device)),
        inline: false,
    }
}

fn dropout(rule: &mut Rule) -> Made {
    let p = rule.real("p", Range::Share).unwrap_or_else(|| quote!(0.0));
    Made {
        output: rule.input.clone(),
        params: Dim::of(0),
        ty: quote!(::kiln::layer::Dropout),
        init: quote!(::kiln::layer::DropoutConfig::new(#p).init()),
        inline: false,
    }
}

fn flatten(rule: &mut Rule) -> Made {
    let output = match &rule.input.0 {
        Some(dims) => {
            let size = Dim::product(dims);
            let fits = rule.limit(&size, rule.args.pos, "the flattened example");
            Shape::of(vec![if fits { size } else { Dim::UNKNOWN }])
        }
        None => Shape::of(vec![Dim::UNKNOWN]),
    };
    Made::inline(output, quote!(Flatten))
}

impl Made {
    fn inline(output: Shape, layer: TokenStream) -> Made {
        Made {
            output,
            params: Dim::of(0),
            ty: quote!(::kiln::layer::#layer),
            init: quote!(::kiln::layer::#layer::new()),
            inline: true,
        }
    }
}

impl Rule<'_, '_> {
    /// A layer that acts on each element, or keeps the shape otherwise.
    fn pointwise(&mut self, layer: TokenStream) -> Made {
        Made::inline(self.input.clone(), layer)
    }

    pub(super) fn require(&mut self, condition: Condition, arg: &str, message: Vec<Part>) -> bool {
        let pos = self.args.pos(arg);
        self.checks.require(condition, pos, self.place, message)
    }

    /// A dimension of the input.
    fn dim(&self, index: usize) -> Dim {
        let dims = self.input.0.as_ref();
        dims.and_then(|dims| dims.get(index))
            .cloned()
            .unwrap_or(Dim::UNKNOWN)
    }

    /// The input as `[channels, height, width]`; reported if it is no image.
    fn image(&mut self) -> Option<[Dim; 3]> {
        match self.input.0.as_deref() {
            Some([channels, height, width]) => {
                Some([channels.clone(), height.clone(), width.clone()])
            }
            None => Some([Dim::UNKNOWN; 3]),
            Some(dims) => {
                let help = match dims.len() {
                    1 => {
                        "; a `flatten` or `global_avg_pool` before it took the image apart, \
                          or the `input` lacks its channels"
                    }
                    2 => "; a grey image has one channel: [1, height, width]",
                    4 => "; the batch dimension is implied, leave it out of the `input`",
                    _ => "",
                };
                let message = format!(
                    "`{}` needs an image [channels, height, width], found {}{help}",
                    self.args.name, self.input,
                );
                self.checks.report.error(self.args.name, message);
                None
            }
        }
    }

    /// A size: a whole number of at least 1.
    fn size(&mut self, arg: &'static str, default: Option<i128>) -> Dim {
        let Some(expr) = self.args.int(arg) else {
            // Where it was given and wrong, it was reported.
            return default
                .filter(|_| self.args.value(arg).is_none())
                .map_or(Dim::UNKNOWN, Dim::of);
        };
        self.at_least(arg, expr, 1)
    }

    fn at_least(&mut self, arg: &str, expr: &Expr, low: i128) -> Dim {
        let dim = self.checks.dim(expr);
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

    /// A size for each of the two dimensions.
    pub(super) fn sizes(
        &mut self,
        arg: &'static str,
        low: i128,
        default: Option<[Dim; 2]>,
    ) -> [Dim; 2] {
        match self.args.pair(arg) {
            Some([height, width]) => {
                let one = std::ptr::eq(height, width);
                let height = self.at_least(arg, height, low);
                let width = if one {
                    height.clone()
                } else {
                    self.at_least(arg, width, low)
                };
                [height, width]
            }
            None => match default {
                Some(default) if self.args.value(arg).is_none() => default,
                _ => [Dim::UNKNOWN; 2],
            },
        }
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
