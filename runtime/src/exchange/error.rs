//! What can end the work of several processes.

/// Why processes could not begin or go on together. All of them end with the same one, but for the
/// rank that failed, which has an error of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// MPI that cannot be used.
    #[error("MPI cannot be used: {reason}")]
    Start {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A rank that said why it cannot go on.
    #[error("rank {rank} failed: {message}")]
    Failed {
        /// The rank; the lowest where several failed at once.
        rank: usize,
        /// Its error.
        message: String,
    },
    /// A rank whose program came to its end, or dropped its exchange, before those of the others.
    #[error(
        "rank {rank} has left: it dropped its exchange, as at the end of its program, while others \
         go on; look there for its error, and have every rank run the same trainings"
    )]
    Left {
        /// The rank.
        rank: usize,
    },
    /// A rank that does something else than the others.
    #[error(
        "rank {rank} {does} where rank 0 {expected}: every rank has to run the same program on the \
         same declarations and data"
    )]
    Apart {
        /// The first rank that differs from rank 0.
        rank: usize,
        /// What it does.
        does: String,
        /// What rank 0 does.
        expected: String,
    },
    /// Something that a rank sent and another could not read.
    #[error(
        "a message between the processes cannot be read: {reason}; every rank has to run the same program"
    )]
    Message {
        /// Why.
        reason: String,
    },
}
