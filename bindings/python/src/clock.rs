//! The clock of something that keeps a store, and was given one of Python's.
//!
//! It is read before each call ([`OwnClock::tick`]), by whatever was given the thing as well, and
//! kept for the threads of the core, which hold no GIL. It tells dates alone: how old something is,
//! the core measures by the system's time, so that a clock that stands still hides no change of
//! other processes.

use crate::options::PyClock;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct OwnClock {
    python: PyClock,
    core: Arc<Reading>,
}

impl OwnClock {
    /// Reads the clock for the first time.
    pub(crate) fn new(py: Python<'_>, python: PyClock) -> PyResult<Self> {
        let core = Arc::new(Reading { time: AtomicU64::new(0), nanos: AtomicU64::new(0) });
        let clock = Self { python, core };
        clock.tick(py)?;
        Ok(clock)
    }

    /// The same clock, for something else that goes by it.
    pub(crate) fn share(&self, py: Python<'_>) -> Self {
        Self { python: self.python.share(py), core: Arc::clone(&self.core) }
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
}
