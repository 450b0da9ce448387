//! `gk_verifier`: keys and a policy, checked once, then asked any number of times from any thread.

use super::alg::gk_alg;
use super::boundary::{
    Outcome, algs, create, credential, given, look, release, share, slice, text,
};
use super::error::gk_error;
use super::key::gk_key;
use super::key_set::gk_key_set;
use super::keyring::gk_key_ring;
use super::policy::gk_policy;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use super::verified::gk_verified;
use crate::Verifier;
use crate::jwt::IssuerRule;
use libc::c_char;
use std::sync::Arc;

/// Keys and a policy, checked once. Immutable, shared by reference count, safe to use from several
/// threads at once; make one when the program starts and keep it.
pub struct gk_verifier(pub(super) Verifier);

/// One issuer of gk_verifier_for_issuers: its name and its keys, which verify no other issuer's
/// tokens.
pub struct gk_issuer_rule(pub(super) Sticky<IssuerRule>);

/// Makes a verifier that trusts the keys of a set. A token's `kid` must name one of them; a token
/// without `kid` needs exactly one key of its algorithm.
///
/// @param key_set The keys, which are shared.
/// @param policy The policy, which is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if no key can be used or the policy
/// contradicts itself.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_new(
    key_set: Option<&gk_key_set>,
    policy: Option<&gk_policy>,
    verifier: *mut *mut gk_verifier,
    err: *mut gk_error,
) -> gk_status {
    create(verifier, err, || {
        let policy = given(policy, "policy")?.0.built()?.clone();
        Ok(gk_verifier(Verifier::new(&given(key_set, "key_set")?.0, policy)?))
    })
}

/// Makes a verifier that trusts one key. A token's `kid` must be the key's, if the key was given
/// one; a key known only by its thumbprint takes any.
///
/// @param key The key, which is shared.
/// @param policy The policy, which is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_verifier_new.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_with_key(
    key: Option<&gk_key>,
    policy: Option<&gk_policy>,
    verifier: *mut *mut gk_verifier,
    err: *mut gk_error,
) -> gk_status {
    create(verifier, err, || {
        let policy = given(policy, "policy")?.0.built()?.clone();
        Ok(gk_verifier(Verifier::with_key(&given(key, "key")?.0, policy)?))
    })
}

/// Makes a verifier that trusts the keys of a ring as they are at each token, as gk_verifier_new
/// those of a set.
///
/// @param ring The ring, which is shared.
/// @param policy The policy, which is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_verifier_new; GK_STATUS_STORE_UNAVAILABLE if the ring cannot be read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_following(
    ring: Option<&gk_key_ring>,
    policy: Option<&gk_policy>,
    verifier: *mut *mut gk_verifier,
    err: *mut gk_error,
) -> gk_status {
    create(verifier, err, || {
        let policy = given(policy, "policy")?.0.built()?.clone();
        let ring = Arc::new(given(ring, "ring")?.inner.clone());
        Ok(gk_verifier(Verifier::following(ring, policy)?))
    })
}

/// Makes a verifier for several issuers. The token's `iss` selects the rule; a key never verifies
/// another issuer's token (RFC 8725 section 3.8).
///
/// @param rules The rules, which are copied. None of them NULL.
/// @param rules_len Their number, at least 1.
/// @param policy What holds for all of them; it says nothing about the issuer. It is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there is no rule, an issuer has two
/// rules, no key of a rule can be used, or the policy contradicts itself or names an issuer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_for_issuers(
    rules: *const Option<&gk_issuer_rule>,
    rules_len: usize,
    policy: Option<&gk_policy>,
    verifier: *mut *mut gk_verifier,
    err: *mut gk_error,
) -> gk_status {
    create(verifier, err, || {
        let policy = given(policy, "policy")?.0.built()?.clone();
        let rules = slice(rules, rules_len, "rules")?.iter();
        let rules: Vec<IssuerRule> = rules
            .map(|&rule| Ok(given(rule, "rules")?.0.built()?.clone()))
            .collect::<Outcome<_>>()?;
        Ok(gk_verifier(Verifier::for_issuers(rules, policy)?))
    })
}

/// Shares a verifier.
///
/// @param verifier The verifier; NULL is fine.
/// @return Another handle to the same verifier, to be freed with gk_verifier_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verifier_clone(verifier: Option<&gk_verifier>) -> Option<Box<gk_verifier>> {
    share(|| Some(gk_verifier(verifier?.0.clone())))
}

/// Frees a handle to a verifier; what it has verified is not affected.
///
/// @param verifier The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verifier_free(verifier: Option<Box<gk_verifier>>) {
    release(verifier);
}

/// Verifies a token: size, structure, header, key, signature, claims, in this order; the first
/// failure is the answer. A refusal allocates nothing, unless the token has objects of more than
/// sixteen members.
///
/// @param verifier The verifier.
/// @param token A JWS compact serialization (RFC 7515 section 7.1), without surrounding space;
/// borrowed for the call.
/// @param token_len Its length in bytes.
/// @param verified Receives the claims, to be freed with gk_verified_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK only if the token is good; one of the 1000s if it is not;
/// GK_STATUS_MISSING_CREDENTIALS for NULL and 0, what a request without one brings.
/// GK_STATUS_INVALID_SIGNATURE always wins over a status about the claims.
/// GK_STATUS_STORE_UNAVAILABLE if a ring or revocations cannot be read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verifier_verify(
    verifier: Option<&gk_verifier>,
    token: *const c_char,
    token_len: usize,
    verified: *mut *mut gk_verified,
    err: *mut gk_error,
) -> gk_status {
    create(verified, err, || {
        let token = credential(token, token_len, "token")?;
        Ok(gk_verified::new(given(verifier, "verifier")?.0.verify(token)?))
    })
}

/// Whether every key is symmetric, so that a verification takes about a microsecond.
///
/// @param verifier The verifier.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verifier_is_symmetric(verifier: Option<&gk_verifier>) -> bool {
    look(false, || Some(verifier?.0.is_symmetric()))
}

/// Makes the rule of one issuer.
///
/// @param issuer Its `iss`, not empty, UTF-8; copied.
/// @param issuer_len Its length in bytes.
/// @param key_set Its keys, which are shared.
/// @param rule Receives the rule, to be freed with gk_issuer_rule_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_issuer_rule_new(
    issuer: *const c_char,
    issuer_len: usize,
    key_set: Option<&gk_key_set>,
    rule: *mut *mut gk_issuer_rule,
    err: *mut gk_error,
) -> gk_status {
    create(rule, err, || {
        let issuer = text(issuer, issuer_len, "issuer")?;
        Ok(gk_issuer_rule(Sticky::new(IssuerRule::new(issuer, &given(key_set, "key_set")?.0))))
    })
}

/// Copies a rule.
///
/// @param rule The rule; NULL is fine.
/// @return A copy, to be freed with gk_issuer_rule_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_issuer_rule_clone(
    rule: Option<&gk_issuer_rule>,
) -> Option<Box<gk_issuer_rule>> {
    share(|| Some(gk_issuer_rule(rule?.0.clone())))
}

/// Frees a rule; verifiers made with it are not affected.
///
/// @param rule The rule, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_issuer_rule_free(rule: Option<Box<gk_issuer_rule>>) {
    release(rule);
}

/// Demands this `aud` of the issuer's tokens, or one of several calls; what the policy says unless
/// set.
///
/// @param rule The rule.
/// @param audience The audience, not empty, UTF-8; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_issuer_rule_expect_audience(
    rule: Option<&mut gk_issuer_rule>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(rule, |rule| Ok(rule.expect_audience(text(audience, audience_len, "audience")?)));
}

/// Accepts any `aud` of the issuer's tokens and none, whatever the policy's rule.
///
/// @param rule The rule.
#[unsafe(no_mangle)]
pub extern "C" fn gk_issuer_rule_ignore_audience(rule: Option<&mut gk_issuer_rule>) {
    set(rule, |rule| Ok(rule.ignore_audience()));
}

/// Uses only the issuer's keys of these algorithms; what the policy says unless set.
///
/// @param rule The rule.
/// @param algs GK_ALG_ constants; copied.
/// @param algs_len How many, at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_issuer_rule_algorithms(
    rule: Option<&mut gk_issuer_rule>,
    algs: *const gk_alg,
    algs_len: usize,
) {
    set(rule, |rule| Ok(rule.algorithms(self::algs(algs, algs_len)?)));
}

/// Replaces what was set by what the change makes of it.
fn set(rule: Option<&mut gk_issuer_rule>, change: impl FnOnce(IssuerRule) -> Outcome<IssuerRule>) {
    sticky::set(rule.map(|rule| &mut rule.0), change);
}
