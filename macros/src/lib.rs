//! x
#![allow(dead_code)]
mod report;
mod suggest;
mod syntax;
