//! Cookies, as a browser reads them, and the check for forged requests.

mod browser;
mod cookies;
mod csrf;
