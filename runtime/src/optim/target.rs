//! Which parameters a rule is for: kinds of parameters and patterns of paths.

use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Shape, Tensor};
use serde::{Deserialize, Serialize};

use super::shared::matches;
use super::{OptimizerError, Rule};

/// What stands behind `for`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// Every parameter named `bias`.
    Bias,
    /// Every parameter inside one of Burn's normalisation layers: `BatchNorm`, `LayerNorm`,
    /// `GroupNorm`, `InstanceNorm`, `RmsNorm`, or of Kiln's of these names. Layers are told by the
    /// name of their type.
    Norm,
    /// Every parameter inside an `Embedding` or a `PositionEmbedding`, Burn's or Kiln's.
    Embedding,
    /// Every parameter whose whole path matches; `*` stands for any run of characters, none and
    /// dots among them. A path is the names of the fields from the model to the parameter, with
    /// dots: `head.weight`, `blocks.0.conv.bias`.
    Path(String),
}

/// Layers whose parameters are of the kind `norm`.
const NORMS: [&str; 5] = [
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm",
    "RmsNorm",
];

/// Layers whose parameters are of the kind `embedding`.
const EMBEDDINGS: [&str; 2] = ["Embedding", "PositionEmbedding"];

/// A parameter of a model, and what tells its kind.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub path: String,
    pub id: ParamId,
    pub shape: Shape,
    pub trainable: bool,
    pub norm: bool,
    /// The type of the layer whose field it is; empty where that is no struct.
    pub layer: String,
    embedding: bool,
}

impl Parameter {
    /// Whether it is added and scales nothing.
    pub(crate) fn shifts(&self) -> bool {
        Target::Bias.matches(self) || (self.norm && self.path.ends_with("beta"))
    }
}

/// The place of the rule that moves `parameter`: the last that matches.
pub(super) fn winner(rules: &[Rule], parameter: &Parameter) -> Option<usize> {
    rules.iter().rposition(|rule| {
        rule.targets.is_empty() || rule.targets.iter().any(|target| target.matches(parameter))
    })
}

impl Target {
    pub(super) fn matches(&self, parameter: &Parameter) -> bool {
        let path = parameter.path.as_str();
        match self {
            Target::Bias => path.rsplit('.').next() == Some("bias"),
            Target::Norm => parameter.norm,
            Target::Embedding => parameter.embedding,
            Target::Path(pattern) => matches(pattern, path),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Bias => f.write_str("bias"),
            Target::Norm => f.write_str("norm"),
            Target::Embedding => f.write_str("embedding"),
            Target::Path(pattern) => write!(f, "\"{pattern}\""),
        }
    }
}

/// The parameters of `model`, in its order. No value is looked at, so that none which is still to
/// be drawn at random is drawn now.
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<Parameter> {
    let mut walk = Walk {
        path: Vec::new(),
        containers: Vec::new(),
        norms: 0,
        embeddings: 0,
        found: Vec::new(),
    };
    model.visit(&mut walk);
    walk.found
}

/// Burn's autodiff keeps the gradient of one of two clones, and its optimizers move one of them.
pub(crate) fn refuse_tied(parameters: &[Parameter]) -> Result<(), OptimizerError> {
    let mut met = HashMap::new();
    for parameter in parameters.iter().filter(|parameter| parameter.trainable) {
        if let Some(first) = met.insert(parameter.id, &parameter.path) {
            let (first, second) = (first.clone(), parameter.path.clone());
            return Err(OptimizerError::Tied { first, second });
        }
    }
    Ok(())
}

/// The paths of `parameters` for a message.
pub(crate) fn listed<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> String {
    const MOST: usize = 40;
    let paths = parameters
        .into_iter()
        .map(|parameter| format!("`{}`", parameter.path));
    let paths: Vec<String> = paths.collect();
    match paths.len() {
        0 => "none".into(),
        count if count > MOST => format!("{} and {} more", paths[..MOST].join(", "), count - MOST),
        _ => paths.join(", "),
    }
}

struct Walk {
    path: Vec<String>,
    /// The types whose fields the names of the path are.
    containers: Vec<String>,
    /// How many normalisation layers we are inside of.
    norms: usize,
    embeddings: usize,
    found: Vec<Parameter>,
}

/// Whether training moves a parameter whose value is there.
///
/// A running statistic is visited as a parameter; it differs in needing no gradient. A device that does
/// not differentiate shows that in training alone.
pub(crate) fn is_trained<const D: usize>(param: &Param<Tensor<D>>) -> bool {
    if param.lazy_device().is_autodiff() {
        param.is_require_grad()
    } else {
        param.clone().train().is_require_grad()
    }
}

fn is_one(container: &str, of: &[&str]) -> bool {
    container
        .strip_prefix("Struct:")
        .is_some_and(|name| of.contains(&name))
}

impl ModuleVisitor for Walk {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        self.containers.push(container_type.to_owned());
        self.norms += usize::from(is_one(container_type, &NORMS));
        self.embeddings += usize::from(is_one(container_type, &EMBEDDINGS));
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.path.pop();
        self.containers.pop();
        self.norms -= usize::from(is_one(container_type, &NORMS));
        self.embeddings -= usize::from(is_one(container_type, &EMBEDDINGS));
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let container = self.containers.last();
        let layer = container.and_then(|container| container.strip_prefix("Struct:"));
        self.found.push(Parameter {
            path: self.path.join("."),
            id: param.id,
            shape: param.lazy_shape(),
            trainable: !param.is_initialized() || is_trained(param),
            norm: self.norms > 0,
            layer: layer.unwrap_or_default().to_owned(),
            embedding: self.embeddings > 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::optim::shared::matches;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(matches("head.weight", "head.weight"));
        assert!(!matches("head", "head.weight"));
        assert!(matches("head.*", "head.inner.weight"));
        assert!(!matches("head.*", "ahead.weight"));
        assert!(matches("*.bias", "a.b.bias"));
        assert!(!matches("*.bias", "bias"));
        assert!(matches("*", ""));
        assert!(matches("blocks.*.conv*.weight", "blocks.0.conv2.weight"));
        assert!(!matches("a*a", "a"));
        assert!(matches("a*b*b", "abb"));
        assert!(!matches("a*b*b", "ab"));
        assert!(matches("**", "x"));
    }
}
