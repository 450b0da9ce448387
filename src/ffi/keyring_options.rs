//! `gk_key_ring_options`: how a ring is kept and followed, and where its peppers come from.

use super::alg::gk_alg;
use super::boundary::{Outcome, alg, given, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::key::gk_key;
use super::sticky::{self, Sticky};
use crate::keyring::KeyRingOptions;
use libc::{c_char, c_void};

/// How a ring is kept and followed: the name `default`, ES256 keys, tokens that live as long as the
/// ring remembers (at most 15 minutes if it is new), a store that may be silent for 30 seconds.
/// Copied by gk_key_ring_open and gk_store_key_ring.
pub struct gk_key_ring_options(pub(super) Sticky<KeyRingOptions>);

/// The usual options.
///
/// @return The options, to be freed with gk_key_ring_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_options_new() -> Option<Box<gk_key_ring_options>> {
    share(|| Some(gk_key_ring_options(Sticky::new(KeyRingOptions::new()))))
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

/// A key that was not made here, such as one of gk_key_with_callback; may be called for several. A
/// ring that is not there is made with the first as its active key and the second, if there is one,
/// as its next. For a ring that is there, they are the callbacks that this process has; a new key
/// is added by gk_key_ring_add.
///
/// A key that may not sign is refused by gk_key_ring_open.
///
/// @param options The options.
/// @param key The key, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_ring_options_key(
    options: Option<&mut gk_key_ring_options>,
    key: Option<&gk_key>,
) {
    set(options, |options| Ok(options.key(&given(key, "key")?.0)));
}

/// How long the tokens live, at most, that signers of this handle sign. The ring remembers the
/// longest that it was ever opened with (gk_key_ring_token_ttl). A retired key is still good for
/// that long and 600 seconds more, whichever process rotates.
///
/// Another number is refused by gk_key_ring_open.
///
/// @param options The options.
/// @param seconds 1 to 31622400, which is a year. Unless set, what the ring remembers; 900 if it is
/// new.
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

/// Replaces the options by what the change makes of them.
fn set(
    options: Option<&mut gk_key_ring_options>,
    change: impl FnOnce(KeyRingOptions) -> Outcome<KeyRingOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
