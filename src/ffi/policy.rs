//! `gk_policy`: what a verifier demands of a token beyond its signature.

use super::alg::gk_alg;
use super::boundary::{Outcome, algs, given, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::revocations::gk_revocations;
use super::sticky::{self, Sticky};
use crate::Policy;
use libc::{c_char, c_void};
use std::sync::Arc;

/// What a verifier demands of a token beyond its signature. A policy fails closed: a token with an
/// issuer or an audience about which the policy says nothing is refused; whatever is expected is
/// required; `exp` is required, `nbf` checked, an `iat` in the future refused; `typ` must be absent
/// or `JWT`. Contradictions are found when the verifier is made.
pub struct gk_policy(pub(super) Sticky<Policy>);

/// A policy that says nothing: no issuer, no audience, no leeway, tokens of at most 16 KiB.
///
/// @return The policy, to be freed with gk_policy_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_new() -> Option<Box<gk_policy>> {
    share(|| Some(gk_policy(Sticky::new(Policy::new()))))
}

/// Copies a policy.
///
/// @param policy The policy; NULL is fine.
/// @return A copy, to be freed with gk_policy_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_clone(policy: Option<&gk_policy>) -> Option<Box<gk_policy>> {
    share(|| Some(gk_policy(policy?.0.clone())))
}

/// Frees a policy; verifiers made with it are not affected.
///
/// @param policy The policy, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_free(policy: Option<Box<gk_policy>>) {
    release(policy);
}

/// Demands that `iss` is this, or one of the values of several calls (RFC 7519 section 4.1.1).
///
/// @param policy The policy.
/// @param issuer The issuer, not empty, UTF-8; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_expect_issuer(
    policy: Option<&mut gk_policy>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(policy, |policy| Ok(policy.expect_issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Accepts any `iss` and none.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_ignore_issuer(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.ignore_issuer()));
}

/// Demands that `aud` names this, or one of the values of several calls (RFC 7519 section 4.1.3).
///
/// @param policy The policy.
/// @param audience The audience, not empty, UTF-8; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_expect_audience(
    policy: Option<&mut gk_policy>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(policy, |policy| Ok(policy.expect_audience(text(audience, audience_len, "audience")?)));
}

/// Accepts any `aud` and none.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_ignore_audience(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.ignore_audience()));
}

/// Demands that the header's `typ` is this, or one of the values of several calls; letter case and
/// a leading `application/` do not matter (RFC 8725 section 3.11).
///
/// @param policy The policy.
/// @param typ The media type, not empty, UTF-8; copied.
/// @param typ_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_expect_type(
    policy: Option<&mut gk_policy>,
    typ: *const c_char,
    typ_len: usize,
) {
    set(policy, |policy| Ok(policy.expect_type(text(typ, typ_len, "typ")?)));
}

/// Accepts any `typ` and none.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_ignore_type(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.ignore_type()));
}

/// Demands that `sub` is this (RFC 7519 section 4.1.2).
///
/// @param policy The policy.
/// @param subject The subject, not empty, UTF-8; copied.
/// @param subject_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_expect_subject(
    policy: Option<&mut gk_policy>,
    subject: *const c_char,
    subject_len: usize,
) {
    set(policy, |policy| Ok(policy.expect_subject(text(subject, subject_len, "subject")?)));
}

/// Demands that `sub` is this number, which its text is not; allows numbers as
/// gk_policy_allow_numeric_subject does.
///
/// @param policy The policy.
/// @param subject The number.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_expect_numeric_subject(policy: Option<&mut gk_policy>, subject: i64) {
    set(policy, |policy| Ok(policy.expect_numeric_subject(subject)));
}

/// Accepts a `sub` that is a whole number of at most 64 bits, which RFC 7519 section 4.1.2 does not
/// allow. 7 and "7" are two subjects: gk_verified_subject gives nothing for the number, which
/// gk_verified_numeric_subject gives and which is revoked by gk_revocations_revoke_numeric_subject.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_allow_numeric_subject(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.allow_numeric_subject()));
}

/// Accepts a token whose parts are padded with `=`, which RFC 7515 section 2 does not allow: AWS
/// load balancers sign such. With padding and without, it is one token.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub extern "C" fn gk_policy_allow_padding(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.allow_padding()));
}

/// Demands that a claim has a value. Texts are compared without their escapes, numbers by their
/// value, objects in any order. Several calls of one name: any of the values. At most 32 calls;
/// `iss`, `sub`, `aud`, `exp`, `nbf` and `iat` have rules of their own.
///
/// @param policy The policy.
/// @param name The claim's name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_expect_claim(
    policy: Option<&mut gk_policy>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(policy, |policy| {
        let name = text(name, name_len, "name")?;
        Ok(policy.expect_claim(name, text(json, json_len, "json")?)?)
    });
}

/// Demands that a claim of this name is there; at most 32 names.
///
/// @param policy The policy.
/// @param name The name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_require_claim(
    policy: Option<&mut gk_policy>,
    name: *const c_char,
    name_len: usize,
) {
    set(policy, |policy| Ok(policy.require_claim(text(name, name_len, "name")?)));
}

/// Refuses a token that was issued longer ago than this; `iat` is then required.
///
/// @param policy The policy.
/// @param seconds The age in seconds, at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_max_age(policy: Option<&mut gk_policy>, seconds: u64) {
    set(policy, |policy| Ok(policy.max_age(seconds)));
}

/// Forgives clocks that disagree by up to this much.
///
/// @param policy The policy.
/// @param seconds The leeway in seconds, at most 600; 0 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_leeway(policy: Option<&mut gk_policy>, seconds: u64) {
    set(policy, |policy| Ok(policy.leeway(seconds)));
}

/// Accepts a token without `exp`. One that has it is still checked.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_allow_missing_exp(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.allow_missing_exp()));
}

/// Uses only keys of these algorithms (RFC 8725 section 3.1); those of the keys unless set.
///
/// @param policy The policy.
/// @param algs GK_ALG_ constants; copied.
/// @param algs_len How many, at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_algorithms(
    policy: Option<&mut gk_policy>,
    algs: *const gk_alg,
    algs_len: usize,
) {
    set(policy, |policy| Ok(policy.algorithms(self::algs(algs, algs_len)?)));
}

/// Sets the longest token that is looked at.
///
/// @param policy The policy.
/// @param bytes The length in bytes, 1 to 1048576; 16384 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_max_token_bytes(policy: Option<&mut gk_policy>, bytes: usize) {
    set(policy, |policy| Ok(policy.max_token_bytes(bytes)));
}

/// Sets the longest header that is looked at.
///
/// @param policy The policy.
/// @param bytes The length in bytes once decoded, at least 1; 4096 unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_max_header_bytes(policy: Option<&mut gk_policy>, bytes: usize) {
    set(policy, |policy| Ok(policy.max_header_bytes(bytes)));
}

/// Reads the time from this function instead of the system's clock.
///
/// @param policy The policy.
/// @param now The clock.
/// @param user Handed to `now`; may be NULL.
/// @param release Releases `user` when neither the policy nor any copy or verifier of it is left;
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_clock(
    policy: Option<&mut gk_policy>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(policy, |policy| Ok(policy.clock(clock?)));
}

/// Refuses tokens that have been revoked, and every token while it cannot be known whether it was.
/// A token must then have `iat` and `exp`.
///
/// @param policy The policy.
/// @param revocations What has been revoked, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_revocations(
    policy: Option<&mut gk_policy>,
    revocations: Option<&gk_revocations>,
) {
    set(policy, |policy| {
        let list = Arc::new(given(revocations, "revocations")?.0.clone());
        Ok(policy.revocations(list))
    });
}

/// Tries up to four keys on a token without `kid`, where several have its algorithm.
///
/// @param policy The policy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_policy_try_keys_without_kid(policy: Option<&mut gk_policy>) {
    set(policy, |policy| Ok(policy.try_keys_without_kid()));
}

/// Replaces what was set by what the change makes of it.
fn set(policy: Option<&mut gk_policy>, change: impl FnOnce(Policy) -> Outcome<Policy>) {
    sticky::set(policy.map(|policy| &mut policy.0), change);
}
