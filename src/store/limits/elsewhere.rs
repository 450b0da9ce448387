//! Where there is no table yet: a system without `mmap`. Each process counts for itself.

use super::{LimitPlace, LimitTable};
use crate::error::{Error, ErrorKind, Result};
use portable_atomic::AtomicU128;
use std::path::{Path, PathBuf};

pub(super) struct Opened;

impl Opened {
    pub(super) fn is_there(&self, _: &Path) -> bool {
        true
    }
}

pub(super) struct Mapped;

impl Mapped {
    pub(super) fn cells(&self) -> &[AtomicU128] {
        &[]
    }
}

const UNSUPPORTED: Error = Error::new(
    ErrorKind::Unsupported,
    "Rate limits are shared between processes on Unix alone: each process counts for itself.",
);

pub(super) fn open(_: &LimitPlace, _: u64) -> Result<LimitTable> {
    Err(UNSUPPORTED)
}

pub(super) fn open_folder(_: &Path) -> Result<PathBuf> {
    Err(UNSUPPORTED)
}
