//! Sizes: what is known of a dimension before a tensor arrives.

use std::fmt;

/// A dimension of one example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// A number.
    Fixed(usize),
    /// Known only when the tensor arrives; the text says what it is, such as `length - 2`.
    Any(&'static str),
}

impl Size {
    /// The number, if it is known.
    pub fn fixed(self) -> Option<usize> {
        match self {
            Size::Fixed(size) => Some(size),
            Size::Any(_) => None,
        }
    }

    /// Whether a dimension of `size` may stand here.
    pub fn takes(self, size: usize) -> bool {
        self.fixed().map_or(size > 0, |fixed| fixed == size)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Fixed(size) => write!(f, "{size}"),
            Size::Any(text) => f.write_str(text),
        }
    }
}

/// `length×64`
pub(crate) fn product(shape: &[Size]) -> String {
    let sizes = shape.iter().map(|size| match size {
        Size::Any(text) if text.contains(' ') => format!("({text})"),
        size => size.to_string(),
    });
    sizes.collect::<Vec<_>>().join("×")
}

/// `[length, 64]`
pub(crate) fn shown(shape: &[Size]) -> String {
    let sizes: Vec<_> = shape.iter().map(Size::to_string).collect();
    format!("[{}]", sizes.join(", "))
}
