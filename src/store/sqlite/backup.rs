//! Copies of a store: by SQLite's backup of one moment, checked, written beside and then renamed,
//! so that a copy is there whole or not at all. A copy is one file without a WAL.

use super::connections::{leave_log, use_rollback_journal};
use super::create::make_file;
use super::mark::{Marked, Standing, demand_mark, estrange, rename, sync_folder};
use super::place::check_regular;
use super::place::companion;
use super::reading::open_to_read;
use super::wal::Extent;
use super::{Connections, SqliteStore, Trust, fault, schema, whole};
use crate::base::process;
use crate::error::{Error, ErrorKind, Result};
use crate::store::mark_place::ends_as_owned;
use crate::store::{Mark, real_path};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Hears how many pages are done, of how many; an error stops the copy.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> Result<()>;

/// What a store was called before it was to be acknowledged.
pub(crate) struct Former(Standing);

/// Pages of a step: about a millisecond of reading.
const STEP: i32 = 256;

/// What a copy holds.
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    pub(crate) api_keys: u64,
    pub(crate) sessions: u64,
}

/// What was restored, where the store that was there before is now, and whether the one that is
/// there now must be acknowledged.
pub(crate) struct Restored {
    pub(crate) copied: Copied,
    pub(crate) replaced: Option<PathBuf>,
    pub(crate) must_acknowledge: bool,
}

/// Copies the store to a file that is not there yet. The store may be written to meanwhile. One
/// that is behind its mark is refused: its backup would pass for one of the store that it is not
/// any more.
pub(crate) fn back_up(
    store: &Path,
    mark: &Mark,
    to: &Path,
    progress: Progress<'_>,
) -> Result<Copied> {
    // A link is a file, too, wherever it leads.
    if to.symlink_metadata().is_ok() {
        return Err(TAKEN);
    }
    if ends_as_owned(to) {
        return Err(OWNED);
    }
    let mark = Marked::new(&real_path(store), mark, &Arc::default())?;
    let source = open_whole(store)?;
    mark.check(&source)?;
    let beside = temporary(to);
    let copied = copy(&source, &beside, progress, |_| Ok(()));
    place(copied, &beside, to)
}

/// Puts a copy in the place of a store, which is moved aside.
pub(crate) fn restore(
    backup: &Path,
    store: &Path,
    mark: &Mark,
    force: bool,
    progress: Progress<'_>,
) -> Result<Restored> {
    let store = &real_path(store);
    let mark = Marked::new(store, mark, &Arc::default())?;
    mark.check_file()?;
    let beside = temporary(store);
    let source = open_whole(backup)?;
    let copied = copy(&source, &beside, progress, |copy| {
        schema::migrate(copy, false)?;
        // A backup of an older version knows of no mark; it is an older state nevertheless.
        demand_mark(copy)
    });
    let held = match hold_still(store, force) {
        Ok(held) => held,
        Err(error) => {
            let _ = std::fs::remove_file(&beside); // what stays is private, and has a name that says what it is
            return Err(error);
        }
    };
    let replaced = if copied.is_ok() && store.exists() { Some(set_aside(store)?) } else { None };
    let copied = place(copied, &beside, store)?;
    drop(held);
    let must_acknowledge = match mark.check(&open_to_read(store)?) {
        Ok(()) => false,
        Err(error) if error.kind() == ErrorKind::StoreRestored => true,
        Err(error) => return Err(error),
    };
    Ok(Restored { copied, replaced, must_acknowledge })
}

impl SqliteStore {
    /// Opens a store as it is, so that it can be acknowledged: an older copy, and files that do not
    /// belong together. And what it was called, if it was not refused.
    ///
    /// # Errors
    /// As [`Self::open`], but for `StoreRestored`. `StoreCorrupt`: SQLite's integrity check does
    /// not pass. `StoreUnavailable`: the file is empty. Those of `check`, which is asked before
    /// anything is changed.
    pub(crate) fn open_as_it_is(
        path: &Path,
        mark: &Mark,
        check: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<(Self, Option<Former>)> {
        // What is damaged stays as it is: who only reads writes no log into the main file.
        let real = real_path(path);
        whole::check_beginning(&real)?;
        if std::fs::metadata(&real).is_ok_and(|metadata| metadata.len() == 0) {
            return Err(NOTHING);
        }
        let mark = Marked::new(&real, mark, &Arc::default())?;
        mark.check_file()?;
        let look = open_to_read(&real)?;
        leave_log(&look, true)?;
        check_integrity(&look)?;
        let known =
            mark.check(&look).and_then(|()| whole::check(&real, &look, None, Extent::Whole));
        let was_refused = known.is_err_and(|error| error.kind() == ErrorKind::StoreRestored);
        drop(look);
        let store = Self(Connections::open(path, &Mark::None, Trust::AsItIs)?);
        // Another name than its mark has, before anything changes: it is refused until all is done,
        // however far the changes bring its number.
        let estrange = || store.0.writing(|connection, _| estrange(connection), |_, _| Ok(()));
        if let Err(error) = check(&store) {
            if was_refused {
                // Files that do not belong together become one when they are closed.
                let _ = estrange();
            }
            return Err(error);
        }
        let former = estrange()?;
        Ok((store, if was_refused { None } else { Some(Former(former)) }))
    }

    /// Gives a store that was not refused its name again, because it could not be acknowledged. If
    /// that cannot be done, it stays refused.
    pub(crate) fn give_back(&self, former: &Former) {
        let _ = self.0.writing(|connection, _| rename(connection, &former.0), |(), _| Ok(()));
    }

    /// Whether no table is missing, and no column of one.
    pub(crate) fn check_tables(&self) -> Result<()> {
        self.0.reading(|connection, _, _| schema::check_tables(connection))
    }

    /// Accepts the store as it is: sets its mark.
    pub(crate) fn acknowledge(&self, mark: &Mark) -> Result<()> {
        let mark = Marked::new(&self.0.path(), mark, &Arc::default())?;
        self.0.writing(|connection, _| mark.acknowledge(connection), |(), _| Ok(()))
    }
}

const NOTHING: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The file at this path is empty, and no store. Restore a backup; or delete the file and its mark (<store>.mark) \
     to begin again.",
);

/// Opens a store, or a copy of one, to be read.
fn open_whole(path: &Path) -> Result<Connection> {
    let path = &real_path(path);
    whole::check_beginning(path)?;
    let has_wal = companion(path, "-wal").exists();
    let connection = open_to_read(path)?;
    schema::check_owner(&connection, true)?;
    if !has_wal {
        schema::check_whole(&connection)?;
    }
    if schema::is_new(&connection)? {
        return Err(EMPTY);
    }
    whole::check(path, &connection, None, Extent::Whole)?;
    Ok(connection)
}

fn copy(
    source: &Connection,
    beside: &Path,
    progress: Progress<'_>,
    finish: impl FnOnce(&mut Connection) -> Result<()>,
) -> Result<Copied> {
    make_file(beside)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(beside, flags).map_err(fault)?;
    // One moment of the store, so that writers do not make the copy begin again.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(fault)?;
    let pages = copy_pages(source, &mut target, progress);
    source.execute_batch("COMMIT").map_err(fault)?;
    let pages = pages?;
    use_rollback_journal(&target)?;
    finish(&mut target)?;
    let copied = check(&target, pages)?;
    target.close().map_err(|(_, error)| fault(error))?;
    Ok(copied)
}

fn copy_pages(source: &Connection, target: &mut Connection, progress: Progress<'_>) -> Result<u64> {
    let backup = Backup::new(source, target).map_err(fault)?;
    loop {
        let step = backup.step(STEP).map_err(fault)?;
        let now = backup.progress();
        let (left, all) = (now.remaining.unsigned_abs(), now.pagecount.unsigned_abs());
        progress(u64::from(all.saturating_sub(left)), u64::from(all))?;
        match step {
            StepResult::Done => return Ok(u64::from(all)),
            StepResult::More => {}
            // Busy or locked: someone is just checkpointing.
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

pub(super) fn check_integrity(connection: &Connection) -> Result<()> {
    let found: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fault)?;
    if found == "ok" { Ok(()) } else { Err(DAMAGED) }
}

/// Reads all of a copy: its pages, and what is in its tables.
fn check(copy: &Connection, pages: u64) -> Result<Copied> {
    check_integrity(copy)?;
    schema::check_owner(copy, true)?;
    let count = |table: &str| {
        let there: i64 = copy
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = ?", [table], |row| {
                row.get(0)
            })
            .map_err(fault)?;
        if there == 0 {
            return Ok(0); // of an older version
        }
        let count: i64 = copy
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .map_err(fault)?;
        Ok::<_, Error>(count.unsigned_abs())
    };
    let page: i64 = copy.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(fault)?;
    Ok(Copied {
        bytes: pages.saturating_mul(page.unsigned_abs()),
        api_keys: count("key")?,
        sessions: count("session")?,
    })
}

/// Puts the copy where it belongs, or takes it away if it cannot be used.
fn place(copied: Result<Copied>, beside: &Path, to: &Path) -> Result<Copied> {
    let placed = copied.and_then(|copied| {
        let place = || {
            std::fs::File::open(beside)?.sync_all()?;
            std::fs::rename(beside, to)?;
            sync_folder(to)
        };
        place().map_err(|error| unwritable(&error))?;
        Ok(copied)
    });
    if placed.is_err() {
        for file in [beside.to_owned(), companion(beside, "-journal"), companion(beside, "-wal")] {
            let _ = std::fs::remove_file(file); // private, and of no use
        }
    }
    placed
}

/// Keeps others from a store that is about to be replaced; refuses if someone has it open.
fn hold_still(store: &Path, force: bool) -> Result<Option<Connection>> {
    check_regular(store)?;
    if force || !store.exists() || is_mixed(store) {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let held = Connection::open_with_flags(store, flags).and_then(|held| {
        held.busy_timeout(Duration::from_millis(500))?;
        // Only the last one may leave the WAL.
        held.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        held.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(held)
    });
    match held {
        Ok(held) => Ok(Some(held)),
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Err(IN_USE)
            }
            // A damaged one is what a backup is for.
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Ok(None)
            }
            _ => Err(fault(error)),
        },
    }
}

/// Whether its files do not belong together: they are kept so, and not written into one. Who has
/// them open is refused.
fn is_mixed(store: &Path) -> bool {
    let found = whole::check_beginning(store)
        .and_then(|()| open_to_read(store))
        .and_then(|reader| whole::check(store, &reader, None, Extent::Whole));
    found.is_err_and(|error| {
        matches!(error.kind(), ErrorKind::StoreRestored | ErrorKind::StoreCorrupt)
    })
}

/// Moves a store and what belongs to it to another name.
fn set_aside(store: &Path) -> Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = |number: u64| companion(store, &format!(".replaced-{number}"));
    let aside = (now..).map(name).find(|name| !name.exists()).ok_or(TAKEN)?;
    std::fs::rename(store, &aside).map_err(|error| unwritable(&error))?;
    for ending in ["-wal", "-shm", "-journal"] {
        let from = companion(store, ending);
        if from.exists() {
            std::fs::rename(from, companion(&aside, ending)).map_err(|error| unwritable(&error))?;
        }
    }
    Ok(aside)
}

/// Where a copy is made before it gets its name.
fn temporary(of: &Path) -> PathBuf {
    companion(of, &format!(".partial-{}", process::id()))
}

#[cold]
fn unwritable(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::StoreFull.into(),
        _ => Error::new(
            ErrorKind::StoreUnavailable,
            "The copy cannot be put in its place; see that the folder may be written to.",
        ),
    }
}

const TAKEN: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There is a file where the backup is to go, which is never overwritten; give another name.",
);
const OWNED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The backup has a name of what belongs to a store (it ends in -wal, -shm, -journal, .pepper, .limits, .ring or is \
     folder.id), and SQLite would take it for that; give another name.",
);
const EMPTY: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "There is nothing in the file: it is no store, or a copy without its WAL. Use `gatekey store backup`.",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The store does not pass SQLite's integrity check: it is damaged. Restore an earlier backup.",
);
const IN_USE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store is in use; stop the programs that have it open, or force it and restart them afterwards.",
);
