//! A network's mean loss over a data set, as a function of its parameters.

mod declared;
mod layout;
mod part;
mod plain;
mod problem;

use std::cell::RefCell;
use std::rc::Rc;

use burn::module::Module;
use burn::tensor::Tensor;

use self::declared::{Declared, Feed};
use self::layout::Layout;
use self::plain::Plain;
use self::problem::{Kind, Piece, Place, Problem, View};
use super::{Approximation, FlatnessError, Operator, Watch};
use crate::data::Source;
use crate::model::{Batch, Model, ModelConfig};

pub use self::layout::ParameterSlice;

/// A network's mean loss over a whole data set, `L(w) = (1/N) Σ_i l_i(w)`, as a function of its
/// parameters `w`: a vector of all that training moves, in the order of the declaration.
///
/// Examples go through the network in the order of the data set, some at a time; each counts the same,
/// those of a last smaller batch too. The network runs as in inference: without dropout, and
/// `batch_norm` by its running statistics unless
/// [`with_batch_statistics`](Self::with_batch_statistics) says otherwise. It works on a copy; neither
/// the model nor its running statistics ever change.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{Objective, Operator};
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// let device = default_device()?;
/// let model = NetConfig::new().init(&device)?;
/// let data = digits()?;
/// let objective = Objective::new(&model, &data)?;
/// assert_eq!(objective.size(), 650);
/// println!("{}", objective.loss()?);
///
/// // The Hessian times the gradient.
/// let product = objective.hessian().product(&objective.gradient()?)?;
/// assert_eq!(product.dims(), [650]);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone)]
pub struct Objective<'a> {
    problem: Rc<dyn Problem + 'a>,
    /// All that training moves.
    whole: Rc<Layout>,
    /// The network's own numbers for it.
    own: Tensor<1>,
    /// Other numbers for it.
    weights: Option<Tensor<1>>,
    /// What is looked at.
    layout: Rc<Layout>,
    batch: usize,
    batch_statistics: bool,
    watch: Watch,
}

impl<'a> Objective<'a> {
    /// The loss of `model` on every example of `source`, which is to give the same examples each time:
    /// up to 256 MiB of them are read once and stay on the device.
    ///
    /// # Errors
    ///
    /// A data set that does not fit the model or is empty, or a model without parameters.
    pub fn new<M: Model + 'a>(model: &M, source: &'a dyn Source) -> Result<Self, FlatnessError> {
        model.config().check(&source)?;
        Objective::declared(model, Feed::Source(source))
    }

    /// The mean loss of batches of one size, with the batches' statistics, as in a training step.
    pub(crate) fn of_step<M: Model>(
        model: &M,
        batches: Vec<Batch<M>>,
    ) -> Result<Self, FlatnessError> {
        let objective = Objective::declared(model, Feed::Batches(batches))?;
        objective.with_batch_statistics()?.batch(1)
    }

    fn declared<M: Model>(model: &M, feed: Feed<'a, M>) -> Result<Self, FlatnessError> {
        let model = still(model);
        let layout = Layout::of(&model)?;
        let device = layout.device.clone().autodiff();
        let own = layout.weights(&model);
        let problem = Declared::new(model, feed, device);
        Objective::of(Rc::new(problem), layout, own)
    }

    /// The loss of a Burn module that was not declared, as a mean over `batches`, each with the number
    /// of its examples. `loss` gives the mean loss of a batch.
    ///
    /// Burn differentiates once, so products with the Hessian are central differences of gradients,
    /// and say so; there is no Gauss-Newton and no Fisher product. The module runs as in inference, frozen:
    /// Burn's batch norm goes by its running statistics.
    ///
    /// ```
    /// use kiln::flatness::{Approximation, Objective, Operator};
    /// use kiln::prelude::*;
    /// use kiln::burn::nn::{Linear, LinearConfig};
    /// use kiln::burn;
    ///
    /// let device = default_device()?;
    /// let module: Linear = LinearConfig::new(3, 1).init(&device);
    /// let (x, y) = (Tensor::<2>::ones([8, 3], &device), Tensor::<2>::zeros([8, 1], &device));
    /// let objective = Objective::plain(&module, vec![((x, y), 8)], |module, (x, y)| {
    ///     kiln::loss::mse(module.forward(x), y)
    /// })?;
    /// let hessian = objective.hessian();
    /// let product = hessian.product(&objective.gradient()?)?;
    /// assert_eq!(product.dims(), [4]);
    /// assert_eq!(hessian.approximations(), [Approximation::Gradients]);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No batches, or a module without parameters.
    pub fn plain<M, B, F>(
        module: &M,
        batches: Vec<(B, usize)>,
        loss: F,
    ) -> Result<Self, FlatnessError>
    where
        M: Module + 'a,
        B: Clone + 'a,
        F: Fn(&M, B) -> Tensor<1> + 'a,
    {
        let module = still(module);
        let layout = Layout::of(&module)?;
        let own = layout.weights(&module);
        let problem = Plain {
            module: module.freeze(),
            batches,
            loss,
        };
        Objective::of(Rc::new(problem), layout, own)
    }

    fn of(
        problem: Rc<dyn Problem + 'a>,
        layout: Layout,
        own: Tensor<1>,
    ) -> Result<Self, FlatnessError> {
        if problem.examples() == 0 {
            return Err(FlatnessError::argument("examples", 0, "at least 1"));
        }
        let layout = Rc::new(layout);
        Ok(Objective {
            problem,
            whole: layout.clone(),
            own,
            weights: None,
            layout,
            batch: 256,
            batch_statistics: false,
            watch: Watch::silent(),
        })
    }

    /// How many examples go through the network at once, 256 unless said; results differ by rounding
    /// alone, but for [`with_batch_statistics`](Self::with_batch_statistics).
    ///
    /// # Errors
    ///
    /// A batch of 0.
    pub fn batch(self, batch: usize) -> Result<Self, FlatnessError> {
        if batch == 0 {
            return Err(FlatnessError::argument("batch", batch, "at least 1"));
        }
        Ok(Objective { batch, ..self })
    }

    /// `batch_norm` uses the statistics of each batch, as in training, and they are part of what is
    /// differentiated. One that is frozen keeps to its running statistics, as in training.
    ///
    /// # Errors
    ///
    /// A module that was not declared: there is no derivative of its statistics.
    pub fn with_batch_statistics(self) -> Result<Self, FlatnessError> {
        if !self.problem.has_batch_statistics() {
            let found = "a module that was not declared";
            let expected = "said of a declared network, which can differentiate them";
            return Err(FlatnessError::argument(
                "with_batch_statistics",
                found,
                expected,
            ));
        }
        Ok(Objective {
            batch_statistics: true,
            ..self
        })
    }

    /// Who sees the progress, and what stops it.
    pub fn watched(self, watch: Watch) -> Self {
        Objective { watch, ..self }
    }

    /// The same loss as a function of some parameters alone, those whose whole path matches; `*` stands
    /// for any run of characters, as behind the `for` of an
    /// [`optimizer!`](crate::optimizer).
    ///
    /// # Errors
    ///
    /// Where no parameter matches; those that there are are listed.
    pub fn only(&self, pattern: &str) -> Result<Self, FlatnessError> {
        Ok(self.restricted(self.layout.only(pattern)?))
    }

    /// The same loss as a function of each layer's parameters alone, with the layer's path: the blocks
    /// on the diagonal of the Hessian.
    ///
    /// # Errors
    ///
    /// None that a model can bring about.
    pub fn layers(&self) -> Result<Vec<(String, Self)>, FlatnessError> {
        let layers = self.layout.layers().into_iter();
        let layers = layers.map(|layer| {
            let restricted = self.restricted(self.layout.layer(&layer)?);
            Ok((layer, restricted))
        });
        layers.collect()
    }

    fn restricted(&self, layout: Layout) -> Self {
        Objective {
            layout: Rc::new(layout),
            ..self.clone()
        }
    }

    /// The number of parameters.
    pub fn size(&self) -> usize {
        self.layout.size
    }

    /// How many examples the loss is a mean over.
    pub fn examples(&self) -> usize {
        self.problem.examples()
    }

    /// The parameters, and where each of them lies in a vector.
    pub fn parameters(&self) -> Vec<ParameterSlice> {
        self.layout.slices().collect()
    }

    /// For each of the parameters whether it shifts outputs and scales none: biases, and the `beta` of
    /// normalisations.
    pub(crate) fn shifts(&self) -> Vec<bool> {
        self.layout.shifts().collect()
    }

    /// The parameters `w` at which the loss is looked at.
    pub fn weights(&self) -> Tensor<1> {
        self.layout.part(&self.whole, self.all())
    }

    /// The numbers of all that training moves.
    fn all(&self) -> &Tensor<1> {
        self.weights.as_ref().unwrap_or(&self.own)
    }

    /// A vector of the user's, where the network is and in its precision.
    pub(crate) fn own(&self, vector: &Tensor<1>) -> Result<Tensor<1>, FlatnessError> {
        self.layout.own(vector)
    }

    /// The same loss at other parameters.
    ///
    /// # Errors
    ///
    /// A vector of another length.
    pub fn at(&self, weights: Tensor<1>) -> Result<Self, FlatnessError> {
        let weights = self.layout.own(&weights)?;
        Ok(Objective {
            weights: Some(self.layout.within(&self.whole, weights, self.all())),
            ..self.clone()
        })
    }

    /// `model` with the weights at which the loss is looked at.
    ///
    /// # Errors
    ///
    /// A model with other parameters than the one that this is the loss of.
    pub fn write<M: Module>(&self, model: &M) -> Result<M, FlatnessError> {
        let model = still(model);
        self.layout.check(&model)?;
        let here = Some((&*self.whole, self.all()));
        Ok(self.whole.at(model, here).valid())
    }

    /// `L(w)`.
    ///
    /// # Errors
    ///
    /// An error of the data, or a loss that is not finite.
    pub fn loss(&self) -> Result<f64, FlatnessError> {
        let place = self.place(&[]);
        let mut losses = Vec::new();
        for piece in self.pieces() {
            losses.push((place.loss(&piece)?, piece.share));
        }
        mean(losses)
    }

    /// `∇L(w)`.
    ///
    /// # Errors
    ///
    /// An error of the data, or a gradient that is not finite.
    pub fn gradient(&self) -> Result<Tensor<1>, FlatnessError> {
        self.loss_and_gradient().map(|(_, gradient)| gradient)
    }

    /// `L(w)` and `∇L(w)`.
    ///
    /// # Errors
    ///
    /// An error of the data, or a loss or a gradient that is not finite.
    pub fn loss_and_gradient(&self) -> Result<(f64, Tensor<1>), FlatnessError> {
        let place = self.place(&[]);
        let (mut losses, mut sum) = (Vec::new(), Sum::default());
        for piece in self.pieces() {
            let [loss, gradient] = place.gradient(&piece)?;
            losses.push((loss, piece.share));
            sum.add(gradient, piece.share);
        }
        let loss = mean(losses)?;
        Ok((loss, sum.finished("the gradient")?))
    }

    /// The matrix of second derivatives of the loss.
    pub fn hessian(&self) -> Curvature<'a> {
        self.curvature(Kind::Hessian)
    }

    /// `(1/N) Σ_i J_iᵀ H_i J_i`, with the Jacobian `J_i` of an example's outputs by the parameters and the
    /// Hessian `H_i` of its loss by its outputs (Schraudolph 2002). It has no negative eigenvalues
    /// where the loss is convex in the outputs, and is what the Hessian comes to where outputs are linear in the
    /// parameters.
    pub fn gauss_newton(&self) -> Curvature<'a> {
        self.curvature(Kind::GaussNewton)
    }

    /// `(1/N) Σ_i ∇l_i ∇l_iᵀ`, with the gradients of the examples' losses: the empirical Fisher
    /// matrix, the gradients' second moment. Needs examples that do not see each other, and so not
    /// [`with_batch_statistics`](Self::with_batch_statistics).
    pub fn fisher(&self) -> Curvature<'a> {
        self.curvature(Kind::Fisher)
    }

    fn curvature(&self, kind: Kind) -> Curvature<'a> {
        Curvature {
            objective: self.clone(),
            kind,
            approximations: RefCell::default(),
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        self.problem.pieces(self.batch)
    }

    fn place<'b>(&'b self, vectors: &'b [Tensor<1>]) -> Box<dyn Place + 'b> {
        let weights = self.weights.as_ref();
        self.problem.place(View {
            layout: &self.layout,
            weights: weights.map(|weights| (&*self.whole, weights)),
            batch_statistics: self.batch_statistics,
            vectors,
        })
    }
}

/// The products of an [`Objective`]'s matrix with vectors.
///
/// Several vectors share the reading of the data. They do not share the forward pass, because Burn
/// does not keep a graph for a second backward pass.
#[derive(Clone)]
pub struct Curvature<'a> {
    objective: Objective<'a>,
    kind: Kind,
    approximations: RefCell<Vec<Approximation>>,
}

impl Curvature<'_> {
    /// The loss whose curvature it is.
    pub fn objective(&self) -> &Objective<'_> {
        &self.objective
    }
}

impl Operator for Curvature<'_> {
    fn zeros(&self) -> Tensor<1> {
        self.objective.layout.zeros()
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        let objective = &self.objective;
        let vectors = vectors.iter().map(|vector| objective.layout.own(vector));
        let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
        if self.kind == Kind::Fisher && objective.batch_statistics {
            return Err(FlatnessError::argument(
                "fisher",
                "the statistics of a batch, through which examples see each other",
                "defined for examples that do not",
            ));
        }
        let place = objective.place(&vectors);
        let mut sums: Vec<Sum> = vectors.iter().map(|_| Sum::default()).collect();
        for piece in objective.pieces() {
            let products = place.products(self.kind, &piece)?;
            for (sum, product) in sums.iter_mut().zip(products) {
                sum.add(product, piece.share);
            }
        }
        *self.approximations.borrow_mut() = place.approximations();
        let sums = sums.into_iter();
        sums.map(|sum| sum.finished("the product")).collect()
    }

    /// Known once there was a product.
    fn approximations(&self) -> Vec<Approximation> {
        self.approximations.borrow().clone()
    }

    fn watch(&self) -> Watch {
        self.objective.watch.clone()
    }
}

/// A copy in inference, whose parameters say whether they are trained.
fn still<M: Module>(model: &M) -> M {
    model.valid().train()
}

/// A weighted sum of at least one term, with what rounding took from it (Kahan 1965): it is off by two
/// roundings, however many terms there are. The compiler of a GPU may take the correction for zero; then
/// it is a plain sum.
#[derive(Default)]
struct Sum {
    sum: Option<Tensor<1>>,
    excess: Option<Tensor<1>>,
}

impl Sum {
    fn add(&mut self, term: Tensor<1>, share: f64) {
        let term = if share == 1.0 { term } else { term * share };
        let Some(before) = self.sum.take() else {
            self.sum = Some(term);
            return;
        };
        let term = match self.excess.take() {
            Some(excess) => term - excess,
            None => term,
        };
        let sum = before.clone() + term.clone();
        self.excess = Some((sum.clone() - before) - term);
        self.sum = Some(sum);
    }

    fn finished(self, what: &str) -> Result<Tensor<1>, FlatnessError> {
        let Some(sum) = self.sum else {
            return Err(FlatnessError::argument("examples", 0, "at least 1"));
        };
        if sum.clone().is_finite().all().into_scalar::<bool>() {
            return Ok(sum);
        }
        Err(FlatnessError::NonFinite { what: what.into() })
    }
}

/// Read together at the end: on a GPU every reading waits for the device.
fn mean(losses: Vec<(Tensor<1>, f64)>) -> Result<f64, FlatnessError> {
    let (losses, shares): (Vec<_>, Vec<_>) = losses.into_iter().unzip();
    let losses = Tensor::cat(losses, 0).into_data();
    let terms = losses.iter::<f64>().zip(shares);
    let loss: f64 = terms.map(|(loss, share)| loss * share).sum();
    if loss.is_finite() {
        return Ok(loss);
    }
    let what = "the loss".into();
    Err(FlatnessError::NonFinite { what })
}
