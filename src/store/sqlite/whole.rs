//! Whether the files of a store belong together: the main file and its log (WAL) are pages of one
//! history, of which SQLite itself asks nothing but the log's own sums.
//!
//! - The log continues from where it was last begun again, and the main file has held everything up
//!   to there by itself. A main file that is behind that is an older copy that was put under the
//!   log: what only the main file held, such as a revocation, would be good again.
//! - What SQLite tells from its memory is on the disk as well: a log that was cut short has lost
//!   what was promised.
//! - Every page is in one of the two: or the main file was cut short.
//!
//! Others may write meanwhile. So the log is looked at before the main file, which only ever moves
//! ahead, and what is found wrong is looked at again before it is believed.

use super::fault;
use super::mark::{Position, standing};
use super::place::check_regular;
use super::place::companion;
use super::reading::open_frozen;
use super::wal::{self, Extent, Log};
use crate::error::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;
use std::time::Duration;

/// How often it is looked again, about once a millisecond.
const TRIES: u32 = 20;

/// Refuses files that do not belong together. `connection` reads the store through SQLite;
/// `reached` is how far it had come at least; `extent` is how much of the log is read if the main
/// file does not hold everything by itself.
pub(super) fn check(
    path: &Path,
    connection: &Connection,
    reached: Option<Position>,
    extent: Extent,
) -> Result<()> {
    let mut tries = 0;
    loop {
        match look(path, connection, reached, extent) {
            Err(_) if tries < TRIES => tries += 1,
            other => return other,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Refuses an empty main file that has a log, before SQLite looks at it: it would take the log
/// away.
pub(super) fn check_beginning(path: &Path) -> Result<()> {
    check_regular(path)?;
    let length = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
    let has_log = length(&companion(path, "-wal")).is_ok_and(|length| length > 0);
    if has_log && length(path).is_ok_and(|length| length == 0) { Err(SHORT) } else { Ok(()) }
}

fn look(
    path: &Path,
    connection: &Connection,
    reached: Option<Position>,
    extent: Extent,
) -> Result<()> {
    check_beginning(path)?;
    // First what is known, then where it should be.
    let told = standing(connection).and_then(|told| Ok((told, table(connection)?)));
    let (told, table) = match told {
        Ok((told, Some(table))) => (Some(told), table),
        Ok((_, None)) => return Ok(()), // of an older version, which counts nothing
        Err(error) if reached.is_none() => return Err(error),
        // The log cannot be read through SQLite: by itself it tells why.
        Err(_) => (None, 0),
    };
    let (wal, seen) = (companion(path, "-wal"), told.map(|told| told.at));
    let table = if table == 0 { main_file(path)?.1.unwrap_or(0) } else { table };
    let mut log = read(&wal, table, extent)?;
    let (main, _) = main_file(path)?;
    check_main(&log, main, seen)?;
    let floor = [seen, reached].into_iter().flatten().max_by_key(|at| at.seq);
    let Some(floor) = floor.filter(|floor| floor.id == main.id && floor.seq > main.seq) else {
        // What SQLite cannot read, although it has its place there.
        return if told.is_none() {
            Err(CUT)
        } else {
            check_length(path, connection, &log, extent)
        };
    };
    if extent == Extent::Beginning {
        log = read(&wal, table, Extent::Whole)?;
    }
    match log.last {
        Some(last) if last.id == floor.id && last.seq >= floor.seq => {
            check_length(path, connection, &log, extent)
        }
        Some(last) if last.id != floor.id => Ok(()), // of another name since: see `Marked`
        _ => Err(CUT),
    }
}

/// Refuses a main file that is behind where the log begins.
fn check_main(log: &Log, main: Position, seen: Option<Position>) -> Result<()> {
    let Some(first) = log.first else { return Ok(()) };
    let is_named = |at: Position| main.id.is_none() || main.id == at.id;
    if main.seq.saturating_add(1) < first.seq || !is_named(first) && !seen.is_some_and(is_named) {
        return Err(BEHIND);
    }
    Ok(())
}

/// Refuses a main file that lacks pages which are not in the log either.
fn check_length(path: &Path, connection: &Connection, log: &Log, extent: Extent) -> Result<()> {
    if extent == Extent::Beginning {
        return Ok(());
    }
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let (pages, size) = (number("page_count").map_err(fault)?, number("page_size").map_err(fault)?);
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let there = u32::try_from(length / u64::from(size.max(1))).unwrap_or(u32::MAX);
    let mut missing = there.saturating_add(1)..=pages;
    if missing.all(|page| log.pages.contains(&page)) { Ok(()) } else { Err(SHORT) }
}

fn read(wal: &Path, table: u32, extent: Extent) -> Result<Log> {
    wal::read(wal, table, extent).map_err(|_| UNREADABLE)
}

/// The page that the table `store` is.
fn table(connection: &Connection) -> Result<Option<u32>> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'store'";
    connection.query_row(sql, [], |row| row.get(0)).optional().map_err(fault)
}

/// How far the main file is by itself, and which page says so. It is still read by SQLite: closing
/// it in any other way would take the locks of the process away.
fn main_file(path: &Path) -> Result<(Position, Option<u32>)> {
    const NOTHING: (Position, Option<u32>) = (Position { id: None, seq: 0 }, None);
    let alone = open_frozen(path)?;
    // A checkpoint that was interrupted leaves a file that is shorter than its first page says.
    alone.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true).map_err(fault)?;
    // What cannot be read is not there yet: pages of a new version that are still in the log.
    let found = standing(&alone).and_then(|found| Ok((found.at, table(&alone)?)));
    Ok(found.unwrap_or(NOTHING))
}

const BEHIND: Error = Error::new(
    ErrorKind::StoreRestored,
    "The store's main file is older than its WAL: an older copy was put over it. Restore a backup, or run \
     `gatekey store acknowledge-restore`.",
);
const CUT: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The store's WAL was cut short or replaced, and changes in it are lost. Stop the programs that use it, and \
     restore a backup.",
);
const SHORT: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The store's main file was cut short. Stop the programs that use it, and restore a backup.",
);
const UNREADABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store's WAL cannot be read; give this process the right to read the file.",
);
