//! gatekey: API authentication in one audited core.

mod crypto;
mod error;

pub(crate) mod base;
pub use base::clock::{Clock, FixedClock, SystemClock};
pub use base::json;
pub use base::random::{SecureRandom, SystemRandom};
pub use base::secret::Secret;
pub use error::{Error, ErrorKind, Result};
