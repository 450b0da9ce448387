//! The connections of this process to the file: one to read, one to write, each for one user at a
//! time, opened anew after a fork.

use super::fault;
use super::schema::migrate;
use crate::base::process::{self, lock};
use crate::error::{Error, ErrorKind, Result};
use arc_swap::ArcSwapOption;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a writer that another process holds up tries again, about once a millisecond.
const PATIENCE: i32 = 5000;

/// Waits for another process; whether to try again. SQLite's own handler waits longer each time, up to a
/// tenth of a second, so that of several busy writers one may get no turn for seconds.
fn wait_a_little(tries: i32) -> bool {
    // Not all for the same time: the process and the try make it differ.
    let jitter = u64::from(process::id()).wrapping_mul(7) + u64::from(tries.unsigned_abs()) * 13;
    std::thread::sleep(Duration::from_micros(500 + jitter % 1000));
    tries < PATIENCE
}

pub(super) struct Connections {
    path: PathBuf,
    closed: AtomicBool,
    own: ArcSwapOption<Own>,
}

/// The connections that one process opened.
pub(super) struct Own {
    pid: u32,
    reader: Mutex<Option<Reader>>,
    writer: Mutex<Option<Connection>>,
    read_only: bool,
    /// What the file looked like, if SQLite was told that it does not change: the only way to read a
    /// WAL file where its companions can neither be found nor made.
    frozen: Option<Looks>,
}

/// What changes with a file.
#[derive(PartialEq, Eq)]
struct Looks {
    modified: Option<std::time::SystemTime>,
    len: u64,
    has_wal: bool,
}

impl Looks {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let has_wal = companion(path, "-wal").exists();
        Some(Self { modified: metadata.modified().ok(), len: metadata.len(), has_wal })
    }
}

/// The reader, and its number among those that this process and its parents have opened.
struct Reader {
    connection: Connection,
    number: u64,
}

impl Reader {
    fn new(connection: Connection) -> Self {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        Self { connection, number: OPENED.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Connections {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "The path of the store is not one.")
        })?;
        super::schema::check_sqlite()?;
        let connections =
            Self { path, closed: AtomicBool::new(false), own: ArcSwapOption::empty() };
        connections.own()?;
        Ok(connections)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The connections of this process.
    fn own(&self) -> Result<Arc<Own>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(CLOSED);
        }
        let known = self.own.load_full();
        if let Some(own) = &known
            && own.pid == process::id()
        {
            return Ok(Arc::clone(own));
        }
        let new = Arc::new(Own::open(&self.path)?);
        let before = self.own.compare_and_swap(&known, Some(Arc::clone(&new)));
        let before = arc_swap::Guard::into_inner(before);
        if !same(&before, &known) {
            // Another thread of this process was faster.
            return before.ok_or_else(|| ErrorKind::StoreUnavailable.into());
        }
        // Closing what the parent opened would take its locks away.
        std::mem::forget(known);
        Ok(new)
    }

    /// Opens a file anew that SQLite was told does not change, if it did.
    pub(super) fn thaw(&self) {
        let own = self.own.load();
        let frozen = own.as_ref().and_then(|own| own.frozen.as_ref());
        if frozen.is_some_and(|looks| Looks::of(&self.path).as_ref() != Some(looks)) {
            self.own.store(None);
        }
    }

    /// Hands out the connection to read from, and its number.
    pub(super) fn reading<T>(
        &self,
        work: impl FnOnce(&mut Connection, u64) -> Result<T>,
    ) -> Result<T> {
        let own = self.own()?;
        let mut reader = lock(&own.reader);
        let Reader { connection, number } = reader.as_mut().ok_or(CLOSED)?;
        work(connection, *number)
    }

    /// Hands out the connection to write to.
    pub(super) fn writing<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let own = self.own()?;
        if own.read_only {
            return Err(READ_ONLY);
        }
        let mut writer = lock(&own.writer);
        work(writer.as_mut().ok_or(CLOSED)?)
    }

    /// Closes the connections of this process. A second call does nothing.
    pub(super) fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Some(own) = self.own.swap(None) else { return Ok(()) };
        if own.pid != process::id() {
            std::mem::forget(own);
            return Ok(());
        }
        let reader = lock(&own.reader).take().map(|reader| reader.connection);
        let writer = lock(&own.writer).take();
        for connection in reader.into_iter().chain(writer) {
            connection.close().map_err(|(_, error)| fault(error))?;
        }
        Ok(())
    }
}

impl Own {
    fn open(path: &Path) -> Result<Self> {
        let mut frozen = None;
        let (reader, writer) = match open_to_write(path) {
            Ok(mut writer) => {
                migrate(&mut writer, false)?;
                (open_to_read(path)?, Some(writer))
            }
            Err(error) if error.kind() == ErrorKind::StoreReadOnly || is_read_only(path) => {
                let looks = Looks::of(path);
                let mut reader = open_to_read(path)?;
                if readable(&reader).is_err() && looks.as_ref().is_some_and(|looks| !looks.has_wal)
                {
                    reader = open_frozen(path)?;
                    frozen = looks;
                }
                readable(&reader)?;
                migrate(&mut reader, true)?;
                (reader, None)
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            pid: process::id(),
            reader: Mutex::new(Some(Reader::new(reader))),
            read_only: writer.is_none(),
            writer: Mutex::new(writer),
            frozen,
        })
    }
}

fn open_to_write(path: &Path) -> Result<Connection> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_handler(Some(wait_a_little)).map_err(fault)?;
    // Changes nothing in a file that is not ours: the header is read first.
    readable(&connection)?;
    super::schema::check_owner(&connection)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(fault)?;
    if mode != "wal" {
        return Err(Error::new(
            ErrorKind::StoreUnavailable,
            "The store cannot use WAL there; put it on a local file system.",
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    Ok(connection)
}

fn open_to_read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_handler(Some(wait_a_little)).map_err(fault)?;
    Ok(connection)
}

/// Reads a file on the word that nobody changes it; see [`Connections::thaw`].
fn open_frozen(path: &Path) -> Result<Connection> {
    let path = path.to_str().ok_or(Error::new(
        ErrorKind::InvalidArgument,
        "The path of a read-only key store must be UTF-8.",
    ))?;
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).map_err(fault)
}

fn readable(connection: &Connection) -> Result<()> {
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    tables.map_err(fault)
}

fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Whether the file is there and we may not write it.
fn is_read_only(path: &Path) -> bool {
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    opened.is_err_and(|error| {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
    })
}

/// Makes an empty file that only its owner may read, if there is none.
fn make_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Err(READ_ONLY)
            }
            std::io::ErrorKind::StorageFull => Err(ErrorKind::StoreFull.into()),
            _ => Err(Error::new(
                ErrorKind::StoreUnavailable,
                "The file of the store cannot be made; see that its folder is there.",
            )),
        },
    }
}

const CLOSED: Error = Error::new(ErrorKind::StoreUnavailable, "The store has been closed.");
const READ_ONLY: Error = Error::new(
    ErrorKind::StoreReadOnly,
    "The store is read-only; give this process the right to write the file and its folder.",
);

impl Drop for Connections {
    fn drop(&mut self) {
        let _ = self.close(); // nobody is left to be told
    }
}

fn same(a: &Option<Arc<Own>>, b: &Option<Arc<Own>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
