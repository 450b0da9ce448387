//! API keys, sessions, revocations and key rings in a SQLite file, which several processes may
//! share: WAL, a full sync for every change to a key, a lesser one for counters. The audit is the
//! change feed; SQLite's `data_version` says whether there is anything new, for about a
//! microsecond.
//!
//! Connections are closed before a fork and opened again after it. A file that cannot be written to
//! can still be read. Nothing else may open the file with another SQLite in the same process
//! (Python's `sqlite3`, say): when that closes it, the kernel takes our locks away, and it may take
//! the WAL away (sqlite.org/howtocorrupt.html, 2.2); what is noticed of it is reported as
//! `StoreUnavailable`.

mod apikey;
mod backup;
mod connections;
mod create;
mod examine;
mod keyring;
mod mark;
mod place;
mod reading;
mod revocation;
mod rows;
mod schema;
mod session;
mod wal;
mod whole;

pub(crate) use self::backup::{Copied, Progress, back_up, restore};
use self::connections::{Connections, Opened, Trust};
pub(crate) use self::examine::{SCHEMA, examine, sqlite_version};
use self::mark::Marked;
use super::{Backend, Changes, Mark, PepperCheck, RevocationChanges, StoreHealth};
use crate::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, Transaction, params};
use std::path::{Path, PathBuf};

/// A store in a SQLite file.
pub struct SqliteStore(Connections);

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

impl SqliteStore {
    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// `StoreUnavailable`: the file or its folder cannot be opened. `StoreReadOnly`: there is no
    /// file and none can be made. `StoreCorrupt`: it is not a store of ours, or of a newer version;
    /// it is left as it is. `StoreRestored`: it is older than its mark, which lies beside it as
    /// `<path>.mark`, or one of the two is missing (see [`Mark`]); or its main file is older than
    /// its WAL.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Mark::Beside)
    }

    /// As [`Self::open`], with the mark in another place.
    ///
    /// # Errors
    /// As [`Self::open`]. `InvalidArgument`: the mark would be written over the store, over what
    /// belongs to one, or over a file that is no mark.
    pub fn open_with(path: impl AsRef<Path>, mark: &Mark) -> Result<Self> {
        Connections::open(path.as_ref(), mark, Trust::Nothing).map(Self)
    }

    fn read<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        self.read_file(|reader, _, _| work(reader))
    }

    /// As [`Self::read`], of a store that is not behind its mark: for what must not go back.
    fn read_newest<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Opened) -> Result<T>,
    ) -> Result<T> {
        self.read_file(|reader, opened, mark| {
            mark.check(reader)?;
            work(reader, opened)
        })
    }

    /// As [`Self::read`], and which file it is that is read, and its mark.
    fn read_file<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Opened, &Marked) -> Result<T>,
    ) -> Result<T> {
        self.0.reading(|reader, opened, mark| {
            schema::check_version(reader)?;
            let done = work(reader, opened, mark);
            if done.is_err() {
                // Tables that another process is changing just then explain the rest.
                schema::check_version(reader)?;
            }
            done
        })
    }

    /// All or nothing, synced when it returns, and so is the mark if the change must never be
    /// undone.
    fn transact<T>(&self, change: Kind, work: impl Fn(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let counted = |connection: &mut Connection, mark: &Marked| {
            in_transaction(connection, |transaction| {
                let done = work(transaction)?;
                let at = mark::count(transaction)?;
                mark.check_change(at)?;
                Ok((done, at))
            })
        };
        // Not before it is known that the change is in the store: the mark is never ahead of that.
        let (done, _) =
            self.0.writing(counted, |(_, at), mark| mark.follow(*at, change == Kind::Revokes))?;
        Ok(done)
    }

    /// Follows a feed whose numbers are those of the file that is open: a follower of another file
    /// begins again.
    fn follow<T: Feed>(
        &self,
        after: u64,
        work: impl FnOnce(&Transaction<'_>, u64) -> Result<T>,
    ) -> Result<T> {
        self.read_file(|reader, opened, mark| {
            // Something has changed: it must not be that an older copy was written into the file.
            mark.check(reader)?;
            let snapshot = reader.transaction().map_err(fault)?;
            let (file, seq) = (self.0.epoch(opened, &snapshot)? << FILE_BITS, after & NUMBER);
            // Of another file: a number that no feed has reached.
            let seq = if after & !NUMBER == file { seq } else { NUMBER };
            let mut found = work(&snapshot, seq)?;
            *found.seq() |= file;
            Ok(found)
        })
    }
}

/// The numbers of a feed are those of the file below this bit, and the number of the file above it.
const FILE_BITS: u32 = 48;
const NUMBER: u64 = (1 << FILE_BITS) - 1;

/// What a feed answers.
trait Feed {
    fn seq(&mut self) -> &mut u64;
}

impl Feed for Changes {
    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }
}

impl Feed for RevocationChanges {
    fn seq(&mut self) -> &mut u64 {
        &mut self.seq
    }
}

/// What a change does, as far as the mark is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It takes something away that an older copy of the store would give back.
    Revokes,
    /// It does not, or only something small: a refresh token that was used, credits.
    GoesOn,
}

impl Kind {
    fn revokes(revokes: bool) -> Self {
        if revokes { Self::Revokes } else { Self::GoesOn }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fault)?;
    schema::check_version(&transaction)?;
    let done = work(&transaction)?;
    transaction.commit().map_err(fault)?;
    Ok(done)
}

/// The fingerprints of the peppers that rows were made with.
fn known_peppers(reader: &Connection) -> Result<Vec<PepperCheck>> {
    let mut select =
        reader.prepare_cached("SELECT * FROM pepper ORDER BY pepper").map_err(fault)?;
    let check = |row: &rusqlite::Row<'_>| {
        // No pepper has a number that cannot be read.
        Ok(row.get("pepper").ok().map(|pepper| PepperCheck {
            pepper,
            check: row.get("fingerprint").unwrap_or_default(),
            since: rows::unsigned(row, "since").unwrap_or_default(),
        }))
    };
    let found = select.query_map([], check).map_err(fault)?;
    found.filter_map(rusqlite::Result::transpose).collect::<rusqlite::Result<_>>().map_err(fault)
}

impl Backend for SqliteStore {
    fn file(&self) -> Option<PathBuf> {
        Some(self.0.path())
    }

    fn history(&self) -> Result<u64> {
        self.read_file(|reader, _, mark| {
            mark.check(reader)?;
            Ok(mark.history())
        })
    }

    fn stamp(&self) -> Result<u64> {
        self.0.thaw();
        self.0.reading(|reader, opened, _| {
            let mut select = reader.prepare_cached("PRAGMA data_version").map_err(fault)?;
            let version: i64 = select.query_row([], |row| row.get(0)).map_err(fault)?;
            // The version is the connection's own, which is another one after a fork.
            Ok(opened.number << 32 ^ version.cast_unsigned())
        })
    }

    fn health(&self) -> StoreHealth {
        self.0.thaw();
        let looked = self.0.looking(|reader, is_writable| {
            let Some((reader, mark)) = reader else { return Ok((None, is_writable)) };
            schema::check_version(reader)?;
            mark.check(reader)?;
            Ok((Some(mark::standing(reader)?.at.seq), is_writable))
        });
        let mut health = StoreHealth::of("sqlite").asked(looked, |health, (position, writable)| {
            health.position = position;
            health.writable = Some(writable);
        });
        health.version = Some(sqlite_version().to_owned());
        health
    }

    fn pepper_checks(&self) -> Result<Vec<PepperCheck>> {
        self.read(|reader| known_peppers(reader))
    }

    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()> {
        self.transact(Kind::GoesOn, |transaction| {
            let since = rows::signed(check.since).map_err(fault)?;
            transaction
                .execute(
                    "INSERT OR IGNORE INTO pepper (pepper, fingerprint, since) VALUES (?, ?, ?)",
                    params![check.pepper, &check.check[..], since],
                )
                .map_err(fault)
                .map(drop)
        })
    }

    fn bytes(&self) -> Result<Option<u64>> {
        self.read(|reader| {
            let number = |name| reader.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let (pages, size) = (number("page_count"), number("page_size"));
            let bytes = pages.map_err(fault)?.saturating_mul(size.map_err(fault)?);
            Ok(u64::try_from(bytes).ok())
        })
    }

    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

fn where_all(conditions: &[&str]) -> String {
    if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    }
}

/// As [`fault`]; of a value that cannot be read, `unreadable` says in which table it stands.
fn fault_in(unreadable: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| match error.sqlite_error_code() {
        Some(_) => fault(error),
        None => Error::new(ErrorKind::StoreCorrupt, unreadable),
    }
}

/// What SQLite says, as what it means to the caller.
#[cold]
fn fault(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            ErrorKind::StoreFull,
            "The disk of the store is full; make room and try again. If it is not, a program has given a row of the \
             table `audit`, `session_event` or `revocation` the largest number there is; take it away.",
        ),
        Some(ErrorCode::ReadOnly) => (
            ErrorKind::StoreReadOnly,
            "The store is read-only; give this process the right to write the file and its folder.",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            ErrorKind::StoreCorrupt,
            "The file of the store is damaged or no SQLite database; restore it from a backup.",
        ),
        Some(ErrorCode::ConstraintViolation) => {
            (ErrorKind::StoreConflict, ErrorKind::StoreConflict.summary())
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::StoreUnavailable,
            "Another process holds the store for too long; try again.",
        ),
        Some(ErrorCode::SystemIoFailure) if is_out_of_space(&error) => {
            (ErrorKind::StoreFull, "The disk of the store is full; make room and try again.")
        }
        Some(ErrorCode::CannotOpen) => (
            ErrorKind::StoreUnavailable,
            "The file of the store cannot be opened; see that it and its folder are there.",
        ),
        Some(ErrorCode::Unknown) if lacks_a_table(&error) => (
            ErrorKind::StoreCorrupt,
            "A table of the store, or a column of one, is missing; restore it from a backup.",
        ),
        Some(_) => (
            ErrorKind::StoreUnavailable,
            "The file of the store cannot be read or written just now.",
        ),
        None => (ErrorKind::StoreCorrupt, "A row of the store holds what it should not."),
    };
    Error::new(kind, message)
}

fn lacks_a_table(error: &rusqlite::Error) -> bool {
    let (rusqlite::Error::SqliteFailure(_, Some(message))
    | rusqlite::Error::SqlInputError { msg: message, .. }) = error
    else {
        return false;
    };
    ["no such table", "no such column", "has no column named"]
        .iter()
        .any(|words| message.contains(words))
}

/// A write that failed, with SQLite's extended code SQLITE_IOERR_WRITE, as a file-size limit does.
fn is_out_of_space(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == 778)
}
