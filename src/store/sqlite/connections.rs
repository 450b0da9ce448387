//! The connections of this process to the file: one to read, one to write, each for one user at a
//! time.
//!
//! Before a fork they are closed, once the statements that other threads run have ended, and both
//! sides open them again when they need them: SQLite keeps its book of locks in the memory of the
//! process, and a child that copied it would work without any. A child that was forked without that
//! (by a bare system call, or while a statement ran for more than ten seconds) is refused.
//!
//! At every use it is asked whether the names still lead to the files that are open. A file that is
//! gone refuses; one that another stands in for, and a WAL that another program has taken away, are
//! opened again, and followers read everything again. Where the main file was written to, as by a
//! checkpoint, or one of the two has become smaller, it is asked whether they still belong together
//! ([`whole`]).

use super::create::{open_or_make, patiently};
use super::fault;
use super::mark::{Marked, Seen, standing};
use super::place::{Place, Sight, companion};
use super::reading::{open_frozen, open_to_read};
use super::schema::migrate;
use super::wal::Extent;
use super::whole;
use crate::base::process::{self, AcrossFork, Inside, enter, lock, lock_if};
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{CLOSED, Mark, real_path};
use arc_swap::ArcSwapOption;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// How often a writer that another process holds up tries again, about once a millisecond.
const PATIENCE: i32 = 5000;

/// As [`wait_a_little`], unless a fork waits for us: it goes first, and the change is tried again
/// after it.
fn wait_unless_awaited(tries: i32) -> bool {
    !process::is_awaited() && wait_a_little(tries)
}

/// Waits for another process; whether to try again. SQLite's own handler waits longer each time, up
/// to a tenth of a second, so that of several busy writers one may get no turn for seconds.
pub(super) fn wait_a_little(tries: i32) -> bool {
    // Not all for the same time: the process and the try make it differ.
    let jitter = u64::from(process::id()).wrapping_mul(7) + u64::from(tries.unsigned_abs()) * 13;
    std::thread::sleep(Duration::from_micros(500 + jitter % 1000));
    tries < PATIENCE
}

/// How often opening a file again is tried that was open before, about once a millisecond.
const AGAIN: i32 = 500;

pub(super) struct Connections(Arc<Shared>);

struct Shared {
    /// The name, which may be a link to the file.
    path: PathBuf,
    mark: Mark,
    trust: Trust,
    /// How far the store was known to be, whichever file it was.
    seen: Arc<Seen>,
    closed: AtomicBool,
    own: ArcSwapOption<Own>,
    /// Held by the one thread that opens, with what was opened last.
    last: Mutex<Option<Last>>,
    /// How many other stores, or WALs, have stood under the name before.
    epoch: AtomicU64,
}

/// Which file it was, and the name of the store in it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Last {
    place: Option<Place>,
    store: Option<[u8; 16]>,
}

/// Whether a store must be what it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// An older copy, and files that do not belong together, are refused.
    Nothing,
    /// It is opened as it is, to be acknowledged.
    AsItIs,
}

/// The connections that one process has opened.
struct Own {
    generation: u64,
    /// The file itself, without any link in its path.
    path: PathBuf,
    mark: Marked,
    trust: Trust,
    reader: Mutex<Reader>,
    /// `None` if the file can only be read.
    writer: Option<Mutex<Connection>>,
    /// What the file looked like, if SQLite was told that it does not change: the only way to read
    /// a WAL file where its companions can neither be found nor made.
    frozen: Option<Looks>,
    /// The files as they were when they last belonged together.
    known: Mutex<Looks>,
}

/// What the files look like.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Looks {
    main: Option<Sight>,
    wal: Option<Sight>,
    /// Where SQLite keeps its locks and the index of the log, which all processes must share.
    shm: Option<Sight>,
}

impl Looks {
    /// `name` may be a link to the file, `path` is the file itself.
    fn of(name: &Path, path: &Path) -> Self {
        let beside = |ending| Sight::of(&companion(path, ending));
        Self { main: Sight::of(name), wal: beside("-wal"), shm: beside("-shm") }
    }

    fn place(&self) -> Option<Place> {
        self.main.and_then(|main| main.place)
    }

    /// Whether these are the same files. One that has no number, or was not there, may be any.
    fn are_of(&self, known: &Self) -> bool {
        let is_same = |now: Option<Sight>, known: Option<Sight>| {
            let place = known.and_then(|known| known.place);
            place.is_none() || now.and_then(|now| now.place) == place
        };
        is_same(self.main, known.main)
            && is_same(self.wal, known.wal)
            && is_same(self.shm, known.shm)
    }

    /// How much of them must be looked into, since something has happened that a change alone does
    /// not do.
    fn doubtful(&self, known: &Self) -> Option<Extent> {
        let both = |now: Option<Sight>, known: Option<Sight>| now.zip(known);
        let is_cut =
            |pair: Option<(Sight, Sight)>| pair.is_some_and(|(now, known)| now.is_cut(&known));
        let main = both(self.main, known.main);
        if is_cut(main) || is_cut(both(self.wal, known.wal)) {
            return Some(Extent::Whole);
        }
        main.filter(|(now, known)| now.is_written(known)).map(|_| Extent::Beginning)
    }
}

/// The connection to read from.
struct Reader {
    connection: Connection,
    opened: Opened,
}

/// Which of the connections it is that is read from.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    /// Among those that this process and its parents have opened.
    pub(super) number: u64,
    /// How many other stores, or WALs, have stood under the name before.
    epoch: u64,
    /// The name of the store.
    store: Option<[u8; 16]>,
}

impl Reader {
    fn new(connection: Connection) -> Result<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let store = standing(&connection)?.at.id;
        Ok(Self { connection, opened: Opened { number, epoch: 0, store } })
    }
}

impl Connections {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path, mark: &Mark, trust: Trust) -> Result<Self> {
        beyond_memory()?;
        let path = std::path::absolute(path).map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                "The path of the store is empty or cannot be resolved; give the path of a file.",
            )
        })?;
        super::schema::check_sqlite()?;
        let shared = Arc::new(Shared {
            path,
            mark: mark.clone(),
            trust,
            seen: Arc::default(),
            closed: AtomicBool::new(false),
            own: ArcSwapOption::empty(),
            last: Mutex::new(None),
            epoch: AtomicU64::new(0),
        });
        shared.own(&enter())?;
        let party: Weak<dyn AcrossFork> = Arc::downgrade(&shared) as _;
        process::across_forks(party);
        Ok(Self(shared))
    }

    /// Where the store is, without any link in the path.
    pub(super) fn path(&self) -> PathBuf {
        real_path(&self.0.path)
    }

    /// Opens a file again that SQLite was told does not change, if it did.
    pub(super) fn thaw(&self) {
        let _inside = enter();
        let own = self.0.own.load();
        let changed = own.as_ref().is_some_and(|own| {
            own.frozen.is_some_and(|looks| Looks::of(&self.0.path, &own.path) != looks)
        });
        if changed {
            self.0.give_up();
        }
    }

    /// Hands out the connection to read from, its number, and the mark.
    pub(super) fn reading<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Opened, &Marked) -> Result<T>,
    ) -> Result<T> {
        beyond_memory()?;
        let (_inside, own) = self.0.enter()?;
        let mut reader = lock(&own.reader);
        let Reader { connection, opened } = &mut *reader;
        let done = work(connection, opened, &own.mark);
        self.0.hold_against(&own, connection, done)
    }

    /// As [`Self::reading`], and whether there is a connection to write to; without a connection to
    /// read from while another thread is reading.
    pub(super) fn looking<T>(
        &self,
        work: impl FnOnce(Option<(&Connection, &Marked)>, bool) -> Result<T>,
    ) -> Result<T> {
        beyond_memory()?;
        let (_inside, own) = self.0.enter()?;
        let is_writable = own.writer.is_some();
        let Some(reader) = lock_if(&own.reader, false) else { return work(None, is_writable) };
        let done = work(Some((&reader.connection, &own.mark)), is_writable);
        self.0.hold_against(&own, &reader.connection, done)
    }

    /// How many other stores have stood under the name before this one, which a restore that was
    /// acknowledged makes another one in the same file.
    pub(super) fn epoch(&self, opened: &mut Opened, connection: &Connection) -> Result<u64> {
        let store = standing(connection)?.at.id;
        if store != opened.store {
            opened.store = store;
            opened.epoch = self.0.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        }
        Ok(opened.epoch)
    }

    /// Hands out the connection to write to, and sees to it that what was written is in the file of
    /// this name; then `settle` is called with what was done. If SQLite says that it is busy only
    /// because a fork waits, does it once more after that.
    pub(super) fn writing<T>(
        &self,
        work: impl Fn(&mut Connection, &Marked) -> Result<T>,
        settle: impl FnOnce(&T, &Marked) -> Result<()>,
    ) -> Result<T> {
        beyond_memory()?;
        loop {
            let (inside, own) = self.0.enter()?;
            let mut writer = lock(own.writer.as_ref().ok_or(READ_ONLY)?);
            let before = writer.total_changes();
            let done = work(&mut writer, &own.mark);
            let is_untouched = writer.total_changes() == before;
            let done = self.0.hold_against(&own, &writer, done);
            drop(writer);
            match done {
                Err(error)
                    if error.kind() == ErrorKind::StoreUnavailable
                        && is_untouched
                        && process::is_awaited() =>
                {
                    drop(own);
                    drop(inside);
                    process::wait_for_fork();
                }
                Ok(done) => {
                    if !self.0.is_in_place(&own)? {
                        return Err(TAKEN_AWAY);
                    }
                    settle(&done, &own.mark)?;
                    return Ok(done);
                }
                refused => return refused,
            }
        }
    }

    /// Whether a mark follows the store.
    pub(super) fn has_mark(&self) -> bool {
        !matches!(self.0.mark, Mark::None)
    }

    /// Closes the connections of this process. A second call does nothing.
    pub(super) fn close(&self) -> Result<()> {
        self.0.close()
    }
}

impl Shared {
    /// Goes inside, to the connections of this process. Opening them gives way to a fork, as a
    /// change does.
    fn enter(&self) -> Result<(Inside, Arc<Own>)> {
        loop {
            let inside = enter();
            match self.own(&inside) {
                Err(error)
                    if error.kind() == ErrorKind::StoreUnavailable && process::is_awaited() =>
                {
                    drop(inside);
                    process::wait_for_fork();
                }
                own => return own.map(|own| (inside, own)),
            }
        }
    }

    /// The connections of this process, to the file that stands under the name.
    fn own(&self, _inside: &Inside) -> Result<Arc<Own>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(CLOSED);
        }
        if let Some(own) = self.own.load_full() {
            own.check_process()?;
            if self.is_in_place(&own)? {
                return Ok(own);
            }
        }
        self.open_again()
    }

    /// Whether the names still lead to the files that are open. Lets go of files that do not belong
    /// together any more.
    fn is_in_place(&self, own: &Own) -> Result<bool> {
        own.is_in_place(&self.path).inspect_err(|_| self.give_up())
    }

    /// What was found older is refused from now on, if it was the file of this name.
    fn hold_against<T>(&self, own: &Own, connection: &Connection, done: Result<T>) -> Result<T> {
        done.inspect_err(|error| {
            if error.kind() == ErrorKind::StoreRestored
                && own.is_in_place(&self.path).is_ok_and(|is_in_place| is_in_place)
            {
                own.mark.hold_against(connection);
            }
        })
    }

    #[cold]
    fn open_again(&self) -> Result<Arc<Own>> {
        if process::is_torn() {
            return Err(FORKED);
        }
        let mut last = lock(&self.last);
        // Another thread may have been faster.
        let known = self.own.load_full();
        if let Some(own) = &known
            && self.is_in_place(own)?
        {
            return Ok(Arc::clone(own));
        }
        if last.is_some() && Sight::of(&self.path).is_none() {
            return Err(GONE);
        }
        let changed = known.is_some();
        drop(known);
        self.give_up();
        let mut tries = 0;
        let own = loop {
            match Own::open(self, last.is_none()) {
                // Others open it at this moment, too, as after a fork, and one of them brings its
                // log in order.
                Err(error)
                    if error.kind() == ErrorKind::StoreUnavailable
                        && last.is_some()
                        && tries < AGAIN
                        && wait_unless_awaited(tries) =>
                {
                    tries += 1;
                }
                opened => break opened?,
            }
        };
        {
            let opened = &mut lock(&own.reader).opened;
            let now = Some(Last { place: lock(&own.known).place(), store: opened.store });
            let is_other = changed || *last != now;
            let others = u64::from(last.is_some() && is_other);
            opened.epoch = self.epoch.fetch_add(others, Ordering::AcqRel) + others;
            *last = now;
        }
        let own = Arc::new(own);
        self.own.store(Some(Arc::clone(&own)));
        Ok(own)
    }

    /// Lets go of the connections and leaves all files as they are: they may not be ours any more.
    fn give_up(&self) {
        if let Some(own) = self.own.swap(None) {
            own.keep_files();
        }
    }

    fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let _inside = enter();
        let Some(own) = self.own.swap(None) else { return Ok(()) };
        if own.check_process().is_err() {
            std::mem::forget(own);
            return Ok(());
        }
        // The last one to close takes the WAL away, by its name.
        if !own.is_in_place(&self.path).unwrap_or(false) {
            own.keep_files();
        }
        let Ok(own) = Arc::try_unwrap(own) else { return Ok(()) }; // closed by its last user
        let reader = own.reader.into_inner().ok().map(|reader| reader.connection);
        let writer = own.writer.and_then(|writer| writer.into_inner().ok());
        for connection in reader.into_iter().chain(writer) {
            connection.close().map_err(|(_, error)| fault(error))?;
        }
        Ok(())
    }
}

impl AcrossFork for Shared {
    /// No thread is inside, so none uses them.
    fn before_fork(&self) {
        match self.own.swap(None) {
            Some(own) if own.check_process().is_ok() => own.keep_files(),
            Some(own) => std::mem::forget(own),
            None => {}
        }
    }
}

impl Own {
    fn open(shared: &Shared, may_make: bool) -> Result<Self> {
        let (path, trust) = (real_path(&shared.path), shared.trust);
        let mark = Marked::new(&path, &shared.mark, &shared.seen)?;
        mark.check_place(&path)?;
        let mut frozen = None;
        // Before anything is looked into, so that what happens meanwhile is seen later.
        let mut known = Looks::of(&shared.path, &path);
        let (reader, writer) =
            match open_or_make(&path, may_make, &mark, trust, wait_unless_awaited) {
                Ok(mut writer) => {
                    mark.make(&mut writer)?;
                    (open_to_read(&path)?, Some(writer))
                }
                Err(error) if error.kind() == ErrorKind::StoreReadOnly => {
                    let mut reader = open_to_read(&path)?;
                    if readable(&reader).is_err() && known.main.is_some() && known.wal.is_none() {
                        reader = open_frozen(&path)?;
                        frozen = Some(known);
                    }
                    readable(&reader)?;
                    mark.check_opened(&reader)?;
                    if trust == Trust::Nothing {
                        whole::check(&path, &reader, None, Extent::Whole)?;
                    }
                    patiently(wait_a_little, || migrate(&mut reader, true))?;
                    (reader, None)
                }
                Err(error) => return Err(error),
            };
        // It has the WAL open from its first look on.
        readable(&reader)?;
        let now = Looks::of(&shared.path, &path);
        if known.main.is_none() || known.wal.is_none() || !now.are_of(&known) {
            known = now; // made just now
        }
        Ok(Self {
            generation: process::generation(),
            path,
            mark,
            trust,
            known: Mutex::new(known),
            reader: Mutex::new(Reader::new(reader)?),
            writer: writer.map(Mutex::new),
            frozen,
        })
    }

    /// Refuses what a fork has copied.
    fn check_process(&self) -> Result<()> {
        if self.generation == process::generation() { Ok(()) } else { Err(FORKED) }
    }

    /// Whether the names still lead to the files that are open.
    ///
    /// # Errors
    /// `StoreRestored`, `StoreCorrupt`: they do, and what is in them is not what it was.
    fn is_in_place(&self, name: &Path) -> Result<bool> {
        let now = Looks::of(name, &self.path);
        let mut known = lock(&self.known);
        if !now.are_of(&known) {
            return Ok(false);
        }
        if let Some(extent) = now.doubtful(&known)
            && self.frozen.is_none()
            && self.trust == Trust::Nothing
        {
            self.check_whole(extent)?;
        }
        *known = now;
        Ok(true)
    }

    #[cold]
    fn check_whole(&self, extent: Extent) -> Result<()> {
        // Before anything else is read: what others do meanwhile moves the store ahead.
        let reached = self.mark.seen();
        whole::check_beginning(&self.path)?;
        let now = open_to_read(&self.path)?;
        whole::check(&self.path, &now, reached, extent)
            .inspect_err(|_| self.mark.hold_against(&now))
    }

    /// Has the connections closed without a checkpoint, and without taking the WAL away.
    fn keep_files(&self) {
        // If it fails, a checkpoint is made, which does no harm unless the files were exchanged as
        // well.
        let _ = leave_log(&lock(&self.reader).connection, true);
        if let Some(writer) = &self.writer {
            let _ = leave_log(&lock(writer), true);
        }
    }
}

/// Whether the log is left as it is when the last connection is closed, which would write it into
/// the main file.
pub(super) fn leave_log(connection: &Connection, leave: bool) -> Result<()> {
    let leave = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave);
    leave.map(drop).map_err(fault)
}

/// Leaves the WAL, so that the main file is all there is.
pub(super) fn use_rollback_journal(connection: &Connection) -> Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(fault)
}

fn readable(connection: &Connection) -> Result<()> {
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    tables.map_err(fault)
}

pub(super) const READ_ONLY: Error = Error::new(
    ErrorKind::StoreReadOnly,
    "The store is read-only; give this process the right to write the file and its folder.",
);

const GONE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The file of the store was moved or deleted while it was open; put it back, or open the store again.",
);
const TAKEN_AWAY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The store's file or its WAL was exchanged during this change, which may be lost; do it again.",
);
const FORKED: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "This process was forked with the store in use, in a way that SQLite does not survive; open the store again in it.",
);

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.close(); // nothing can be reported any more
    }
}
