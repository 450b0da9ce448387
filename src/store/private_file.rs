//! Files that only their owner may read.

use std::fs::{File, Metadata, OpenOptions, remove_file};
use std::io::{Read as _, Result, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Writes a file that was not there and that only its owner may read (mode 0600), whole or not at all:
/// for peppers, private keys and other secrets.
///
/// # Errors
/// Those of the operating system; `AlreadyExists` for a file that is there, which stays as it is.
pub fn write_private_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a secret is none, and the next attempt must find the place free.
        let _ = remove_file(path);
    }
    written
}

/// At most so many bytes of a file; `None` if others may read it.
pub(crate) fn read_private_file(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let file = File::open(path)?;
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

/// Whether anybody but the owner may do anything with it.
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
