//! Whether a declared network and the same by hand give the same bits: outputs and gradients.

use std::error::Error;

use kiln::burn::module::{ModuleMapper, ModuleVisitor, Param};
use kiln::burn::tensor::{Distribution, Gradients};
use kiln::data::TensorData;
use kiln::prelude::*;
use kiln_examples::by_hand::with_kiln;
use kiln_examples::declared::ResNet20Config;
use kiln_models::{CnnConfig, MlpConfig};

/// The network called `name`, if it is one of images; `device` records gradients.
pub fn of(name: &str, batch: usize, device: &Device) -> Result<Option<bool>, Box<dyn Error>> {
    use with_kiln::{Cnn, Mlp, ResNet20};

    let images = |channels, size| {
        let shape = [batch, channels, size, size];
        Tensor::<4>::random(shape, Distribution::Default, device)
    };
    Ok(Some(match name {
        "mlp" => {
            let declared = MlpConfig::new().init(device)?;
            identical(&declared, Mlp::new(device), Mlp::forward, images(1, 28))
        }
        "cnn" => {
            let declared = CnnConfig::new().init(device)?;
            identical(&declared, Cnn::new(device), Cnn::forward, images(1, 28))
        }
        "resnet20" => {
            let declared = ResNet20Config::new().init(device)?;
            let by_hand = ResNet20::new(device);
            identical(&declared, by_hand, ResNet20::forward, images(3, 32))
        }
        _ => return Ok(None),
    }))
}

fn identical<M, H>(
    declared: &M,
    by_hand: H,
    forward: fn(&H, Tensor<4>) -> Tensor<2>,
    images: Tensor<4>,
) -> bool
where
    M: Model<Input = Tensor<4>, Output = Tensor<2>, Target = Tensor<1, Int>>,
    H: Module,
{
    // Both start from the same weights, in the same order.
    let by_hand = copied(declared, by_hand);
    let ([batch, ..], device) = (images.dims(), images.device());
    let labels = Tensor::<1, Int>::arange(0..batch as i64, &device).remainder_scalar(10);
    let (a, b) = (declared.forward(images.clone()), forward(&by_hand, images));
    let outputs = a.to_data() == b.to_data();
    let loss = kiln::loss::cross_entropy(b, labels.clone(), 0.0);
    let (a, b) = (declared.loss(a, labels).backward(), loss.backward());
    outputs && gradients(declared, &a) == gradients(&by_hand, &b)
}

/// `to` with the parameters of `from`, which come in the same order.
fn copied<A: Module, B: Module>(from: &A, to: B) -> B {
    struct Put(std::vec::IntoIter<TensorData>);
    impl ModuleMapper for Put {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(data) = self.0.next() else {
                return param;
            };
            param.map(|old| Tensor::from_data(data, &old.device()).require_grad())
        }
    }
    let mut values = Values(Vec::new());
    from.visit(&mut values);
    to.map(&mut Put(values.0.into_iter()))
}

struct Values(Vec<TensorData>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data());
    }
}

/// The gradients of a module's parameters, in order.
fn gradients<M: Module>(model: &M, gradients: &Gradients) -> Vec<TensorData> {
    struct Collect<'a>(&'a Gradients, Vec<TensorData>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1
                .extend(param.val().grad(self.0).map(Tensor::into_data));
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    model.visit(&mut collect);
    collect.1
}
