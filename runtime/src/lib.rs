//! Declare a network, an optimizer and a schedule; train it on any Burn backend.

pub mod data;
