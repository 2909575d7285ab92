//! The kernels: functions over slices, and what makes them operations of Burn's backends on the
//! processor.

pub mod attention;
pub mod conv;
mod cross_entropy;
#[allow(deprecated)] // Upstream's ndarray, which is supported here all the same.
pub mod extension;
mod gelu;
mod host;
mod layer_norm;
mod linear;
mod memory;
pub mod norm;
mod pointwise;
pub mod pool;
mod product;
mod record;
mod softmax;
mod steps;
#[allow(deprecated)] // As above.
pub mod update;
mod vector;
