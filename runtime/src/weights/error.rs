//! What can be wrong with weights from elsewhere.

use std::fmt;
use std::path::PathBuf;

/// Weights that could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read at all.
    #[error("cannot read {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is damaged, or something else.
    #[error(
        "{} holds no weights as {format} writes them: {reason}; expected a state dict in .pt, .pth, \
         .bin or .safetensors", path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What it was read as.
        format: &'static str,
        /// Why not.
        reason: String,
    },
    /// A tensor whose numbers cannot be read.
    #[error("cannot read `{name}` in {}: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A pattern that is no regular expression.
    #[error("{reason}")]
    Pattern {
        /// Where it is wrong.
        reason: String,
    },
    /// Names that were different and are no more.
    #[error(
        "`{first}` and `{second}` in {} would both be called `{name}`; give `rename` a pattern that \
         matches less", path.display()
    )]
    SameName {
        /// The file.
        path: PathBuf,
        /// The name that both would have.
        name: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Weights of another model.
    #[error("the weights in {} are not those of the model:{mismatch}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        mismatch: Box<Mismatch>,
    },
    /// The file could not be written.
    #[error("could not write the weights to {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// How a file's tensors and a model's parameters differ, by PyTorch's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Parameters without a tensor.
    pub missing: Vec<Missing>,
    /// Tensors without a parameter, with their shapes.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// Tensors of another shape than their parameter.
    pub shapes: Vec<WrongShape>,
    /// Tensors that are no numbers of their parameter's kind.
    pub types: Vec<WrongType>,
}

/// A parameter without a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Its shape, as PyTorch lays it out.
    pub shape: Vec<usize>,
}

/// A tensor of another shape than its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongShape {
    /// Its name.
    pub name: String,
    /// The parameter's shape, as PyTorch lays it out.
    pub expected: Vec<usize>,
    /// The tensor's shape.
    pub found: Vec<usize>,
}

/// A tensor that is not of its parameter's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Its name.
    pub name: String,
    /// The parameter's type.
    pub expected: String,
    /// The tensor's type.
    pub found: String,
}

impl Mismatch {
    pub(super) fn is_empty(&self) -> bool {
        *self == Mismatch::default()
    }

    /// A prefix that all that is missing has too much or too little, as the renaming that mends it.
    fn renaming(&self) -> Option<String> {
        let first = &self.missing.first()?.name;
        let every = |fits: &dyn Fn(&str, &str) -> bool| {
            let mut missing = self.missing.iter();
            missing.all(|missing| {
                let mut unexpected = self.unexpected.iter();
                unexpected.any(|(name, shape)| *shape == missing.shape && fits(name, &missing.name))
            })
        };
        self.unexpected.iter().find_map(|(name, _)| {
            if let Some(prefix) = before(name, first) {
                let fits = |name: &str, missing: &str| name.strip_prefix(prefix) == Some(missing);
                let pattern = prefix.replace('.', r"\.");
                every(&fits).then(|| format!(r#".rename(r"^{pattern}", "")"#))
            } else {
                let prefix = before(first, name)?;
                let fits = |name: &str, missing: &str| missing.strip_prefix(prefix) == Some(name);
                every(&fits).then(|| format!(r#".rename("^", "{prefix}")"#))
            }
        })
    }

    /// The tensor without a parameter that may be meant: of the same shape, and much the same name.
    fn nearest(&self, missing: &Missing) -> Option<&str> {
        let same = self
            .unexpected
            .iter()
            .filter(|(_, shape)| *shape == missing.shape);
        let likeness = |name: &str| {
            let pairs = || name.bytes().zip(missing.name.bytes());
            let ends = name.bytes().rev().zip(missing.name.bytes().rev());
            let begin = pairs().take_while(|(a, b)| a == b).count();
            begin + ends.take_while(|(a, b)| a == b).count()
        };
        let (name, _) = same.max_by_key(|(name, _)| likeness(name))?;
        (2 * likeness(name) > name.len().max(missing.name.len())).then_some(name)
    }
}

/// What stands before `end` in `name`, where that is a path's beginning.
fn before<'a>(name: &'a str, end: &str) -> Option<&'a str> {
    let prefix = name.strip_suffix(end)?;
    prefix.ends_with('.').then_some(prefix)
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renaming = self.renaming();
        for missing in &self.missing {
            let Missing { name, shape } = missing;
            write!(f, "\n  - `{name}` {shape:?} is missing in the file")?;
            match self.nearest(missing) {
                Some(nearest) if renaming.is_none() => write!(f, "; did you mean `{nearest}`?")?,
                _ => {}
            }
        }
        for (name, shape) in &self.unexpected {
            write!(f, "\n  - the model has no `{name}` {shape:?}")?;
        }
        for wrong in &self.shapes {
            let WrongShape {
                name,
                expected,
                found,
            } = wrong;
            write!(f, "\n  - `{name}`: expected {expected:?}, found {found:?}")?;
        }
        for wrong in &self.types {
            let WrongType {
                name,
                expected,
                found,
            } = wrong;
            write!(
                f,
                "\n  - `{name}`: expected numbers of type {expected}, found {found}"
            )?;
        }
        f.write_str("\nopen the file with `Weights::open(..)?`, and ")?;
        match renaming {
            Some(renaming) => write!(f, "`{renaming}` makes the names agree"),
            None => f.write_str("`.rename(..)` changes names, `.without(..)` leaves some out"),
        }
    }
}
