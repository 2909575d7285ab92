//! The kernels as operations of Burn's backends on the processor: Burn's dispatch finds the backend
//! of a tensor, and `record` puts the operation into the graph.

mod images;
mod sequences;

pub use images::Images;
pub use sequences::Sequences;
