//! What is in one store, taken over into another while both are in use: from SQLite to PostgreSQL,
//! or back.
//!
//! Rows are copied as they are, sealed under the same peppers. Of two that differ, the later
//! version stays, with one exception: what is revoked or has ended, on either side, stays so.
//! Nothing is taken away from the store that is copied from, and nothing but what it has ended from
//! the other. Doing it again costs a comparison, and brings over what is new; done to its end, all
//! that was acknowledged on the one side before that moment is on the other.
//!
//! Not copied: the audit and the events of sessions, which stay where things have happened.

mod keys;
mod sessions;
mod tokens;

use super::{fit, lasting, peppers_of};
use crate::apikey::{ApiKeyOptions, ApiKeys};
use crate::base::clock::{Clock as _, SystemClock, plausible};
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::open::{Store, StoreOptions};
use crate::pepper::PepperSource;
use crate::session::{SessionOptions, Sessions};
use crate::store::Database;
use std::cell::OnceCell;
use std::sync::Arc;

/// How a store is copied.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// Where the peppers of both are; unless said, in the file beside the one that is a file, the
    /// one that is copied from first.
    pub pepper: PepperSource,
}

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// API keys that are new in the other store, or newer than they were.
    pub api_keys: u64,
    /// Sessions, likewise.
    pub sessions: u64,
    /// Key rings, likewise.
    pub key_rings: u64,
    /// What is revoked, likewise.
    pub revocations: u64,
    /// Tokens that are used once and were used.
    pub seen_tokens: u64,
    /// API keys and sessions that the other store knew in a later version, and that have ended
    /// here: they have ended there as well now.
    pub ended: u64,
    /// What could not be copied, each with a sentence that says why.
    pub problems: Vec<String>,
}

/// Hears how far it has come: how many rows, of how many.
pub(super) type Hear<'a> = &'a mut dyn FnMut(u64, u64) -> Result<()>;

/// Copies what is in the store `from` to the store `to`, which is made if it is not there, while
/// both are in use. `progress` hears how many rows were looked at, of how many; an error of its
/// stops the copy between two transactions. It can be done again at any time.
///
/// # Errors
/// `InvalidArgument`: one of them is in memory or a folder, or they are the same. `WrongPepper`:
/// one of them was made under other peppers. Those of [`crate::store::Backend`], of either.
pub fn store_copy(
    from: &str,
    to: &str,
    options: &CopyOptions,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<CopyReport> {
    let (source, target) = (lasting(from)?, lasting(to)?);
    if source == target {
        return Err(argument(SAME));
    }
    let peppers = peppers_of(&options.pepper, &[&source, &target])?;
    let opened = || StoreOptions::new().pepper(peppers.clone());
    let source = Store::open_with(from, opened().create(false))?;
    fit(&peppers, &source.database()?.pepper_checks()?)?;
    let target = Store::open_with(to, opened())?;
    fit(&peppers, &target.database()?.pepper_checks()?)?;
    let mut run = Run::new(&source, &target, progress)?;
    let done = run.all();
    let report = run.report;
    // What was written is written.
    let closed = target.close().and_then(|()| source.close());
    done.and(closed).map(|()| report)
}

const SAME: &str = "The two stores are the same; name another one to copy to.";

/// A copy that is going on.
struct Run<'a> {
    from: Arc<dyn Database>,
    to: Arc<dyn Database>,
    target: &'a Store,
    keys: OnceCell<ApiKeys>,
    sessions: OnceCell<Sessions>,
    now: u64,
    report: CopyReport,
    progress: Hear<'a>,
    done: u64,
    expected: u64,
}

/// Rows that are written at once, so that no other writer waits long.
const BATCH: usize = 100;
/// How often a row is looked at again that others have changed meanwhile.
const TRIES: usize = 16;

impl<'a> Run<'a> {
    fn new(source: &Store, target: &'a Store, progress: Hear<'a>) -> Result<Self> {
        let (from, to) = (source.database()?, target.database()?);
        let expected = from.api_key_count()?;
        Ok(Self {
            from,
            to,
            target,
            keys: OnceCell::new(),
            sessions: OnceCell::new(),
            now: plausible(SystemClock.now())?,
            report: CopyReport::default(),
            progress,
            done: 0,
            expected,
        })
    }

    /// What is revoked goes first, so that nothing is good there that is not good here; and last,
    /// with all that has changed meanwhile, until the end of both feeds was read.
    fn all(&mut self) -> Result<()> {
        for check in self.from.pepper_checks()?.iter().filter(|check| check.check != [0; 16]) {
            self.to.add_pepper_check(check)?;
        }
        let mut revoked = self.first_revocations()?;
        let mut changed = self.all_keys()?;
        self.all_rings()?;
        self.all_sessions()?;
        self.all_seen_tokens()?;
        while self.more_keys(&mut changed)? | self.more_revocations(&mut revoked)? {}
        self.all_rings()
    }

    /// This many rows were looked at.
    fn step(&mut self, rows: usize) -> Result<()> {
        self.done += rows as u64;
        self.expected = self.expected.max(self.done);
        (self.progress)(self.done, self.expected)
    }

    fn problem(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.report.problems.contains(&what) {
            self.report.problems.push(what);
        }
    }

    /// The API keys of the other store, to end some.
    fn target_keys(&self) -> Result<&ApiKeys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let keys = self.target.api_keys(ApiKeyOptions::new())?.acting_as("copy")?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// The sessions of the other store, to end some.
    fn target_sessions(&self) -> Result<&Sessions> {
        if let Some(sessions) = self.sessions.get() {
            return Ok(sessions);
        }
        let sessions = self.target.sessions(None, SessionOptions::new())?;
        Ok(self.sessions.get_or_init(|| sessions))
    }
}

/// Whether an error is about one row, and not about the store.
fn is_of_a_row(error: &Error) -> bool {
    !error.is_unavailable()
        && !matches!(
            error.kind(),
            ErrorKind::StoreReadOnly | ErrorKind::StoreFull | ErrorKind::StoreRestored
        )
}
