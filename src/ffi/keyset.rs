//! `gk_keyset`: keys of which a token selects exactly one.

use super::alg::gk_alg;
use super::boundary::{
    Fault, Outcome, alg, alg_or_any, chars, create, fill, given, look, release, share, slice, text,
};
use super::buf::gk_buf;
use super::error::gk_error;
use super::key::gk_key;
use super::status::{GK_STATUS_OK, gk_status};
use crate::{ErrorKind, Key, KeySet};
use libc::c_char;

/// At most 100 keys, all symmetric or all asymmetric. Immutable and shared by reference count.
pub struct gk_keyset(pub(super) KeySet);

/// Makes a set of keys.
///
/// @param keys The keys, which stay the caller's; the set shares them. None of them NULL.
/// @param keys_len Their number.
/// @param keyset Receives the set, to be freed with gk_keyset_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MIXED_KEY_SET if HMAC keys and others are mixed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_new(
    keys: *const Option<&gk_key>,
    keys_len: usize,
    keyset: *mut *mut gk_keyset,
    err: *mut gk_error,
) -> gk_status {
    create(keyset, err, || {
        let keys = slice(keys, keys_len, "keys")?.iter();
        let keys: Vec<Key> =
            keys.map(|&key| Ok(given(key, "keys")?.0.clone())).collect::<Outcome<_>>()?;
        Ok(gk_keyset(KeySet::new(keys)?))
    })
}

/// Reads a JWK Set (RFC 7517 section 5). Members that cannot be used are skipped and counted.
///
/// @param json The JWK Set, at most 512 KiB and 100 keys; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param default_rsa The algorithm of RSA members that name none; with GK_ALG_ANY they are skipped.
/// @param keyset Receives the set, to be freed with gk_keyset_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK, even if every member was skipped; GK_STATUS_INVALID_KEY if the text is not a
/// JWK Set; GK_STATUS_MIXED_KEY_SET.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_from_jwks(
    json: *const c_char,
    json_len: usize,
    default_rsa: gk_alg,
    keyset: *mut *mut gk_keyset,
    err: *mut gk_error,
) -> gk_status {
    create(keyset, err, || {
        let json = chars(json, json_len, "json")?;
        Ok(gk_keyset(KeySet::from_jwks_with(json, alg_or_any(default_rsa)?)?))
    })
}

/// Shares a set.
///
/// @param keyset The set; NULL is fine.
/// @return Another handle to the same set, to be freed with gk_keyset_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_keyset_clone(keyset: Option<&gk_keyset>) -> Option<Box<gk_keyset>> {
    share(|| Some(gk_keyset(keyset?.0.clone())))
}

/// Frees a handle to a set.
///
/// @param keyset The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_keyset_free(keyset: Option<Box<gk_keyset>>) {
    release(keyset);
}

/// How many keys there are.
///
/// @param keyset The set.
/// @return Their number; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_keyset_len(keyset: Option<&gk_keyset>) -> usize {
    look(0, || Some(keyset?.0.len()))
}

/// How many members of the JWK Set were skipped.
///
/// @param keyset The set.
/// @return Their number; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_keyset_skipped(keyset: Option<&gk_keyset>) -> usize {
    look(0, || Some(keyset?.0.skipped()))
}

/// Why a member of the JWK Set was skipped.
///
/// @param keyset The set.
/// @param index Which of the skipped members, from 0.
/// @return The status that reading this member alone would have had; GK_STATUS_OK for NULL and where
/// there is none.
#[unsafe(no_mangle)]
pub extern "C" fn gk_keyset_skipped_reason(keyset: Option<&gk_keyset>, index: usize) -> gk_status {
    look(GK_STATUS_OK, || Some(keyset?.0.skipped_reasons().get(index)?.kind().code()))
}

/// One key of the set, in the order in which they were given.
///
/// @param keyset The set.
/// @param index Which key, from 0.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there are not so many.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_at(
    keyset: Option<&gk_keyset>,
    index: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let found = given(keyset, "keyset")?.0.iter().nth(index);
        Ok(gk_key(found.ok_or(Fault::OutOfRange("index"))?.clone()))
    })
}

/// The key with this identifier; the first, if several have it.
///
/// @param keyset The set.
/// @param kid The identifier, compared byte by byte; borrowed for the call.
/// @param kid_len Its length in bytes.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_by_kid(
    keyset: Option<&gk_keyset>,
    kid: *const c_char,
    kid_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let found = given(keyset, "keyset")?.0.by_kid(text(kid, kid_len, "kid")?);
        Ok(gk_key(found.ok_or(ErrorKind::KeyNotFound)?.clone()))
    })
}

/// The one key that a token with this `kid` and `alg` would be verified with.
///
/// @param keyset The set.
/// @param kid The token's `kid`, borrowed for the call; NULL for a token that has none.
/// @param kid_len Its length in bytes.
/// @param alg The token's algorithm, a GK_ALG_ constant.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND; GK_STATUS_INVALID_ALGORITHM if the key of this `kid`
/// has another algorithm; GK_STATUS_AMBIGUOUS_KEY if several keys fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_select(
    keyset: Option<&gk_keyset>,
    kid: *const c_char,
    kid_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let wanted = text(kid, kid_len, "kid")?;
        let wanted = (!kid.is_null()).then_some(wanted);
        Ok(gk_key(given(keyset, "keyset")?.0.select(wanted, self::alg(alg)?)?.clone()))
    })
}

/// The public parts of all keys as a JWK Set, to be published.
///
/// @param keyset The set.
/// @param json Receives the JWK Set, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a set of HMAC keys.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_to_jwks(
    keyset: Option<&gk_keyset>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(keyset, "keyset")?.0.to_jwks()?))
}

/// All keys as a JWK Set, private parts and secrets included. Keep it secret.
///
/// @param keyset The set.
/// @param json Receives the JWK Set, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if a key has no private part.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_keyset_to_private_jwks(
    keyset: Option<&gk_keyset>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(keyset, "keyset")?.0.to_private_jwks()?))
}
