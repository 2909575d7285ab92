//! The exchange between processes that `mpirun` started.

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::environment::{Universe, initialize_with_threading, is_finalized};
use mpi::request;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};

use super::{Exchange, ExchangeError};

/// The processes that `mpirun` started: feature `mpi`.
///
/// ```no_run
/// use kiln::exchange::{Exchange, Mpi};
///
/// fn main() -> kiln::Result {
///     let exchange = Mpi::new()?;
///     let mut sum = [exchange.rank() as f32];
///     exchange.sum(&mut sum)?;
///     println!("rank {} of {}: {sum:?}", exchange.rank(), exchange.ranks());
///     Ok(())
/// }
/// ```
///
/// A program that `mpirun` did not start is one process.
///
/// **Ends.** Before each exchange the ranks tell each other what they are about to do, in 16 bytes.
/// So a rank that fails, or whose `main` returns early, ends the others with an error and not with a
/// wait. A rank that panics while it holds this ends them by `MPI_Abort`; one that is killed, or
/// leaves by [`std::process::exit`], is noticed by `mpirun`, which ends the rest. A rank that is
/// still there and does not come is waited for, for half an hour unless
/// [`patience`](Self::patience) says otherwise, and without limit once this is dropped.
///
/// Open MPI's `mpirun` passes Ctrl-C on as SIGTERM, which lets a training write a
/// [checkpoint](crate::train::Checkpoints), and kills a second later: `--mca
/// odls_base_sigkill_timeout 30` gives a large one the time.
///
/// **Speed.** Numbers are summed in pieces of 1 MiB, one after the other.
pub struct Mpi {
    world: SimpleCommunicator,
    /// Dropped last: this ends MPI.
    _universe: Universe,
    patience: Duration,
    /// What every exchange fails with from now on.
    ended: RefCell<Option<ExchangeError>>,
    /// MPI is told that one thread alone calls it.
    _one_thread: PhantomData<*const ()>,
}

/// The bytes of numbers that are summed at a time: what stays in a core's cache.
const PIECE: usize = 1 << 20;

/// How often a rank that waits looks before it sleeps in between.
const LOOKS: usize = 1000;

/// For how long it sleeps then.
const NAP: Duration = Duration::from_micros(100);

impl Mpi {
    /// Joins the other processes.
    ///
    /// Once in a program, and from the thread that is to train: MPI cannot begin twice. Where MPI
    /// itself cannot begin it ends the program with a message of its own.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Start`] where MPI has begun before, or cannot be used in a program with
    /// threads.
    pub fn new() -> Result<Mpi, ExchangeError> {
        let start = |reason| ExchangeError::Start { reason };
        let Some((universe, threading)) = initialize_with_threading(Threading::Funneled) else {
            return Err(start(if is_finalized() {
                "it has ended already, with the `Mpi` that was dropped; keep one for the whole program"
            } else {
                "it has begun already; make one `Mpi` and lend it to every training"
            }));
        };
        if threading < Threading::Funneled {
            return Err(start(
                "this build of it allows no threads beside; install one with `MPI_THREAD_FUNNELED`",
            ));
        }
        Ok(Mpi {
            world: universe.world(),
            _universe: universe,
            patience: Duration::from_secs(30 * 60),
            ended: RefCell::new(None),
            _one_thread: PhantomData,
        })
    }

    /// For how long a rank waits for another that runs but does not come, before it ends all of them
    /// by `MPI_Abort`: half an hour if nothing is said. Longer than whatever rank 0 does alone, such
    /// as writing a checkpoint.
    pub fn patience(mut self, patience: Duration) -> Mpi {
        self.patience = patience;
        self
    }

    /// Waits for all ranks, and looks whether all of them are here for the same.
    fn meet(&self, step: Step) -> Result<Vec<Header>, ExchangeError> {
        if let Some(error) = &*self.ended.borrow() {
            return Err(error.clone());
        }
        let headers = self.headers(step);
        let found = self.compare(&headers, step);
        if let Err(error) = &found {
            *self.ended.borrow_mut() = Some(error.clone());
        }
        found.map(|()| headers)
    }

    /// What each rank is about to do.
    fn headers(&self, step: Step) -> Vec<Header> {
        let own = step.header();
        let mut all = vec![0; HEADER * self.ranks()];
        // Rank 0 may have much to do after the training, and the others nothing.
        let patience = match step {
            Step::Leave => Duration::MAX,
            _ => self.patience,
        };
        let begun = Instant::now();
        request::scope(|scope| {
            let mut request = self
                .world
                .immediate_all_gather_into(scope, &own, &mut all[..]);
            for look in 0.. {
                request = match request.test() {
                    Ok(_) => return,
                    Err(request) => request,
                };
                if look < LOOKS {
                    thread::yield_now();
                } else if begun.elapsed() < patience {
                    // The other ranks may need this core.
                    thread::sleep(NAP);
                } else {
                    let (rank, seconds) = (self.rank(), patience.as_secs_f64());
                    let message = format!(
                        "rank {rank} has waited {seconds} s for the others; all of them end now \
                         (`Mpi::patience` allows more)\n"
                    );
                    // At once, as the others may say the same; and there is nobody left to tell of
                    // an error.
                    let _ = std::io::stderr().write_all(message.as_bytes());
                    self.world.abort(1);
                }
            }
        });
        let (headers, _) = all.as_chunks();
        headers.to_vec()
    }

    fn compare(&self, headers: &[Header], own: Step) -> Result<(), ExchangeError> {
        let first = |code: u64| headers.iter().position(|&[other, _]| other == code);
        if let Some(rank) = first(FAIL) {
            let mut message = match own {
                Step::Fail(message) if rank == self.rank() => message.as_bytes().to_vec(),
                _ => vec![0; headers[rank][1] as usize],
            };
            self.spread(rank, &mut message);
            let message = String::from_utf8_lossy(&message).into_owned();
            return Err(ExchangeError::Failed { rank, message });
        }
        if let Some(rank) = first(LEAVE) {
            return Err(ExchangeError::Left { rank });
        }
        let same = |header: &Header| match (header, &headers[0]) {
            ([BROADCAST, _], [BROADCAST, _]) => true,
            (one, other) => one == other,
        };
        match headers.iter().position(|header| !same(header)) {
            None => Ok(()),
            Some(rank) => Err(ExchangeError::Apart {
                rank,
                does: shown(headers[rank]),
                expected: shown(headers[0]),
            }),
        }
    }

    /// Gives every rank the bytes of rank `root`; each has as many.
    fn spread(&self, root: usize, bytes: &mut [u8]) {
        let root = self.world.process_at_rank(root as i32);
        for piece in bytes.chunks_mut(PIECE) {
            root.broadcast_into(piece);
        }
    }

    fn reduce<E: Equivalence + Copy + Default>(&self, numbers: &mut [E]) {
        let most = PIECE / size_of::<E>();
        let mut sum = vec![E::default(); numbers.len().min(most)];
        for piece in numbers.chunks_mut(most) {
            let sum = &mut sum[..piece.len()];
            self.world
                .all_reduce_into(&*piece, sum, SystemOperation::sum());
            piece.copy_from_slice(sum);
        }
    }
}

impl Exchange for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn ranks(&self) -> usize {
        self.world.size() as usize
    }

    fn sum(&self, numbers: &mut [f32]) -> Result<(), ExchangeError> {
        self.meet(Step::Sum(numbers.len()))?;
        self.reduce(numbers);
        Ok(())
    }

    fn sum_double(&self, numbers: &mut [f64]) -> Result<(), ExchangeError> {
        self.meet(Step::SumDouble(numbers.len()))?;
        self.reduce(numbers);
        Ok(())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), ExchangeError> {
        let headers = self.meet(Step::Broadcast(bytes.len()))?;
        bytes.resize(headers[0][1] as usize, 0);
        self.spread(0, bytes);
        Ok(())
    }

    fn fail(&self, message: &str) {
        // One process has nobody to tell, and may try again.
        if self.ranks() > 1 {
            // The error that comes back is the one that is given here.
            let _ = self.meet(Step::Fail(message));
        }
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if self.ranks() == 1 {
            return;
        }
        if thread::panicking() {
            // The others would wait for this rank, and ending MPI for them.
            self.world.abort(1);
        }
        // Those that go on learn that this rank does not.
        let _ = self.meet(Step::Leave);
    }
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi")
            .field("rank", &self.rank())
            .field("ranks", &self.ranks())
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// What a rank is about to do.
#[derive(Clone, Copy)]
enum Step<'a> {
    Sum(usize),
    SumDouble(usize),
    Broadcast(usize),
    Fail(&'a str),
    Leave,
}

/// A [`Step`] as it is sent: what it is, and how much of it.
type Header = [u64; HEADER];

const HEADER: usize = 2;
const SUM: u64 = 0;
const SUM_DOUBLE: u64 = 1;
const BROADCAST: u64 = 2;
const FAIL: u64 = 3;
const LEAVE: u64 = 4;

impl Step<'_> {
    fn header(self) -> Header {
        match self {
            Step::Sum(numbers) => [SUM, numbers as u64],
            Step::SumDouble(numbers) => [SUM_DOUBLE, numbers as u64],
            Step::Broadcast(bytes) => [BROADCAST, bytes as u64],
            Step::Fail(message) => [FAIL, message.len() as u64],
            Step::Leave => [LEAVE, 0],
        }
    }
}

/// What a rank does, for an error.
fn shown([code, size]: Header) -> String {
    match code {
        SUM => format!("sums {size} numbers in single precision"),
        SUM_DOUBLE => format!("sums {size} numbers in double precision"),
        _ => "broadcasts".into(),
    }
}
