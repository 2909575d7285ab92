//! Numbers for a network, drawn alike on every device: its parameters, its inputs and its targets.

use kiln::burn::module::{Module, ModuleMapper, Param};
use kiln::data::{Target, TensorData};
use kiln::model::{ModelConfig, Size, Upload};
use kiln::tangent::Lift;
use kiln::{Device, Int, Tensor};

use crate::Lcg;

const BATCH: usize = 3;

/// Which numbers a target holds.
#[derive(Clone, Copy, Debug)]
pub enum Numbers {
    /// Around 0.
    Any,
    /// 1 or -1.
    Signs,
    /// Between 0 and 1.
    Shares,
    /// 0, 1, 2 or 3.
    Counts,
}

impl Numbers {
    fn draw(self, lcg: &mut Lcg) -> f64 {
        match self {
            Numbers::Any => lcg.uniform(-1.0, 1.0),
            Numbers::Signs => f64::from(lcg.draw(0, 1) as u32) * 2.0 - 1.0,
            Numbers::Shares => lcg.uniform(0.05, 0.95),
            Numbers::Counts => f64::from(lcg.draw(0, 3) as u32),
        }
    }

    fn tensor(self, lcg: &mut Lcg, shape: Vec<usize>) -> TensorData {
        let numbers = (0..shape.iter().product()).map(|_| self.draw(lcg));
        TensorData::new(numbers.collect::<Vec<_>>(), shape)
    }
}

fn integers(lcg: &mut Lcg, [low, high]: [usize; 2], shape: Vec<usize>) -> TensorData {
    let numbers = (0..shape.iter().product()).map(|_| lcg.draw(low, high) as i64);
    TensorData::new(numbers.collect::<Vec<_>>(), shape)
}

/// The shape of a batch.
fn batch(sizes: &[Size]) -> Vec<usize> {
    let sizes = sizes.iter().map(|size| size.fixed().expect("a number"));
    std::iter::once(BATCH).chain(sizes).collect()
}

/// What goes into a network: real numbers around 0, or integers 0 and 1.
pub trait Drawn: Upload + Lift {
    /// One tensor for each shape.
    fn draw(lcg: &mut Lcg, shapes: &[Vec<Size>]) -> Vec<TensorData>;
}

impl<const D: usize> Drawn for Tensor<D> {
    fn draw(lcg: &mut Lcg, shapes: &[Vec<Size>]) -> Vec<TensorData> {
        vec![Numbers::Any.tensor(lcg, batch(&shapes[0]))]
    }
}

impl<const D: usize> Drawn for Tensor<D, Int> {
    fn draw(lcg: &mut Lcg, shapes: &[Vec<Size>]) -> Vec<TensorData> {
        vec![integers(lcg, [0, 1], batch(&shapes[0]))]
    }
}

impl<A: Drawn, B: Drawn> Drawn for (A, B) {
    fn draw(lcg: &mut Lcg, shapes: &[Vec<Size>]) -> Vec<TensorData> {
        [A::draw(lcg, &shapes[..1]), B::draw(lcg, &shapes[1..])].concat()
    }
}

/// What a target holds.
pub(crate) fn target(target: Target<Size>, numbers: Numbers, lcg: &mut Lcg) -> TensorData {
    match target {
        Target::Classes(classes, places) => integers(lcg, [0, classes - 1], batch(&places)),
        Target::Sequence { classes, .. } => integers(lcg, [1, classes - 1], vec![BATCH, 2]),
        Target::Values(shape) => numbers.tensor(lcg, batch(&shape)),
    }
}

/// A network with drawn parameters and running statistics.
pub(crate) fn network<C: ModelConfig>(config: &C, device: &Device, lcg: &mut Lcg) -> C::Model {
    let model = config.init(device).expect("the configuration is valid");
    let path = Vec::new();
    model.map(&mut Draw { path, lcg })
}

/// Whether a path is that of a parameter, not of a running statistic.
pub(crate) fn is_trained(path: &[String]) -> bool {
    !path.last().is_some_and(|name| name.starts_with("running"))
}

/// Puts drawn numbers into a network.
struct Draw<'a> {
    path: Vec<String>,
    lcg: &'a mut Lcg,
}

impl ModuleMapper for Draw<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().as_slice().to_vec();
        let data = match is_trained(&self.path) {
            true => Numbers::Any.tensor(self.lcg, shape),
            false => Numbers::Shares.tensor(self.lcg, shape),
        };
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(Tensor::from_data(data, &device), id)
    }
}
