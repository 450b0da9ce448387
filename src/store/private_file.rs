//! Files that only their owner may read. Each is written beside its place and appears there whole:
//! a reader, or the next start after a crash, meets the old file, the new one or none.

use crate::base::hex;
#[cfg(unix)]
use crate::base::process::WITHOUT_WAITING;
use crate::base::random::{Identifiers, SecureRandom as _};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Writes a file that was not there and that only its owner may read (mode 0600), whole or not at
/// all: for peppers, private keys and other secrets. Of several that write it at once, one does.
///
/// # Errors
/// Those of the operating system; `AlreadyExists` for a file that is there, which stays as it is.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // Before anything is written: most who come find it there.
    if fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let beside = Beside::write(folder_of(path), bytes)?;
    match fs::hard_link(&beside.0, path) {
        // A file system without links.
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) =>
        {
            write_new(path, bytes)?;
        }
        linked => linked?,
    }
    sync_folder(folder_of(path))
}

/// Puts a file that only its owner may read in the place of one that is there, or of none. One that
/// is there keeps its owner: a service can still read what the superuser has replaced.
///
/// # Errors
/// Those of the operating system; then what was there is there still.
pub(crate) fn replace_private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = Beside::write(folder_of(path), bytes)?;
    #[cfg(unix)]
    if let Ok(there) = fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let ours = fs::metadata(&beside.0)?;
        if (ours.uid(), ours.gid()) != (there.uid(), there.gid()) {
            chown(&beside.0, Some(there.uid()), Some(there.gid()))?;
        }
    }
    fs::rename(&beside.0, path)?;
    sync_folder(folder_of(path))
}

/// Makes what was done to the names in a folder last.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A file under a name that no other file has, which is taken away in the end.
struct Beside(PathBuf);

impl Beside {
    fn write(folder: &Path, bytes: &[u8]) -> Result<Self> {
        let mut number = [0; 12];
        Identifiers.fill(&mut number).map_err(Error::other)?;
        let path = folder.join(format!(".{}.new", hex::encode(&number)));
        write_new(&path, bytes)?;
        Ok(Self(path))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // If it stays there, only its owner can read it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a file that was not there, which others may see half written.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a secret is of no use, and the next attempt must find the place free.
        let _ = fs::remove_file(path);
    }
    written
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a file to be read. A pipe, for whose other end one would wait, a socket and a device are
/// refused (`InvalidData`).
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, WITHOUT_WAITING);
    let file = options.open(path)?;
    if is_irregular(&file.metadata()?) { Err(ErrorKind::InvalidData.into()) } else { Ok(file) }
}

/// Whether it is neither a file nor a folder.
pub(super) fn is_irregular(metadata: &Metadata) -> bool {
    !metadata.is_file() && !metadata.is_dir()
}

/// At most this many bytes of a file; `None` if others may read it. One that is no regular file is
/// refused (`InvalidData`).
pub(crate) fn read_private_file(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let file = open_regular(path)?;
    let metadata = file.metadata()?;
    if is_open_to_others(&metadata) {
        return Ok(None);
    }
    let length = usize::try_from(metadata.len().min(most)).unwrap_or(0);
    // All of it at once: what grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Whether any user but the owner may do anything with it.
pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}
