//! Layer 4: what a user-facing service needs around its tokens: cookies that hold them, and the check
//! that a request was not forged from another site.

mod cookie;
mod csrf;
mod token;

pub use cookie::{Cookie, CookieBuilder, SameSite};
pub use csrf::{Csrf, CsrfRequest};
