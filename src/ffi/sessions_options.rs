//! `gk_session_options`: how long sessions live, how they are kept, and where the peppers come from.

use super::boundary::{Outcome, given, guard, release, share, slice, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::error::gk_error;
use super::pepper::PepperChoice;
use super::status::gk_status;
use crate::{RevocationOptions, SessionOptions};
use libc::{c_char, c_void};

/// How long sessions live and how they are kept: seven days without a refresh, ninety days in all, a grace
/// of ten seconds, the pepper in a file beside the store; what is revoked as in gk_revocation_options_new.
/// Copied by gk_sessions_open.
pub struct gk_session_options {
    sessions: SessionOptions,
    revocations: RevocationOptions,
    pub(super) peppers: PepperChoice,
}

impl gk_session_options {
    /// All that was set but the peppers.
    pub(super) fn options(&self) -> SessionOptions {
        self.sessions.clone().revocations(self.revocations.clone())
    }
}

/// The usual options.
///
/// @return The options, to be freed with gk_session_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_session_options_new() -> Option<Box<gk_session_options>> {
    share(|| {
        Some(gk_session_options {
            sessions: SessionOptions::new(),
            revocations: RevocationOptions::new(),
            peppers: PepperChoice::default(),
        })
    })
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
/// @param options The options.
/// @param seconds 1 to 316224000, which is ten years; 604800, which is seven days, unless set. Not less than
/// the signer's tokens live.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; another number is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_refresh_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.refresh_ttl(seconds)))
}

/// After how long a session ends however often it is refreshed.
///
/// @param options The options.
/// @param seconds At most 316224000, which is ten years, and not less than the time between two refreshes;
/// 7776000, which is ninety days, unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; another number is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_absolute_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.absolute_ttl(seconds)))
}

/// For how long a refresh token that was used gives the same answer again: for clients that lost the first
/// one, and for tabs that ask at the same time.
///
/// @param options The options.
/// @param seconds At most 60; 10 unless set. 0 takes every second use for a theft.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; more is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_grace(
    options: Option<&mut gk_session_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.grace(seconds)))
}

/// As gk_revocation_options_strict, for gk_sessions_revocations.
///
/// @param options The options.
/// @param strict False, the default, means within 50 ms.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_strict(
    options: Option<&mut gk_session_options>,
    strict: bool,
    err: *mut gk_error,
) -> gk_status {
    set_revocations(options, err, |options| Ok(options.strict(strict)))
}

/// As gk_revocation_options_max_stale, for gk_sessions_revocations.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; more is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_max_stale(
    options: Option<&mut gk_session_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set_revocations(options, err, |options| Ok(options.max_stale(seconds)))
}

/// As gk_revocation_options_max_token_ttl, for gk_sessions_revocations. What the signer's tokens live is
/// allowed in any case.
///
/// @param options The options.
/// @param seconds 1 to 316224000, which is ten years; 2592000, which is 30 days, unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; another number is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_max_token_ttl(
    options: Option<&mut gk_session_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set_revocations(options, err, |options| Ok(options.max_token_ttl(seconds)))
}

/// As gk_revocation_options_tenant_claim, for gk_sessions_revocations.
///
/// @param options The options.
/// @param name The claim's name, 1 to 255 bytes of UTF-8; copied. `tenant` unless set.
/// @param name_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; another name is refused by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_tenant_claim(
    options: Option<&mut gk_session_options>,
    name: *const c_char,
    name_len: usize,
    err: *mut gk_error,
) -> gk_status {
    set_revocations(options, err, |options| Ok(options.tenant_claim(text(name, name_len, "name")?)))
}

/// Takes the time from a callback, for the dates of access tokens and of revocations as well.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called even if no sessions are opened, but not if this call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_clock(
    options: Option<&mut gk_session_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.clock(clock(now, user, release)?)))
}

/// Adds a pepper; several calls go from the oldest to the active one. Losing it is losing the sessions.
///
/// @param options The options.
/// @param number Its number, from 1.
/// @param pepper At least 16 bytes; copied.
/// @param pepper_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what is wrong with peppers is told by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_pepper(
    options: Option<&mut gk_session_options>,
    number: u32,
    pepper: *const u8,
    pepper_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let pepper = slice(pepper, pepper_len, "pepper")?;
        given(options, "options")?.peppers.add(number, pepper);
        Ok(())
    })
}

/// Takes the peppers from a file that only its owner may read: a line each, the number, a space and 32
/// bytes in hexadecimal.
///
/// @param options The options.
/// @param path The file's path; copied.
/// @param path_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what is wrong with the file is told by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_pepper_file(
    options: Option<&mut gk_session_options>,
    path: *const c_char,
    path_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let path = text(path, path_len, "path")?;
        given(options, "options")?.peppers.file(path);
        Ok(())
    })
}

/// Takes the peppers from an environment variable, written as in a file.
///
/// @param options The options.
/// @param name The variable's name; copied.
/// @param name_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what is wrong with the variable is told by gk_sessions_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_session_options_pepper_env(
    options: Option<&mut gk_session_options>,
    name: *const c_char,
    name_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let name = text(name, name_len, "name")?;
        given(options, "options")?.peppers.env(name);
        Ok(())
    })
}

/// Replaces the options by what the change makes of them.
///
/// # Safety
/// `err` as in [`guard`].
unsafe fn set(
    options: Option<&mut gk_session_options>,
    err: *mut gk_error,
    change: impl FnOnce(SessionOptions) -> Outcome<SessionOptions>,
) -> gk_status {
    guard(err, || {
        let options = given(options, "options")?;
        options.sessions = change(options.sessions.clone())?;
        Ok(())
    })
}

/// [`set`] for how revocations are followed.
///
/// # Safety
/// `err` as in [`guard`].
unsafe fn set_revocations(
    options: Option<&mut gk_session_options>,
    err: *mut gk_error,
    change: impl FnOnce(RevocationOptions) -> Outcome<RevocationOptions>,
) -> gk_status {
    guard(err, || {
        let options = given(options, "options")?;
        options.revocations = change(options.revocations.clone())?;
        Ok(())
    })
}
