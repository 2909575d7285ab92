//! Tests that cross crates, and what they share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kiln::Device;
use kiln::device;

/// The device that the tests run on: what `KILN_DEVICE` names, as for every program.
///
/// # Panics
///
/// Where there is none: a test cannot go on without it.
pub fn device() -> Device {
    device::default_device().unwrap_or_else(|error| panic!("{error}"))
}

/// Whether long trainings should be cut short: a GPU in software takes 20 times as long.
pub fn is_slow() -> bool {
    device::name(&device()) == "wgpu"
}

/// Held by every test that draws random numbers whose values matter.
///
/// The CPU devices of Burn have one random stream in a program, and a training seeds it at every
/// step; without this a test beside it would take numbers out of its stream.
pub fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    // A failed test says nothing about the next one.
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}
