//! The file of a table: a header and the entries, of a length that the header tells. It appears
//! whole or not at all, to one of several processes that make it at once; only its owner may read
//! or change it.
//!
//! Refuses what belongs to another user than the store, what others may read, links, and newer
//! versions. A file that is damaged or was cut off is moved aside: what it counted is worth a burst
//! for each key.

use super::mapped::{ENTRY, HEADER, IS_A_LINK, Mapped, OPENED};
use super::{LimitPlace, LimitTable};
use crate::base::process;
use crate::error::{Error, ErrorKind, Result};
use crate::store::private_file::is_open_to_others;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind as Io, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: [u8; 16] = *b"gatekey limits\r\n";
const VERSION: u32 = 1;
/// The magic, the version, the binary logarithm of the number of entries, and which table it is: a
/// number that no other has, so that one that is written over it is noticed.
const FIELDS: usize = 40;
/// Entries of a table, as logarithms: those that are accepted, and those that are made.
const ACCEPTED: std::ops::RangeInclusive<u32> = 4..=24;
const SMALLEST: u64 = 1 << 15;
const LARGEST: u64 = 1 << 22;

/// How often the file is looked for that others keep replacing, 5 ms apart.
const TRIES: usize = 200;
/// Files that a process left half made are removed after a minute.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// Which file a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// A file that is mapped, and what it began with.
pub(super) struct Opened {
    file: File,
    id: FileId,
    length: u64,
    fields: [u8; FIELDS],
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// Opens the table, or makes it.
pub(super) fn open(place: &LimitPlace, keys: u64) -> Result<LimitTable> {
    if !portable_atomic::AtomicU128::is_lock_free() {
        return Err(NO_ATOMICS);
    }
    let owner = fs::metadata(&place.owned_as).map_err(|error| fault(&error))?;
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(OPENED);
        match options.open(&place.file) {
            Ok(file) => {
                if let Some(table) = map(&file, place, &owner)? {
                    return Ok(table);
                }
                if !move_aside(&file, &place.file)? {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Err(error) if error.kind() == Io::NotFound => make(place, &owner, keys)?,
            Err(error) => return Err(fault(&error)),
        }
    }
    Err(UNAVAILABLE)
}

impl Opened {
    /// Whether the path still leads to this file, and the file is whole: of its length, and with
    /// the same beginning. Nothing that is mapped is looked at, which may be gone.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        let there = fs::symlink_metadata(path);
        let is_same = there.is_ok_and(|metadata| {
            FileId::of(&metadata) == self.id && metadata.len() == self.length
        });
        let mut fields = [0; FIELDS];
        is_same && self.file.read_exact_at(&mut fields, 0).is_ok() && fields == self.fields
    }
}

/// Opens a folder for tables, or makes it.
pub(super) fn open_folder(path: &Path) -> Result<PathBuf> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != Io::AlreadyExists => return Err(fault(&error)),
        _ => {}
    }
    let folder = fs::canonicalize(path).map_err(|error| fault(&error))?;
    if fs::metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(folder);
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        "Limits are counted in a folder, and there is a file in its place; name a folder.",
    ))
}

/// The table in a file; none if it is damaged.
fn map(file: &File, place: &LimitPlace, owner: &Metadata) -> Result<Option<LimitTable>> {
    let metadata = file.metadata().map_err(|error| fault(&error))?;
    if !metadata.is_file() || metadata.uid() != owner.uid() || is_open_to_others(&metadata) {
        return Err(NOT_OURS);
    }
    let mut fields = [0; FIELDS];
    let mut reader = file;
    if reader.read_exact(&mut fields).is_err() {
        return Ok(None);
    }
    let Some((version, size)) = read_fields(&fields) else { return Ok(None) };
    if version > VERSION {
        return Err(NEWER);
    }
    let count = 1_u64.checked_shl(size).filter(|_| ACCEPTED.contains(&size)).unwrap_or(0);
    let length = HEADER as u64 + count * ENTRY as u64;
    if version != VERSION || count == 0 || metadata.len() != length {
        return Ok(None);
    }
    let count = usize::try_from(count).map_err(|_| UNAVAILABLE)?;
    let mapped = Mapped::new(file, count).map_err(|error| fault(&error))?;
    let (path, id) = (place.file.clone(), FileId::of(&metadata));
    let file = file.try_clone().map_err(|error| fault(&error))?;
    Ok(Some(LimitTable { mapped, path, opened: Opened { file, id, length, fields } }))
}

/// The version and the size in a header.
fn read_fields(fields: &[u8; FIELDS]) -> Option<(u32, u32)> {
    let (version, size) = fields.strip_prefix(&MAGIC)?.split_first_chunk::<4>()?;
    Some((u32::from_ne_bytes(*version), u32::from_ne_bytes(*size.first_chunk::<4>()?)))
}

/// Moves a damaged file out of the way; whether someone has. One process at a time, and only that
/// file: the path may lead to a good one by now. The lock is the system's, which lets go of it when
/// a process ends.
fn move_aside(file: &File, path: &Path) -> Result<bool> {
    if file.try_lock().is_err() {
        return Ok(false);
    }
    let id = file.metadata().map(|metadata| FileId::of(&metadata));
    let there = fs::symlink_metadata(path).map(|metadata| FileId::of(&metadata));
    let moved = match (id, there) {
        (Ok(id), Ok(there)) if id == there => fs::rename(path, with_ending(path, ".damaged")),
        _ => Ok(()),
    };
    // Also for a child that was forked meanwhile and has the file open as well.
    let _ = file.unlock();
    moved.map(|()| true).map_err(|error| fault(&error))
}

/// A number that no other table of this machine has: the time, the process, and how many it has
/// made.
fn unique() -> [u8; 16] {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let count = COUNT.load(Ordering::Relaxed);
    (time << 64 | u128::from(process::id()) << 32 | u128::from(count)).to_ne_bytes()
}

/// How many tables this process has made.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Makes the table, unless another is faster.
fn make(place: &LimitPlace, owner: &Metadata, keys: u64) -> Result<()> {
    remove_left_behind(&place.file);
    let unique = (process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let beside = with_ending(&place.file, &format!(".{}-{}.new", unique.0, unique.1));
    let size = keys.saturating_mul(2).clamp(SMALLEST, LARGEST).next_power_of_two();
    let made = write(&beside, owner, size).and_then(|()| {
        // A name that is taken stays with who took it.
        match fs::hard_link(&beside, &place.file) {
            Err(error) if error.kind() != Io::AlreadyExists => Err(fault(&error)),
            _ => Ok(()),
        }
    });
    let _ = fs::remove_file(&beside);
    made
}

/// Writes a whole table, empty. Every byte: a page that the disk has no room for when it is first
/// changed kills the process (SIGBUS).
fn write(path: &Path, owner: &Metadata, entries: u64) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(|error| fault(&error))?;
    let metadata = file.metadata().map_err(|error| fault(&error))?;
    if metadata.uid() != owner.uid() {
        // Only the superuser may give it to whom the store belongs.
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))
            .map_err(|_| NOT_OURS)?;
    }
    let mut header = vec![0; HEADER];
    let fields = [VERSION, entries.trailing_zeros()].map(u32::to_ne_bytes).concat();
    let number = unique();
    let values = MAGIC.iter().chain(&fields).chain(&number);
    header.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
    file.write_all(&header).map_err(|error| fault(&error))?;
    let mut empty = std::io::repeat(0).take(entries * ENTRY as u64);
    std::io::copy(&mut empty, &mut file).map(drop).map_err(|error| fault(&error))
}

/// Removes what processes that were killed while they made a table left of it.
fn remove_left_behind(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let file = file.as_encoded_bytes();
        let rest = file.strip_prefix(name.as_encoded_bytes());
        let is_half = rest.is_some_and(|rest| rest.starts_with(b".") && rest.ends_with(b".new"));
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old =
            || modified.is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > LEFT_BEHIND));
        if is_half && is_old() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

const NO_ATOMICS: Error = Error::new(
    ErrorKind::Unsupported,
    "This processor cannot share rate limits between processes: each process counts for itself.",
);
const NOT_OURS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of the rate limits must be the store's owner's alone (mode 0600), in a folder of that user's: \
     chmod, chown or delete it. Each process counts for itself.",
);
const NEWER: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The file of the rate limits is of a newer gatekey: update this program, or delete the file. Each process \
     counts for itself.",
);
const UNAVAILABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The file of the rate limits can be neither opened nor made; see that its folder is there. Each process \
     counts for itself.",
);

#[cold]
fn fault(error: &std::io::Error) -> Error {
    match error.kind() {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => Error::new(
            ErrorKind::StoreFull,
            "There is no room on the disk for the file of the rate limits. Each process counts for itself.",
        ),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => Error::new(
            ErrorKind::StoreReadOnly,
            "The file of the rate limits cannot be written or made; see whose it and its folder are. Each \
             process counts for itself.",
        ),
        _ if error.raw_os_error() == Some(IS_A_LINK) => NOT_OURS,
        _ => UNAVAILABLE,
    }
}
