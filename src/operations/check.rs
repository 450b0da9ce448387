//! Whether all that is in a store can be read and is believed.

use super::{PAGE, Rows, fit, lasting, peppers_of};
use crate::base::follow::Follow;
use crate::doctor::keys_of;
use crate::error::{Error, Result};
use crate::open::{Store, StoreUrl};
use crate::pepper::{PepperSource, Peppers};
use crate::store::{Database, Loaded};
use std::sync::Arc;

/// Something that is wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// With what: `api_key`, `session`, `key_ring`, `revocation`, `horizon`, `feed`, `pepper`; of a
    /// file also `store`, `integrity`, `tables`, `files` and `mark`.
    pub what: &'static str,
    /// With which one; empty where there is one only.
    pub name: String,
    /// Why, and what to do.
    pub error: Error,
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCheck {
    /// How many rows were looked at.
    pub rows: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl StoreCheck {
    fn found(&mut self, what: &'static str, name: &str, error: Error) {
        self.findings.push(Finding { what, name: name.to_owned(), error });
    }
}

/// Reads everything in a store, which may be in use, and changes nothing: whether each row can be
/// read, and its seal is good under the peppers; what is revoked, and what of that was forgotten;
/// the chain of changes of PostgreSQL; the file, its log and its mark of SQLite. `progress` hears
/// how many rows were looked at.
///
/// # Errors
/// `InvalidArgument`: it is in memory or a folder. `InvalidConfiguration`: its peppers were not
/// named. Those of [`crate::store::Backend`] where nothing can be read at all.
pub fn store_check(
    url: &str,
    pepper: &PepperSource,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<StoreCheck> {
    let parsed = lasting(url)?;
    let peppers = peppers_of(pepper, &[&parsed])?;
    let mut check = StoreCheck::default();
    if matches!(parsed, StoreUrl::Sqlite { .. }) {
        let facts = crate::doctor::store_facts(url, &PepperSource::Given(peppers.clone()), 0)?;
        let of_the_file =
            facts.faults.into_iter().filter(|(what, _)| !matches!(*what, "pepper" | "key_ring"));
        for (what, error) in of_the_file {
            check.found(what, "", error);
        }
    }
    let store = match Store::without_peppers(&parsed, false, Follow::new()) {
        Ok(store) => store,
        // It was told why.
        Err(_) if !check.findings.is_empty() => return Ok(check),
        Err(error) => return Err(error),
    };
    let database = store.database()?;
    if let Err(error) = fit(&peppers, &database.pepper_checks()?) {
        check.found("pepper", "", error);
    }
    rows(&mut check, &database, &peppers, progress)?;
    rings(&mut check, &*database, &peppers)?;
    revoked(&mut check, &*database)?;
    progress(check.rows)?;
    if let Err(error) = database.check_feed() {
        check.found("feed", "", unless_away(error)?);
    }
    store.close()?;
    Ok(check)
}

/// An error that is found, and not one of a store that has gone meanwhile.
fn unless_away(error: Error) -> Result<Error> {
    if error.is_unavailable() && error.kind() != crate::error::ErrorKind::StoreCorrupt {
        Err(error)
    } else {
        Ok(error)
    }
}

fn rows(
    check: &mut StoreCheck,
    database: &Arc<dyn Database>,
    peppers: &Peppers,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let mut keys = Rows::of_keys(database);
    while let Some(loaded) = keys.next()? {
        check.rows += 1;
        match loaded {
            Loaded::Key(key) => {
                if let Err(error) = peppers.check_row(&*key) {
                    check.found("api_key", &key.record.id, error);
                }
            }
            Loaded::Corrupt(id) | Loaded::Removed(id) => check.found("api_key", &id, UNREADABLE),
        }
        if check.rows.is_multiple_of(PAGE as u64) {
            progress(check.rows)?;
        }
    }
    let mut sessions = Rows::of_sessions(database);
    while let Some(session) = sessions.next()? {
        check.rows += 1;
        if session.version == 0 {
            check.found("session", &session.record.family, UNREADABLE);
        } else if let Err(error) = peppers.check_row(&session) {
            check.found("session", &session.record.family, error);
        }
        if check.rows.is_multiple_of(PAGE as u64) {
            progress(check.rows)?;
        }
    }
    Ok(())
}

fn rings(check: &mut StoreCheck, database: &dyn Database, peppers: &Peppers) -> Result<()> {
    for name in database.key_ring_names()? {
        check.rows += 1;
        let ring = database.key_ring(&name).and_then(|ring| match ring {
            Some(ring) => keys_of(&ring, peppers).map(drop),
            None => Ok(()), // removed meanwhile
        });
        if let Err(error) = ring {
            check.found("key_ring", &name, unless_away(error)?);
        }
    }
    Ok(())
}

fn revoked(check: &mut StoreCheck, database: &dyn Database) -> Result<()> {
    let mut seq = 0;
    loop {
        match database.revocations(seq, PAGE) {
            Ok(page) => {
                check.rows += page.entries.len() as u64;
                seq = page.seq;
                if !page.more {
                    break;
                }
            }
            Err(error) => {
                check.found("revocation", "", unless_away(error)?);
                break;
            }
        }
    }
    if let Err(error) = database.revocation_horizon() {
        check.found("horizon", "", unless_away(error)?);
    }
    Ok(())
}

const UNREADABLE: Error = Error::new(
    crate::error::ErrorKind::StoreCorrupt,
    "The row cannot be read: it is damaged or was altered from outside; it is refused.",
);
