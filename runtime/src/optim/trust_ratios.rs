//! How large the gradients are beside the weights, layer by layer.

use std::collections::HashSet;
use std::fmt;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use serde::Serialize;

use super::clip::sum_of_squares;

/// The norms of every parameter and of its gradient, and their ratio, as in table 1 of the LARS
/// paper ([You, Gitman and Ginsburg 2017](https://arxiv.org/abs/1708.03888)).
///
/// Where the ratios of the layers differ by orders of magnitude, one learning rate for all is too
/// large for some and too small for others: that is what [`Update::Lars`](super::Update::Lars)
/// mends, whose rate is `trust_coefficient` times this ratio where there is no decay. A parameter
/// without a gradient is left out. The device is waited for once.
///
/// ```
/// use kiln::burn::optim::GradientsParams;
/// use kiln::optim::trust_ratios;
/// use kiln::prelude::*;
///
/// model! {
///     struct Line;
///     input x: [2];
///     let y = x -> head: linear(1);
///     output y;
/// }
///
/// let device = kiln::device::default_device()?.autodiff();
/// let line = LineConfig::new().init(&device)?;
/// let loss = line.forward(Tensor::from_floats([[3.0, 4.0]], &device)).sum();
/// let gradients = GradientsParams::from_grads(loss.backward(), &line);
///
/// let ratios = trust_ratios(&line, &gradients);
/// println!("{ratios}");
/// assert_eq!(ratios.parameters[0].path, "head.weight");
/// assert_eq!(ratios.parameters[0].gradient, 5.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn trust_ratios<M: Module>(model: &M, gradients: &GradientsParams) -> TrustRatios {
    let mut norms = Norms {
        gradients,
        path: Vec::new(),
        met: HashSet::new(),
        paths: Vec::new(),
        squares: Vec::new(),
    };
    model.visit(&mut norms);
    let numbers: Vec<f64> = match norms.squares.is_empty() {
        true => Vec::new(),
        false => Tensor::cat(norms.squares, 0).into_data().iter().collect(),
    };
    let pairs = norms.paths.into_iter().zip(numbers.chunks_exact(2));
    let parameters = pairs.map(|(path, squares)| {
        let [weight, gradient] = [squares[0], squares[1]].map(f64::sqrt);
        TrustRatio {
            path,
            weight,
            gradient,
            ratio: (gradient != 0.0).then_some(weight / gradient),
        }
    });
    TrustRatios {
        parameters: parameters.collect(),
    }
}

/// What [`trust_ratios`] found. `Display` writes a table, serde JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrustRatios {
    /// One for each parameter with a gradient, in the order of the model.
    pub parameters: Vec<TrustRatio>,
}

/// A row of [`TrustRatios`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrustRatio {
    /// The parameter.
    pub path: String,
    /// Its Euclidean norm, ‖w‖.
    pub weight: f64,
    /// That of its gradient, ‖∇L‖.
    pub gradient: f64,
    /// ‖w‖/‖∇L‖; none where the gradient is 0.
    pub ratio: Option<f64>,
}

impl fmt::Display for TrustRatios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: &str = "parameter";
        let lengths = self.parameters.iter().map(|row| row.path.chars().count());
        let wide = lengths.max().unwrap_or(0).max(HEAD.len());
        write!(
            f,
            "{HEAD:wide$} {:>10} {:>10} {:>10}",
            "‖w‖", "‖∇L‖", "‖w‖/‖∇L‖"
        )?;
        for row in &self.parameters {
            let TrustRatio {
                path,
                weight,
                gradient,
                ratio,
            } = row;
            write!(f, "\n{path:wide$} {weight:>10.3e} {gradient:>10.3e} ")?;
            match ratio {
                Some(ratio) => write!(f, "{ratio:>10.3e}")?,
                None => write!(f, "{:>10}", "-")?,
            }
        }
        Ok(())
    }
}

struct Norms<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    met: HashSet<ParamId>,
    paths: Vec<String>,
    /// Of each parameter, the squares of its norm and of its gradient's, of shape `[1]`.
    squares: Vec<Tensor<1>>,
}

impl ModuleVisitor for Norms<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else {
            return;
        };
        if !self.met.insert(param.id) {
            return;
        }
        self.paths.push(self.path.join("."));
        for tensor in [param.val().inner(), gradient] {
            let squares = sum_of_squares(tensor).cast(DType::F32);
            self.squares.push(match self.squares.first() {
                Some(first) => squares.to_device(&first.device()),
                None => squares,
            });
        }
    }
}
