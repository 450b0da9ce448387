//! How what is kept in a store is followed: what the options of API keys, revocations and key rings share. What they
//! leave unsaid, the handle of the store says for all of them.

use super::clock::{Clock, SystemClock};
use super::pace::Pace;
use std::sync::{Arc, LazyLock};

/// What was said of it; the rest is as usual.
#[derive(Clone, Default)]
pub(crate) struct Follow {
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) strict: Option<bool>,
    pub(crate) max_stale_ms: Option<u64>,
    /// What has been seen of the clock, which all that follow one store share: what is handed out while the clock is wrong
    /// knows how it was before.
    pub(crate) pace: Option<Arc<Pace>>,
}

impl Follow {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self { clock: None, strict: None, max_stale_ms: None, pace: None }
    }

    /// What this does not say is as `others` have it.
    pub(crate) fn or(self, others: &Self) -> Self {
        // Another clock has a pace of its own.
        let pace = if self.clock.is_some() { self.pace } else { others.pace.clone() };
        Self {
            pace,
            clock: self.clock.or_else(|| others.clock.clone()),
            strict: self.strict.or(others.strict),
            max_stale_ms: self.max_stale_ms.or(others.max_stale_ms),
        }
    }

    /// The source of the time: the system's, unless another was named.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock))
    }

    /// The pace of that clock. Of the system's there is one for the whole process.
    pub(crate) fn pace(&self) -> Arc<Pace> {
        static OF_THE_SYSTEM: LazyLock<Arc<Pace>> = LazyLock::new(|| Arc::new(Pace::new()));
        let is_system = self.clock.as_ref().is_none_or(|clock| clock.is_system());
        match &self.pace {
            Some(pace) => Arc::clone(pace),
            None if is_system => Arc::clone(&OF_THE_SYSTEM),
            None => Arc::new(Pace::new()),
        }
    }

    /// Whether every question asks the store first: not unless so said.
    pub(crate) fn strict(&self) -> bool {
        self.strict.unwrap_or(false)
    }

    /// For how many milliseconds the store may be silent: 30 seconds unless so said.
    pub(crate) fn max_stale_ms(&self) -> u64 {
        self.max_stale_ms.unwrap_or(30_000)
    }
}
