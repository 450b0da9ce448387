//! Layer 4: what a user-facing service needs around its tokens: sessions that are refreshed and ended, what
//! is revoked, keys that rotate, cookies that hold tokens, and the check that a request was not forged from
//! another site.

mod admin;
mod csrf;
mod life;
mod peppers;
#[cfg(feature = "sqlite")]
mod restore;
mod revoke;
mod ring;
mod seal;
mod sessions;
mod token;

pub use csrf::{Csrf, CsrfRequest};
pub use revoke::{RevocationOptions, Revocations, RevokeScope};
pub use ring::{KeyRing, KeyRingOptions, RingKey, RingKeyState};
pub use sessions::{SessionOptions, SessionSpec, SessionTokens, Sessions};
