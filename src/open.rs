//! Layer 5: where the edges get API keys, sessions and key rings from: a store by its URL, peppers from a
//! file or the environment. The one room besides the adapters that touches files.

use crate::apikey::{ApiKeyOptions, ApiKeys};
use crate::base::clock::{Clock as _, SystemClock, plausible};
use crate::base::hex;
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::Signer;
use crate::keyring::{KeyRing, KeyRingOptions};
use crate::pepper::Peppers;
use crate::revocations::{RevocationOptions, Revocations};
use crate::session::{SessionOptions, Sessions};
use crate::store::{
    Database, FileLock, Mark, MemoryStore, RingFolder, read_private_file, real_path,
    replace_private_file, write_private_file,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where the peppers come from. Losing them is losing the keys: back them up, apart from the store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum PepperSource {
    /// From the file beside the store, `<store>.pepper`, which is made if neither is there; in memory,
    /// a random one.
    #[default]
    Beside,
    /// From this file, which only its owner may read (mode 0600). See [`read_peppers`].
    File(PathBuf),
    /// From this environment variable, written as in a file.
    Env(String),
    /// These.
    Given(Peppers),
}

/// API keys that were opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The keys.
    pub keys: ApiKeys,
    /// The pepper file that was made just now: tell someone to back it up.
    pub new_pepper_file: Option<PathBuf>,
}

/// Sessions that were opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedSessions {
    /// The sessions.
    pub sessions: Sessions,
    /// The pepper file that was made just now: tell someone to back it up.
    pub new_pepper_file: Option<PathBuf>,
}

/// A key ring that was opened, and what a person should know of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedKeyRing {
    /// The ring.
    pub ring: KeyRing,
    /// The pepper file that was made just now: tell someone to back it up.
    pub new_pepper_file: Option<PathBuf>,
}

/// Opens API keys: `memory:`, or `sqlite:///relative/path` and `sqlite:////absolute/path`. The mark that tells
/// a restored backup from the store lies beside it; `?mark=FILE` at the end of the URL puts it elsewhere,
/// `?mark=none` means none: [`crate::Mark`]. Nothing else in the process may open the file with a SQLite of its
/// own, not even to read (docs/processes.md).
///
/// # Errors
/// `InvalidArgument`: the URL is neither, or a pepper is not acceptable. `Unsupported`: this build has
/// no SQLite. `InvalidConfiguration`: a pepper file may be read by others. `WrongPepper`. `StoreRestored`:
/// the store is older than its mark. Those of [`Backend`].
pub fn open_api_keys(url: &str, pepper: &PepperSource, options: ApiKeyOptions) -> Result<Opened> {
    let (store, peppers, new_pepper_file) = open_with_peppers(url, pepper)?;
    let keys = ApiKeys::open(store, peppers, options)?;
    Ok(Opened { keys, new_pepper_file })
}

/// Opens sessions in the same stores as [`open_api_keys`], which they may share with API keys. Without a
/// signer they can be looked at and ended only.
///
/// # Errors
/// As [`open_api_keys`] and [`Sessions::open`].
pub fn open_sessions(
    url: &str,
    pepper: &PepperSource,
    signer: Option<&Signer>,
    options: SessionOptions,
) -> Result<OpenedSessions> {
    let (store, peppers, new_pepper_file) = open_with_peppers(url, pepper)?;
    let sessions = Sessions::open(store, peppers, signer, options)?;
    Ok(OpenedSessions { sessions, new_pepper_file })
}

/// Opens what is revoked in the same stores as [`open_api_keys`]; needs no peppers.
///
/// # Errors
/// As [`open_api_keys`] and [`Revocations::open`].
pub fn open_revocations(url: &str, options: RevocationOptions) -> Result<Revocations> {
    Revocations::open(open_store(url)?.0, options)
}

/// The peppers of a folder, which is for its owner alone: those that are given seal the rings in it as well.
pub(crate) fn peppers_of_folder(pepper: &PepperSource) -> Result<Option<Peppers>> {
    match pepper {
        PepperSource::Beside => Ok(None),
        given => Ok(Some(peppers_of(given, None, false)?.0)),
    }
}

/// Opens a key ring, and makes it if it is not there: sealed in a store of [`open_api_keys`], or in a
/// folder that only its owner may read, which is what any other text names. The folder's mark lies beside it, as
/// `<folder>.mark`; `?mark=FILE` or `?mark=none` at the end says otherwise, as for a store.
///
/// # Errors
/// As [`open_api_keys`], [`KeyRing::open`] and [`RingFolder::open_with`].
pub fn open_key_ring(
    url_or_folder: &str,
    pepper: &PepperSource,
    options: KeyRingOptions,
) -> Result<OpenedKeyRing> {
    if url_or_folder == "memory:" || url_or_folder.contains("://") {
        let (store, peppers, new_pepper_file) = open_with_peppers(url_or_folder, pepper)?;
        peppers.check_against(&*store, plausible(SystemClock.now())?)?;
        let ring = KeyRing::open(store, Some(peppers), options)?;
        return Ok(OpenedKeyRing { ring, new_pepper_file });
    }
    let (path, mark) = folder_of(url_or_folder)?;
    let peppers = peppers_of_folder(pepper)?;
    let folder = Arc::new(RingFolder::open_with(path, &mark)?);
    Ok(OpenedKeyRing { ring: KeyRing::open(folder, peppers, options)?, new_pepper_file: None })
}

/// A store, its peppers, and the pepper file that was made with it.
fn open_with_peppers(
    url: &str,
    pepper: &PepperSource,
) -> Result<(Arc<dyn Database>, Peppers, Option<PathBuf>)> {
    let (store, path) = open_store(url)?;
    let is_new = store.api_key_count()? == 0 && store.pepper_checks()?.is_empty();
    let beside = path.map(|path| pepper_beside(&path));
    let (peppers, new_pepper_file) = peppers_of(pepper, beside, is_new)?;
    Ok((store, peppers, new_pepper_file))
}

/// Where the pepper file of a store is, unless someone says otherwise: `<store>.pepper`, beside the file itself if
/// `store` is a link to it, as all that belongs to a store.
#[must_use]
pub fn pepper_beside(store: &Path) -> PathBuf {
    let mut name = real_path(store).into_os_string();
    name.push(".pepper");
    PathBuf::from(name)
}

/// The peppers, and the file that was made for them.
pub(crate) fn peppers_of(
    pepper: &PepperSource,
    beside: Option<PathBuf>,
    is_new: bool,
) -> Result<(Peppers, Option<PathBuf>)> {
    Ok(match (pepper, beside) {
        (PepperSource::Given(peppers), _) => (peppers.clone(), None),
        (PepperSource::File(path), _) => (read_pepper_file(path)?, None),
        (PepperSource::Env(name), _) => {
            let text = std::env::var(name).map_err(|_| {
                Error::new(
                    ErrorKind::InvalidConfiguration,
                    "The environment variable with the peppers is not set, or not text.",
                )
            })?;
            (read_peppers(&Zeroizing::new(text))?, None)
        }
        (PepperSource::Beside, None) => (Peppers::new(&[(1, random_pepper()?)])?, None),
        (PepperSource::Beside, Some(beside)) => {
            let made = if is_new { make_pepper_file(&beside)? } else { false };
            let peppers = read_pepper_file(&beside)?;
            (peppers, made.then_some(beside))
        }
    })
}

/// The path and the mark that a URL of a SQLite store names.
pub(crate) fn place_of(url: &str) -> Result<(PathBuf, Mark)> {
    let path = url.strip_prefix("sqlite:///").filter(|path| !path.is_empty());
    let path = path.ok_or(Error::new(
        ErrorKind::InvalidArgument,
        "A store is memory:, sqlite:///relative/path or sqlite:////absolute/path.",
    ))?;
    let (path, mark) = marked(path);
    let named = match &mark {
        Mark::At(mark) => mark.to_str().unwrap_or_default(),
        _ => "none",
    };
    if path.is_empty() || named.is_empty() || [path, named].concat().contains(['?', '#', '&', '\0'])
    {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "The URL of a SQLite store is a path, and may end in ?mark=FILE or ?mark=none; nothing else.",
        ));
    }
    Ok((path.into(), mark))
}

/// A path, and where its mark is.
fn marked(path: &str) -> (&str, Mark) {
    match path.split_once("?mark=") {
        None => (path, Mark::Beside),
        Some((path, "none")) => (path, Mark::None),
        Some((path, mark)) => (path, Mark::At(mark.into())),
    }
}

/// The path and the mark of a folder of key rings.
pub(crate) fn folder_of(named: &str) -> Result<(PathBuf, Mark)> {
    let (path, mark) = marked(named);
    if path.is_empty() || mark == Mark::At(PathBuf::new()) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "A key ring lies in a folder, which may end in ?mark=FILE or ?mark=none, or in a store, such as \
             sqlite:///auth.sqlite.",
        ));
    }
    Ok((path.into(), mark))
}

/// The store that a URL names, and its path.
fn open_store(url: &str) -> Result<(Arc<dyn Database>, Option<PathBuf>)> {
    if url == "memory:" {
        return Ok((Arc::new(MemoryStore::new()), None));
    }
    let (path, mark) = place_of(url)?;
    #[cfg(feature = "sqlite")]
    {
        Ok((Arc::new(crate::store::SqliteStore::open_with(&path, &mark)?), Some(path)))
    }
    #[cfg(not(feature = "sqlite"))]
    let _ = (path, mark);
    #[cfg(not(feature = "sqlite"))]
    Err(Error::new(ErrorKind::Unsupported, "This build of gatekey has no SQLite store."))
}

/// Reads peppers: a line each, oldest first, as `<number> <64 hexadecimal digits>`; `#` begins a
/// comment.
///
/// # Errors
/// `InvalidArgument`: a line is something else.
pub fn read_peppers(text: &str) -> Result<Peppers> {
    const LINE: &str = "A pepper is written as its number, a space and 32 bytes in hexadecimal.";
    let wrong = |line: &str| {
        let place = (line.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Error::new(ErrorKind::InvalidArgument, LINE).about_place(text.as_bytes(), place)
    };
    let mut peppers = Vec::new();
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (number, digits) = line.split_once(char::is_whitespace).ok_or_else(|| wrong(line))?;
        let number: u32 = number.parse().map_err(|_| wrong(line))?;
        let secret = hex::decode(digits.trim(), 32).ok_or_else(|| wrong(line))?;
        peppers.push((number, Secret::new(secret)));
    }
    Peppers::new(&peppers)
}

/// The peppers in a file that nobody else may read.
///
/// # Errors
/// `InvalidConfiguration`: others may read it. `WrongPepper`: it is not there. That of
/// [`read_peppers`].
pub fn read_pepper_file(path: &Path) -> Result<Peppers> {
    const MISSING: Error = Error::new(
        ErrorKind::WrongPepper,
        "The pepper file is not there or cannot be read; without it every key is lost. Restore it.",
    );
    let text = read_private_file(path, 65_536).map_err(|_| MISSING)?.ok_or(Error::new(
        ErrorKind::InvalidConfiguration,
        "The pepper file may be read by others; chmod 600 it, and rotate the pepper if they did.",
    ))?;
    read_peppers(std::str::from_utf8(&text).map_err(|_| MISSING)?)
}

/// Adds a random pepper to a file, which is made if it is not there; its number. The new one is the
/// active one for every program that reads the file from now on. Of several processes that add one at once, each adds
/// its own.
///
/// # Errors
/// As [`read_pepper_file`]; `InvalidArgument`: there are 16 already. `StoreReadOnly`, `StoreFull`; then the file is as
/// it was.
pub fn add_pepper(path: &Path) -> Result<u32> {
    if make_pepper_file(path)? {
        return Ok(1);
    }
    // The file itself, where its name is a link; and from the look at it until the new one is in its place.
    let path = &path.canonicalize().map_err(|error| unwritable(&error))?;
    let _held = FileLock::of(path).map_err(|error| unwritable(&error))?;
    let peppers = read_pepper_file(path)?;
    let number = peppers.ids().max().unwrap_or(0).saturating_add(1);
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| unwritable(&error))?);
    let separator = if text.ends_with('\n') { "" } else { "\n" };
    let new = Zeroizing::new(format!("{}{separator}{}\n", *text, *pepper_line(number)?));
    read_peppers(&new)?;
    replace_private_file(path, new.as_bytes()).map_err(|error| unwritable(&error))?;
    Ok(number)
}

/// Whether the file was made: one that is there stays.
fn make_pepper_file(path: &Path) -> Result<bool> {
    let text = Zeroizing::new(format!(
        "# gatekey's peppers, oldest first; keys cannot be verified without them. Back this file up.\n{}\n",
        *pepper_line(1)?
    ));
    match write_private_file(path, text.as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(unwritable(&error)),
    }
}

fn unwritable(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::StoreFull.into(),
        std::io::ErrorKind::TimedOut => Error::new(
            ErrorKind::StoreUnavailable,
            "Another process has been changing the pepper file for 30 seconds; see what it waits for.",
        ),
        _ => Error::new(
            ErrorKind::StoreReadOnly,
            "The pepper file cannot be written; see that its folder is there and may be written to.",
        ),
    }
}

fn pepper_line(number: u32) -> Result<Zeroizing<String>> {
    let secret = random_pepper()?;
    let mut line = Zeroizing::new(String::with_capacity(80));
    line.push_str(&number.to_string());
    line.push(' ');
    for byte in secret.expose() {
        for digit in [byte >> 4, byte & 15] {
            line.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    Ok(line)
}

fn random_pepper() -> Result<Secret> {
    let mut bytes = vec![0; 32];
    SystemRandom.fill(&mut bytes)?;
    Ok(Secret::new(bytes))
}
