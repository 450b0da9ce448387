//! `gk_key_ring`: the keys of a signer over time.

use super::boundary::{Outcome, create, fill, given, guard, release, share, text, writable};
use super::buf::gk_buf;
use super::error::gk_error;
use super::key::gk_key;
use super::keyring_options::gk_key_ring_options;
use super::status::gk_status;
use crate::keyring::RingKey;
use crate::pepper::PepperSource;
use crate::{KeyRing, ToJson as _};
use libc::c_char;

/// The keys of a signer over time: one is active and signs, the next one is published already, and
/// retired ones are good until their last token has expired. gk_signer_builder_following and
/// gk_verifier_following go along with it without a restart, in other processes within 50 ms.
/// Shared by reference count, safe to use from several threads at once, and usable after a fork.
pub struct gk_key_ring {
    pub(super) inner: KeyRing,
}

/// Opens a ring, and makes it, with an active and a next key, if it is not there: sealed under a
/// pepper in a store, or in a folder that only its owner may read (mode 0700).
///
/// @param url As for gk_store_open, which takes other peppers than those in the file
/// `<path>.pepper`; that is made with the store: back it up, because without it the ring is lost.
/// @param url_len Its length in bytes.
/// @param options How; NULL for the usual options.
/// @param ring Receives the ring, to be freed with gk_key_ring_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if others may read the folder or the
/// pepper file; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this build has no SQLite; the
/// 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_open(
    url: *const c_char,
    url_len: usize,
    options: Option<&gk_key_ring_options>,
    ring: *mut *mut gk_key_ring,
    err: *mut gk_error,
) -> gk_status {
    create(ring, err, || {
        let url = text(url, url_len, "url")?;
        let options = options.map(|options| options.0.built().cloned()).transpose()?;
        let source = PepperSource::Beside;
        let opened = crate::open::open_key_ring(url, &source, options.unwrap_or_default())?;
        Ok(gk_key_ring { inner: opened.ring })
    })
}

/// Shares a ring.
///
/// @param ring The ring; NULL is fine.
/// @return Another handle to the same ring, to be freed with gk_key_ring_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_clone(ring: Option<&gk_key_ring>) -> Option<Box<gk_key_ring>> {
    share(|| {
        let ring = ring?;
        Some(gk_key_ring { inner: ring.inner.clone() })
    })
}

/// Frees a handle to a ring; signers and verifiers that follow it are not affected.
///
/// @param ring The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_ring_free(ring: Option<Box<gk_key_ring>>) {
    release(ring);
}

/// Makes the next key the active one, retires the one that was, and makes a new next one. Wait with
/// another rotation until all that cache the published keys have fetched the new next one.
///
/// @param ring The ring.
/// @param active Receives the key that is active now, as in gk_key_ring_keys, to be freed with
/// gk_buf_free; {NULL, 0} if the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there are 64 keys whose tokens are
/// still good, or the active one signs by a callback and no next one was added;
/// GK_STATUS_MIXED_KEY_SET if new keys are symmetric and old ones are not, or the other way; the
/// 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_rotate(
    ring: Option<&gk_key_ring>,
    active: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    tell(active, err, || Ok(given(ring, "ring")?.inner.rotate()?))
}

/// Makes a key that was not made here the next one: a key of a KMS or HSM (gk_key_with_callback),
/// or one that the ring takes over. gk_key_ring_rotate makes it the active one. A next key that has
/// never signed is dropped for it. Of a key with a callback, the ring keeps the public half, and
/// each process that signs must have the callback: by this call, which changes nothing if the ring
/// has the key already, or by gk_key_ring_options_key. While such a key is active, the ring makes
/// no keys of its own.
///
/// @param ring The ring.
/// @param key The key, which is shared.
/// @param added Receives the key as in gk_key_ring_keys, to be freed with gk_buf_free; {NULL, 0} if
/// the call fails. May be NULL.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if the key may not sign; GK_STATUS_INVALID_ARGUMENT if
/// another key of the ring has its `kid`; GK_STATUS_MIXED_KEY_SET if it is symmetric and the others
/// are not, or the other way; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_add(
    ring: Option<&gk_key_ring>,
    key: Option<&gk_key>,
    added: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    tell(added, err, || Ok(given(ring, "ring")?.inner.add(&given(key, "key")?.0)?))
}

/// Takes a key out of the ring at once: for the day that it has leaked. Its tokens are refused by
/// anyone who follows the ring; where only the published keys are known, gk_revocations_revoke_key
/// as well. If it is the active one, the next one takes its place.
///
/// @param ring The ring.
/// @param kid The key's `kid`.
/// @param kid_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_RING_KEY_NOT_FOUND; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_remove(
    ring: Option<&gk_key_ring>,
    kid: *const c_char,
    kid_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(ring, "ring")?.inner.remove(text(kid, kid_len, "kid")?)?))
}

/// The keys of the ring, without the keys themselves: a JSON array of objects with kid, alg, state
/// (next, active, retired), created_at, active_at, retired_at, until, by_callback. The next one
/// comes first, then the active one, then the retired ones, the latest first. Times are in seconds
/// since 1970, or null.
///
/// @param ring The ring.
/// @param keys Receives the array, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_keys(
    ring: Option<&gk_key_ring>,
    keys: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(keys, err, || Ok(given(ring, "ring")?.inner.keys()?.to_json()))
}

/// The longest life of a token that the ring was ever opened with, by any process
/// (gk_key_ring_options_token_ttl). A retired key stays good for that long and 600 seconds more.
///
/// @param ring The ring.
/// @param seconds Receives it, in seconds; 0 if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_token_ttl(
    ring: Option<&gk_key_ring>,
    seconds: *mut u64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(seconds)?.write(0);
        seconds.write(given(ring, "ring")?.inner.token_ttl()?);
        Ok(())
    })
}

/// The public keys as a JWK Set (RFC 7517 section 5), to be published: the next one too.
///
/// @param ring The ring.
/// @param jwks Receives the set as JSON, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if the keys are symmetric; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_to_jwks(
    ring: Option<&gk_key_ring>,
    jwks: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(jwks, err, || Ok(given(ring, "ring")?.inner.to_jwks()?))
}

/// Looks now at what other processes have changed, however recent the last look.
///
/// @param ring The ring.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the 6000s.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_ring_refresh(
    ring: Option<&gk_key_ring>,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || Ok(given(ring, "ring")?.inner.refresh()?))
}

/// Writes what a call has made of a key, unless the caller does not want to know.
unsafe fn tell(
    out: *mut gk_buf,
    err: *mut gk_error,
    call: impl FnOnce() -> Outcome<RingKey>,
) -> gk_status {
    guard(err, || {
        if !out.is_null() {
            out.write(gk_buf::EMPTY);
        }
        let key = call()?;
        if !out.is_null() {
            out.write(gk_buf::copy_of(key.to_json().as_bytes()));
        }
        Ok(())
    })
}
