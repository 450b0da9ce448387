//! The tables of a store, made or brought forward.

use super::lasting;
use crate::base::follow::Follow;
use crate::error::Result;
use crate::open::{Store, StoreUrl, check_there};
use crate::store::PostgresUrl;

/// What was done with the tables of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version that they had; `None` if there were none.
    pub before: Option<u64>,
    /// The version that they have now, or would have.
    pub after: u64,
}

/// Makes the tables of a store on a server, or brings those of any store to the version of this
/// library, while older programs use them. With `dry_run`, nothing is changed, and it is told what
/// would be.
///
/// # Errors
/// `InvalidArgument`: it is in memory or a folder. `StoreReadOnly`: this user may not.
/// `StoreCorrupt`: the tables are not gatekey's, or of a newer version. `StoreUnavailable`: there
/// is no file at the path. Those of [`crate::store::Backend`].
pub fn store_migrate(url: &str, dry_run: bool) -> Result<Migration> {
    let url = lasting(url)?;
    check_there(&url)?;
    let (before, after) = match &url {
        StoreUrl::Postgres(url) => server(url)?,
        other => file(other)?,
    };
    if !dry_run && before != Some(after) {
        Store::without_peppers(&url, true, Follow::new())?.close()?;
    }
    Ok(Migration { before, after })
}

#[cfg(feature = "postgres")]
fn server(url: &PostgresUrl) -> Result<(Option<u64>, u64)> {
    crate::store::PostgresStore::tables(url)
}

#[cfg(not(feature = "postgres"))]
fn server(_: &PostgresUrl) -> Result<(Option<u64>, u64)> {
    Err(crate::error::Error::new(
        crate::error::ErrorKind::Unsupported,
        "This build of gatekey has no store in PostgreSQL.",
    ))
}

fn file(url: &StoreUrl) -> Result<(Option<u64>, u64)> {
    let facts =
        crate::doctor::store_facts(&url.to_string(), &crate::pepper::PepperSource::Beside, 0)?;
    let fault = facts.faults.into_iter().find(|(what, _)| matches!(*what, "store" | "mark"));
    match (facts.schema, fault) {
        ((None, _), Some((_, error))) if url.path().is_some_and(std::path::Path::exists) => {
            Err(error)
        }
        (schema, _) => Ok(schema),
    }
}
