//! `gk_session_options`: how long sessions live, how they are kept.

use super::boundary::{Outcome, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::sticky::{self, Sticky};
use crate::revocations::RevocationOptions;
use crate::session::SessionOptions;
use libc::{c_char, c_void};

/// How long sessions live and how they are kept: seven days without a refresh, ninety days in all,
/// a grace of ten seconds; what is revoked as in gk_revocation_options_new. Copied by
/// gk_sessions_open and gk_store_sessions.
pub struct gk_session_options(pub(super) Sticky<SessionChoice>);

/// How sessions live, and how what is revoked is followed.
#[derive(Clone)]
pub(super) struct SessionChoice {
    sessions: SessionOptions,
    revocations: RevocationOptions,
}

impl SessionChoice {
    pub(super) fn new() -> Self {
        Self { sessions: SessionOptions::new(), revocations: RevocationOptions::new() }
    }

    /// All that was set.
    pub(super) fn options(&self) -> SessionOptions {
        self.sessions.clone().revocations(self.revocations.clone())
    }
}

/// The usual options.
///
/// @return The options, to be freed with gk_session_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_options_new() -> Option<Box<gk_session_options>> {
    share(|| Some(gk_session_options(Sticky::new(SessionChoice::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_options_free(options: Option<Box<gk_session_options>>) {
    release(options);
}

/// After how long a session ends that is not refreshed.
///
/// Another number is refused by gk_sessions_open.
///
/// @param options The options.
/// @param seconds 1 to 316224000, which is ten years; 604800, which is seven days, unless set. Not
/// less than the signer's tokens live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_refresh_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.refresh_ttl(seconds)));
}

/// After how long a session ends however often it is refreshed.
///
/// Another number is refused by gk_sessions_open.
///
/// @param options The options.
/// @param seconds At most 316224000, which is ten years, and not less than the time between two
/// refreshes; 7776000, which is ninety days, unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_absolute_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.absolute_ttl(seconds)));
}

/// For how long a refresh token that was used gives the same answer again: for clients that lost
/// the first one, and for tabs that ask at the same time.
///
/// More is refused by gk_sessions_open.
///
/// @param options The options.
/// @param seconds At most 60; 10 unless set. 0 takes every second use for a theft.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_grace(
    options: Option<&mut gk_session_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.grace(seconds)));
}

/// As gk_revocation_options_strict, for gk_sessions_revocations.
///
/// @param options The options.
/// @param strict False, the default, means within 50 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_strict(
    options: Option<&mut gk_session_options>,
    strict: bool,
) {
    set_revocations(options, |options| Ok(options.strict(strict)));
}

/// As gk_revocation_options_max_stale, for gk_sessions_revocations.
///
/// More is refused by gk_sessions_open.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_max_stale(
    options: Option<&mut gk_session_options>,
    seconds: u64,
) {
    set_revocations(options, |options| Ok(options.max_stale(seconds)));
}

/// As gk_revocation_options_max_token_ttl, for gk_sessions_revocations. What the signer's tokens
/// live is allowed in any case.
///
/// Another number is refused by gk_sessions_open.
///
/// @param options The options.
/// @param seconds 1 to 316224000, which is ten years; 2592000, which is 30 days, unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_max_token_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
) {
    set_revocations(options, |options| Ok(options.max_token_ttl(seconds)));
}

/// As gk_revocation_options_tenant_claim, for gk_sessions_revocations.
///
/// Another name is refused by gk_sessions_open.
///
/// @param options The options.
/// @param name The claim's name, 1 to 255 bytes of UTF-8; copied. `tenant` unless set.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_tenant_claim(
    options: Option<&mut gk_session_options>,
    name: *const c_char,
    name_len: usize,
) {
    set_revocations(options, |options| Ok(options.tenant_claim(text(name, name_len, "name")?)));
}

/// Takes the time from a callback, for the dates of access tokens and of revocations as well.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_session_options_clock(
    options: Option<&mut gk_session_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// Replaces the options by what the change makes of them.
fn set(
    options: Option<&mut gk_session_options>,
    change: impl FnOnce(SessionOptions) -> Outcome<SessionOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), |mut all| {
        all.sessions = change(all.sessions)?;
        Ok(all)
    });
}

/// [`set`] for how revocations are followed.
fn set_revocations(
    options: Option<&mut gk_session_options>,
    change: impl FnOnce(RevocationOptions) -> Outcome<RevocationOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), |mut all| {
        all.revocations = change(all.revocations)?;
        Ok(all)
    });
}
