//! The one grammar of what names a store, in every language and on the command line.
//!
//! | text | what it names |
//! |---|---|
//! | `sqlite:///auth.sqlite`, `sqlite:////var/lib/auth.sqlite` | a SQLite file: what follows the third slash is its path, relative or absolute |
//! | `auth.sqlite`, `/var/lib/auth.sqlite` | the same |
//! | `memory:` | a store in memory |
//! | `folder:keys`, `folder:/var/lib/keys` | a folder of key rings |
//! | `postgresql://app@db.example/auth` | a schema of a PostgreSQL database ([`PostgresUrl`]) |
//!
//! A path is taken as it stands: nothing in it is percent-decoded. It may end in `?mark=FILE` or
//! `?mark=none`, which says where its mark is ([`Mark`]), with `none` in small letters; there is no
//! other parameter. A scheme is written in small letters or capitals. Refused is what has another
//! scheme, also where it looks like a drive (`C:\auth.sqlite`): a path whose first part has a colon
//! is written `./a:b`.

use crate::error::named::credential_in;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Mark, PostgresUrl};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a text names that says where something is kept: [`str::parse`] reads one, [`ToString`]
/// writes it.
///
/// ```
/// use gatekey::open::StoreUrl;
/// use gatekey::store::Mark;
///
/// let url: StoreUrl = "sqlite:////var/lib/auth.sqlite?mark=none".parse()?;
/// assert_eq!(url, StoreUrl::Sqlite { path: "/var/lib/auth.sqlite".into(), mark: Mark::None });
/// assert!("mysql://localhost/auth".parse::<StoreUrl>().is_err());
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// `memory:`: gone when the process ends.
    Memory,
    /// `sqlite:///path`, or a path.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Where its mark is.
        mark: Mark,
    },
    /// `folder:/path`: key rings, and nothing else.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Where its mark is.
        mark: Mark,
    },
    /// `postgresql://user@host/database`: shared by many machines.
    Postgres(PostgresUrl),
}

impl StoreUrl {
    /// What a path names that is no text, such as one of Python's `pathlib`: a SQLite file,
    /// whatever it looks like.
    ///
    /// # Errors
    /// `InvalidArgument`: the path could not be written in a URL.
    pub fn of_path(path: &Path) -> Result<Self> {
        let text = path.to_str().ok_or(argument(NOT_TEXT))?;
        printable(text)?;
        if text.contains('?') {
            return Err(argument(PARAMETERS));
        }
        sqlite(text)
    }

    /// The path, where it has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory | Self::Postgres(_) => None,
            Self::Sqlite { path, .. } | Self::Folder { path, .. } => Some(path),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        printable(text)?;
        let Some((scheme, rest)) = scheme(text) else {
            return if text.contains("://") { Err(argument(UNKNOWN)) } else { sqlite(text) };
        };
        match (scheme.to_ascii_lowercase().as_str(), rest) {
            ("memory", "") => Ok(Self::Memory),
            ("memory", _) => Err(argument(MEMORY)),
            ("sqlite", _) => sqlite(rest.strip_prefix("///").ok_or(argument(SLASHES))?),
            ("folder", _) => folder(rest),
            ("postgres" | "postgresql", _) => text.parse().map(Self::Postgres),
            ("redis" | "rediss" | "valkey" | "valkeys", _) => {
                Err(Error::new(ErrorKind::Unsupported, NOT_BUILT))
            }
            _ => Err(argument(UNKNOWN)),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, mark) = match self {
            Self::Memory => return f.write_str("memory:"),
            Self::Postgres(url) => return url.fmt(f),
            Self::Sqlite { path, mark } => ("sqlite:///", path, mark),
            Self::Folder { path, mark } => ("folder:", path, mark),
        };
        write!(f, "{scheme}{}", path.display())?;
        match mark {
            Mark::Beside => Ok(()),
            Mark::At(mark) => write!(f, "?mark={}", mark.display()),
            Mark::None => f.write_str("?mark=none"),
        }
    }
}

const API_KEY: &str = "This is an API key, which is not shown, and no store; a store is sqlite:///path, a path or memory:. Look \
     whether two arguments changed places.";
const TOKEN: &str = "This is a token (JWT), which is not shown, and no store; a store is sqlite:///path, a path or memory:. \
     Look whether two arguments changed places.";
const KEY: &str = "This is a key (PEM or JWK), which is not shown, and no store; a store is sqlite:///path, a path or memory:. \
     Look whether two arguments changed places.";
const FORMS: &str = "A store is sqlite:///relative/path, sqlite:////absolute/path, a path (SQLite as well) or memory:; key \
     rings may also lie in folder:/path. Nothing was given.";
const UNKNOWN: &str = "The scheme is not known: a store is sqlite:///path, postgresql://user@host/database, a path or memory:, key rings \
     may be in folder:/path. A path with a colon in it is ./a:b.";
const SLASHES: &str = "A SQLite store is sqlite:/// and its path: sqlite:///relative/path or sqlite:////absolute/path.";
const MEMORY: &str =
    "A store in memory is memory: and nothing else; a file of that name is ./memory:.";
const NOT_BUILT: &str = "gatekey has no store in Redis or Valkey; it has postgresql://user@host/database, sqlite:///path, memory: and, for \
     key rings, folder:/path.";
const PARAMETERS: &str = "A store's URL may end in ?mark=FILE or ?mark=none and has no other parameter; its path holds none of ?, # \
     and &.";
const NONE: &str =
    "No mark is written ?mark=none, in small letters; a file of that name is ?mark=./NONE.";
const NO_FILE: &str = "The path of a SQLite store is that of a file; a folder holds key rings and is written folder:/path.";
const NO_FOLDER: &str =
    "A folder of key rings is folder: and its path, such as folder:/var/lib/keys or folder:keys.";
const PRINTABLE: &str =
    "What names a store holds a control character, or begins or ends with a space.";
const NOT_TEXT: &str = "The path of a store is UTF-8.";

const fn argument(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

fn printable(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(argument(FORMS));
    }
    match credential_in(text) {
        Some("an API key") => return Err(argument(API_KEY)),
        Some("a token (JWT)") => return Err(argument(TOKEN)),
        Some("a key in PEM" | "a JWK or other JSON") => return Err(argument(KEY)),
        _ => {}
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(argument(PRINTABLE));
    }
    Ok(())
}

/// The scheme (RFC 3986 section 3.1), and what follows its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme.then_some((scheme, rest))
}

fn sqlite(rest: &str) -> Result<StoreUrl> {
    let (path, mark) = marked(rest)?;
    if path == ":memory:" {
        return Err(argument(MEMORY));
    }
    if path.is_empty() {
        return Err(argument(SLASHES));
    }
    let is_folder = path.ends_with('/') || matches!(path.rsplit('/').next(), Some("." | ".."));
    if is_folder {
        return Err(argument(NO_FILE));
    }
    Ok(StoreUrl::Sqlite { path: path.into(), mark })
}

fn folder(rest: &str) -> Result<StoreUrl> {
    let (path, mark) = marked(rest)?;
    if path.is_empty() || path.starts_with("//") {
        return Err(argument(NO_FOLDER));
    }
    // The mark lies beside the folder, not in it.
    let trimmed = path.trim_end_matches('/');
    let path = if trimmed.is_empty() { path } else { trimmed };
    Ok(StoreUrl::Folder { path: path.into(), mark })
}

/// A path, and where its mark is.
fn marked(text: &str) -> Result<(&str, Mark)> {
    let (path, parameters) = match text.split_once('?') {
        None => (text, None),
        Some((path, parameters)) => (path, Some(parameters)),
    };
    let mark = match parameters.map(|parameters| parameters.strip_prefix("mark=")) {
        None => Mark::Beside,
        Some(Some("none")) => Mark::None,
        Some(Some(file)) if file.eq_ignore_ascii_case("none") => return Err(argument(NONE)),
        Some(Some(file)) if !file.is_empty() && !file.ends_with('/') => Mark::At(file.into()),
        Some(_) => return Err(argument(PARAMETERS)),
    };
    let is_odd = |part: &str| part.contains(['?', '#', '&']);
    if is_odd(path) || matches!(&mark, Mark::At(file) if file.to_str().is_none_or(is_odd)) {
        return Err(argument(PARAMETERS));
    }
    Ok((path, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        for text in [
            "memory:",
            "sqlite:///a.sqlite",
            "sqlite:////a/b.sqlite?mark=none",
            "sqlite:///a?mark=/other/a.mark",
            "folder:/keys",
            "folder:keys?mark=none",
            "postgresql://app@db.example:5432/auth?schema=keys",
        ] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn messages_are_short() {
        for message in [
            API_KEY, TOKEN, KEY, FORMS, UNKNOWN, SLASHES, MEMORY, NOT_BUILT, PARAMETERS, NONE,
            NO_FILE, NO_FOLDER, PRINTABLE, NOT_TEXT,
        ] {
            assert!(message.len() <= Error::MAX_MESSAGE, "{message}");
        }
    }
}
