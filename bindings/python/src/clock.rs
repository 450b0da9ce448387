//! The clock of something that keeps a store, and was given one of Python's.
//!
//! It is read before each call and kept for the threads of the core, which hold no GIL. It may well
//! stand still, in a test, while other processes go on: so the store is looked at as real time passes.

use crate::options::PyClock;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How old what is known of the store may be before somebody looks: half of what is promised.
const LOOK_AFTER: u64 = 25;

pub(crate) struct OwnClock {
    python: PyClock,
    core: Arc<Reading>,
    looks: Looks,
}

/// When a store was last looked at, in real time.
pub(crate) struct Looks {
    opened: Instant,
    /// Milliseconds after `opened`.
    looked: AtomicU64,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self { opened: Instant::now(), looked: AtomicU64::new(0) }
    }

    /// Looks at the store if it is time to. A store that is out of reach is the next call's to judge.
    pub(crate) fn look(
        &self,
        py: Python<'_>,
        refresh: impl FnOnce() -> gatekey::Result<()> + Send,
    ) {
        let elapsed = self.opened.elapsed().min(Duration::from_secs(u64::from(u32::MAX)));
        let now = elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis());
        if now.saturating_sub(self.looked.load(Ordering::Relaxed)) >= LOOK_AFTER {
            self.looked.store(now, Ordering::Relaxed);
            let _ = py.detach(refresh);
        }
    }
}

impl OwnClock {
    /// Reads the clock for the first time.
    pub(crate) fn new(py: Python<'_>, python: PyClock) -> PyResult<Self> {
        let core = Arc::new(Reading { time: AtomicU64::new(0), nanos: AtomicU64::new(0) });
        let clock = Self { python, core, looks: Looks::new() };
        clock.tick(py)?;
        Ok(clock)
    }

    /// The clock to give to the core.
    pub(crate) fn core(&self) -> Arc<dyn gatekey::Clock> {
        Arc::clone(&self.core) as Arc<dyn gatekey::Clock>
    }

    /// Reads the clock for the call that follows.
    pub(crate) fn tick(&self, py: Python<'_>) -> PyResult<()> {
        let time = self.python.now(py)?;
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.core.time.store(time.as_secs(), Ordering::Relaxed);
        self.core.nanos.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    /// The last reading: seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.core.time.load(Ordering::Relaxed)
    }

    /// Looks at the store if it is time to; see [`Looks::look`].
    pub(crate) fn look(
        &self,
        py: Python<'_>,
        refresh: impl FnOnce() -> gatekey::Result<()> + Send,
    ) {
        self.looks.look(py, refresh);
    }

    /// Shows the callable to Python's garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.python.traverse(visit)
    }
}

/// What the clock said last, in whole seconds and in nanoseconds, both since 1970.
struct Reading {
    time: AtomicU64,
    nanos: AtomicU64,
}

impl gatekey::Clock for Reading {
    fn now(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    fn now_nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }
}
