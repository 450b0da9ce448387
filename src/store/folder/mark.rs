//! The mark of a folder of key rings: a file outside of it that says how far each ring has come, as
//! the mark of a SQLite store does. The folder has an id of its own, which an acknowledged restore
//! changes, and the word whether a mark was made for it.
//!
//! The mark follows after the change, and before the call returns, so that it is never ahead of a
//! folder whose process was killed. Each file is replaced as a whole, by who holds the folder's
//! lock.

use super::{Listing, fault};
use crate::base::hex;
use crate::base::process::brief;
use crate::base::random::SecureRandom as _;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::store::mark_place::{foreign, is_blank, mark_file};
use crate::store::private_file::{open_regular, replace_private_file};
use crate::store::{Mark, real_path};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind as Io, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The version of each ring, by its name.
pub(super) type Versions = BTreeMap<String, u64>;

/// What the folder has for an id.
type Id = Option<[u8; 16]>;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// In the folder: its id.
const ID_FILE: &str = "folder.id";

/// The mark of a folder, if it has one.
#[derive(Debug)]
pub(super) struct FolderMark {
    /// Without a link in it, so that every name of the folder has one mark.
    folder: PathBuf,
    file: Option<PathBuf>,
    /// Why a file in its place that is no mark is left alone.
    foreign: Error,
    seen: Mutex<Seen>,
}

/// How far this process knows the folder to be.
#[derive(Debug, Default)]
struct Seen {
    id: Id,
    versions: Versions,
}

/// What the mark says.
struct Said {
    id: [u8; 16],
    versions: Versions,
}

/// What the folder says of itself.
#[derive(Clone, Copy, Default)]
struct Standing {
    id: Id,
    marked: bool,
}

impl FolderMark {
    /// # Errors
    /// Those of [`mark_file`].
    pub(super) fn new(folder: &Path, mark: &Mark) -> Result<Self> {
        let folder = real_path(folder);
        let file = mark_file(mark, &folder)?;
        Ok(Self { folder, file, foreign: foreign(mark), seen: Mutex::default() })
    }

    /// Refuses a file that is no mark, before anything is made or changed. One that is damaged
    /// passes.
    pub(super) fn check_file(&self) -> Result<()> {
        self.text().map(drop)
    }

    /// Refuses to make a folder in the place of one that was there.
    pub(super) fn check_place(&self) -> Result<()> {
        let has_rings = self.read()?.is_some_and(|said| !said.versions.is_empty());
        if has_rings && !self.folder.exists() { Err(LOST) } else { Ok(()) }
    }

    /// Refuses a folder that is behind its mark, or has lost it.
    pub(super) fn check(&self, list: Listing<'_>) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            // These first: what others change meanwhile moves the folder before the mark.
            let (said, standing) = (self.read()?, self.standing()?);
            match against(said.as_ref(), standing, &list()?) {
                Err(_) if tries < super::TRIES => tries += 1, // it may just have been made
                other => return other,
            }
        }
    }

    /// Gives a folder its id and its mark, or brings the mark forward to where a crash has left the
    /// folder. The folder is locked.
    pub(super) fn make(&self, rings: &Versions) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let (said, standing) = (self.read()?, self.standing()?);
        against(said.as_ref(), standing, rings)?;
        let begins = rings.is_empty() && said.is_none();
        let id = standing.id.filter(|_| !begins);
        let is_there = said.is_some_and(|said| id == Some(said.id) && said.versions == *rings);
        if is_there && standing.marked { Ok(()) } else { self.begin(id, rings) }
    }

    /// The mark between the id and the word that there is one: a crash leaves nothing to complain
    /// of. The id first, also for who may not write into the folder.
    fn begin(&self, id: Id, rings: &Versions) -> Result<()> {
        let id = id.map_or_else(new_id, Ok)?;
        self.write_id(id, false)?;
        self.write(id, rings)?;
        self.write_id(id, true)
    }

    /// How far the ring has come at least: by the mark, and by what this process has seen. It may
    /// have been deleted since the folder was opened; then it is made again with the next change.
    pub(super) fn known(&self, name: &str) -> Result<u64> {
        let said = self.read()?;
        if let Some(said) = &said {
            if self.standing()?.id != Some(said.id) {
                return Err(if self.folder.exists() { OTHER } else { LOST });
            }
            self.keep_to(said.id)?;
        }
        let seen = brief(&self.seen).versions.get(name).copied().unwrap_or(0);
        Ok(said.and_then(|said| said.versions.get(name).copied()).unwrap_or(0).max(seen))
    }

    /// Refuses a folder that was put in the place of the one that this process knows, whatever its
    /// mark says.
    fn keep_to(&self, id: [u8; 16]) -> Result<()> {
        let mut seen = brief(&self.seen);
        if *seen.id.get_or_insert(id) == id { Ok(()) } else { Err(REPLACED) }
    }

    pub(super) fn saw(&self, name: &str, version: u64) {
        let mut seen = brief(&self.seen);
        let last = seen.versions.entry(name.to_owned()).or_default();
        *last = (*last).max(version);
    }

    /// Brings the mark forward, never back. The folder is locked.
    pub(super) fn follow(&self, name: &str, version: u64, list: Listing<'_>) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let Some(said) = self.read()? else { return self.begin(self.standing()?.id, &list()?) };
        let mut versions = said.versions;
        let known = versions.entry(name.to_owned()).or_default();
        *known = (*known).max(version);
        self.write(said.id, &versions)
    }

    /// Gives the folder another id than its mark has, so that it is refused until someone has
    /// acknowledged it.
    pub(super) fn estrange(&self) -> Result<()> {
        if self.file.is_none() { Ok(()) } else { self.write_id(new_id()?, true) }
    }

    /// Sets the mark, whatever it was: after a restore that someone has acknowledged.
    pub(super) fn set(&self, rings: &Versions) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        self.write(self.standing()?.id.ok_or(OTHER)?, rings)
    }

    /// What the mark says, if there is one: its first line, and a line for each ring.
    fn read(&self) -> Result<Option<Said>> {
        let Some(text) = self.text()? else { return Ok(None) };
        parse(&text).map(Some).ok_or(DAMAGED)
    }

    /// What stands in its place, if it is a mark or nothing.
    fn text(&self) -> Result<Option<String>> {
        let Some(path) = &self.file else { return Ok(None) };
        let Some(text) = read_text(path).map_err(|_| UNREADABLE)? else { return Ok(None) };
        let is_ours = text.starts_with(FIRST) || is_blank(text.as_bytes());
        if is_ours { Ok(Some(text)) } else { Err(self.foreign.clone()) }
    }

    fn write(&self, id: [u8; 16], versions: &Versions) -> Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        self.check_file()?;
        let mut text = format!("{FIRST}{}\n", hex::encode(&id));
        for (name, version) in versions {
            let _ = writeln!(text, "{name} {version}"); // to a text, which does not fail
        }
        self.place(path, &text).map_err(|error| match error.kind() {
            Io::StorageFull => ErrorKind::StoreFull.into(),
            _ => UNWRITABLE,
        })
    }

    fn standing(&self) -> Result<Standing> {
        let text = read_text(&self.folder.join(ID_FILE)).map_err(|error| fault(&error))?;
        let Some(text) = text else { return Ok(Standing::default()) };
        let mut words = text.split_whitespace();
        let id = words.next().and_then(|id| hex::decode(id, 16)?.try_into().ok());
        Ok(Standing { id, marked: words.next() == Some("marked") })
    }

    fn write_id(&self, id: [u8; 16], marked: bool) -> Result<()> {
        let word = if marked { " marked" } else { "" };
        let text = format!("{}{word}\n", hex::encode(&id));
        self.place(&self.folder.join(ID_FILE), &text).map_err(|error| fault(&error))
    }

    /// Whole or not at all, and the folder's owner's: what the superuser makes, the service can
    /// still use.
    fn place(&self, path: &Path, text: &str) -> std::io::Result<()> {
        replace_private_file(path, text.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, chown};
            let (ours, folder) = (std::fs::metadata(path)?, std::fs::metadata(&self.folder)?);
            if (ours.uid(), ours.gid()) != (folder.uid(), folder.gid()) {
                let _ = chown(path, Some(folder.uid()), Some(folder.gid())); // told when it cannot be written
            }
        }
        Ok(())
    }
}

/// Whether the folder is the one that the mark is about, and as far.
fn against(said: Option<&Said>, standing: Standing, rings: &Versions) -> Result<()> {
    let Some(said) = said else {
        return if standing.marked && !rings.is_empty() { Err(MISSING) } else { Ok(()) };
    };
    match (rings.is_empty(), said.versions.is_empty()) {
        (true, true) => return Ok(()), // killed before it had a ring
        (true, false) => return Err(LOST),
        _ if standing.id != Some(said.id) => return Err(OTHER),
        _ => {}
    }
    for (name, version) in &said.versions {
        match rings.get(name) {
            None => return Err(LOST),
            Some(there) if there < version => return Err(OLDER),
            Some(_) => {}
        }
    }
    Ok(())
}

const FIRST: &str = "gatekey-ring-mark 1 ";

fn parse(text: &str) -> Option<Said> {
    let mut lines = text.strip_suffix('\n')?.lines();
    let id = hex::decode(lines.next()?.strip_prefix(FIRST)?, 16)?.try_into().ok()?;
    let line = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        Some((name.to_owned(), version.parse().ok()?))
    };
    Some(Said { id, versions: lines.map(line).collect::<Option<_>>()? })
}

/// The text of a file; `None` if it is not there.
fn read_text(path: &Path) -> std::io::Result<Option<String>> {
    let mut text = Vec::new();
    match open_regular(path).and_then(|file| file.take(LONGEST).read_to_end(&mut text)) {
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
    }
}

fn new_id() -> Result<[u8; 16]> {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id)?;
    Ok(id)
}

const REPLACED: Error = Error::new(
    ErrorKind::StoreRestored,
    "The folder of key rings is another one than this program has opened: a copy was put in its place. Start the \
     program again, which says what is to be done.",
);
pub(super) const OLDER: Error = Error::new(
    ErrorKind::StoreRestored,
    "The folder holds an older version of a key ring than its mark says: a copy was put back. Put the newer one back, \
     or run `gatekey store acknowledge-restore FOLDER`.",
);
const OTHER: Error = Error::new(
    ErrorKind::StoreRestored,
    "The mark belongs to another folder of key rings than this one. Put that folder back, or run \
     `gatekey store acknowledge-restore FOLDER`.",
);
const MISSING: Error = Error::new(
    ErrorKind::StoreRestored,
    "The folder's mark (<folder>.mark) is missing: is this a copy? Put the mark back, or run \
     `gatekey store acknowledge-restore FOLDER`.",
);
pub(super) const LOST: Error = Error::new(
    ErrorKind::StoreRestored,
    "A key ring is gone and the folder's mark is still there. Put a copy of the folder back; or, to begin new rings, \
     delete the folder and its mark (<folder>.mark).",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreRestored,
    "The mark of the folder of key rings is damaged. Put it back, or run `gatekey store acknowledge-restore FOLDER`.",
);
const UNREADABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The mark of the folder of key rings cannot be read; give this process the right to read the file.",
);
const UNWRITABLE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The mark of the folder of key rings cannot be written; let this process write it, or name another: \
     FOLDER?mark=FILE.",
);
