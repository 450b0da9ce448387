//! A look at a store that changes nothing of it, whatever state it is in: everything that is wrong
//! is reported, not the first of it. A store without a log is read as a file that does not change,
//! because SQLite would make one.

use super::backup::check_integrity;
use super::mark::{Marked, standing};
use super::place::companion;
use super::reading::{open_frozen, open_to_read};
use super::wal::Extent;
use super::{fault, known_peppers, rows, schema, whole};
use crate::error::{Error, Result};
use crate::store::{Mark, PepperCheck, StoredRing, real_path};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// The most API keys that are named.
const NAMED: u32 = 50;

/// What was found.
#[derive(Default)]
pub(crate) struct Examined {
    /// What it is about, and what is wrong.
    pub(crate) faults: Vec<(&'static str, Error)>,
    /// The version of its tables, if they are ours.
    pub(crate) schema: Option<u64>,
    /// Whether changes go to a log first (WAL).
    pub(crate) is_wal: bool,
    /// Whether it says that it has a mark.
    pub(crate) is_marked: bool,
    /// The latest date of anything that has happened in it.
    pub(crate) latest: Option<u64>,
    pub(crate) api_keys: u64,
    pub(crate) sessions: u64,
    /// Ids of active API keys, and when they expire, within what was asked for.
    pub(crate) expiring: Vec<(String, u64)>,
    pub(crate) peppers: Vec<PepperCheck>,
    pub(crate) rings: Vec<StoredRing>,
}

/// The version of the tables that this library makes.
pub(crate) const SCHEMA: u64 = schema::NEWEST;

/// The version of SQLite.
pub(crate) fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Looks at the store; API keys that expire from `now` to `until` are named.
pub(crate) fn examine(store: &Path, mark: &Mark, now: u64, until: u64) -> Examined {
    let mut found = Examined::default();
    if let Err(error) = found.look(&real_path(store), mark, now, until) {
        found.faults.push(("store", error));
    }
    found
}

impl Examined {
    fn note(&mut self, what: &'static str, outcome: Result<()>) {
        self.faults.extend(outcome.err().map(|error| (what, error)));
    }

    fn look(&mut self, path: &Path, mark: &Mark, now: u64, until: u64) -> Result<()> {
        let marked = Marked::new(path, mark, &Arc::default());
        let marked = match marked.and_then(|marked| marked.check_place(path).map(|()| marked)) {
            Ok(marked) => Some(marked),
            Err(error) => {
                self.note("mark", Err(error));
                None
            }
        };
        whole::check_beginning(path)?;
        let has_log = companion(path, "-wal").exists();
        let connection = if has_log { open_to_read(path)? } else { open_frozen(path)? };
        schema::check_owner(&connection, false)?;
        let schema: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fault)?;
        self.schema = u64::try_from(schema).ok();
        self.is_wal = has_log || writes_a_log(path);
        self.note("integrity", check_integrity(&connection));
        if self.schema == Some(SCHEMA) {
            self.note("tables", schema::check_tables(&connection));
        }
        if let Some(marked) = marked {
            self.note("mark", marked.check(&connection));
        }
        self.note("files", whole::check(path, &connection, None, Extent::Whole));
        self.is_marked = standing(&connection).is_ok_and(|standing| standing.marked);
        self.read(&connection, now, until);
        Ok(())
    }

    /// What is in the tables; of one that cannot be read, what is wrong was found above.
    fn read(&mut self, connection: &Connection, now: u64, until: u64) {
        let number = |sql: &str| {
            let found = connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
            found.ok().flatten().and_then(|number| u64::try_from(number).ok())
        };
        self.api_keys = number("SELECT count(*) FROM key").unwrap_or(0);
        self.sessions = number("SELECT count(*) FROM session").unwrap_or(0);
        let dates = [
            "SELECT max(at) FROM audit",
            "SELECT max(at) FROM session_event",
            "SELECT max(at) FROM revocation",
            "SELECT max(last_used_at) FROM usage",
            "SELECT max(last_seen_at) FROM session",
            "SELECT max(created_at) FROM key",
        ];
        self.latest = dates.into_iter().filter_map(number).max();
        self.expiring = expiring(connection, now, until).unwrap_or_default();
        self.peppers = known_peppers(connection).unwrap_or_default();
        self.rings = rings(connection).unwrap_or_default();
    }
}

/// Whether the header of the file says that it is written by a log (sqlite.org/fileformat.html,
/// 1.3.3).
fn writes_a_log(path: &Path) -> bool {
    use std::io::Read as _;
    let mut header = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.ends_with(&[2, 2])
}

fn expiring(connection: &Connection, now: u64, until: u64) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut select = connection.prepare(
        "SELECT id, expires_at FROM key WHERE status = 'active' AND expires_at > ?1 AND expires_at <= ?2 \
         ORDER BY expires_at, id LIMIT ?3",
    )?;
    let values = (rows::signed(now)?, rows::signed(until)?, NAMED);
    let found =
        select.query_map(values, |row| Ok((row.get(0)?, rows::unsigned(row, "expires_at")?)))?;
    found.collect()
}

fn rings(connection: &Connection) -> rusqlite::Result<Vec<StoredRing>> {
    let mut select = connection.prepare("SELECT * FROM key_ring ORDER BY name")?;
    let found = select.query_map([], |row| {
        Ok(StoredRing {
            name: row.get("name")?,
            version: rows::unsigned(row, "version")?,
            pepper: row.get("pepper")?,
            text: row.get("text")?,
        })
    })?;
    found.collect()
}
