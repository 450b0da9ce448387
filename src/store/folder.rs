//! Key rings in a folder that only its owner may read: each version of a ring is a file of its own,
//! which appears whole or not at all. Who reads needs no lock; who changes a ring holds the
//! folder's from the look at its version until the next one is there, since a name that is free may
//! have been taken and given up meanwhile. A version that this process has seen is never followed
//! by a lower one; who starts later knows by the folder's [`mark`], a file beside it that says how
//! far each ring has come.

mod mark;

use self::mark::{FolderMark, LOST, OLDER, Versions};
use super::Mark;
use super::file_lock::FileLock;
use super::health::StoreHealth;
use super::keyring::{KeyRingStore, StoredRing};
use super::private_file::{self, sync_folder, write_new};
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest ring that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// How often a ring is looked for that others keep replacing.
const TRIES: usize = 64;

/// Lists the newest version of each ring.
type Listing<'a> = &'a dyn Fn() -> Result<Versions>;

/// A folder of key rings (mode 0700, its files 0600).
#[derive(Debug)]
pub struct RingFolder {
    path: PathBuf,
    mark: FolderMark,
    /// Whether it is taken as it is, until it is acknowledged.
    as_it_is: bool,
}

impl RingFolder {
    /// Opens the folder, or makes it, with its mark beside it: `<folder>.mark`.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Mark::Beside)
    }

    /// Opens the folder, or makes it. A folder of before there were marks gets its mark now.
    ///
    /// # Errors
    /// `InvalidArgument`: the mark would lie in the folder, or be written over what belongs to a
    /// store or is no mark. `InvalidConfiguration`: others may read it. `StoreRestored`: a ring is
    /// older than the folder's mark says, or than this process has seen; or the folder, a ring in
    /// it or its mark is gone (see [`Mark`]). `StoreUnavailable`, `StoreReadOnly`, `StoreFull`: it
    /// cannot be opened or made, or its mark cannot be written.
    pub fn open_with(path: impl AsRef<Path>, mark: &Mark) -> Result<Self> {
        let mark = FolderMark::new(path.as_ref(), mark)?;
        mark.check_place()?;
        let folder = Self { path: open_private_folder(path.as_ref())?, mark, as_it_is: false };
        folder.mark.check(&|| folder.rings())?;
        let made = folder.locked(|| folder.mark.make(&folder.rings()?));
        match made {
            // Who may only read it goes by the mark that is there.
            Err(error) if error.kind() == ErrorKind::StoreReadOnly => Ok(folder),
            made => made.map(|()| folder),
        }
    }

    /// Opens a folder that is there to be acknowledged, and whether it is refused. If so, it is
    /// until it [has been](Self::acknowledge).
    pub(crate) fn open_as_it_is(path: &Path, mark: &Mark) -> Result<(Self, bool)> {
        let mark = FolderMark::new(path, mark)?;
        mark.check_file()?;
        let path = open_private_folder(path)?;
        let mut folder = Self { mark, path, as_it_is: false };
        match folder.mark.check(&|| folder.rings()) {
            Err(error) if error.kind() == ErrorKind::StoreRestored => {
                folder.as_it_is = true;
                folder.locked(|| folder.mark.estrange())?;
            }
            other => other?,
        }
        let is_refused = folder.as_it_is;
        Ok((folder, is_refused))
    }

    /// Accepts a folder that was refused.
    pub(crate) fn acknowledge(&self) -> Result<()> {
        self.locked(|| self.mark.set(&self.rings()?))
    }

    /// The newest version of each ring.
    fn rings(&self) -> Result<Versions> {
        let mut rings = Versions::new();
        for entry in fs::read_dir(&self.path).map_err(|error| fault(&error))? {
            let file = entry.map_err(|error| fault(&error))?.file_name();
            let ring = file.to_str().and_then(|file| {
                let (name, version) = file.strip_suffix(".ring")?.rsplit_once('.')?;
                Some((name, version.parse::<u64>().ok()?))
            });
            if let Some((name, version)) = ring {
                let newest = rings.entry(name.to_owned()).or_default();
                *newest = version.max(*newest);
            }
        }
        Ok(rings)
    }

    /// How it is with the folder.
    pub(crate) fn health(&self) -> StoreHealth {
        let looked = self.mark.check(&|| self.rings()).and_then(|()| self.rings());
        StoreHealth::of("folder").asked(looked, |health, rings| {
            health.position = Some(rings.values().sum());
        })
    }

    fn locked<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _held = FileLock::of(&self.path).map_err(|error| held(&error))?;
        work()
    }

    /// The versions of a ring, and where they are. There is one, but for a moment.
    fn versions(&self, name: &str) -> Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|error| fault(&error))? {
            let entry = entry.map_err(|error| fault(&error))?;
            let file = entry.file_name();
            let version = file.to_str().and_then(|file| {
                file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".ring")?.parse().ok()
            });
            found.extend(version.map(|version| (version, entry.path())));
        }
        Ok(found)
    }

    fn newest(&self, name: &str) -> Result<Option<(u64, PathBuf)>> {
        if self.as_it_is {
            return Ok(self.versions(name)?.into_iter().max());
        }
        // First what is known: what others do meanwhile moves the ring ahead.
        let known = self.mark.known(name)?;
        let mut tries = 0;
        loop {
            let newest = self.versions(name)?.into_iter().max();
            let version = newest.as_ref().map_or(0, |(version, _)| *version);
            if version >= known {
                self.mark.saw(name, version);
                return Ok(newest);
            }
            if tries == TRIES {
                return Err(if newest.is_some() { OLDER } else { LOST });
            }
            tries += 1;
        }
    }
}

impl KeyRingStore for RingFolder {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        beyond_memory()?;
        for _ in 0..TRIES {
            let Some((version, path)) = self.newest(name)? else { return Ok(None) };
            match private_file::read_private_file(&path, LONGEST) {
                Ok(Some(text)) => {
                    let (pepper, text) = split(&text).ok_or(DAMAGED)?;
                    let text = text.to_vec();
                    return Ok(Some(StoredRing { name: name.to_owned(), version, pepper, text }));
                }
                Ok(None) => return Err(OPEN_TO_OTHERS),
                // Someone has just put a newer one in its place.
                Err(error) if error.kind() == Io::NotFound => {}
                Err(error) => return Err(fault(&error)),
            }
        }
        Err(ErrorKind::StoreUnavailable.into())
    }

    fn key_ring_version(&self, name: &str) -> Result<u64> {
        beyond_memory()?;
        Ok(self.newest(name)?.map_or(0, |(version, _)| version))
    }

    fn put_key_ring(&self, ring: &StoredRing) -> Result<()> {
        beyond_memory()?;
        // Of the folder, which no other user can open.
        let _held = FileLock::of(&self.path).map_err(|error| held(&error))?;
        if self.key_ring_version(&ring.name)? + 1 != ring.version {
            return Err(ErrorKind::StoreConflict.into());
        }
        let place = self.path.join(format!("{}.{}.ring", ring.name, ring.version));
        let beside = self.path.join(format!(".{}.new", ring.name));
        // Of a process that was killed while it held the lock.
        let _ = fs::remove_file(&beside);
        let mut text = Zeroizing::new(Vec::with_capacity(ring.text.len() + 16));
        text.extend_from_slice(format!("{}\n", ring.pepper).as_bytes());
        text.extend_from_slice(&ring.text);
        // A name that is taken stays with who took it; a crash leaves the old ring or the new one.
        let placed = write_new(&beside, &text)
            .and_then(|()| fs::hard_link(&beside, &place))
            .and_then(|()| sync_folder(&self.path));
        // If it stays there, only its owner can read it.
        let _ = fs::remove_file(&beside);
        match placed {
            Ok(()) => {}
            Err(error) if error.kind() == Io::AlreadyExists => {
                return Err(ErrorKind::StoreConflict.into());
            }
            Err(error) => return Err(fault(&error)),
        }
        let versions = self.versions(&ring.name)?;
        if versions.iter().any(|(version, _)| *version > ring.version) {
            // Where the lock does not hold, as with an older program: this version was made and
            // replaced before.
            let _ = fs::remove_file(&place);
            return Err(ErrorKind::StoreConflict.into());
        }
        for (version, path) in versions {
            if version < ring.version {
                // The newest counts; the next change tries again.
                let _ = fs::remove_file(path);
            }
        }
        // After the change, so that the mark is never ahead of a folder whose process was killed.
        if self.as_it_is {
            Ok(())
        } else {
            self.mark.follow(&ring.name, ring.version, &|| self.rings())
        }
    }

    fn key_ring_names(&self) -> Result<Vec<String>> {
        Ok(self.rings()?.into_keys().collect())
    }

    /// Its files are for their owner alone.
    fn wants_seal(&self) -> bool {
        false
    }
}

/// Opens a folder that only its owner may look into, or makes it.
///
/// # Errors
/// `InvalidConfiguration`: others may read it. `InvalidArgument`: it is a file. Those of the file
/// system.
pub(super) fn open_private_folder(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| fault(&error))?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(&path) {
        Err(error) if error.kind() != Io::AlreadyExists => return Err(fault(&error)),
        _ => {}
    }
    let metadata = fs::metadata(&path).map_err(|error| fault(&error))?;
    if !metadata.is_dir() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "Secrets are kept in a folder, and there is a file in its place.",
        ));
    }
    if private_file::is_open_to_others(&metadata) {
        return Err(OPEN_TO_OTHERS);
    }
    Ok(path)
}

/// The pepper's number, on a line of its own, and the text.
fn split(text: &[u8]) -> Option<(u32, &[u8])> {
    let at = text.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = text.split_at_checked(at)?;
    Some((std::str::from_utf8(line).ok()?.parse().ok()?, rest.get(1..)?))
}

const OPEN_TO_OTHERS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A folder of secrets, or a file in it, may be read by others; chmod 700 and 600 them, and rotate.",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The file of the key ring is damaged; restore it from a backup.",
);

/// Why a lock was not given.
#[cold]
fn held(error: &std::io::Error) -> Error {
    match error.kind() {
        Io::TimedOut => Error::new(
            ErrorKind::StoreUnavailable,
            "Another process has been changing this key ring for 30 seconds; see what it waits for.",
        ),
        _ => fault(error),
    }
}

#[cold]
pub(super) fn fault(error: &std::io::Error) -> Error {
    match error.kind() {
        Io::StorageFull => ErrorKind::StoreFull.into(),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => Error::new(
            ErrorKind::StoreReadOnly,
            "The folder of the secrets cannot be written or read; see whose it is.",
        ),
        _ => Error::new(
            ErrorKind::StoreUnavailable,
            "The folder of the secrets cannot be read or written; see that it is there.",
        ),
    }
}
