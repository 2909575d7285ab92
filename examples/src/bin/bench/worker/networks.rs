//! The networks of Kiln's and Burn's contenders, with their batches, losses and optimizers.

use std::error::Error;

use kiln::burn::nn::loss::CrossEntropyLossConfig;
use kiln::burn::optim::decay::WeightDecayConfig;
use kiln::burn::optim::momentum::MomentumConfig;
use kiln::burn::optim::{AdamWConfig, SgdConfig};
use kiln::burn::tensor::Distribution;
use kiln::prelude::*;
use kiln_examples::by_hand::{with_burn, with_kiln};
use kiln_examples::declared::{ResNet20Config, TransformerConfig};
use kiln_models::{CnnConfig, MlpConfig};

use super::Repetition;
use super::training::{Subject, Update};
use crate::case::{Case, Network, Rule};

optimizer! {
    /// For images.
    pub struct Momentum;
    update sgd(momentum: 0.9);
}

optimizer! {
    /// For the transformer.
    pub struct Adaptive;
    update adamw;
}

optimizer! {
    /// As ResNets are trained.
    pub struct Decayed;
    update sgd(momentum: 0.9, weight_decay: 1e-4);
}

optimizer! {
    /// As ResNets are trained with large batches.
    pub struct Layerwise;
    update lars(momentum: 0.9, weight_decay: 1e-4);
    update sgd(momentum: 0.9, weight_decay: 1e-4) for bias, norm;
}

/// The learning rate of every contender.
const RATE: f64 = 1e-3;

/// What is to be made.
pub struct Order {
    pub network: Network,
    pub case: Case,
    /// Examples per step.
    pub batch: usize,
    /// With autodiff where the case needs gradients.
    pub device: Device,
}

type Prepared = Result<Repetition, Box<dyn Error>>;

/// A declared network.
pub fn declared(order: &Order) -> Prepared {
    match order.network {
        Network::Mlp => of_config(&MlpConfig::new(), order, order.images(), |scores| scores),
        Network::Cnn => of_config(&CnnConfig::new(), order, order.images(), |scores| scores),
        Network::ResNet20 => of_config(&ResNet20Config::new(), order, order.images(), |scores| {
            scores
        }),
        Network::Transformer => {
            let rows = |scores: Tensor<3>| scores.flatten(0, 1);
            of_config(&TransformerConfig::new(), order, order.text(), rows)
        }
    }
}

fn of_config<C: ModelConfig + 'static>(
    config: &C,
    order: &Order,
    input: <C::Model as Model>::Input,
    rows: fn(<C::Model as Model>::Output) -> Tensor<2>,
) -> Prepared {
    let model = config.init(&order.device)?;
    let update = kilns_update(order, &model)?;
    let subject = Subject {
        model,
        input,
        labels: order.labels(),
        forward: Box::new(move |model: &C::Model, input| rows(model.forward(input))),
        loss: |_, scores, labels| kiln::loss::cross_entropy(scores, labels, 0.0),
    };
    subject.prepare(order.case, update)
}

/// A network by hand, with Kiln's layers, loss and optimizer.
pub fn by_hand(order: &Order) -> Prepared {
    use with_kiln::{Cnn, Mlp, ResNet20, Transformer};

    let device = &order.device;
    match order.network {
        Network::Mlp => with_kilns_tools(order, Mlp::new(device), Mlp::forward, order.images()),
        Network::Cnn => with_kilns_tools(order, Cnn::new(device), Cnn::forward, order.images()),
        Network::ResNet20 => {
            let model = ResNet20::new(device);
            with_kilns_tools(order, model, ResNet20::forward, order.images())
        }
        Network::Transformer => {
            let model = Transformer::new(device);
            with_kilns_tools(order, model, Transformer::forward, order.text())
        }
    }
}

fn with_kilns_tools<M: Module + 'static, I: Clone + 'static>(
    order: &Order,
    model: M,
    forward: fn(&M, I) -> Tensor<2>,
    input: I,
) -> Prepared {
    let update = kilns_update(order, &model)?;
    let subject = Subject {
        model,
        input,
        labels: order.labels(),
        forward: Box::new(forward),
        loss: |_, scores, labels| kiln::loss::cross_entropy(scores, labels, 0.0),
    };
    subject.prepare(order.case, update)
}

fn kilns_update<M: Module>(order: &Order, model: &M) -> Result<Update<M>, Box<dyn Error>> {
    let mut updater = match (order.case, order.network) {
        (Case::OptimizerStep(Rule::Sgd), _) => Decayed::new().init(model)?,
        (Case::OptimizerStep(Rule::Lars), _) => Layerwise::new().init(model)?,
        (Case::OptimizerStep(Rule::AdamW), _) | (_, Network::Transformer) => {
            Adaptive::new().init(model)?
        }
        _ => Momentum::new().init(model)?,
    };
    Ok(Box::new(move |model, gradients| {
        updater.step(RATE, model, gradients)
    }))
}

/// A network by hand, with Burn's layers, loss and optimizer.
pub fn burn(order: &Order) -> Prepared {
    use with_burn::{Cnn, Mlp, ResNet20, Transformer};

    let device = &order.device;
    match order.network {
        Network::Mlp => with_burns_tools(order, Mlp::new(device), Mlp::forward, order.images()),
        Network::Cnn => with_burns_tools(order, Cnn::new(device), Cnn::forward, order.images()),
        Network::ResNet20 => {
            let model = ResNet20::new(device);
            with_burns_tools(order, model, ResNet20::forward, order.images())
        }
        Network::Transformer => {
            let model = Transformer::new(device);
            with_burns_tools(order, model, Transformer::forward, order.text())
        }
    }
}

fn with_burns_tools<M: Module + 'static, I: Clone + 'static>(
    order: &Order,
    model: M,
    forward: fn(&M, I) -> Tensor<2>,
    input: I,
) -> Prepared {
    let subject = Subject {
        model,
        input,
        labels: order.labels(),
        forward: Box::new(forward),
        loss: |_, scores, labels| {
            let loss = CrossEntropyLossConfig::new().init(&scores.device());
            loss.forward(scores, labels)
        },
    };
    subject.prepare(order.case, burns_update(order))
}

/// Burn's optimizers, with PyTorch's numbers.
fn burns_update<M: Module>(order: &Order) -> Update<M> {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let sgd = SgdConfig::new().with_momentum(Some(momentum));
    let mut optimizer = match (order.case, order.network) {
        (Case::OptimizerStep(Rule::Sgd), _) => {
            let decay = WeightDecayConfig::new(1e-4);
            sgd.with_weight_decay(Some(decay)).init()
        }
        (Case::OptimizerStep(Rule::AdamW), _) | (_, Network::Transformer) => AdamWConfig::new()
            .with_beta_1(0.9)
            .with_beta_2(0.999)
            .with_epsilon(1e-8)
            .with_weight_decay(0.01)
            .init(),
        _ => sgd.init(),
    };
    Box::new(move |model, gradients| optimizer.step(RATE, model, gradients))
}

impl Order {
    /// Random images, as large as the network takes them.
    fn images(&self) -> Tensor<4> {
        let [channels, size] = match self.network {
            Network::ResNet20 => [3, 32],
            _ => [1, 28],
        };
        let shape = [self.batch, channels, size, size];
        Tensor::random(shape, Distribution::Default, &self.device)
    }

    /// Sequences of characters, each after the other.
    fn text(&self) -> Tensor<2, Int> {
        let shape = [self.batch, with_kiln::Transformer::LENGTH];
        self.classes(shape[0] * shape[1]).reshape(shape)
    }

    /// A class for every row of the scores.
    fn labels(&self) -> Tensor<1, Int> {
        match self.network {
            Network::Transformer => self.classes(self.batch * with_kiln::Transformer::LENGTH),
            _ => self.classes(self.batch),
        }
    }

    fn classes(&self, count: usize) -> Tensor<1, Int> {
        let classes = match self.network {
            Network::Transformer => with_kiln::Transformer::VOCABULARY,
            _ => 10,
        };
        Tensor::arange(0..count as i64, &self.device).remainder_scalar(classes as i64)
    }
}
