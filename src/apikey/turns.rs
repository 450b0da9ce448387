//! Who computes slow hashes: a few at a time, because callers decide when, and each one once for
//! all who ask for the same at the same time.

use super::hash::Part;
use crate::base::process::{Held, Own};
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Slow hashes that are computed at the same time, at most: each may take tens of milliseconds and
/// tens of megabytes.
const AT_ONCE: usize = 2;
/// Those that wait for their turn, at most.
const WAITING: usize = 32;
/// Callers that wait for what another one computes, at most.
const JOINED: usize = 256;

#[derive(Default)]
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    joined: usize,
    /// What is being computed, by what it is of.
    runs: HashMap<[u8; 32], Arc<Run>>,
}

/// One computation, and what came of it.
#[derive(Default)]
struct Run(Mutex<Came>);

#[derive(Default)]
enum Came {
    #[default]
    Nothing,
    /// Nothing will: the one who computed it has panicked.
    Never,
    Outcome(Result<Option<Part>>),
}

/// Of this process: the threads that a parent lets wait are not there in a child.
static TURNS: Own<Turns> = Own::new();

/// What `compute` tells, computed once for all callers that ask for the same `of` meanwhile: a MAC
/// of all that the outcome depends on, so that no text is served by the outcome of another.
///
/// # Errors
/// `RateLimited`: too many wait; the server would do nothing else. Those of `compute`.
pub(super) fn once(
    of: [u8; 32],
    compute: impl FnOnce() -> Result<Option<Part>>,
) -> Result<Option<Part>> {
    beyond_memory()?;
    let turns = TURNS.get();
    loop {
        let mut state = turns.lock();
        let Some(run) = state.runs.get(&of).cloned() else {
            let run = Arc::<Run>::default();
            state.runs.insert(of, Arc::clone(&run));
            drop(state);
            let mut lead = Lead { turns: &turns, of, run, came: Came::Never };
            let outcome = compute();
            lead.came = Came::Outcome(outcome.clone());
            return outcome;
        };
        if state.joined >= JOINED {
            return Err(too_many());
        }
        state.joined += 1;
        let outcome = loop {
            match &*run.came() {
                Came::Nothing => {}
                Came::Never => break None,
                Came::Outcome(outcome) => break Some(outcome.clone()),
            }
            state = turns.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.joined -= 1;
        drop(state);
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

/// The one who computes for others; they hear of it when this is dropped.
struct Lead<'a> {
    turns: &'a Turns,
    of: [u8; 32],
    run: Arc<Run>,
    came: Came,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.runs.remove(&self.of);
        *self.run.came() = std::mem::take(&mut self.came);
        self.turns.changed.notify_all();
    }
}

impl Run {
    fn came(&self) -> MutexGuard<'_, Came> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to compute, until it is dropped.
pub(super) struct Turn(Arc<Held<Turns>>);

impl Turn {
    /// Waits for a turn.
    ///
    /// # Errors
    /// `RateLimited`: too many are waiting; the server would do nothing else.
    pub(super) fn take() -> Result<Self> {
        beyond_memory()?;
        let turns = TURNS.get();
        let mut state = turns.lock();
        if state.running >= AT_ONCE {
            if state.waiting >= WAITING {
                return Err(too_many());
            }
            state.waiting += 1;
            while state.running >= AT_ONCE {
                state = turns.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting -= 1;
        }
        state.running += 1;
        drop(state);
        Ok(Self(turns))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_all();
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cold]
fn too_many() -> Error {
    Error::new(
        ErrorKind::RateLimited,
        "Too many imported keys with slow hashes are being verified at once.",
    )
    .retry_after_ms(1000)
}
