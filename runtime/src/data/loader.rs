//! The loader: batches in the sampler's order, fetched ahead of time by worker threads.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{DataError, Draw, Epoch, Examples, Sampler, Source, source::fetched};

/// Batches that wait in each worker's channel; one more is in its hands.
const AHEAD: usize = 1;

/// Fetches the batches of a [`Sampler`] from a [`Source`], [drawn](Source::draw) with the sampler's
/// seed and the epoch.
///
/// The batches and their order are the same for any number of workers. W workers hold at most
/// 2·W batches in memory ahead of the consumer.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use kiln::data::{Loader, Sampler, Source, digits};
///
/// let source = Arc::new(digits()?);
/// let sampler = Sampler::new(source.len(), 256, 1)?;
/// let loader = Loader::new(source, sampler, 2)?;
/// let whole: Vec<_> = loader.epoch(0, 0)?.collect::<Result<_, _>>()?;
/// let resumed: Vec<_> = loader.epoch(0, 5)?.collect::<Result<_, _>>()?;
/// assert_eq!(whole[5..], resumed);
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub struct Loader {
    source: Arc<dyn Source>,
    sampler: Sampler,
    workers: usize,
}

impl Loader {
    /// Loads with so many `workers`; 0 gathers each batch on the caller's thread when it is
    /// asked for.
    ///
    /// # Errors
    ///
    /// [`DataError::Count`] if the sampler was made for another number of examples.
    pub fn new(
        source: Arc<dyn Source>,
        sampler: Sampler,
        workers: usize,
    ) -> Result<Self, DataError> {
        if source.len() != sampler.len() {
            return Err(DataError::Count {
                what: "examples in the source, as many as the sampler draws from",
                expected: sampler.len(),
                found: source.len(),
                help: "make the sampler with the source's `len()`",
            });
        }
        Ok(Self {
            source,
            sampler,
            workers,
        })
    }

    /// The batches of one epoch from step `first` on: 0 for all of them, another step to resume.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] if the epoch has fewer than `first` steps, [`DataError::Thread`]
    /// if the system refuses another thread.
    pub fn epoch(&self, epoch: usize, first: usize) -> Result<Batches, DataError> {
        let steps = self.sampler.steps_per_epoch();
        if first > steps {
            let expected = format!("0 to {steps}, the steps of an epoch");
            return Err(DataError::argument("first step", expected, first));
        }
        let work = Arc::new(Work {
            source: self.source.clone(),
            epoch: self.sampler.epoch(epoch),
            draw: Draw {
                seed: self.sampler.seed(),
                epoch,
            },
        });
        let mut batches = Batches {
            work: work.clone(),
            first,
            step: first,
            steps,
            workers: Vec::new(),
        };
        // Worker w gathers every workers-th step and sends them in turn, so reading the channels
        // in turn restores the order, and a full channel is what stops a worker from running
        // ahead.
        let workers = self.workers.min(steps - first);
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(AHEAD);
            let work = work.clone();
            let gather = move || {
                for step in (first + worker..steps).step_by(workers) {
                    // The consumer has gone: nobody wants the rest.
                    if sender.send(work.gather(step)).is_err() {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new()
                .name(format!("kiln-loader-{worker}"))
                .spawn(gather)
                .map_err(|source| DataError::Thread {
                    worker: worker + 1,
                    workers,
                    source,
                })?;
            batches.workers.push(Worker { receiver, thread });
        }
        Ok(batches)
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("sampler", &self.sampler)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// What the workers of one epoch share.
struct Work {
    source: Arc<dyn Source>,
    epoch: Epoch,
    draw: Draw,
}

impl Work {
    fn gather(&self, step: usize) -> Result<Examples, DataError> {
        // A source is a user's code. Its panic would end a worker in silence; as an error it
        // reaches whoever asked for the batch.
        catch_unwind(AssertUnwindSafe(|| {
            fetched(&self.source, self.epoch.batch(step), Some(self.draw))
        }))
        .unwrap_or_else(|panic| {
            let message = message(&*panic);
            Err(DataError::Panic { step, message })
        })
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

struct Worker {
    receiver: Receiver<Result<Examples, DataError>>,
    thread: JoinHandle<()>,
}

/// The batches of one epoch, in order.
///
/// The first error is the last item. Dropping the iterator stops its threads and waits for the
/// batches that they are at work on.
pub struct Batches {
    work: Arc<Work>,
    first: usize,
    step: usize,
    steps: usize,
    workers: Vec<Worker>,
}

impl Batches {
    fn stop(&mut self) {
        self.step = self.steps;
        // Every channel is closed before the first thread is waited for.
        let workers = self.workers.drain(..).map(|worker| worker.thread);
        for thread in workers.collect::<Vec<_>>() {
            // A worker catches what its source throws, so there is no panic to pass on.
            let _ = thread.join();
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Examples, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.step == self.steps {
            return None;
        }
        let step = self.step;
        self.step += 1;
        let batch = if self.workers.is_empty() {
            self.work.gather(step)
        } else {
            let worker = &self.workers[(step - self.first) % self.workers.len()];
            worker.receiver.recv().unwrap_or_else(|_| {
                let message = "its thread ended early".to_owned();
                Err(DataError::Panic { step, message })
            })
        };
        if batch.is_err() || self.step == self.steps {
            self.stop();
        }
        Some(batch)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batches({}..{})", self.step, self.steps)
    }
}
