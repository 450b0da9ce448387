//! Layer 5: what can be said about a store without opening it: for a store that is refused, and to
//! know before it is. Nothing of the store is changed, and nothing secret is in what is reported.

use crate::base::clock::{Clock as _, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::keyring::{KeyRing, KeyRingOptions, RingKey};
use crate::open::StoreUrl;
use crate::pepper::{PepperSource, Peppers, pepper_beside, read_pepper_file};
use crate::store::{KeyRingStore, PepperCheck, ServerFacts, StoredRing};
use std::path::PathBuf;
use std::sync::Arc;

/// What a look at a store has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreFacts {
    /// The file of the store.
    pub path: PathBuf,
    /// What is wrong, and with what: `store`, `integrity`, `tables`, `files`, `mark`, `pepper` or
    /// `key_ring`. Who opens the store is refused, or what it concerns is.
    pub faults: Vec<(&'static str, Error)>,
    /// The version of SQLite that this library runs on.
    pub sqlite: &'static str,
    /// The version of the store's tables, if they are ours, and the newest that this library knows.
    pub schema: (Option<u64>, u64),
    /// Whether changes go to a log first (WAL), as gatekey has it.
    pub is_wal: bool,
    /// Whether the store says that it has a mark, which tells a restored backup.
    pub is_marked: bool,
    /// Whether peppers were found; a store of revocations alone needs none.
    pub has_peppers: bool,
    /// The latest date of anything that has happened in the store, in seconds since the Unix epoch.
    pub latest: Option<u64>,
    /// How many API keys there are.
    pub api_keys: u64,
    /// How many sessions, live or not.
    pub sessions: u64,
    /// The ids of active API keys that expire within what was asked for, the first fifty, and when.
    pub expiring: Vec<(String, u64)>,
    /// The key rings that can be read, by their names.
    pub key_rings: Vec<(String, Vec<RingKey>)>,
}

/// Looks at a store, and changes nothing of it. `within` is for how many seconds from now API keys
/// are looked for that expire.
///
/// # Errors
/// `InvalidArgument`: the URL is not that of a SQLite store. `Unsupported`: this build has no
/// SQLite.
pub fn store_facts(url: &str, pepper: &PepperSource, within: u64) -> Result<StoreFacts> {
    let StoreUrl::Sqlite { path, mark } = url.parse()? else {
        return Err(NO_FILE);
    };
    let now = SystemClock.now();
    let mut facts = look::examine(&path, &mark, now, now.saturating_add(within))?;
    let (known, rings) = (std::mem::take(&mut facts.known), std::mem::take(&mut facts.rings));
    let mut facts = facts.told;
    let peppers = match pepper {
        PepperSource::Beside => read_pepper_file(&pepper_beside(&path)).map(Some),
        elsewhere => elsewhere.elsewhere(),
    };
    // What was never made is not missed: by a store that needs no pepper.
    let is_needed = !known.is_empty() || !rings.is_empty();
    let is_there = !matches!(pepper, PepperSource::Beside) || pepper_beside(&path).exists();
    let peppers = match peppers {
        Ok(peppers) => peppers,
        Err(error) => {
            if is_needed || is_there {
                facts.faults.push(("pepper", error));
            }
            None
        }
    };
    facts.has_peppers = peppers.is_some();
    let fits = peppers.as_ref().map_or(Ok(()), |peppers| fit(peppers, &known));
    let does_fit = fits.is_ok();
    facts.faults.extend(fits.err().map(|error| ("pepper", error)));
    if let Some(peppers) = peppers.filter(|_| does_fit) {
        for ring in rings {
            match keys_of(&ring, &peppers) {
                Ok(keys) => facts.key_rings.push((ring.name, keys)),
                Err(error) => {
                    let error = error.about_named_claim(&ring.name.as_str().into());
                    facts.faults.push(("key_ring", error));
                }
            }
        }
    }
    Ok(facts)
}

/// Looks at a store in PostgreSQL, and changes nothing of it; and what is wrong with its peppers,
/// if anything is. `None` for peppers that were not named.
///
/// # Errors
/// `InvalidArgument`: the URL is not that of a store in PostgreSQL. `Unsupported`: this build has
/// no such store. `StoreUnavailable`, `StoreReadOnly`, `StoreCorrupt`: as at opening it; the
/// message says what to do.
pub fn server_facts(url: &str, pepper: &PepperSource) -> Result<(ServerFacts, Option<Result<()>>)> {
    let StoreUrl::Postgres(server) = url.parse()? else {
        return Err(NO_SERVER);
    };
    let facts = server::examine(&server)?;
    if facts.tables.0 != Some(facts.tables.1) || !facts.missing_to_read.is_empty() {
        return Ok((facts, None));
    }
    let peppers = match pepper.elsewhere() {
        Ok(None) => return Ok((facts, None)),
        Ok(Some(peppers)) => peppers,
        Err(error) => return Ok((facts, Some(Err(error)))),
    };
    let known = server::peppers(&server)?;
    Ok((facts, Some(fit(&peppers, &known))))
}

#[cfg(feature = "postgres")]
mod server {
    use super::{PepperCheck, Result};
    use crate::store::{Backend as _, PostgresStore, PostgresUrl, ServerFacts};

    pub(super) fn examine(url: &PostgresUrl) -> Result<ServerFacts> {
        PostgresStore::examine(url)
    }

    pub(super) fn peppers(url: &PostgresUrl) -> Result<Vec<PepperCheck>> {
        PostgresStore::open_there(url)?.pepper_checks()
    }
}

#[cfg(not(feature = "postgres"))]
mod server {
    use super::{Error, ErrorKind, PepperCheck, Result};
    use crate::store::{PostgresUrl, ServerFacts};

    const NOT_BUILT: Error =
        Error::new(ErrorKind::Unsupported, "This build of gatekey has no store in PostgreSQL.");

    pub(super) fn examine(_: &PostgresUrl) -> Result<ServerFacts> {
        Err(NOT_BUILT)
    }

    pub(super) fn peppers(_: &PostgresUrl) -> Result<Vec<PepperCheck>> {
        Err(NOT_BUILT)
    }
}

/// Whether the peppers are those of the store; and whether the newest that it was used with is
/// there.
fn fit(peppers: &Peppers, known: &[PepperCheck]) -> Result<()> {
    peppers.check_all(known)?;
    match known.iter().max_by_key(|check| check.since) {
        Some(newest) if !peppers.contains(newest.pepper) => {
            Err(NEWEST.about_secret("pepper", newest.pepper))
        }
        _ => Ok(()),
    }
}

/// The keys of a ring, without those whose last token has expired.
pub(crate) fn keys_of(ring: &StoredRing, peppers: &Peppers) -> Result<Vec<RingKey>> {
    let options = KeyRingOptions::new().name(&ring.name);
    KeyRing::open(Arc::new(One(ring.clone())), Some(peppers.clone()), options)?.keys()
}

/// A store of one ring, which stays as it is.
struct One(StoredRing);

impl KeyRingStore for One {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        Ok((name == self.0.name).then(|| self.0.clone()))
    }

    fn key_ring_version(&self, name: &str) -> Result<u64> {
        Ok(if name == self.0.name { self.0.version } else { 0 })
    }

    fn put_key_ring(&self, _: &StoredRing) -> Result<()> {
        Err(ErrorKind::StoreReadOnly.into())
    }
}

/// What was found, and what only this file needs of it.
struct Look {
    told: StoreFacts,
    known: Vec<PepperCheck>,
    rings: Vec<StoredRing>,
}

#[cfg(feature = "sqlite")]
mod look {
    use super::{Look, Result, StoreFacts};
    use crate::store::{Mark, SCHEMA, examine as look, sqlite_version};
    use std::path::Path;

    pub(super) fn examine(path: &Path, mark: &Mark, now: u64, until: u64) -> Result<Look> {
        let found = look(path, mark, now, until);
        let told = StoreFacts {
            path: path.to_owned(),
            faults: found.faults,
            sqlite: sqlite_version(),
            schema: (found.schema, SCHEMA),
            is_wal: found.is_wal,
            is_marked: found.is_marked,
            has_peppers: false,
            latest: found.latest,
            api_keys: found.api_keys,
            sessions: found.sessions,
            expiring: found.expiring,
            key_rings: Vec::new(),
        };
        Ok(Look { told, known: found.peppers, rings: found.rings })
    }
}

#[cfg(not(feature = "sqlite"))]
mod look {
    use super::{Error, ErrorKind, Look, Result};
    use crate::store::Mark;
    use std::path::Path;

    pub(super) fn examine(_: &Path, _: &Mark, _: u64, _: u64) -> Result<Look> {
        Err(Error::new(ErrorKind::Unsupported, "This build of gatekey has no SQLite store."))
    }
}

const NO_FILE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "Only a store in a file can be looked at: a path, or sqlite:///path.",
);
const NO_SERVER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "This looks at a store in PostgreSQL: postgresql://user@host/database.",
);
const NEWEST: Error = Error::new(
    ErrorKind::WrongPepper,
    "The pepper that the store was last used with is not among those that were given; give all of them.",
);
