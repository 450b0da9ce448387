//! Layer 4: sessions: an access token that is verified without a look-up, and a refresh token that
//! is good once; how they are started, refreshed, listed and ended (RFC 6749 section 1.5, RFC 9700
//! section 4.14).

mod admin;
mod cookies;
mod grace;
mod life;
mod others;
mod peppers;
#[cfg(feature = "sqlite")]
mod restore;
mod seal;
mod sessions;
mod token;

pub use cookies::{SentCookies, SessionCookies, SessionCookiesBuilder};
pub use sessions::{SessionOptions, SessionSpec, SessionTokens, Sessions};

/// What sessions and their history look like, as [`Sessions`] hands them out.
pub use crate::store::{
    Page, SessionEnd, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord,
};
