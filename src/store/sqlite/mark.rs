//! The high-water mark: a small file outside of the store that says how far the store has come.
//!
//! Every change counts the store's `seq` on, in its own transaction. The mark follows *after* the
//! commit and *before* the call returns, so that it is never ahead of a store whose process was
//! killed, and a store that is behind its mark is an older one. For what revokes it is on the disk
//! by then; for the rest it is in the system's hands: a killed process loses nothing of it, a power
//! cut at most its last seconds.
//!
//! The file has two lines of the same form in two sectors. The one that is behind is overwritten,
//! so that half a line leaves the other. Writers take turns by a lock of the file, each on a handle
//! of its own: one that lived would be shared with a child after a fork, and so would its lock.

use super::{fault, fault_in};
use crate::base::hex;
use crate::base::process::brief;
use crate::base::random::SecureRandom as _;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Mark;
use crate::store::file_lock::OnlyHere;
use crate::store::mark_place::{foreign, is_blank, mark_file};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind as Io, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How far a store has come: its name, and how many changes. An acknowledged restore renames it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) id: Option<[u8; 16]>,
    pub(super) seq: u64,
}

impl Position {
    /// Whether it is an earlier moment of the same store.
    fn is_before(self, other: Self) -> bool {
        self.id == other.id && self.seq < other.seq
    }
}

/// What the store says of itself.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub(super) at: Position,
    /// Whether a mark was made for it.
    pub(super) marked: bool,
}

/// The mark of a store, if it has one.
pub(super) struct Marked {
    /// The file itself, so that every name of a store has one mark.
    store: PathBuf,
    mark: Option<PathBuf>,
    /// Why a file in its place that is no mark is left alone.
    foreign: Error,
    seen: Arc<Seen>,
}

/// How far this process knows the store to be: to notice one that is put back with its mark.
#[derive(Default)]
pub(super) struct Seen(Mutex<Known>);

#[derive(Default)]
struct Known {
    at: Option<Position>,
    /// The names that it had before, and one under which it was found behind `at`: files that were
    /// put back may be changed until their number has caught up, and still have another history.
    refused: Vec<Option<[u8; 16]>>,
}

impl Seen {
    fn at(&self) -> Option<Position> {
        brief(&self.0).at
    }

    /// Refuses a store that was further, under the same name, or has had another one since: `known`
    /// is what it was before `at` was looked at. Notes where it is otherwise.
    fn follow(&self, known: Option<Position>, at: Position) -> Result<()> {
        let mut seen = brief(&self.0);
        if seen.refused.contains(&at.id) || known.is_some_and(|k| k.id == at.id && k.seq > at.seq) {
            return Err(OLDER);
        }
        match seen.at {
            Some(last) if last.id == at.id => {
                seen.at = Some(Position { seq: last.seq.max(at.seq), ..at });
            }
            Some(last) if last.id.is_some() => {
                seen.refused.push(last.id);
                seen.at = Some(at);
            }
            _ => seen.at = Some(at),
        }
        Ok(())
    }

    /// Notes how far the mark says that it has come.
    fn learn(&self, mark: Option<Position>) {
        let mut seen = brief(&self.0);
        if let (Some(last), Some(mark)) = (&mut seen.at, mark)
            && last.id == mark.id
        {
            last.seq = last.seq.max(mark.seq);
        }
    }

    /// Refuses a store for good that is behind where it was. Where it was, if it is refused.
    fn refuse(&self, at: Position) -> Option<Position> {
        let mut seen = brief(&self.0);
        let last = seen.at.filter(|last| last.id.is_some() && last.id == at.id)?;
        if !seen.refused.contains(&at.id) {
            if last.seq <= at.seq {
                return None;
            }
            seen.refused.push(at.id);
        }
        Some(last)
    }
}

impl Marked {
    /// The mark of the store at this path, which has no link in it.
    ///
    /// # Errors
    /// Those of [`mark_file`].
    pub(super) fn new(store: &Path, mark: &Mark, seen: &Arc<Seen>) -> Result<Self> {
        let (foreign, seen) = (foreign(mark), Arc::clone(seen));
        Ok(Self { store: store.to_owned(), mark: mark_file(mark, store)?, foreign, seen })
    }

    /// Refuses a file that is no mark, before anything is made or changed.
    pub(super) fn check_file(&self) -> Result<()> {
        self.read().map(drop)
    }

    /// How far this process knows the store to be, if that is to be checked against it.
    pub(super) fn seen(&self) -> Option<Position> {
        self.mark.as_ref().and_then(|_| self.seen.at())
    }

    /// What an acknowledged restore changes: the name that the store had when it was last found
    /// good, as a number. 0 without a mark, as nothing else vouches for the name.
    pub(super) fn history(&self) -> u64 {
        number_of(self.seen().and_then(|at| at.id))
    }

    /// Refuses to make a store in the place of one that was there.
    pub(super) fn check_place(&self, store: &Path) -> Result<()> {
        // The mark first: it is made after the store.
        if self.read()?.is_some() && is_missing(store) {
            return Err(LOST);
        }
        Ok(())
    }

    /// Refuses a store that is behind its mark, or has lost it. Every way of opening comes by here.
    pub(super) fn check(&self, connection: &Connection) -> Result<()> {
        if self.mark.is_none() {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            // These first: what others change meanwhile moves the store before the mark.
            let (known, mark) = (self.seen.at(), self.read()?);
            let standing = standing(connection)?;
            self.seen.learn(mark);
            match standing.against(mark).and_then(|()| self.seen.follow(known, standing.at)) {
                Err(_) if tries < 3 => tries += 1, // it may just have been made
                other => return other,
            }
        }
    }

    /// As [`Self::check`], on a connection that was opened just now.
    pub(super) fn check_opened(&self, connection: &Connection) -> Result<()> {
        self.check(connection).inspect_err(|_| self.hold_against(connection))
    }

    /// Refuses a store from now on that is behind where this process knows it to have been,
    /// whatever becomes of its number: until it has another name. Says so to other processes, whose
    /// mark may have been put back as well. `connection` has the store's file open.
    #[cold]
    pub(super) fn hold_against(&self, connection: &Connection) {
        let Some(path) = &self.mark else { return };
        let Ok(found) = standing(connection) else { return };
        let Some(last) = self.seen.refuse(found.at) else { return };
        // A process that may only read cannot write that; what it refuses stays refused.
        if self.read().is_ok_and(|mark| mark.is_some_and(|mark| mark.is_before(last))) {
            let _ = locked(path, |file, _| {
                let slots = read_slots(file)?;
                if newest(&slots).is_some_and(|mark| mark.is_before(last)) {
                    write_slot(file, behind(&slots), last)?;
                    file.sync_data()?;
                }
                Ok(())
            });
        }
    }

    /// Gives a store its mark, or brings it forward to where a crash has left the store.
    pub(super) fn make(&self, connection: &mut Connection) -> Result<()> {
        if self.mark.is_none() {
            return Ok(());
        }
        let mark = self.read()?;
        let known = standing(connection)?;
        if known.marked && mark.is_some_and(|mark| mark.seq == known.at.seq) {
            return Ok(());
        }
        let at = name(connection)?;
        // The mark, then the word that there is one: a crash in between does no harm.
        self.follow(at, true)?;
        if !known.marked {
            connection.execute("UPDATE store SET marked = 1", []).map_err(fault)?;
            // So that a copy of the main file alone knows as much.
            checkpoint(connection);
        }
        Ok(())
    }

    /// Refuses a change to a store that was replaced by an older one while it was open. Within the
    /// transaction, after [`count`].
    pub(super) fn check_change(&self, at: Position) -> Result<()> {
        if self.mark.is_none() {
            return Ok(());
        }
        let mark = self.read()?;
        match mark {
            Some(mark) if mark.id != at.id => return Err(OTHER),
            Some(mark) if mark.seq >= at.seq => {
                self.seen.learn(Some(mark));
                return Err(OLDER);
            }
            _ => {} // a mark that was deleted meanwhile is made again
        }
        let before = Position { seq: at.seq.saturating_sub(1), ..at };
        self.seen.follow(self.seen.at(), before)
    }

    /// Brings the mark forward, never back; on the disk when it returns, if it is to last.
    pub(super) fn follow(&self, at: Position, lasting: bool) -> Result<()> {
        let Some(path) = &self.mark else { return Ok(()) };
        self.seen.follow(None, at)?;
        locked(path, |file, is_new| {
            let slots = read_slots(file)?;
            let last = newest(&slots);
            match last {
                Some(last) if last.id != at.id => return Ok(Err(OTHER)),
                Some(last) if last.seq >= at.seq => {}
                _ => write_slot(file, behind(&slots), at)?,
            }
            if lasting {
                file.sync_data()?;
            }
            if is_new {
                share(file, &self.store);
                sync_folder(path)?;
            }
            Ok(Ok(()))
        })
        .map_err(|error| self.unwritable(&error))?
    }

    /// Sets the mark, whatever it was: after a restore that someone has acknowledged.
    fn set(&self, at: Position) -> Result<()> {
        let Some(path) = &self.mark else { return Ok(()) };
        locked(path, |file, is_new| {
            read_slots(file)?;
            if is_new {
                share(file, &self.store);
            }
            // Half of it is enough: the greater number counts.
            write_slot(file, 0, at)?;
            file.sync_data()?;
            write_slot(file, 1, at)?;
            file.sync_data()?;
            sync_folder(path)
        })
        .map_err(|error| self.unwritable(&error))
    }

    /// Where the mark is, if there is one.
    fn read(&self) -> Result<Option<Position>> {
        let Some(path) = &self.mark else { return Ok(None) };
        let slots = match File::open(path) {
            Ok(mut file) => read_slots(&mut file),
            Err(error) if error.kind() == Io::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        slots.map(|slots| newest(&slots)).map_err(|error| match error.kind() {
            Io::InvalidData => self.foreign.clone(),
            _ => UNREADABLE,
        })
    }

    #[cold]
    fn unwritable(&self, error: &std::io::Error) -> Error {
        match error.kind() {
            Io::InvalidData => self.foreign.clone(),
            Io::StorageFull => ErrorKind::StoreFull.into(),
            Io::WouldBlock => HELD,
            _ => UNWRITABLE,
        }
    }

    /// Accepts the store as it is, under a new name: its former self is refused from now on.
    pub(super) fn acknowledge(&self, connection: &mut Connection) -> Result<()> {
        let reached = self.read()?.map_or(0, |mark| mark.seq);
        // A change under the old name first: the log begins where the main file is (`whole`).
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
        count(&transaction)?;
        transaction.commit().map_err(fault)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
        let seq = standing(&transaction)?.at.seq.max(reached).saturating_add(1);
        let id = new_id()?;
        let at = Position { id: Some(id), seq };
        let values = (&id[..], signed(seq), self.mark.is_some());
        transaction
            .execute("UPDATE store SET id = ?1, seq = ?2, marked = ?3", values)
            .map_err(fault)?;
        transaction.commit().map_err(fault)?;
        checkpoint(connection);
        self.set(at)
    }
}

/// Whether there is no file, or nothing in it.
fn is_missing(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) => error.kind() == Io::NotFound,
    }
}

impl Standing {
    fn against(self, mark: Option<Position>) -> Result<()> {
        match mark {
            Some(mark) if self.at.id != mark.id => Err(OTHER),
            Some(mark) if self.at.seq < mark.seq => Err(OLDER),
            None if self.marked => Err(MISSING),
            _ => Ok(()),
        }
    }
}

/// Counts a change of the store, in the transaction that makes it.
pub(super) fn count(transaction: &Transaction<'_>) -> Result<Position> {
    let mut count = transaction
        .prepare_cached("UPDATE store SET seq = seq + 1 RETURNING id, seq")
        .map_err(fault)?;
    count
        .query_row([], |row| {
            Ok(Position { id: row.get(0)?, seq: super::rows::unsigned(row, "seq")? })
        })
        .map_err(fault)
}

/// What a store of an older version has no table for.
const NOTHING: Standing = Standing { at: Position { id: None, seq: 0 }, marked: false };

pub(super) fn standing(connection: &Connection) -> Result<Standing> {
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fault)?;
    if version < 3 {
        return Ok(NOTHING);
    }
    let standing = connection.query_row("SELECT id, seq, marked FROM store", [], |row| {
        let at = Position { id: row.get(0)?, seq: super::rows::unsigned(row, "seq")? };
        Ok(Standing { at, marked: row.get(2)? })
    });
    let unreadable = "The table `store` cannot be read, so it is not known which store it is; restore it from a backup.";
    Ok(standing.optional().map_err(fault_in(unreadable))?.unwrap_or(NOTHING))
}

/// What tells the feed of this store from others and, because a restore gives the store another
/// name, from its former self. 0 for a store without a mark: that would not be noticed.
pub(super) fn feed(connection: &Connection) -> Result<u64> {
    let known = standing(connection)?;
    Ok(number_of(known.at.id.filter(|_| known.marked)))
}

/// A store's name as a number; 0 for none.
fn number_of(id: Option<[u8; 16]>) -> u64 {
    let start = id.as_ref().and_then(|id| id.first_chunk().copied());
    start.map_or(0, |start| u64::from_be_bytes(start) | 1)
}

/// Gives a store another name than its mark has, so that it is refused until someone has
/// acknowledged it; what it was called.
pub(super) fn estrange(connection: &Connection) -> Result<Standing> {
    let former = standing(connection)?;
    let at = Position { id: Some(new_id()?), ..former.at };
    rename(connection, &Standing { at, marked: true })?;
    Ok(former)
}

/// Gives a store a name, and leaves its number.
pub(super) fn rename(connection: &Connection, to: &Standing) -> Result<()> {
    let values = (to.at.id, to.marked);
    connection.execute("UPDATE store SET id = ?1, marked = ?2", values).map_err(fault).map(drop)
}

/// Marks a store that was restored, so that it is refused until someone acknowledges it.
pub(super) fn demand_mark(connection: &mut Connection) -> Result<()> {
    name(connection)?;
    connection.execute("UPDATE store SET marked = 1", []).map_err(fault).map(drop)
}

/// The store's name, which it gets when it is first asked for, and where it stands.
fn name(connection: &mut Connection) -> Result<Position> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let known = standing(&transaction)?;
    let id = match known.at.id {
        Some(id) => id,
        None => {
            let id = new_id()?;
            transaction.execute("UPDATE store SET id = ?", [&id[..]]).map_err(fault)?;
            id
        }
    };
    transaction.commit().map_err(fault)?;
    Ok(Position { id: Some(id), seq: known.at.seq })
}

fn new_id() -> Result<[u8; 16]> {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id)?;
    Ok(id)
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Brings all of the store into its main file, unless others are reading; then the next one does.
pub(super) fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

// ---- the file ----

/// A sector, so that writing one line leaves the other alone.
const SLOT: usize = 512;
/// What a line begins with.
const FIRST: &[u8] = b"gatekey-mark 1 ";

/// Does something with the file while no other process does, and says whether it was made just now.
fn locked<T>(
    path: &Path,
    work: impl FnOnce(&mut File, bool) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // A child that is forked just now does not keep the lock of who is killed.
    let mut file = OnlyHere::open(|| match options.open(path) {
        Err(error) if error.kind() == Io::NotFound => {
            options.create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)
        }
        other => other,
    })?;
    let file = file.get_mut().ok_or(Io::Interrupted)?;
    let mut tries = 0;
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if tries == 5000 {
            return Err(Io::WouldBlock.into());
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    let is_new = file.metadata()?.len() == 0;
    let done = work(file, is_new);
    // By hand: a child that a bare system call has forked just now has this handle as well.
    let _ = file.unlock();
    done
}

/// Lets all users read the mark, which holds nothing secret, and those write it that may write the
/// store: a mark that the superuser made first is its owner's. What fails here is reported when a
/// process cannot write it.
fn share(file: &File, store: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
        let Ok(store) = std::fs::metadata(store) else { return };
        let mode = 0o644 | store.mode() & 0o222;
        let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
        let _ = fchown(file, Some(store.uid()), Some(store.gid()));
    }
    #[cfg(not(unix))]
    let _ = (file, store);
}

/// # Errors
/// `InvalidData`: it is no mark, and not to be written to.
fn read_slots(file: &mut File) -> std::io::Result<[Option<Position>; 2]> {
    let mut bytes = Vec::with_capacity(2 * SLOT + 2);
    file.seek(SeekFrom::Start(0))?;
    file.take(2 * SLOT as u64 + 1).read_to_end(&mut bytes)?;
    // Of a line that was written by half, the beginning is there.
    let is_ours = bytes.chunks(SLOT).any(|line| line.starts_with(FIRST));
    if bytes.len() > 2 * SLOT || !(is_ours || is_blank(&bytes)) {
        return Err(Io::InvalidData.into());
    }
    let mut slots = bytes.chunks(SLOT).map(parse);
    Ok([slots.next().flatten(), slots.next().flatten()])
}

fn newest(slots: &[Option<Position>; 2]) -> Option<Position> {
    slots.iter().flatten().max_by_key(|at| at.seq).copied()
}

/// The line that is written next.
fn behind(slots: &[Option<Position>; 2]) -> u64 {
    let last = newest(slots);
    if last.is_none() { 0 } else { u64::from(slots.first().copied().flatten() == last) }
}

fn write_slot(file: &mut File, slot: u64, at: Position) -> std::io::Result<()> {
    let mut line = text_of(at).into_bytes();
    line.resize(SLOT - 1, b' ');
    line.push(b'\n');
    file.seek(SeekFrom::Start(slot * SLOT as u64))?;
    file.write_all(&line)
}

/// For people too: what it is, the store's name, its number, and a sum over all of it.
fn text_of(at: Position) -> String {
    let id = hex::encode(&at.id.unwrap_or_default());
    let line = format!("gatekey-mark 1 {id} {}", at.seq);
    format!("{line} {:016x}", sum(line.as_bytes()))
}

fn parse(slot: &[u8]) -> Option<Position> {
    let text = std::str::from_utf8(slot).ok()?.trim_end();
    let words: Vec<_> = text.split(' ').collect();
    let [_, _, id, seq, _] = words.as_slice() else { return None };
    let id = Some(hex::decode(id, 16)?.try_into().ok()?);
    let at = Position { id, seq: seq.parse().ok()? };
    (text_of(at) == text).then_some(at)
}

/// FNV-1a, for lines that were written by half.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

const UNREADABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The mark of the store cannot be read; give this process the right to read the file.",
);
const UNWRITABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The mark of the store cannot be written; let this process write the file, or set mark= in the URL.",
);
const HELD: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "Another process holds the mark of the store for too long; try again.",
);
const OLDER: Error = Error::new(
    ErrorKind::StoreRestored,
    "The store is older than its mark: a backup, or a copy without its WAL. \
     Put the newer one back and start the programs that use it again, or run `gatekey store acknowledge-restore`.",
);
const OTHER: Error = Error::new(
    ErrorKind::StoreRestored,
    "The mark belongs to another store than this one. Put that store back, or run \
     `gatekey store acknowledge-restore`.",
);
const MISSING: Error = Error::new(
    ErrorKind::StoreRestored,
    "The store's mark (<store>.mark) is missing: is this a copy? Put the mark back, or run \
     `gatekey store acknowledge-restore`.",
);
const LOST: Error = Error::new(
    ErrorKind::StoreRestored,
    "The store is gone and its mark is still there. Restore a backup; or delete the mark to begin a new store.",
);

#[cfg(test)]
mod tests;
