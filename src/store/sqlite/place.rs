//! Which file a name leads to, and what is seen of it without opening it.

use crate::error::{Error, ErrorKind, Result};
use crate::store::private_file::is_irregular;
use std::path::{Path, PathBuf};

/// Refuses a pipe, for whose other end SQLite would wait, a socket and a device, in the place of
/// the store or of its log.
pub(super) fn check_regular(path: &Path) -> Result<()> {
    let log = companion(path, "-wal");
    let found = [path, &log].map(std::fs::metadata);
    if found.iter().flatten().any(is_irregular) { Err(IRREGULAR) } else { Ok(()) }
}

const IRREGULAR: Error = Error::new(
    ErrorKind::InvalidArgument,
    "In the place of the store or of its log (`-wal`) is a pipe, a socket or a device; a store is a file.",
);

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    device: u64,
    inode: u64,
}

/// A file as it is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// `None` where files have no numbers.
    pub(super) place: Option<Place>,
    /// In bytes.
    len: u64,
    /// What it takes on the disk: a hole in it takes nothing.
    blocks: u64,
    /// When it was last written to.
    modified: Option<std::time::SystemTime>,
}

impl Sight {
    /// The file of this name; `None` if it is not there.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let (place, blocks) = {
            use std::os::unix::fs::MetadataExt as _;
            let place = Place { device: metadata.dev(), inode: metadata.ino() };
            (Some(place), metadata.blocks())
        };
        #[cfg(not(unix))]
        let (place, blocks) = (None, 0);
        Some(Self { place, len: metadata.len(), blocks, modified: metadata.modified().ok() })
    }

    /// Whether something was taken out of it, or away from its end, since `before`.
    pub(super) fn is_cut(&self, before: &Self) -> bool {
        self.len < before.len || self.blocks < before.blocks
    }

    /// Whether it was written to since `before`.
    pub(super) fn is_written(&self, before: &Self) -> bool {
        self.len != before.len || self.modified != before.modified
    }
}

/// The file beside the store's of this ending, such as its WAL.
pub(super) fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
