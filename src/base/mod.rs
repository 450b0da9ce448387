//! Layer 0: strict, bounded, wiped. No domain words and no I/O beyond the clock and the system's
//! random number generator, each behind a trait.

pub(crate) mod b62;
pub(crate) mod b64;
pub(crate) mod backoff;
pub mod clock;
#[cfg(unix)]
pub(crate) mod descriptors;
pub(crate) mod follow;
pub(crate) mod hex;
pub(crate) mod http_date;
pub mod json;
pub(crate) mod pace;
pub(crate) mod prefetch;
pub(crate) mod presented;
pub(crate) mod process;
pub(crate) mod random;
pub mod reach;
pub(crate) mod secret;
mod steady;
pub(crate) mod text;
pub(crate) mod ticker;
pub(crate) mod url;
