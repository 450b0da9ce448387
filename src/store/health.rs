//! How it is with a store: what an end point such as `/healthz` tells.

use crate::error::{ErrorKind, Result};

/// How it is with a store, as [`Store::health`](crate::Store::health) found it. Nothing of it is
/// secret: no URL, no host, no name.
///
/// Times are measured by a clock that goes on while the machine is suspended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHealth {
    /// What keeps it: `memory`, `sqlite`, `folder` or `postgresql`; `other` for one of the
    /// program's own.
    pub kind: &'static str,
    /// Whether the store answers, and is accepted as it is.
    pub reachable: bool,
    /// How many milliseconds ago this process last heard of the store; `None` if it never has.
    pub heard_ago_ms: Option<u64>,
    /// How many milliseconds ago what was handed out has last looked for changes: the one whose
    /// look is the oldest. Who is not used does not look. `None` if nothing has looked yet.
    pub looked_ago_ms: Option<u64>,
    /// The number of the last change in the store; `None` if it is not known.
    pub position: Option<u64>,
    /// The version of PostgreSQL, as the server says it, or of the SQLite library.
    pub version: Option<String>,
    /// Whether this process may change what is in the store; `None` if it is not known.
    pub writable: Option<bool>,
    /// Why it is not reachable.
    pub error: Option<ErrorKind>,
}

impl StoreHealth {
    /// Of a store that has not been asked.
    pub(crate) fn of(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// With what it answered just now, or why it did not.
    #[must_use]
    pub(crate) fn asked<T>(mut self, answer: Result<T>, note: impl FnOnce(&mut Self, T)) -> Self {
        match answer {
            Ok(answer) => {
                self.reachable = true;
                self.heard_ago_ms = Some(0);
                note(&mut self, answer);
            }
            Err(error) => self.error = Some(error.kind()),
        }
        self
    }
}
