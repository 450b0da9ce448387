//! The tokens of other servers in a folder that only its owner may read (0700, its files 0600). A file is replaced
//! whole or not at all; a lock file beside it lets one process at a time refresh.

use super::folder::{fault, open_private_folder};
use super::private_file::{read_private_file, write_private_file};
use super::tokens::TokenStore;
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest text that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// How long a process waits for another that refreshes: longer than any request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of tokens.
#[derive(Debug)]
pub struct TokenFolder {
    path: PathBuf,
}

impl TokenFolder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// `InvalidConfiguration`: others may read it. `StoreUnavailable`, `StoreReadOnly`, `StoreFull`: it cannot be
    /// opened or made.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { path: open_private_folder(path.as_ref())? })
    }

    /// A file for this name: letters and digits as they are, everything else as hexadecimal.
    fn place(&self, name: &str, ending: &str) -> Result<PathBuf> {
        let mut file = String::with_capacity(name.len() + ending.len());
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                file.push(char::from(byte));
            } else {
                file.push('_');
                file.push_str(&crate::base::hex::encode(&[byte]));
            }
        }
        file.push_str(ending);
        if name.is_empty() || file.len() > 200 {
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
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let place = self.place(name, ".tokens")?;
        let unique = (crate::base::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let beside = self.path.join(format!(".{}.{}", unique.0, unique.1));
        // Of a process of the same number, before a crash.
        let _ = fs::remove_file(&beside);
        let placed = write_private_file(&beside, text.expose())
            .and_then(|()| fs::rename(&beside, &place))
            .and_then(|()| File::open(&self.path)?.sync_all());
        placed.map_err(|error| {
            let _ = fs::remove_file(&beside);
            fault(&error)
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        beyond_memory()?;
        match fs::remove_file(self.place(name, ".tokens")?) {
            Err(error) if error.kind() != Io::NotFound => Err(fault(&error)),
            _ => Ok(()),
        }
    }

    /// A lock on a file of its own, which ends with the process that holds it.
    fn lock(&self, name: &str) -> Result<Box<dyn Send>> {
        beyond_memory()?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let place = self.place(name, ".lock")?;
        let file = options.open(place).map_err(|error| fault(&error))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(HELD),
                Err(TryLockError::Error(error)) => return Err(fault(&error)),
            }
        }
    }
}

const OPEN_TO_OTHERS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The file of the tokens may be read by others; chmod 600 it, and revoke the tokens.",
);
const HELD: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "Another process has been refreshing these tokens for 30 seconds; see what it waits for.",
);
