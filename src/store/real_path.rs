//! What a name leads to. Everything that lies beside a store (its log, mark, peppers and limits)
//! lies beside the file itself, so that each name of it, a link or a path through a linked folder,
//! has the same.

use std::path::{Path, PathBuf};

/// Links after one another, as many as Linux follows.
const LINKS: usize = 40;

/// The absolute path of a file or folder without any link in it. It need not be there yet: then its
/// folder decides, and a link that leads nowhere names what it leads to. As it is, if that cannot
/// be told.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..LINKS {
        if let Ok(real) = path.canonicalize() {
            return real;
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { break };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        match std::fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_) => return folder.join(name),
        }
    }
    path
}

#[cfg(all(test, unix))]
mod tests;
