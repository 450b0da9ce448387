//! Layer 5: what is done with whole stores while they are in use: copied from one kind to another,
//! made and brought forward, checked, counted.

mod check;
mod copy;
mod migrate;
mod stats;

pub use check::{Finding, StoreCheck, store_check};
pub use copy::{CopyOptions, CopyReport, store_copy};
pub use migrate::{Migration, store_migrate};
pub use stats::{StoreStats, store_stats};

use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::open::StoreUrl;
use crate::pepper::{PepperSource, Peppers, pepper_beside, read_pepper_file};
use crate::store::{Database, KeyFilter, Loaded, PepperCheck, SessionFilter, StoredSession};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows that are read at once.
const PAGE: usize = 500;

const KIND: &str = "This is for what lasts and holds everything: a SQLite file (a path, or sqlite:///path) or PostgreSQL \
     (postgresql://user@host/database).";
const NEWEST: Error = Error::new(
    ErrorKind::WrongPepper,
    "The store was last used with a pepper that was not given: name the file that has all of its peppers.",
);
const NO_PEPPER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "No pepper file lies beside a store in PostgreSQL: name the file, or the environment variable, with its peppers.",
);

/// A store in a file or on a server.
fn lasting(url: &str) -> Result<StoreUrl> {
    match url.parse()? {
        url @ (StoreUrl::Sqlite { .. } | StoreUrl::Postgres(_)) => Ok(url),
        _ => Err(argument(KIND)),
    }
}

/// The peppers that were named, or those beside the first of these stores that is a file.
fn peppers_of(source: &PepperSource, stores: &[&StoreUrl]) -> Result<Peppers> {
    if let Some(given) = source.elsewhere()? {
        return Ok(given);
    }
    let path = stores.iter().find_map(|store| store.path()).ok_or(NO_PEPPER)?;
    read_pepper_file(&pepper_beside(path))
}

/// Refuses a store that is used with other peppers.
fn fit(peppers: &Peppers, known: &[PepperCheck]) -> Result<()> {
    peppers.check_all(known)?;
    match known.iter().max_by_key(|check| check.since) {
        Some(newest) if !peppers.contains(newest.pepper) => {
            Err(NEWEST.about_secret("pepper", newest.pepper))
        }
        _ => Ok(()),
    }
}

/// Rows of a store in the order of their ids, page by page.
struct Rows<T> {
    store: Arc<dyn Database>,
    read: fn(&dyn Database, Option<String>) -> Result<crate::store::Page<T>>,
    page: VecDeque<T>,
    cursor: Option<String>,
    begun: bool,
}

impl<T> Rows<T> {
    fn next(&mut self) -> Result<Option<T>> {
        while self.page.is_empty() && (!self.begun || self.cursor.is_some()) {
            let page = (self.read)(&*self.store, self.cursor.take())?;
            (self.page, self.cursor, self.begun) = (page.records.into(), page.cursor, true);
        }
        Ok(self.page.pop_front())
    }

    fn each(mut self, mut work: impl FnMut(T)) -> Result<()> {
        while let Some(row) = self.next()? {
            work(row);
        }
        Ok(())
    }
}

impl Rows<Loaded> {
    fn of_keys(store: &Arc<dyn Database>) -> Self {
        let read = |store: &dyn Database, cursor| {
            store.api_keys(&KeyFilter { cursor, limit: PAGE, ..KeyFilter::default() })
        };
        let (page, cursor, begun) = (VecDeque::new(), None, false);
        Self { store: Arc::clone(store), read, page, cursor, begun }
    }
}

impl Rows<StoredSession> {
    fn of_sessions(store: &Arc<dyn Database>) -> Self {
        let read = |store: &dyn Database, cursor| {
            store.sessions(&SessionFilter { cursor, limit: PAGE, ..SessionFilter::default() })
        };
        let (page, cursor, begun) = (VecDeque::new(), None, false);
        Self { store: Arc::clone(store), read, page, cursor, begun }
    }
}
