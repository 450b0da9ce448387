//! What goes around sessions: cookies and the check for forged requests.

mod browser;
mod cookies;
mod csrf;
