//! The passphrase of an encrypted private key: asked for where it was not given, and told apart
//! from a file that cannot be read.

use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of a passphrase.
const MAX_LEN: usize = 1024;

/// The passphrase that a key is encrypted with.
pub(super) fn needed(given: Option<&Secret>) -> Result<&Secret> {
    let passphrase = given.ok_or(REQUIRED)?;
    match passphrase.expose().len() {
        0 => Err(EMPTY),
        1..=MAX_LEN => Ok(passphrase),
        _ => Err(TOO_LONG),
    }
}

const REQUIRED: Error = Error::new(
    ErrorKind::PassphraseRequired,
    "The private key is encrypted; give its passphrase, with the option `passphrase`.",
);
const EMPTY: Error = Error::new(
    ErrorKind::PassphraseRequired,
    "The private key is encrypted and the `passphrase` given is empty.",
);
const TOO_LONG: Error =
    Error::new(ErrorKind::InvalidArgument, "A `passphrase` may have at most 1024 bytes.");
pub(super) const WRONG: Error = Error::new(
    ErrorKind::WrongPassphrase,
    "The `passphrase` is not that of the private key, or the key was damaged.",
);
