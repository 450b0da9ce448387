//! A lock between processes on a file (`flock`): held around "read, then replace", so that no other
//! process's change is lost. It ends with the process that holds it.
//!
//! A fork copies the descriptor, and a copy keeps such a lock for as long as it is open. So a child
//! closes it at once ([`OnlyHere`]), and who dies lets go of the lock; and the guard lets go by an
//! explicit unlock, which ends the lock for every copy that a bare system call has made.

#[cfg(unix)]
pub(super) use crate::base::descriptors::OnlyHere;
#[cfg(unix)]
use crate::base::process::WITHOUT_WAITING;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a process waits for another: longer than any request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lock of a file, until it is dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: OnlyHere<File>,
}

#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct OnlyHere<T>(T);

#[cfg(not(unix))]
impl<T> OnlyHere<T> {
    pub(super) fn open<E>(
        open: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<Self, E> {
        open().map(Self)
    }

    pub(super) const fn get(&self) -> Option<&T> {
        Some(&self.0)
    }

    #[cfg(feature = "sqlite")]
    pub(super) const fn get_mut(&mut self) -> Option<&mut T> {
        Some(&mut self.0)
    }
}

impl FileLock {
    /// Locks a file or folder that is there, such as a file that is about to be replaced.
    ///
    /// # Errors
    /// Those of the operating system; `TimedOut`: another process has held it for 30 seconds.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, WITHOUT_WAITING);
        Self::take(path, &options, PATIENCE)
    }

    /// Locks a file that is there for that alone, and is made if it is not.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) fn at(path: &Path) -> Result<Self> {
        Self::take(path, &Self::own_file(), PATIENCE)
    }

    /// As [`Self::at`], without waiting: `None` while another process holds it.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn try_at(path: &Path) -> Result<Option<Self>> {
        match Self::take(path, &Self::own_file(), Duration::ZERO) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            taken => taken.map(Some),
        }
    }

    fn own_file() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
    }

    fn take(path: &Path, options: &OpenOptions, patience: Duration) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let held = Self { file: OnlyHere::open(|| options.open(path))? };
            wait(held.file.get().ok_or(ErrorKind::Interrupted)?, begun, patience)?;
            // Who held it before may have put another file in its place, which others lock by now.
            if held.is_still(path) {
                return Ok(held);
            }
        }
    }

    #[cfg(unix)]
    fn is_still(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (self.file.get().map(File::metadata), std::fs::metadata(path)) {
            (Some(Ok(ours)), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false, // and opening it again says why
        }
    }

    #[cfg(not(unix))]
    fn is_still(&self, _: &Path) -> bool {
        true
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // In a child it is the parent's lock still.
        if let Some(file) = self.file.get() {
            let _ = file.unlock(); // closing it does the same, where there is no copy
        }
    }
}

/// Tries about once a millisecond, since a wait in the system would have no end.
fn wait(file: &File, begun: Instant, patience: Duration) -> Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return Err(Error::from(ErrorKind::TimedOut)),
        }
    }
}
