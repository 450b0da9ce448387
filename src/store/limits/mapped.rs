//! The memory of a table: a file that is mapped, as words that change atomically.
//!
//! The one file of the store with `unsafe`: no safe interface can promise that no process makes a
//! mapped file shorter. Doing so gets a process that uses it killed (SIGBUS) if it counts a request
//! before its next look at the file, which comes within 25 ms of requests and a second without any,
//! and maps another; it causes no wrong answer. Only a signal handler could prevent that, which a
//! library leaves to the program. A file is never mapped beyond its end, and its blocks are
//! reserved first, so that a full disk kills no process. Other processes change the words at any
//! time, which is what atomics are for; every value of a word is a good one.

#![allow(unsafe_code, reason = "a mapping has no safe form; see above")]

use portable_atomic::AtomicU128;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;

/// How the file is opened: no link is followed, and nothing is waited for.
pub(super) const OPENED: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
/// What opening it so says of a link.
pub(super) const IS_A_LINK: i32 = libc::ELOOP;

/// Where the entries begin: the first page of a file is its header, whatever the page's size.
pub(super) const HEADER: usize = 65_536;
/// Bytes of an entry.
pub(super) const ENTRY: usize = size_of::<AtomicU128>();

/// A mapped file.
pub(super) struct Mapped {
    start: NonNull<AtomicU128>,
    count: usize,
}

// SAFETY: what it points to is shared between processes, and so between threads: atomics alone.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps `count` entries of a file that is at least as long. A child that is forked shares them.
    pub(super) fn new(file: &File, count: usize) -> Result<Self> {
        let length = count.checked_mul(ENTRY).filter(|length| *length > 0);
        let length = length.ok_or(ErrorKind::InvalidInput)?;
        let end = HEADER.checked_add(length).ok_or(ErrorKind::InvalidInput)?;
        if file.metadata()?.len() < end as u64 || !AtomicU128::is_lock_free() {
            return Err(ErrorKind::InvalidInput.into());
        }
        reserve(file, end)?;
        let offset = libc::off_t::try_from(HEADER).map_err(|_| ErrorKind::InvalidInput)?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping where the system likes to put it touches no memory of ours; the
        // descriptor is open, and the file, looked at just now, has all these bytes.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, flags, file.as_raw_fd(), offset)
        };
        if start == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(ErrorKind::InvalidData)?;
        Ok(Self { start, count })
    }

    /// The entries.
    #[inline]
    pub(super) fn cells(&self) -> &[AtomicU128] {
        // SAFETY: mapped in `new` for this number of entries and until `drop`; a page's start is
        // aligned for them, any bytes are a good value, and they are only ever reached through
        // atomics, here and in other processes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

/// Has the file system set blocks aside for all of the file: one that was copied may have holes,
/// which a full disk has no room for when they are first written to. Where it cannot, it need not.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve(file: &File, end: usize) -> Result<()> {
    let end = libc::off_t::try_from(end).map_err(|_| ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open. What is in the file stays, and its length, which is `end` at
    // least.
    if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, end) } == 0 {
        return Ok(());
    }
    match Error::last_os_error() {
        error if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// There is no call for it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
const fn reserve(_: &File, _: usize) -> Result<()> {
    Ok(())
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: what was mapped in `new`, with the same length; nothing that `cells` lent is
        // left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.count * ENTRY) };
    }
}
