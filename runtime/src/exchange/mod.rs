//! Training by several processes: how they sum their gradients and learn of each other's errors.

mod error;
#[cfg(feature = "mpi")]
mod mpi;

pub use error::ExchangeError;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;

/// How the processes that train one model together speak to each other.
///
/// Each process runs the same program, and has a rank, counted from 0. What all of them do together
/// they do in the same order: a call returns once every rank has made it, and fails on every rank
/// where one of them did something else, failed, or has left. From then on every call fails with the
/// same error, and none waits.
///
/// [`Alone`] is the exchange of one process, and [`Mpi`] that of those which `mpirun` started.
///
/// [`Mpi`]: https://docs.rs/kiln/latest/kiln/exchange/struct.Mpi.html
pub trait Exchange {
    /// Which of the processes this one is, counted from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn ranks(&self) -> usize;

    /// Replaces each number by its sum over all ranks, which is the same to the bit on each of them.
    ///
    /// # Errors
    ///
    /// A rank that fails, has left, or sums another number of numbers.
    fn sum(&self, numbers: &mut [f32]) -> Result<(), ExchangeError>;

    /// [`sum`](Self::sum) in double precision.
    ///
    /// # Errors
    ///
    /// Those of [`sum`](Self::sum).
    fn sum_double(&self, numbers: &mut [f64]) -> Result<(), ExchangeError>;

    /// Replaces what `bytes` holds by what it holds on rank 0.
    ///
    /// # Errors
    ///
    /// A rank that fails, has left, or does something else.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), ExchangeError>;

    /// Says that this rank cannot go on: whatever the others do next fails with
    /// [`ExchangeError::Failed`], which names this rank and holds `message`. Waits until they have
    /// heard it. Does nothing once a call has failed, or where there is one rank.
    ///
    /// A training that fails calls it, and so ends the exchange of several ranks for the rest of the
    /// program.
    fn fail(&self, message: &str);
}

/// One process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Exchange for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) -> Result<(), ExchangeError> {
        Ok(())
    }

    fn sum_double(&self, _: &mut [f64]) -> Result<(), ExchangeError> {
        Ok(())
    }

    fn broadcast(&self, _: &mut Vec<u8>) -> Result<(), ExchangeError> {
        Ok(())
    }

    fn fail(&self, _: &str) {}
}
