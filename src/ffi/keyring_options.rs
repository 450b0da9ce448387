//! `gk_key_ring_options`: how a ring is kept and followed, and where its peppers come from.

use super::alg::gk_alg;
use super::boundary::{Outcome, alg, given, guard, release, share, slice, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::error::gk_error;
use super::pepper::PepperChoice;
use super::status::gk_status;
use crate::KeyRingOptions;
use libc::{c_char, c_void};

/// How a ring is kept and followed: the name `default`, ES256 keys, tokens that live for at most 15
/// minutes, a store that may be silent for 30 seconds; sealed under the pepper in a file beside the store,
/// or not sealed in a folder. Copied by gk_key_ring_open.
pub struct gk_key_ring_options {
    pub(super) options: KeyRingOptions,
    pub(super) peppers: PepperChoice,
}

/// The usual options.
///
/// @return The options, to be freed with gk_key_ring_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_options_new() -> Option<Box<gk_key_ring_options>> {
    share(|| {
        let options = KeyRingOptions::new();
        Some(gk_key_ring_options { options, peppers: PepperChoice::default() })
    })
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_options_free(options: Option<Box<gk_key_ring_options>>) {
    release(options);
}

/// The ring's name in its store or folder.
///
/// @param options The options.
/// @param name 1 to 64 small letters, digits and hyphens; copied. `default` unless set.
/// @param name_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; a name of another form is refused by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_name(
    options: Option<&mut gk_key_ring_options>,
    name: *const c_char,
    name_len: usize,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.name(text(name, name_len, "name")?)))
}

/// The algorithm of new keys; those that are there keep theirs.
///
/// @param options The options.
/// @param alg One of the GK_ALG_ constants but GK_ALG_ANY; GK_ALG_ES256 unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_alg(
    options: Option<&mut gk_key_ring_options>,
    alg: gk_alg,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.alg(self::alg(alg)?)))
}

/// How long the tokens live that the ring's keys sign: so long, and 600 seconds more, a retired key is
/// still good.
///
/// @param options The options.
/// @param seconds 1 to 31622400, which is a year; 900 unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; another number is refused by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_token_ttl(
    options: Option<&mut gk_key_ring_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.token_ttl(seconds)))
}

/// For how long the keys are used while their store is out of reach.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; more is refused by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_max_stale(
    options: Option<&mut gk_key_ring_options>,
    seconds: u64,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.max_stale(seconds)))
}

/// Takes the time from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called even if no ring is opened, but not if this call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_clock(
    options: Option<&mut gk_key_ring_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
    err: *mut gk_error,
) -> gk_status {
    set(options, err, |options| Ok(options.clock(clock(now, user, release)?)))
}

/// Adds a pepper; several calls go from the oldest to the active one. Losing it is losing the ring.
///
/// @param options The options.
/// @param number Its number, from 1.
/// @param pepper At least 16 bytes; copied.
/// @param pepper_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what is wrong with peppers is told by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_pepper(
    options: Option<&mut gk_key_ring_options>,
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
/// @return GK_STATUS_OK; what is wrong with the file is told by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_pepper_file(
    options: Option<&mut gk_key_ring_options>,
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
/// @return GK_STATUS_OK; what is wrong with the variable is told by gk_key_ring_open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_options_pepper_env(
    options: Option<&mut gk_key_ring_options>,
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
    options: Option<&mut gk_key_ring_options>,
    err: *mut gk_error,
    change: impl FnOnce(KeyRingOptions) -> Outcome<KeyRingOptions>,
) -> gk_status {
    guard(err, || {
        let options = given(options, "options")?;
        options.options = change(options.options.clone())?;
        Ok(())
    })
}
