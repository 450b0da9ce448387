//! A store that is there, or is made: by one process or by several at once, all of which end with
//! the same file, in WAL mode and of the newest schema. None of the steps leaves anything behind,
//! if the process is killed in it, that the next process cannot continue from: an empty file, or a
//! transaction that SQLite rolls back.

use super::connections::{READ_ONLY, Trust, leave_log};
use super::fault;
use super::mark::Marked;
use super::place::companion;
use super::schema::{check_owner, check_whole, is_new, migrate};
use super::wal::Extent;
use super::whole;
use crate::error::{Error, ErrorKind, Result};
use crate::store::write_private_file;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// How often a step is tried again that other processes hold up, beyond the tries of SQLite's own
/// handler.
const TRIES: i32 = 5000;

/// Opens the file to be written to, made if `may_make`, and brought to the newest version if need
/// be. `wait` waits a little before another try; whether there is to be one.
pub(super) fn open_or_make(
    path: &Path,
    may_make: bool,
    mark: &Marked,
    trust: Trust,
    wait: fn(i32) -> bool,
) -> Result<Connection> {
    if may_make {
        make_file(path)?;
    }
    whole::check_beginning(path)?;
    let has_wal = companion(path, "-wal").exists();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_handler(Some(wait)).map_err(fault)?;
    // What is refused stays as it is: the last one to close it would write a log into the main
    // file.
    leave_log(&connection, has_wal)?;
    // Changes nothing in a file that is not ours: the header is read first.
    patiently(wait, || check_owner(&connection, may_make))?;
    // Where it may only be read, SQLite still opens it.
    if connection.is_readonly("main").map_err(fault)? {
        return Err(READ_ONLY);
    }
    // Before it is brought to another version.
    mark.check_opened(&connection)?;
    if trust == Trust::Nothing {
        whole::check(path, &connection, None, Extent::Whole)?;
    }
    leave_log(&connection, false)?;
    if !has_wal {
        patiently(wait, || check_whole(&connection))?;
    }
    if patiently(wait, || is_new(&connection))? {
        // Before there is a WAL, so that the main file is empty or knows what it is.
        patiently(wait, || migrate(&mut connection, false))?;
    }
    patiently(wait, || use_wal(&connection))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    patiently(wait, || migrate(&mut connection, false))?;
    Ok(connection)
}

/// Does a step, again as long as another process is at it: where two processes could wait for each
/// other, as at the change to WAL, SQLite asks no handler and gives up at once.
pub(super) fn patiently<T>(
    wait: fn(i32) -> bool,
    mut step: impl FnMut() -> std::result::Result<T, Stopped>,
) -> Result<T> {
    let mut tries = 0;
    loop {
        match step() {
            Err(Stopped::Sqlite(error)) if is_passing(&error) && tries < TRIES && wait(tries) => {
                tries += 1;
            }
            Err(stopped) => return Err(stopped.into()),
            Ok(done) => return Ok(done),
        }
    }
}

/// What a step ends with, while it can still be told whether it is worth another try.
#[derive(Debug)]
pub(super) enum Stopped {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Sqlite(error) => fault(error),
            Stopped::Ours(error) => error,
        }
    }
}

fn is_passing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
    let code = error.sqlite_error_code();
    matches!(code, Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
}

fn use_wal(connection: &Connection) -> std::result::Result<(), Stopped> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Stopped::Ours(Error::new(
        ErrorKind::StoreUnavailable,
        "The store cannot use WAL there; put it on a local file system.",
    )))
}

/// Makes an empty file that only its owner may read, if it is not there. It appears closed: who
/// closes a file of SQLite's beside a connection takes the locks of that away.
pub(super) fn make_file(path: &Path) -> Result<()> {
    use std::io::ErrorKind as Io;
    match write_private_file(path, b"") {
        Err(error) if error.kind() != Io::AlreadyExists => Err(match error.kind() {
            Io::PermissionDenied | Io::ReadOnlyFilesystem => READ_ONLY,
            Io::StorageFull => ErrorKind::StoreFull.into(),
            _ => Error::new(
                ErrorKind::StoreUnavailable,
                "The file of the store cannot be made; see that its folder is there.",
            ),
        }),
        _ => Ok(()),
    }
}
