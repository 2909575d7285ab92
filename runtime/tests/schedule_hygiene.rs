//! A schedule declared in a strict crate that has its own idea of every common name.

#![deny(
    warnings,
    missing_docs,
    unused,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
#![forbid(unsafe_code, non_ascii_idents)]

/// Names that an expansion must not see.
mod hostile {
    #![allow(dead_code, non_camel_case_types, missing_docs)]

    pub struct Result;
    pub struct Option;
    pub struct Vec;
    pub struct String;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct Box;
    pub struct Phase;
    pub struct Plan;
    pub struct Time;
    pub struct Scaling;
    pub struct Schedule;
    pub struct f64;
    pub struct bool;
    pub trait Default {}
    pub trait Clone {}
    pub trait Iterator {}
    pub mod core {}
    pub mod std {}
    pub mod serde {}
    pub mod burn {}
    pub mod alloc {}

    kiln::schedule! {
        /// Everything that an expansion may hold.
        pub struct Hostile {
            /// The rate.
            rate: f64 = 100_000.0,
            length: usize = 3,
            quick: bool = true,
            /// No default.
            base: usize,
        }

        peak (rate + 1.0) * 2 per (base) examples;
        warmup((length) steps, from: 0.5 + rate * 0)
            -> linear(5 %)
            -> cosine(2 epochs, to: (0.25))
            -> constant((length * 2) steps)
            -> exponential(1 step, factor: 0.5, every: length epochs)
            -> step(factor: 0.5, at: [length * 30, (90)] %);
    }

    kiln::schedule! {
        struct Private;
        peak 1;
        cosine;
    }

    pub fn quiet() -> impl kiln::schedule::Schedule {
        Private::new()
    }
}

use kiln::schedule::Schedule;

#[test]
fn a_hostile_crate_changes_nothing() {
    let plan = hostile::Hostile::new(8)
        .with_rate(0.5)
        .with_length(1)
        .plan();
    assert_eq!(
        plan.to_string(),
        "3 per 8 examples (linear); warmup from 0.5 over 1 step; \
         then linear from 1 to 0 over 5 %; then cosine to 0.25 over 2 epochs; \
         then constant for 2 steps; then x0.5 every 1 epoch for 1 step; \
         then x0.5 at 30, 90 % of training",
    );
    assert_eq!(
        hostile::quiet().plan().to_string(),
        "1; cosine to 0 until the end"
    );
}
