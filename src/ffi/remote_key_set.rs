//! `gk_remote_key_set`: the keys that an issuer publishes.

use super::alg::gk_alg;
use super::boundary::{Outcome, chars, create, given, look, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::error::gk_error;
use super::http::gk_http;
use super::key_set::gk_key_set;
use super::operation::{Ended, gk_operation};
use super::policy::gk_policy;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use super::verifier::{gk_issuer_rule, gk_verifier};
use crate::Verifier;
use crate::jwk::KeySource as _;
use crate::jwt::IssuerRule;
use crate::oauth::{RemoteKeySet, RemoteKeySetOptions};
use libc::{c_char, c_void};
use std::sync::Arc;

/// Where keys are, or whose they are, how they are fetched and for how long they are believed. The
/// setters keep the first thing that was wrong, which gk_remote_key_set_new reports, and which
/// numbers are out of range.
pub struct gk_remote_key_set_options(Sticky<RemoteKeySetOptions>);

/// Keys of nowhere yet: an address or an issuer must be set.
///
/// @return The options, to be freed with gk_remote_key_set_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_new() -> Option<Box<gk_remote_key_set_options>> {
    share(|| Some(gk_remote_key_set_options(Sticky::new(RemoteKeySetOptions::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_free(options: Option<Box<gk_remote_key_set_options>>) {
    release(options);
}

/// Takes over the members of options in JSON: they override what was set before, and later calls
/// override them.
///
/// What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
///
/// @param options The options.
/// @param json One JSON object with any of `url`, `issuer`, `metadata_url`, `ttl`, `min_ttl`,
/// `max_ttl`, `cooldown`, `max_stale` (seconds), `rsa_alg`, `allow_loopback_http` and
/// `deadline_ms`; borrowed for the call.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_remote_key_set_options_json(
    options: Option<&mut gk_remote_key_set_options>,
    json: *const c_char,
    json_len: usize,
) {
    set(options, |options| Ok(options.json(chars(json, json_len, "json")?)?));
}

/// Where the keys are, instead of an issuer.
///
/// @param options The options.
/// @param url An https address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_remote_key_set_options_url(
    options: Option<&mut gk_remote_key_set_options>,
    url: *const c_char,
    url_len: usize,
) {
    set(options, |options| Ok(options.url(text(url, url_len, "url")?)));
}

/// Whose keys they are, instead of an address: its metadata say where they are (RFC 8414, OpenID
/// Connect Discovery).
///
/// @param options The options.
/// @param issuer Its `iss`, an https address; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_remote_key_set_options_issuer(
    options: Option<&mut gk_remote_key_set_options>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(options, |options| Ok(options.issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Where the issuer's metadata are, if they are at none of the places that its address leads to.
/// They must name the issuer that is set, byte by byte.
///
/// @param options The options.
/// @param url An https address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_remote_key_set_options_metadata_url(
    options: Option<&mut gk_remote_key_set_options>,
    url: *const c_char,
    url_len: usize,
) {
    set(options, |options| Ok(options.metadata_url(text(url, url_len, "url")?)));
}

/// For how long keys are fresh if the issuer's `Cache-Control` does not say.
///
/// @param options The options.
/// @param seconds 3600 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_ttl(
    options: Option<&mut gk_remote_key_set_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.ttl(seconds)));
}

/// The least and the most of what `Cache-Control: max-age` may say.
///
/// @param options The options.
/// @param least Seconds, from 1; 60 unless set.
/// @param most Seconds, at most a year; 86400 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_ttl_between(
    options: Option<&mut gk_remote_key_set_options>,
    least: u64,
    most: u64,
) {
    set(options, |options| Ok(options.ttl_between(least, most)));
}

/// A token of an unknown key makes the keys be fetched again, once in this many seconds. What has
/// failed is tried again after a second, then after twice as long each time, up to this many
/// seconds.
///
/// @param options The options.
/// @param seconds At most 86400; 30 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_cooldown(
    options: Option<&mut gk_remote_key_set_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.cooldown(seconds)));
}

/// For how long after their last fetch keys are used although the issuer is out of reach.
///
/// @param options The options.
/// @param seconds At most a year; 86400 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_max_stale(
    options: Option<&mut gk_remote_key_set_options>,
    seconds: u64,
) {
    set(options, |options| Ok(options.max_stale(seconds)));
}

/// The algorithm of RSA keys that name none.
///
/// @param options The options.
/// @param alg One of the GK_ALG_ constants but GK_ALG_ANY; GK_ALG_RS256 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_rsa_alg(
    options: Option<&mut gk_remote_key_set_options>,
    alg: gk_alg,
) {
    set(options, |options| Ok(options.rsa_alg(super::boundary::alg(alg)?)));
}

/// Allows plain http to this very machine, for tests.
///
/// @param options The options.
/// @param allow False unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_allow_loopback_http(
    options: Option<&mut gk_remote_key_set_options>,
    allow: bool,
) {
    set(options, |options| Ok(options.allow_loopback_http(allow)));
}

/// How many milliseconds each request may take in all.
///
/// @param options The options.
/// @param milliseconds 10000 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_options_deadline_ms(
    options: Option<&mut gk_remote_key_set_options>,
    milliseconds: u64,
) {
    set(options, |options| Ok(options.deadline_ms(milliseconds)));
}

/// Takes the time from a callback.
///
/// @param options The options.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_remote_key_set_options_clock(
    options: Option<&mut gk_remote_key_set_options>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(options, |options| Ok(options.clock(clock?)));
}

/// The keys that an issuer publishes: fetched when they are first needed, and again when they are
/// not fresh any more or a token wants a key that is not known. Shared by reference count, safe to
/// use from several threads at once, and usable after a fork.
pub struct gk_remote_key_set(pub(super) RemoteKeySet);

/// Makes keys that are fetched when they are needed.
///
/// @param options Where they are; copied.
/// @param http What carries the requests, which is shared; NULL if verifiers must never block: then
/// drive gk_remote_key_set_refresh yourself.
/// @param keys Receives the keys, to be freed with gk_remote_key_set_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if the address is
/// not https, there are an address and an issuer, or neither, or metadata_url without an issuer;
/// gk_error_claim names the member.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_remote_key_set_new(
    options: Option<&gk_remote_key_set_options>,
    http: Option<&gk_http>,
    keys: *mut *mut gk_remote_key_set,
    err: *mut gk_error,
) -> gk_status {
    create(keys, err, || {
        let own = RemoteKeySet::open(given(options, "options")?.0.built()?.clone())?;
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

/// Whether it is time to fetch the keys: there are no keys yet, or they are not fresh any more.
///
/// @param keys The keys.
/// @return True if it is; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_remote_key_set_wants_refresh(keys: Option<&gk_remote_key_set>) -> bool {
    look(false, || Some(keys?.0.wants_refresh()))
}

/// Fetches the keys now; while another fetch is under way, what comes of that is waited for instead
/// (GK_STEP_WAIT). The operation ends with nothing: an empty text.
///
/// @param keys The keys.
/// @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
/// fails.
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

/// The keys as they are now, fetched if need be; with what was skipped of them, which
/// gk_key_set_skipped and its neighbours tell.
///
/// @param keys The keys.
/// @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_OAUTH_SERVER_FAILED and others of the OAuth and transport blocks
/// if there are no keys.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_remote_key_set_keys(
    keys: Option<&gk_remote_key_set>,
    key_set: *mut *mut gk_key_set,
    err: *mut gk_error,
) -> gk_status {
    create(key_set, err, || Ok(gk_key_set(given(keys, "keys")?.0.keys()?)))
}

/// Makes a verifier that trusts an issuer's keys as they are at each token, as gk_verifier_new
/// those of a set. If their issuer cannot be asked now, it is still made, and they are fetched with
/// the first token; until then gk_verifier_verify reports why there are no keys.
///
/// @param keys The keys, which are shared, and fetched now if they have a transport.
/// @param policy The policy, which is copied.
/// @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_verifier_new.
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

/// Replaces what was set by what the change makes of it.
fn set(
    options: Option<&mut gk_remote_key_set_options>,
    change: impl FnOnce(RemoteKeySetOptions) -> Outcome<RemoteKeySetOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
