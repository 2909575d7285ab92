//! How much the loss rises near by: in a box, in a ball, on average.

mod ball;
mod gaussian;
mod keskar;
mod neighbourhood;

pub use self::ball::{AsamSharpness, BallSharpness, SamSharpness};
pub use self::gaussian::{GaussianEstimate, GaussianSharpness};
pub use self::keskar::{Keskar, KeskarSharpness};
pub use self::neighbourhood::{Maximiser, Maximum};
