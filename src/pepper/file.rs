//! Where peppers come from: a file that only its owner may read, beside the store or elsewhere, an
//! environment variable, or the program itself.

use super::Peppers;
use crate::base::hex;
use crate::base::random::SecureRandom as _;
use crate::base::secret::Secret;
use crate::crypto::random::SystemRandom;
use crate::error::named::{check_path, secret_in};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    FileLock, read_private_file, real_path, replace_private_file, write_private_file,
};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the peppers come from. Losing them is losing the keys: back them up, apart from the store.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum PepperSource {
    /// From the file beside the store, `<store>.pepper`, which is made if neither is there; in
    /// memory, a random one.
    #[default]
    Beside,
    /// From this file, which only its owner may read (mode 0600). See [`read_peppers`].
    File(PathBuf),
    /// From this environment variable, written as in a file.
    Env(String),
    /// These.
    Given(Peppers),
}

impl From<Peppers> for PepperSource {
    fn from(peppers: Peppers) -> Self {
        Self::Given(peppers)
    }
}

impl PepperSource {
    /// The peppers, where they lie in no file beside a store.
    ///
    /// # Errors
    /// Those of [`read_pepper_file`]. `InvalidConfiguration`: the environment variable is not set,
    /// is not text, or holds no peppers; the error names it, never what it holds.
    pub(crate) fn elsewhere(&self) -> Result<Option<Peppers>> {
        match self {
            Self::Beside => Ok(None),
            Self::Given(peppers) => Ok(Some(peppers.clone())),
            Self::File(path) => read_pepper_file(path).map(Some),
            Self::Env(name) => from_environment(name).map(Some),
        }
    }
}

/// Where the pepper file of a store is, unless someone says otherwise: `<store>.pepper`, beside the
/// file itself if `store` is a link to it, as all that belongs to a store.
#[must_use]
pub fn pepper_beside(store: &Path) -> PathBuf {
    let mut name = real_path(store).into_os_string();
    name.push(".pepper");
    PathBuf::from(name)
}

/// The peppers in an environment variable. What is wrong names the variable, and nothing of what it
/// holds; nor what may be a pepper that was given for the name.
fn from_environment(name: &str) -> Result<Peppers> {
    let wrong = |message| Error::new(ErrorKind::InvalidConfiguration, message);
    // Of the environment, these have no names.
    let is_possible = !name.is_empty() && !name.contains(['=', '\0']);
    let text = is_possible.then(|| std::env::var_os(name)).flatten();
    if text.is_none() && !is_name(name) {
        return Err(wrong(NO_NAME));
    }
    let wrong = |message| wrong(message).about_named_claim(&name.into());
    let text = Zeroizing::new(text.unwrap_or_default().into_encoded_bytes());
    if text.trim_ascii().is_empty() {
        return Err(wrong(UNSET));
    }
    let peppers = std::str::from_utf8(&text).ok().and_then(|text| read_peppers(text).ok());
    peppers.ok_or_else(|| wrong(NO_PEPPERS))
}

/// Whether this is surely the name of a variable, and no pepper: in hexadecimal or Base64 one has
/// 22 characters or more, and no capitals with underscores alone.
fn is_name(text: &str) -> bool {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_short = text.len() <= 20 && !text.starts_with(|c: char| c.is_ascii_digit());
    let is_loud = text.len() <= 64
        && text.contains('_')
        && !text.contains(|c: char| c.is_ascii_lowercase())
        && text.starts_with(|c: char| c.is_ascii_uppercase());
    is_plain && !text.is_empty() && secret_in(text).is_none() && (is_short || is_loud)
}

const NO_NAME: &str = "The peppers are in an environment variable, whose NAME is asked for: letters, digits and `_`. What was \
     given is not shown, because it may be the peppers themselves.";
const UNSET: &str = "The environment variable that is to hold the peppers is not set, or empty.";
const NO_PEPPERS: &str = "The environment variable that is to hold the peppers holds none: a line each, a number, a space and 32 \
     bytes in hexadecimal.";

/// Reads peppers: a line each, oldest first, as `<number> <64 hexadecimal digits>`; `#` begins a
/// comment.
///
/// # Errors
/// `InvalidArgument`: a line is something else.
pub fn read_peppers(text: &str) -> Result<Peppers> {
    read("pepper", text)
}

/// The same of secrets that an error calls `what`.
pub(super) fn read(what: &'static str, text: &str) -> Result<Peppers> {
    const LINE: &str = "A secret is written as its number, a space and 32 bytes in hexadecimal.";
    let wrong = |line: &str| {
        let place = (line.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Error::new(ErrorKind::InvalidArgument, LINE)
            .about_place(text.as_bytes(), place)
            .about_text(what)
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
    Peppers::named(what, &peppers)
}

/// The peppers in a file that only its owner may read.
///
/// # Errors
/// `InvalidConfiguration`: others may read it. `WrongPepper`: it is not there. That of
/// [`read_peppers`].
pub fn read_pepper_file(path: &Path) -> Result<Peppers> {
    const IRREGULAR: Error = Error::new(
        ErrorKind::InvalidConfiguration,
        "The pepper file is a pipe, a socket or a device, and must be a file: it is read whenever the store is opened.",
    );
    const MISSING: Error = Error::new(
        ErrorKind::WrongPepper,
        "The pepper file is not there or cannot be read. Restore the one that the store was made with; for a new \
         store, make one with `gatekey pepper add`, or name none: it is then made beside the store.",
    );
    let read = read_private_file(path, 65_536).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => IRREGULAR,
        _ => MISSING,
    });
    let text = read?.ok_or(Error::new(
        ErrorKind::InvalidConfiguration,
        "The pepper file may be read by others; chmod 600 it, and rotate the pepper if they did.",
    ))?;
    read_peppers(std::str::from_utf8(&text).map_err(|_| MISSING)?)
}

/// Adds a random pepper to a file, which is made if it is not there; its number. The new one is the
/// active one for every program that reads the file from now on. Of several processes that add one
/// at once, each adds its own.
///
/// # Errors
/// As [`read_pepper_file`]; `InvalidArgument`: there are 16 already. `StoreReadOnly`, `StoreFull`;
/// then the file is as it was.
pub fn add_pepper(path: &Path) -> Result<u32> {
    check_path(path, "pepper_file")?;
    if make_pepper_file(path)? {
        return Ok(1);
    }
    // The file itself, where its name is a link; and from the look at it until the new one is in
    // its place.
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
pub(crate) fn make_pepper_file(path: &Path) -> Result<bool> {
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
    let secret = random_bytes()?;
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

fn random_bytes() -> Result<Secret> {
    let mut bytes = vec![0; 32];
    SystemRandom.fill(&mut bytes)?;
    Ok(Secret::new(bytes))
}

/// One random pepper, for a store that nothing outlives.
pub(crate) fn random_pepper() -> Result<Peppers> {
    Peppers::new(&[(1, random_bytes()?)])
}
