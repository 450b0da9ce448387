//! `gk_revocation_options`: how what is revoked is kept and followed.

use super::boundary::{Outcome, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::sticky::{self, Sticky};
use crate::revocations::RevocationOptions;
use libc::{c_char, c_void};

/// How what is revoked is kept and followed: tokens that live for at most 30 days, what other
/// processes have revoked seen within 50 ms, a store that may be silent for 30 seconds, the claim
/// `tenant`. Copied by gk_revocations_open and gk_store_revocations.
pub struct gk_revocation_options(pub(super) Sticky<RevocationOptions>);

/// The usual options.
///
/// @return The options, to be freed with gk_revocation_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_revocation_options_new() -> Option<Box<gk_revocation_options>> {
    share(|| Some(gk_revocation_options(Sticky::new(RevocationOptions::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_revocation_options_free(options: Option<Box<gk_revocation_options>>) {
    release(options);
}

/// Whether a store that is not there is made.
///
/// A process that only reads what another keeps says false, so that a wrong path is an error, and
/// not an empty store which knows of nothing that was revoked.
///
/// @param options The options.
/// @param create True, the default: it is. False: gk_revocations_open reports
/// GK_STATUS_STORE_UNAVAILABLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_create(
    options: Option<&mut gk_revocation_options>,
    create: bool,
) {
    set(options, |options| Ok(options.create(create)));
}

/// Whether to look for what other processes have revoked at every token.
///
/// @param options The options.
/// @param strict False, the default, means within 50 ms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_strict(
    options: Option<&mut gk_revocation_options>,
    strict: bool,
) {
    set(options, |options| Ok(options.strict(strict)));
}

/// For how long tokens are accepted while the store is out of reach.
///
/// More is refused by gk_revocations_open.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_max_stale(
    options: Option<&mut gk_revocation_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_stale(seconds)));
}

/// How long tokens live at the most, from `iat` to `exp`: others are refused, because what is
/// revoked is not remembered for longer. The same for all that share the store.
///
/// Another number is refused by gk_revocations_open.
///
/// @param options The options.
/// @param seconds 1 to 316224000, which is ten years; 2592000, which is 30 days, unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_max_token_ttl(
    options: Option<&mut gk_revocation_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_token_ttl(seconds)));
}

/// The claim that names a token's tenant.
///
/// Another name is refused by gk_revocations_open.
///
/// @param options The options.
/// @param name The claim's name, 1 to 255 bytes of UTF-8; copied. `tenant` unless set.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_tenant_claim(
    options: Option<&mut gk_revocation_options>,
    name: *const c_char,
    name_len: usize,
) {
    set(options, |options| Ok(options.tenant_claim(text(name, name_len, "name")?)));
}

/// Takes the time at which something is revoked from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_revocation_options_clock(
    options: Option<&mut gk_revocation_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// Replaces what was set by what the change makes of it.
fn set(
    options: Option<&mut gk_revocation_options>,
    change: impl FnOnce(RevocationOptions) -> Outcome<RevocationOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
