//! Convolutions.

use quote::quote;

use super::window::{Window, list};
use super::{Condition, Dim, Layer, Made, P, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[layer("conv2d", PARAMS, 1, conv2d)];

const PARAMS: &[P] = &[
    P::required("out"),
    P::required("kernel"),
    P::optional("stride"),
    P::optional("padding"),
    P::optional("dilation"),
    P::optional("groups"),
    P::optional("bias"),
];

fn conv2d(rule: &mut Rule) -> Made {
    let out = rule.size("out", None);
    let window = Window::read(rule, 2, false);
    let groups = rule.size("groups", Some(1));
    let bias = rule.args.flag("bias", true);
    let image = rule.image(2);
    let (channels, sizes) = image
        .clone()
        .unwrap_or((Dim::UNKNOWN, vec![Dim::UNKNOWN; 2]));
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
    let sizes = window.output(rule, &sizes);
    let weights = out
        .mul(&channels.floor_div(&groups))
        .mul(&Dim::product(&window.kernel));
    let multiply_adds = weights.mul(&Dim::product(&sizes));
    let (from, to) = (channels.usize_tokens(), out.usize_tokens());
    let [kernel, stride, dilation] =
        [&window.kernel, &window.stride, &window.dilation].map(|sizes| list(sizes));
    let padding = window.padding_2d();
    let groups = (groups != Dim::of(1)).then(|| {
        let groups = groups.usize_tokens();
        quote!(.with_groups(#groups))
    });
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let output = match image {
        Some(_) => Shape::of([vec![out.clone()], sizes].concat()),
        None => Shape::UNKNOWN,
    };
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::Conv2dConfig::new([#from, #to], #kernel)
            .with_stride(#stride)
            .with_dilation(#dilation)
            .with_padding(#padding)
            #groups #with_bias
            .init(device))
    };
    Made::new(output, quote!(Conv2d), init)
        .params(if bias { weights.add(&out) } else { weights })
        .multiply_adds(multiply_adds)
}
