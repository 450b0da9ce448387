//! Rate limits that the processes of one machine share: a table in a mapped file. One entry a key,
//! 16 bytes that change in one compare-and-swap, so that a process may be forked or killed at any
//! instruction: no lock, nothing half written, nothing to clean up.
//!
//! An entry holds the time (of the wall clock, which means the same to all processes and after a
//! reboot) at which all that was used will have drained away. When that is past, the entry says no
//! more than none does, and its place goes to the next key that needs one. What is not in the
//! table, because there is no room or no table, is counted by each process for itself; never not at
//! all.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod file;
#[cfg(unix)]
mod mapped;
mod shared;

#[cfg(not(unix))]
use self::elsewhere::{self as file, Mapped, Opened};
pub use self::shared::{Counted, Counter, LimitsState, SharedLimits};
pub(crate) use self::shared::{share, shared_limits};
#[cfg(unix)]
use self::{file::Opened, mapped::Mapped};
use crate::error::{Error, Result};
use portable_atomic::AtomicU128;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Where the rates of API keys are counted. The processes of one machine that count in the same
/// place share each key's limit, over restarts; each machine has limits of its own.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Limits {
    /// In a file beside the store, `<store>.limits`, which is made when the first key with a rate
    /// is verified. If it cannot be used, each process counts for itself, and
    /// [`crate::ApiKeys::check_limits`] says why. A store that is no file, such as one in memory,
    /// has nothing beside it.
    #[default]
    Beside,
    /// In a file in this folder, which is made if it is not there, and must belong to the user of
    /// the process; each SQLite store has a file of its own in it. Name one folder for each store
    /// of another kind. Opening the keys fails if the folder cannot be used.
    Folder(PathBuf),
    /// In a place that machines share, such as a Valkey or Redis: [`str::parse`] makes one of its
    /// URL. Each verification of a key with a rate asks it then.
    Shared(Arc<dyn SharedLimits>),
    /// Nowhere: each process counts for itself, and a restart forgets.
    Off,
}

impl Limits {
    /// Whether this text is the URL of a server, and no folder: `redis:`, `rediss:`, `valkey:`,
    /// `valkeys:` or `unix:`.
    #[must_use]
    pub fn is_url(text: &str) -> bool {
        let schemes = ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"];
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
    }
}

/// The URL of a server ([`Limits::is_url`]), else a folder.
impl FromStr for Limits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if Self::is_url(text) {
            return shared_limits(text).map(Self::Shared);
        }
        Ok(Self::Folder(text.into()))
    }
}

/// The file of a table, and what its owner must be the owner of.
#[derive(Clone, Debug)]
pub(crate) struct LimitPlace {
    pub(crate) file: PathBuf,
    pub(crate) owned_as: PathBuf,
}

/// A table that is mapped.
pub(crate) struct LimitTable {
    mapped: Mapped,
    path: PathBuf,
    opened: Opened,
}

/// How many entries from its own on a key may stand in: four cache lines.
const WINDOW: usize = 16;
/// Entries of a cache line.
const LINE: usize = 4;
/// No rate is about more time than this, in nanoseconds: 367 days.
const LONGEST: u64 = 367 * 86_400 * 1_000_000_000;

/// What the table knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the key is told from others by; 0 where the place is free. 48 bits.
    tag: u64,
    /// The code of the rate's unit, from which the time can be made that of another rate.
    pub(crate) unit: u16,
    /// The time at which everything used has drained away: nanoseconds since the Unix epoch.
    pub(crate) tat: u64,
}

impl Entry {
    const NONE: Self = Self { tag: 0, unit: 0, tat: 0 };

    /// The entry of the key with this hash.
    #[inline]
    pub(crate) const fn new(hash: u64, unit: u16, tat: u64) -> Self {
        Self { tag: tag(hash), unit, tat }
    }

    #[inline]
    const fn word(self) -> u128 {
        ((self.tag << 16 | self.unit as u64) as u128) << 64 | self.tat as u128
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    const fn of(word: u128) -> Self {
        let high = (word >> 64) as u64;
        Self { tag: high >> 16, unit: high as u16, tat: word as u64 }
    }

    /// Whether nothing is lost with it: it has drained, or lies where only a broken clock can have
    /// put it.
    const fn is_spare(self, now: u64) -> bool {
        self.tag == 0 || self.tat <= now || self.tat - now > LONGEST
    }
}

/// The upper bits of a hash, never 0. The lower ones say where the entry stands.
#[inline]
const fn tag(hash: u64) -> u64 {
    let tag = hash >> 16;
    if tag == 0 { 1 } else { tag }
}

/// A place in the table.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a>(&'a AtomicU128);

impl Cell<'_> {
    /// Puts `new` here if `old` still is: what is here now otherwise.
    #[inline]
    pub(crate) fn exchange(self, old: Entry, new: Entry) -> Result<(), Entry> {
        let done =
            self.0.compare_exchange(old.word(), new.word(), Ordering::SeqCst, Ordering::SeqCst);
        done.map(drop).map_err(Entry::of)
    }

    /// Takes the entry away if it is still this one; whether it was.
    pub(crate) fn clear(self, entry: Entry) -> bool {
        self.exchange(entry, Entry::NONE).is_ok()
    }
}

impl LimitTable {
    /// Maps the table, and makes it for this number of keys if it is not there. A file that is
    /// damaged is moved out of the way, to the same name with `.damaged` added.
    ///
    /// # Errors
    /// `Unsupported`: this machine cannot share one. `InvalidConfiguration`: the file is another
    /// user's or open to others. `StoreCorrupt`: it is of a newer version. `StoreReadOnly`,
    /// `StoreFull`, `StoreUnavailable`: it can be neither opened nor made.
    pub(crate) fn open(place: &LimitPlace, keys: u64) -> Result<Self> {
        file::open(place, keys)
    }

    /// Whether the file is still there and whole.
    pub(crate) fn is_current(&self) -> bool {
        self.opened.is_there(&self.path)
    }

    /// The entry of the key with this hash, and where it stands.
    #[inline]
    pub(crate) fn find(&self, hash: u64) -> Option<(Cell<'_>, Entry)> {
        let tag = tag(hash);
        let found = |cell: &AtomicU128| Entry::of(cell.load(Ordering::SeqCst));
        self.window(hash).map(|cell| (Cell(cell), found(cell))).find(|(_, entry)| entry.tag == tag)
    }

    /// A place for the key with this hash, and the entry that may be replaced there. None if the
    /// entries of other keys fill all of its places.
    pub(crate) fn room(&self, hash: u64, now: u64) -> Option<(Cell<'_>, Entry)> {
        self.window(hash)
            .map(|cell| (Cell(cell), Entry::of(cell.load(Ordering::SeqCst))))
            .find(|(_, entry)| entry.is_spare(now))
    }

    /// Whether the key with this hash stands in another place as well: two processes found room at
    /// once.
    pub(crate) fn is_elsewhere(&self, hash: u64, than: Cell<'_>) -> bool {
        let others = self.window(hash).filter(|cell| !std::ptr::eq(*cell, than.0));
        others.into_iter().any(|cell| Entry::of(cell.load(Ordering::SeqCst)).tag == tag(hash))
    }

    /// The places where the key with this hash may stand. Each begins at a cache line.
    #[inline]
    fn window(&self, hash: u64) -> impl Iterator<Item = &AtomicU128> {
        let cells = self.mapped.cells();
        #[expect(clippy::cast_possible_truncation, reason = "a table has far fewer entries")]
        let at = (hash as usize & cells.len().saturating_sub(1)) & !(LINE - 1);
        let (before, after) = cells.split_at_checked(at).unwrap_or_default();
        after.iter().chain(before).take(WINDOW)
    }
}

impl std::fmt::Debug for LimitTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LimitTable")
    }
}

impl LimitPlace {
    /// The file that belongs to a store, beside it.
    pub(crate) fn beside(store: &Path) -> Self {
        let mut file = store.as_os_str().to_owned();
        file.push(".limits");
        Self { file: file.into(), owned_as: store.to_owned() }
    }

    /// The file of this name in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn in_folder(folder: &Path, name: &str) -> Result<Self> {
        let folder = file::open_folder(folder)?;
        Ok(Self { file: folder.join(name), owned_as: folder })
    }
}
