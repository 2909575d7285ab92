//! Networks as one writes them by hand: what the declared ones are measured against.
//!
//! Every network is one file, compiled twice: in [`with_kiln`] its layers are the ones that a
//! declaration is made of, and so run the same kernels; in [`with_burn`] they are Burn's own.
//! [`ResNet20`](with_kiln::ResNet20) and [`Transformer`](with_kiln::Transformer) stand in for
//! declared networks that are still to come.
#![allow(
    clippy::duplicate_mod,
    reason = "each network is compiled twice, once with Kiln's layers and once with Burn's"
)]

pub mod with_burn;
pub mod with_kiln;
