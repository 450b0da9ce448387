//! Where a mark may lie. A URL may name any file for it, and what is named is written over: so it
//! is neither the store nor anything that belongs to one, and a file that is there is a mark
//! already, or empty.

use super::real_path;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Mark;
use std::path::{Path, PathBuf};

/// What the files beside a store, and those in a folder of key rings, end in.
const ENDINGS: [&str; 7] = ["-wal", "-shm", "-journal", ".pepper", ".limits", ".ring", "folder.id"];

/// The file of a mark. `of` is the store, or the folder of key rings, without any link in its path.
///
/// # Errors
/// `InvalidArgument`: a mark there would be written over what belongs to a store, or no file can be
/// there.
pub(super) fn mark_file(mark: &Mark, of: &Path) -> Result<Option<PathBuf>> {
    let file = match mark {
        Mark::Beside => with_ending(of, ".mark"),
        Mark::At(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        Mark::None => return Ok(None),
    };
    let real = real_path(&file);
    // As the folder may not be there yet, each of its names is followed.
    let is_within = |path: &Path| path.ancestors().any(|path| real_path(path) == of);
    let is_linked = || {
        let own = ENDINGS.iter().map(|ending| with_ending(of, ending));
        own.chain([of.to_owned()]).any(|own| is_same_file(&own, &real))
    };
    if ends_as_owned(&real) || is_within(&file) || is_within(&real) || is_linked() {
        return Err(OWNED);
    }
    if std::fs::metadata(&real).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(NO_FILE);
    }
    Ok(Some(file))
}

/// Why a file is left alone that is there, is not empty and is no mark.
#[cold]
pub(super) const fn foreign(mark: &Mark) -> Error {
    match mark {
        Mark::At(_) => NO_MARK,
        _ => NO_MARK_BESIDE,
    }
}

/// Whether nothing is in a file: a power cut may leave the length of what was not written yet.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether a name is that of a file which belongs to a store, or to a folder of key rings.
/// In small letters or capitals: some file systems take them for the same.
pub(super) fn ends_as_owned(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    ENDINGS.iter().any(|ending| {
        let end = name.len().checked_sub(ending.len()).and_then(|at| name.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
    })
}

/// Whether two names lead to one file, as hard links do.
fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let number = |path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        number(one).is_some_and(|one| number(other) == Some(one))
    }
    #[cfg(not(unix))]
    {
        one == other
    }
}

const OWNED: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The mark would be written over the store, or over what belongs to one (-wal, -shm, -journal, .pepper, .limits, a \
     folder of key rings); nothing was changed. Name a file for the mark alone: mark=FILE.",
);
const NO_FILE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There is a folder or a device where the mark is to be; nothing was changed. Name a file: mark=FILE.",
);
const NO_MARK: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The file that mark= names is no mark of gatekey and was left as it is. Name another file; if it was the mark and \
     is damaged, put it back or move it away.",
);
const NO_MARK_BESIDE: Error = Error::new(
    ErrorKind::StoreRestored,
    "The file <store>.mark is no mark of gatekey and was left as it is. Put the mark back; or move the file away and, \
     if the store is refused, run `gatekey store acknowledge-restore`.",
);
