//! `gk_key_set`: keys of which a token selects exactly one.

use super::alg::gk_alg;
use super::boundary::{
    Fault, Outcome, alg, alg_or_any, chars, create, fill, given, guard, lend, look, release, share,
    slice, text,
};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::key::gk_key;
use super::status::gk_status;
use crate::{Key, KeySet};
use libc::c_char;

/// At most 100 keys, all symmetric or all asymmetric. Immutable and shared by reference count.
pub struct gk_key_set(pub(super) KeySet);

/// Makes a set of keys.
///
/// @param keys The keys, which stay the caller's; the set shares them. None of them NULL.
/// @param keys_len Their number.
/// @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MIXED_KEY_SET if HMAC keys and others are mixed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_new(
    keys: *const Option<&gk_key>,
    keys_len: usize,
    key_set: *mut *mut gk_key_set,
    err: *mut gk_error,
) -> gk_status {
    create(key_set, err, || {
        let keys = slice(keys, keys_len, "keys")?.iter();
        let keys: Vec<Key> =
            keys.map(|&key| Ok(given(key, "keys")?.0.clone())).collect::<Outcome<_>>()?;
        Ok(gk_key_set(KeySet::new(keys)?))
    })
}

/// Reads a JWK Set (RFC 7517 section 5). Members that cannot be used are skipped and counted.
///
/// @param json The JWK Set, at most 512 KiB and 100 keys; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param default_rsa The algorithm of RSA members that name none; with GK_ALG_ANY they are
/// skipped.
/// @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK, even if every member was skipped; GK_STATUS_INVALID_KEY if the text is not
/// a JWK Set; GK_STATUS_MIXED_KEY_SET.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_from_jwks(
    json: *const c_char,
    json_len: usize,
    default_rsa: gk_alg,
    key_set: *mut *mut gk_key_set,
    err: *mut gk_error,
) -> gk_status {
    create(key_set, err, || {
        let json = chars(json, json_len, "json")?;
        Ok(gk_key_set(KeySet::from_jwks_with(json, alg_or_any(default_rsa)?)?))
    })
}

/// Shares a set.
///
/// @param key_set The set; NULL is fine.
/// @return Another handle to the same set, to be freed with gk_key_set_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_set_clone(key_set: Option<&gk_key_set>) -> Option<Box<gk_key_set>> {
    share(|| Some(gk_key_set(key_set?.0.clone())))
}

/// Frees a handle to a set.
///
/// @param key_set The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_set_free(key_set: Option<Box<gk_key_set>>) {
    release(key_set);
}

/// How many keys there are.
///
/// @param key_set The set.
/// @return Their number; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_set_len(key_set: Option<&gk_key_set>) -> usize {
    look(0, || Some(key_set?.0.len()))
}

/// How many members of the JWK Set were skipped.
///
/// @param key_set The set.
/// @return Their number; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_set_skipped(key_set: Option<&gk_key_set>) -> usize {
    look(0, || Some(key_set?.0.skipped().len()))
}

/// Why a member of the JWK Set was skipped.
///
/// @param key_set The set.
/// @param index Which of the skipped members, from 0, in the order of the JWK Set.
/// @param reason Receives what reading this member alone fails with, its message too; as after a
/// call that succeeded where there is no such member. May be NULL.
/// @return The status of that error; GK_STATUS_OK for NULL and where there is no such member.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_set_skipped_reason(
    key_set: Option<&gk_key_set>,
    index: usize,
    reason: *mut gk_error,
) -> gk_status {
    guard(reason, || {
        let skipped = key_set.and_then(|key_set| key_set.0.skipped().get(index));
        skipped.map_or(Ok(()), |skipped| Err(skipped.reason().clone().into()))
    })
}

/// The `kid` of a member of the JWK Set that was skipped.
///
/// @param key_set The set.
/// @param index Which of the skipped members, from 0, in the order of the JWK Set.
/// @return Its `kid`, borrowed from the set, NOT NUL-terminated; {NULL, 0} if it has none that is
/// a string of 1 to 256 bytes, for NULL and where there is no such member.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_set_skipped_kid(key_set: Option<&gk_key_set>, index: usize) -> gk_str {
    look(gk_str::NONE, || Some(lend(key_set?.0.skipped().get(index)?.kid()?)))
}

/// One key of the set, in the order in which they were given.
///
/// @param key_set The set.
/// @param index Which key, from 0.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there are fewer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_at(
    key_set: Option<&gk_key_set>,
    index: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let found = given(key_set, "key_set")?.0.iter().nth(index);
        Ok(gk_key(found.ok_or(Fault::OutOfRange("index"))?.clone()))
    })
}

/// The key with this identifier.
///
/// @param key_set The set.
/// @param kid The identifier, compared byte by byte; borrowed for the call.
/// @param kid_len Its length in bytes.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND; GK_STATUS_UNUSABLE_KEY if the one that has it was
/// skipped; the message says why. GK_STATUS_AMBIGUOUS_KEY if different keys have it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_by_kid(
    key_set: Option<&gk_key_set>,
    kid: *const c_char,
    kid_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let found = given(key_set, "key_set")?.0.by_kid(text(kid, kid_len, "kid")?);
        Ok(gk_key(found?.clone()))
    })
}

/// The one key that a token with this `kid` and `alg` would be verified with.
///
/// @param key_set The set.
/// @param kid The token's `kid`, borrowed for the call; NULL for a token that has none.
/// @param kid_len Its length in bytes.
/// @param alg The token's algorithm, a GK_ALG_ constant.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND; GK_STATUS_INVALID_ALGORITHM if the key of this
/// `kid` has another algorithm; GK_STATUS_UNUSABLE_KEY if it was skipped or may not verify, and the
/// message says why; GK_STATUS_AMBIGUOUS_KEY if several keys fit, or a skipped one has the `kid`
/// too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_select(
    key_set: Option<&gk_key_set>,
    kid: *const c_char,
    kid_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let wanted = text(kid, kid_len, "kid")?;
        let wanted = (!kid.is_null()).then_some(wanted);
        Ok(gk_key(given(key_set, "key_set")?.0.select(wanted, self::alg(alg)?)?.clone()))
    })
}

/// The public parts of all keys as a JWK Set, to be published.
///
/// @param key_set The set.
/// @param json Receives the JWK Set, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a set of HMAC keys.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_to_jwks(
    key_set: Option<&gk_key_set>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(key_set, "key_set")?.0.to_jwks()?))
}

/// All keys as a JWK Set, private parts and secrets included. Keep it secret.
///
/// @param key_set The set.
/// @param json Receives the JWK Set, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if a key has no private part.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_set_to_private_jwks(
    key_set: Option<&gk_key_set>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(key_set, "key_set")?.0.to_private_jwks()?))
}
