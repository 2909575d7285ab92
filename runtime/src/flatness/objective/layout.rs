//! Which parameters a vector holds, and where.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor};

use crate::flatness::{FlatnessError, brought, lengths};
use crate::optim::{Parameter, parameters, path_matches, refuse_tied};

/// A parameter's place in the vectors of an [`Objective`](super::Objective).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSlice {
    /// Its path in the model.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its numbers lie in the vector, row by row.
    pub range: std::ops::Range<usize>,
    /// The type of the layer that it belongs to: `Linear`, `Conv2d`. Empty where that has no name.
    pub layer: String,
}

/// The parameters that are looked at, in the order in which the model is visited.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    all: Vec<Parameter>,
    /// For each of them where it lies, if it is looked at.
    starts: Vec<Option<usize>>,
    pub size: usize,
    /// What the vectors are made on, and of what; those of the first parameter.
    pub device: Device,
    pub dtype: DType,
}

impl Layout {
    /// All that training moves in `model`.
    pub fn of<M: Module>(model: &M) -> Result<Layout, FlatnessError> {
        let all = parameters(model);
        refuse_tied(&all).map_err(|error| FlatnessError::NoParameters {
            asked: error.to_string(),
            known: listed(&all),
        })?;
        let mut first = First(None);
        model.visit(&mut first);
        let (device, dtype) = first.0.unwrap_or((Device::default(), DType::F32));
        let layout = Layout {
            all,
            starts: Vec::new(),
            size: 0,
            device,
            dtype,
        };
        layout.selected("the model has no parameter to look at", |_| true)
    }

    /// Those whose paths match, of those that are looked at.
    pub fn only(&self, pattern: &str) -> Result<Layout, FlatnessError> {
        let asked = format!("no parameter matches \"{pattern}\"");
        self.selected(&asked, |path| path_matches(pattern, path))
    }

    /// Those of one layer: of the paths that begin with `layer` and have one name more.
    pub fn layer(&self, layer: &str) -> Result<Layout, FlatnessError> {
        let asked = format!("no layer is called `{layer}`");
        self.selected(&asked, |path| parent(path) == layer)
    }

    fn selected(
        &self,
        asked: &str,
        select: impl Fn(&str) -> bool,
    ) -> Result<Layout, FlatnessError> {
        let mut size = 0;
        let before = self.starts.iter().map(Option::is_some);
        let before = before.chain(std::iter::repeat(self.starts.is_empty()));
        let starts = self.all.iter().zip(before).map(|(parameter, before)| {
            let selected = before && parameter.trainable && select(&parameter.path);
            selected.then(|| {
                let start = size;
                size += parameter.shape.num_elements();
                start
            })
        });
        let starts: Vec<_> = starts.collect();
        if size == 0 {
            return Err(FlatnessError::NoParameters {
                asked: asked.to_owned(),
                known: listed(&self.all),
            });
        }
        Ok(Layout {
            starts,
            size,
            ..self.clone()
        })
    }

    pub fn slices(&self) -> impl Iterator<Item = ParameterSlice> {
        let selected = self.all.iter().zip(&self.starts);
        selected.filter_map(|(parameter, start)| {
            let start = (*start)?;
            Some(ParameterSlice {
                path: parameter.path.clone(),
                shape: parameter.shape.to_vec(),
                range: start..start + parameter.shape.num_elements(),
                layer: parameter.layer.clone(),
            })
        })
    }

    pub fn shifts(&self) -> impl Iterator<Item = bool> {
        let selected = self.all.iter().zip(&self.starts);
        selected.filter_map(|(parameter, start)| start.map(|_| parameter.shifts()))
    }

    /// The layers whose parameters are looked at, in order.
    pub fn layers(&self) -> Vec<String> {
        let mut layers: Vec<String> = Vec::new();
        for slice in self.slices() {
            let layer = parent(&slice.path);
            if layers.last().is_none_or(|last| last != layer) {
                layers.push(layer.to_owned());
            }
        }
        layers
    }

    /// Whether `model` has these parameters.
    pub fn check<M: Module>(&self, model: &M) -> Result<(), FlatnessError> {
        let found = parameters(model);
        let same = |(ours, theirs): (&Parameter, &Parameter)| {
            (&ours.path, &ours.shape) == (&theirs.path, &theirs.shape)
        };
        if found.len() == self.all.len() && self.all.iter().zip(&found).all(same) {
            return Ok(());
        }
        Err(FlatnessError::NoParameters {
            asked: "the weights are those of a model with other parameters".into(),
            known: listed(&found),
        })
    }

    pub fn zeros(&self) -> Tensor<1> {
        Tensor::zeros([self.size], (&self.device, self.dtype))
    }

    /// The numbers of `model` as one vector.
    pub fn weights<M: Module>(&self, model: &M) -> Tensor<1> {
        self.collect(model, None)
    }

    /// The gradient of `loss` as one vector, with zeros where it depends on nothing.
    pub fn gradient<M: Module>(&self, model: &M, loss: &Tensor<1>) -> Tensor<1> {
        if !loss.is_tracked() {
            return self.zeros();
        }
        self.collect(model, Some(&loss.backward()))
    }

    fn collect<M: Module>(&self, model: &M, gradients: Option<&Gradients>) -> Tensor<1> {
        let mut collecting = Collecting {
            layout: self,
            at: 0,
            gradients,
            parts: Vec::new(),
        };
        model.visit(&mut collecting);
        Tensor::cat(collecting.parts, 0)
    }

    /// `model` with the numbers of `weights`, where there are some, in the place of its own, and
    /// differentiated by what is looked at alone.
    pub fn at<M: Module>(&self, model: M, weights: Option<(&Layout, &Tensor<1>)>) -> M {
        model.map(&mut Writing {
            layout: self,
            at: 0,
            numbers: weights,
            leaf: true,
        })
    }

    /// A network of the type of `model` with the numbers of `vector` for parameters, and zeros for
    /// what is not looked at or not trained.
    pub fn direction<M: Module>(&self, model: &M, vector: &Tensor<1>) -> M {
        // Running statistics are shared between clones; here they are the direction's own.
        model.valid().map(&mut Writing {
            layout: self,
            at: 0,
            numbers: Some((self, vector)),
            leaf: false,
        })
    }

    /// `weights`, a vector of these parameters, as one of those of `whole`, with the numbers of `base`
    /// for the others.
    pub fn within(&self, whole: &Layout, weights: Tensor<1>, base: &Tensor<1>) -> Tensor<1> {
        if self.size == whole.size {
            return weights;
        }
        let pairs = whole.starts.iter().zip(&self.starts).zip(&whole.all);
        let parts = pairs.filter_map(|((outer, inner), parameter)| {
            let numbers = parameter.shape.num_elements();
            match (outer, inner) {
                (_, Some(inner)) => Some(weights.clone().narrow(0, *inner, numbers)),
                (Some(outer), None) => Some(base.clone().narrow(0, *outer, numbers)),
                (None, None) => None,
            }
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// These parameters' part of a vector of those of `whole`.
    pub fn part(&self, whole: &Layout, weights: &Tensor<1>) -> Tensor<1> {
        if self.size == whole.size {
            return weights.clone();
        }
        let pairs = whole.starts.iter().zip(&self.starts).zip(&whole.all);
        let parts = pairs.filter_map(|((outer, inner), parameter)| {
            let (outer, _) = ((*outer)?, (*inner)?);
            let numbers = parameter.shape.num_elements();
            Some(weights.clone().narrow(0, outer, numbers))
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// The vector where the model is, and in its precision.
    ///
    /// # Errors
    ///
    /// One of another length.
    pub fn own(&self, vector: &Tensor<1>) -> Result<Tensor<1>, FlatnessError> {
        lengths(self.size, std::slice::from_ref(vector))?;
        Ok(brought(vector, &self.device, self.dtype))
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn listed(parameters: &[Parameter]) -> String {
    let trained = parameters.iter().filter(|parameter| parameter.trainable);
    crate::optim::listed(trained)
}

struct First(Option<(Device, DType)>);

impl ModuleVisitor for First {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.0.is_none() {
            let value = param.val();
            self.0 = Some((value.device().inner(), value.dtype()));
        }
    }
}

struct Collecting<'a> {
    layout: &'a Layout,
    at: usize,
    gradients: Option<&'a Gradients>,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for Collecting<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let start = self.layout.starts.get(self.at);
        self.at += 1;
        if start.copied().flatten().is_none() {
            return;
        }
        let value = param.val();
        let tensor = match self.gradients {
            Some(gradients) => value.grad(gradients).unwrap_or_else(|| {
                // What the loss does not depend on.
                value.zeros_like().inner()
            }),
            None => value.inner(),
        };
        let numbers = tensor.shape().num_elements();
        self.parts
            .push(tensor.cast(self.layout.dtype).reshape([numbers]));
    }
}

struct Writing<'a> {
    layout: &'a Layout,
    at: usize,
    /// A vector, and where each parameter lies in it.
    numbers: Option<(&'a Layout, &'a Tensor<1>)>,
    leaf: bool,
}

impl ModuleMapper for Writing<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.at;
        self.at += 1;
        let trained = self.layout.all.get(at);
        if self.leaf && !trained.is_some_and(|parameter| parameter.trainable) {
            return param;
        }
        let start = |layout: &Layout| layout.starts.get(at).copied().flatten();
        let part = self
            .numbers
            .and_then(|(layout, vector)| Some((start(layout)?, vector)));
        param.map(|old| {
            let (shape, dtype) = (old.shape(), old.dtype());
            let numbers = shape.num_elements();
            let new = match part {
                Some((start, vector)) => {
                    let part = vector.clone().narrow(0, start, numbers);
                    brought(&part, &old.device().inner(), dtype).reshape(shape)
                }
                None if self.leaf => old.inner(),
                None => old.inner().zeros_like(),
            };
            let leaf = self.leaf && start(self.layout).is_some();
            Tensor::from_inner(new).set_require_grad(leaf)
        })
    }
}
