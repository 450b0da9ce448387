//! The tokens of other servers in a folder that only its owner may read (0700, its files 0600). A
//! file is replaced whole or not at all; a lock file beside it lets one process at a time refresh.

use super::file_lock::FileLock;
use super::folder::{fault, open_private_folder};
use super::private_file::{read_private_file, replace_private_file, sync_folder};
use super::tokens::{LOCK_HELD, TokenStore};
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::error::named::check_path;
use crate::error::{Error, ErrorKind, Result};
use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

/// The longest text that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A folder of tokens.
#[derive(Debug)]
pub struct TokenFolder {
    path: PathBuf,
}

impl TokenFolder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// `InvalidArgument`: the path is a token or a key, given by mistake. `InvalidConfiguration`:
    /// others may read it. `StoreUnavailable`, `StoreReadOnly`,
    /// `StoreFull`: it cannot be opened or made.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        check_path(path, "folder")?;
        Ok(Self { path: open_private_folder(path)? })
    }

    /// A file for this name: small letters and digits as they are, everything else as hexadecimal,
    /// so that two names have two files where the file system takes `A` for `a` as well.
    fn place(&self, name: &str, ending: &str) -> Result<PathBuf> {
        let mut file = String::with_capacity(name.len() + ending.len());
        for byte in name.bytes() {
            if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' {
                file.push(char::from(byte));
            } else {
                file.push('_');
                file.push_str(&crate::base::hex::encode(&[byte]));
            }
        }
        file.push_str(ending);
        if name.is_empty() || file.len() > 230 {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "A name that tokens are kept under is not empty, and short enough for a file's.",
            ));
        }
        Ok(self.path.join(file))
    }
}

impl TokenStore for TokenFolder {
    fn load(&self, name: &str) -> Result<Option<Secret>> {
        beyond_memory()?;
        match read_private_file(&self.place(name, ".tokens")?, LONGEST) {
            Ok(Some(text)) => Ok(Some(Secret::new(text.to_vec()))),
            Ok(None) => Err(OPEN_TO_OTHERS),
            Err(error) if error.kind() == Io::NotFound => Ok(None),
            Err(error) => Err(fault(&error)),
        }
    }

    fn save(&self, name: &str, text: &Secret) -> Result<()> {
        beyond_memory()?;
        let place = self.place(name, ".tokens")?;
        replace_private_file(&place, text.expose()).map_err(|error| fault(&error))
    }

    fn remove(&self, name: &str) -> Result<()> {
        beyond_memory()?;
        match fs::remove_file(self.place(name, ".tokens")?) {
            Err(error) if error.kind() == Io::NotFound => Ok(()),
            removed => {
                removed.and_then(|()| sync_folder(&self.path)).map_err(|error| fault(&error))
            }
        }
    }

    /// A lock on a file of its own, which ends with the process that holds it.
    fn lock(&self, name: &str) -> Result<Box<dyn Send>> {
        beyond_memory()?;
        match FileLock::at(&self.place(name, ".lock")?) {
            Ok(held) => Ok(Box::new(held)),
            Err(error) if error.kind() == Io::TimedOut => Err(LOCK_HELD),
            Err(error) => Err(fault(&error)),
        }
    }

    fn try_lock(&self, name: &str) -> Result<Option<Box<dyn Send>>> {
        beyond_memory()?;
        let held = FileLock::try_at(&self.place(name, ".lock")?).map_err(|error| fault(&error))?;
        Ok(held.map(|held| Box::new(held) as Box<dyn Send>))
    }
}

const OPEN_TO_OTHERS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of the tokens may be read by others; chmod 600 it, and revoke the tokens.",
);
