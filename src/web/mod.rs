//! Layer 3: what a browser needs around tokens: cookies that hold them (RFC 6265bis), and the check
//! that a request was not forged from another site.

mod cookie;
mod csrf;
mod origin;

pub(crate) use cookie::read_cookies;
pub use cookie::{Cookie, CookieBuilder, SameSite};
pub use csrf::{Csrf, CsrfRequest};
pub(crate) use origin::Origins;
