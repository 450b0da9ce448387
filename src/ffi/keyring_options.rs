//! `gk_key_ring_options`: how a ring is kept and followed, and where its peppers come from.

use super::alg::gk_alg;
use super::boundary::{Outcome, alg, release, share, slice, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::pepper::{PepperChoice, WithPeppers};
use super::sticky::{self, Sticky};
use crate::KeyRingOptions;
use libc::{c_char, c_void};

/// How a ring is kept and followed: the name `default`, ES256 keys, tokens that live for at most 15
/// minutes, a store that may be silent for 30 seconds; sealed under the pepper in a file beside the
/// store, or not sealed in a folder. Copied by gk_key_ring_open.
pub struct gk_key_ring_options(pub(super) Sticky<WithPeppers<KeyRingOptions>>);

/// The usual options.
///
/// @return The options, to be freed with gk_key_ring_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_options_new() -> Option<Box<gk_key_ring_options>> {
    share(|| Some(gk_key_ring_options(Sticky::new(WithPeppers::new(KeyRingOptions::new())))))
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
/// A name of another form is refused by gk_key_ring_open.
///
/// @param options The options.
/// @param name 1 to 64 small letters, digits and hyphens; copied. `default` unless set.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_name(
    options: Option<&mut gk_key_ring_options>,
    name: *const c_char,
    name_len: usize,
) {
    set(options, |options| Ok(options.name(text(name, name_len, "name")?)));
}

/// The algorithm of new keys; those that are there keep theirs.
///
/// @param options The options.
/// @param alg One of the GK_ALG_ constants but GK_ALG_ANY; GK_ALG_ES256 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_alg(
    options: Option<&mut gk_key_ring_options>,
    alg: gk_alg,
) {
    set(options, |options| Ok(options.alg(self::alg(alg)?)));
}

/// How long the tokens live that the ring's keys sign: so long, and 600 seconds more, a retired key
/// is still good.
///
/// Another number is refused by gk_key_ring_open.
///
/// @param options The options.
/// @param seconds 1 to 31622400, which is a year; 900 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_token_ttl(
    options: Option<&mut gk_key_ring_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.token_ttl(seconds)));
}

/// For how long the keys are used while their store is out of reach.
///
/// More is refused by gk_key_ring_open.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_max_stale(
    options: Option<&mut gk_key_ring_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_stale(seconds)));
}

/// Takes the time from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_clock(
    options: Option<&mut gk_key_ring_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// Adds a pepper; several calls go from the oldest to the active one. Losing it is losing the ring.
///
/// What is wrong with peppers is told by gk_key_ring_open.
///
/// @param options The options.
/// @param number Its number, from 1.
/// @param pepper At least 16 bytes; copied.
/// @param pepper_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_pepper(
    options: Option<&mut gk_key_ring_options>,
    number: u32,
    pepper: *const u8,
    pepper_len: usize,
) {
    change(options, |peppers| {
        let pepper = slice(pepper, pepper_len, "pepper")?;
        peppers.add(number, pepper);
        Ok(())
    });
}

/// Takes the peppers from a file that only its owner may read: a line each, the number, a space and
/// 32 bytes in hexadecimal.
///
/// What is wrong with the file is told by gk_key_ring_open.
///
/// @param options The options.
/// @param path The file's path; copied.
/// @param path_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_pepper_file(
    options: Option<&mut gk_key_ring_options>,
    path: *const c_char,
    path_len: usize,
) {
    change(options, |peppers| {
        let path = text(path, path_len, "path")?;
        peppers.file(path);
        Ok(())
    });
}

/// Takes the peppers from an environment variable, written as in a file.
///
/// What is wrong with the variable is told by gk_key_ring_open.
///
/// @param options The options.
/// @param name The variable's name; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_pepper_env(
    options: Option<&mut gk_key_ring_options>,
    name: *const c_char,
    name_len: usize,
) {
    change(options, |peppers| {
        let name = text(name, name_len, "name")?;
        peppers.env(name);
        Ok(())
    });
}

/// Replaces the options by what the change makes of them.
fn set(
    options: Option<&mut gk_key_ring_options>,
    change: impl FnOnce(KeyRingOptions) -> Outcome<KeyRingOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), |all| {
        Ok(WithPeppers { options: change(all.options)?, ..all })
    });
}

/// Changes where the peppers come from.
fn change(
    options: Option<&mut gk_key_ring_options>,
    change: impl FnOnce(&mut PepperChoice) -> Outcome<()>,
) {
    sticky::set_in(options.map(|options| &mut options.0), |all| change(&mut all.peppers));
}
