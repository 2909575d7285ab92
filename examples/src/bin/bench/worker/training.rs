//! The three things that are timed of a network: its step, its inference, its optimizer.

use std::error::Error;
use std::time::Instant;

use kiln::burn::module::{Module, ModuleVisitor, Param};
use kiln::burn::optim::GradientsParams;
use kiln::{Device, Int, Tensor};

use super::Repetition;
use crate::case::Case;

/// A network and a batch of examples.
pub struct Subject<M, I> {
    pub model: M,
    pub input: I,
    pub labels: Tensor<1, Int>,
    pub forward: Forward<M, I>,
    pub loss: fn(&M, Tensor<2>, Tensor<1, Int>) -> Tensor<1>,
}

/// Gives the scores, one row for each label.
pub type Forward<M, I> = Box<dyn Fn(&M, I) -> Tensor<2>>;

/// Moves the parameters.
pub type Update<M> = Box<dyn FnMut(M, GradientsParams) -> M>;

impl<M: Module + 'static, I: Clone + 'static> Subject<M, I> {
    /// What `case` asks for, of this network.
    pub fn prepare(self, case: Case, update: Update<M>) -> Result<Repetition, Box<dyn Error>> {
        match case {
            Case::Step(_) => Ok(self.step(update)),
            Case::Infer(_) => Ok(self.infer()),
            Case::Optimizer(_) | Case::OptimizerStep(_) => Ok(self.optimizer(update)),
            Case::Loader | Case::Accumulate(_) => Err(format!("{case} is of no network").into()),
        }
    }

    /// As `kiln::train` takes a step on the host: a copy of the parameters in case it fails,
    /// forward, backward, the loss read and looked at, the update.
    fn step(self, mut update: Update<M>) -> Repetition {
        let Subject {
            model,
            input,
            labels,
            forward,
            loss,
        } = self;
        let device = labels.device();
        let mut model = Some(model);
        Box::new(move || {
            let start = Instant::now();
            let current = model.take().ok_or("an earlier step failed")?;
            let before = current.valid();
            let scores = forward(&current, input.clone());
            let loss = loss(&current, scores, labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &current);
            let loss: f64 = loss.inner().into_scalar();
            if !loss.is_finite() {
                return Err(format!("the loss is {loss}").into());
            }
            drop(before);
            model = Some(update(current, gradients));
            since(start, &device)
        })
    }

    fn infer(self) -> Repetition {
        let model = self.model.valid();
        let (input, forward) = (self.input, self.forward);
        let device = self.labels.device().inner();
        Box::new(move || {
            let start = Instant::now();
            let scores = forward(&model, input.clone());
            let milliseconds = since(start, &device);
            drop(scores);
            milliseconds
        })
    }

    /// Each update gets gradients of its own, as after a backward pass; making them is not timed.
    fn optimizer(self, mut update: Update<M>) -> Repetition {
        let device = self.labels.device();
        let mut model = Some(self.model);
        Box::new(move || {
            let current = model.take().ok_or("an earlier step failed")?;
            let gradients = gradients(&current);
            device.sync()?;
            let start = Instant::now();
            model = Some(update(current, gradients));
            since(start, &device)
        })
    }
}

/// Milliseconds since `start`, once `device` has done what it was asked for.
fn since(start: Instant, device: &Device) -> Result<f64, Box<dyn Error>> {
    device.sync()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Some gradient for every parameter.
fn gradients<M: Module>(model: &M) -> GradientsParams {
    struct Fill(GradientsParams);
    impl ModuleVisitor for Fill {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0.register(param.id, param.val().inner() * 1e-3);
            }
        }
    }
    let mut fill = Fill(GradientsParams::new());
    model.visit(&mut fill);
    fill.0
}
