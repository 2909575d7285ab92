//! Ctrl-C and SIGTERM: the first asks a training to end, the second ends the program.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Held by a training that wants to be told. When the last is dropped, a signal does what it does by
/// default.
pub(super) struct Interrupt(());

/// What the handlers set and ask. They are installed once, and stay.
struct Signals {
    /// Whether the next signal ends the program.
    deadly: Arc<AtomicBool>,
    /// The signal that came.
    came: Arc<AtomicUsize>,
    /// How many hold an [`Interrupt`].
    held: Mutex<usize>,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

impl Interrupt {
    /// Listens from now on.
    pub(super) fn new() -> io::Result<Self> {
        let signals = match SIGNALS.get() {
            Some(signals) => signals,
            None => {
                let signals = Signals::installed()?;
                SIGNALS.get_or_init(|| signals)
            }
        };
        let mut held = signals.held.lock().unwrap_or_else(PoisonError::into_inner);
        if *held == 0 {
            signals.came.store(0, Ordering::SeqCst);
            signals.deadly.store(false, Ordering::SeqCst);
        }
        *held += 1;
        Ok(Interrupt(()))
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<&'static str> {
        match SIGNALS.get()?.came.load(Ordering::SeqCst) as i32 {
            SIGINT => Some("SIGINT"),
            SIGTERM => Some("SIGTERM"),
            _ => None,
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let Some(signals) = SIGNALS.get() else { return };
        let mut held = signals.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held -= 1;
        if *held == 0 {
            signals.deadly.store(true, Ordering::SeqCst);
        }
    }
}

impl Signals {
    fn installed() -> io::Result<Self> {
        let signals = Signals {
            deadly: Arc::new(AtomicBool::new(true)),
            came: Arc::new(AtomicUsize::new(0)),
            held: Mutex::new(0),
        };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds it false and makes it true.
            flag::register_conditional_default(signal, signals.deadly.clone())?;
            flag::register(signal, signals.deadly.clone())?;
            flag::register_usize(signal, signals.came.clone(), signal as usize)?;
        }
        Ok(signals)
    }
}
