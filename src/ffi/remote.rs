//! `gk_remote_key_set`: the keys that an issuer publishes.

use super::boundary::{chars, create, given, look, release, share, text};
use super::error::gk_error;
use super::http::gk_http;
use super::operation::{Ended, gk_operation};
use super::policy::gk_policy;
use super::status::gk_status;
use super::sticky::Sticky;
use super::verifier::{gk_issuer_rule, gk_verifier};
use crate::{IssuerRule, RemoteKeySet, Verifier};
use libc::c_char;
use std::sync::Arc;

/// The keys that an issuer publishes: fetched when they are first needed, and again when they are not fresh any more or
/// a token wants a key that is not known. Shared by reference count, safe to use from several threads at once and to go
/// on with after a fork.
pub struct gk_remote_key_set(pub(super) RemoteKeySet);

/// Names where keys are.
///
/// @param options_json One JSON object with `url` or `issuer`, and any of `ttl` (3600), `min_ttl` (60), `max_ttl` (86400), `cooldown` (30), `max_stale` (86400), all in seconds, `rsa_alg` (RS256), `allow_loopback_http` and `deadline_ms`.
/// @param options_json_len Its length in bytes.
/// @param http What carries the requests, which is shared; NULL if verifiers must never block: then drive gk_remote_key_set_refresh yourself.
/// @param keys Receives the keys, to be freed with gk_remote_key_set_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the address is not https.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_remote_key_set_new(
    options_json: *const c_char,
    options_json_len: usize,
    http: Option<&gk_http>,
    keys: *mut *mut gk_remote_key_set,
    err: *mut gk_error,
) -> gk_status {
    create(keys, err, || {
        let own = RemoteKeySet::from_json(chars(options_json, options_json_len, "options_json")?)?;
        Ok(gk_remote_key_set(match http {
            Some(http) => own.over(Arc::clone(&http.0)),
            None => own,
        }))
    })
}

/// Shares keys.
///
/// @param keys The keys; NULL is fine.
/// @return Another handle to the same keys, to be freed with gk_remote_key_set_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_clone(
    keys: Option<&gk_remote_key_set>,
) -> Option<Box<gk_remote_key_set>> {
    share(|| Some(gk_remote_key_set(keys?.0.clone())))
}

/// Frees a handle to keys; verifiers that follow them are not affected.
///
/// @param keys The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_free(keys: Option<Box<gk_remote_key_set>>) {
    release(keys);
}

/// Whether it is time to fetch the keys: there are none, or they are not fresh any more.
///
/// @param keys The keys.
/// @return True if it is; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_wants_refresh(keys: Option<&gk_remote_key_set>) -> bool {
    look(false, || Some(keys?.0.wants_refresh()))
}

/// Fetches the keys. The operation ends with nothing: an empty text.
///
/// @param keys The keys.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_remote_key_set_refresh(
    keys: Option<&gk_remote_key_set>,
    operation: *mut *mut gk_operation,
    err: *mut gk_error,
) -> gk_status {
    create(operation, err, || {
        Ok(gk_operation::new(given(keys, "keys")?.0.refresh(), |()| Ended::Nothing))
    })
}

/// Makes a verifier that trusts an issuer's keys as they are at each token, as gk_verifier_new those of a set.
///
/// @param keys The keys, which are shared, and fetched now if they have a transport.
/// @param policy The policy, which is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_verifier_new; GK_STATUS_OAUTH_SERVER_FAILED, GK_STATUS_OAUTH_MALFORMED_RESPONSE and the 7000s if the keys
/// cannot be had.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_following_remote(
    keys: Option<&gk_remote_key_set>,
    policy: Option<&gk_policy>,
    verifier: *mut *mut gk_verifier,
    err: *mut gk_error,
) -> gk_status {
    create(verifier, err, || {
        let policy = given(policy, "policy")?.0.built()?.clone();
        let keys = Arc::new(given(keys, "keys")?.0.clone());
        Ok(gk_verifier(Verifier::following(keys, policy)?))
    })
}

/// Makes the rule of one issuer, as gk_issuer_rule_new, whose keys are as they are at each token.
///
/// @param issuer Its `iss`, not empty, UTF-8; copied.
/// @param issuer_len Its length in bytes.
/// @param keys Its keys, which are shared.
/// @param rule Receives the rule, to be freed with gk_issuer_rule_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_issuer_rule_following_remote(
    issuer: *const c_char,
    issuer_len: usize,
    keys: Option<&gk_remote_key_set>,
    rule: *mut *mut gk_issuer_rule,
    err: *mut gk_error,
) -> gk_status {
    create(rule, err, || {
        let issuer = text(issuer, issuer_len, "issuer")?;
        let keys = Arc::new(given(keys, "keys")?.0.clone());
        Ok(gk_issuer_rule(Sticky::new(IssuerRule::following(issuer, keys))))
    })
}
