//! `gk_guard_builder`: a guard while it is put together, from what the service has.

use super::apikey::gk_api_keys;
use super::boundary::{Outcome, create, given, release, share, text};
use super::callback::{clock, gk_clock_fn, gk_release_fn};
use super::error::gk_error;
use super::guard::gk_guard;
use super::resource::gk_resource_server_builder;
use super::revocations::gk_revocations;
use super::session::gk_sessions;
use super::session_cookies::gk_session_cookies;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Guard;
use crate::guard::GuardBuilder;
use libc::{c_char, c_void};
use std::sync::Arc;

/// A gk_guard while it is put together. At least one of API keys, sessions and tokens. The setters
/// keep the first thing that was wrong, which gk_guard_builder_build reports.
pub struct gk_guard_builder(Sticky<GuardBuilder>);

/// Begins a guard that takes nothing.
///
/// @return The builder, to be freed with gk_guard_builder_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_builder_new() -> Option<Box<gk_guard_builder>> {
    share(|| Some(gk_guard_builder(Sticky::new(Guard::builder()))))
}

/// Frees a builder.
///
/// @param builder The builder, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_guard_builder_free(builder: Option<Box<gk_guard_builder>>) {
    release(builder);
}

/// Takes these API keys: `Authorization: Api-Key` or `Bearer`, and `X-API-Key`.
///
/// @param builder The builder.
/// @param keys The keys, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_api_keys(
    builder: Option<&mut gk_guard_builder>,
    keys: Option<&gk_api_keys>,
) {
    set(builder, |guard| Ok(guard.api_keys(given(keys, "keys")?.inner.clone())));
}

/// Takes the access tokens of these sessions, as their signer makes them: `Authorization: Bearer`,
/// and with gk_guard_builder_cookies the session's cookie. Their tenant is in the claim `tenant`,
/// unless the tokens of others say another.
///
/// @param builder The builder.
/// @param sessions The sessions, which are shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_sessions(
    builder: Option<&mut gk_guard_builder>,
    sessions: Option<&gk_sessions>,
) {
    set(builder, |guard| Ok(guard.sessions(given(sessions, "sessions")?.inner.clone())));
}

/// Takes the tokens of others, as this resource server would: JWTs of issuers, and opaque tokens.
/// What is said there of API keys holds unless gk_guard_builder_api_keys says more.
///
/// @param builder The builder.
/// @param tokens The resource server while it is put together; copied as it is now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_tokens(
    builder: Option<&mut gk_guard_builder>,
    tokens: Option<&gk_resource_server_builder>,
) {
    set(builder, |guard| Ok(guard.tokens(given(tokens, "tokens")?.whole()?)));
}

/// Refuses tokens of others that are on this list. Those of gk_guard_builder_sessions are refused
/// by the sessions' own.
///
/// @param builder The builder.
/// @param revocations The list, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_revocations(
    builder: Option<&mut gk_guard_builder>,
    revocations: Option<&gk_revocations>,
) {
    set(builder, |guard| {
        Ok(guard.revocations(Arc::new(given(revocations, "revocations")?.0.clone())))
    });
}

/// The sessions are in these cookies, too; and a request that a cookie proves shows that no other
/// site has caused it.
///
/// @param builder The builder.
/// @param cookies The cookies; copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_cookies(
    builder: Option<&mut gk_guard_builder>,
    cookies: Option<&gk_session_cookies>,
) {
    set(builder, |guard| Ok(guard.cookies(given(cookies, "cookies")?.0.clone())));
}

/// An origin of our own pages; several calls, several origins. Compared with what browsers say of a
/// request (`Origin`), never with `Host`. Without any, only `Sec-Fetch-Site` is believed, and no
/// cookie opens a websocket.
///
/// @param builder The builder.
/// @param origin Such as `https://shop.example`; copied.
/// @param origin_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_origin(
    builder: Option<&mut gk_guard_builder>,
    origin: *const c_char,
    origin_len: usize,
) {
    set(builder, |guard| Ok(guard.origin(text(origin, origin_len, "origin")?)));
}

/// Believes this proxy, or network of proxies, whom it speaks for; several calls, several.
///
/// @param builder The builder.
/// @param network An address, a network such as `10.0.0.0/8`, or `unix` for a Unix socket; copied.
/// @param network_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_trusted_proxy(
    builder: Option<&mut gk_guard_builder>,
    network: *const c_char,
    network_len: usize,
) {
    set(builder, |guard| Ok(guard.trusted_proxy(text(network, network_len, "network")?)));
}

/// The one header by which the proxies say so. For `Forwarded` (RFC 7239) its `for` is read, of any
/// other a list of addresses. No other header is looked at.
///
/// @param builder The builder.
/// @param name `X-Forwarded-For` unless set; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_forwarded_header(
    builder: Option<&mut gk_guard_builder>,
    name: *const c_char,
    name_len: usize,
) {
    set(builder, |guard| Ok(guard.forwarded_header(text(name, name_len, "name")?)));
}

/// The server drops headers with an underscore in their name, so that where names collapse
/// (GK_GUARD_COLLAPSED_NAMES) a client cannot forge gk_guard_builder_forwarded_header. nginx does.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_exact_names(builder: Option<&mut gk_guard_builder>) {
    set(builder, |guard| Ok(guard.exact_names()));
}

/// The header of API keys.
///
/// @param builder The builder.
/// @param name `X-API-Key` unless set; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_api_key_header(
    builder: Option<&mut gk_guard_builder>,
    name: *const c_char,
    name_len: usize,
) {
    set(builder, |guard| Ok(guard.api_key_header(text(name, name_len, "name")?)));
}

/// The header in which our own pages send the CSRF token.
///
/// @param builder The builder.
/// @param name `X-CSRF-Token` unless set; copied.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_csrf_header(
    builder: Option<&mut gk_guard_builder>,
    name: *const c_char,
    name_len: usize,
) {
    set(builder, |guard| Ok(guard.csrf_header(text(name, name_len, "name")?)));
}

/// What challenges name as the realm (RFC 9110 section 11.5).
///
/// @param builder The builder.
/// @param realm 1 to 128 visible ASCII characters and spaces, without quotes and backslashes;
/// copied.
/// @param realm_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_realm(
    builder: Option<&mut gk_guard_builder>,
    realm: *const c_char,
    realm_len: usize,
) {
    set(builder, |guard| Ok(guard.realm(text(realm, realm_len, "realm")?)));
}

/// Where gk_guard_metadata is served, for challenges (RFC 9728 section 5.1).
///
/// @param builder The builder.
/// @param url The address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_metadata_url(
    builder: Option<&mut gk_guard_builder>,
    url: *const c_char,
    url_len: usize,
) {
    set(builder, |guard| Ok(guard.metadata_url(text(url, url_len, "url")?)));
}

/// How many bits of an IPv6 address make one caller of limits.
///
/// @param builder The builder.
/// @param bits 64 unless set; 32 to 128, others are refused by gk_guard_builder_build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_ipv6_prefix(
    builder: Option<&mut gk_guard_builder>,
    bits: u8,
) {
    set(builder, |guard| Ok(guard.ipv6_prefix(bits)));
}

/// Where the limits of demands are counted together with other machines: see
/// gk_store_options_limits, which holds for a guard over what is in that store. Unless set in one
/// of the two, each process counts for itself.
///
/// @param builder The builder.
/// @param url The server's URL; copied. gk_guard_builder_build reports one that is none.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_limits(
    builder: Option<&mut gk_guard_builder>,
    url: *const c_char,
    url_len: usize,
) {
    set(builder, |guard| Ok(guard.limits(text(url, url_len, "url")?)));
}

/// Takes the time from a callback. Sessions and API keys have their own.
///
/// @param builder The builder.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_guard_builder_clock(
    builder: Option<&mut gk_guard_builder>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(builder, |guard| Ok(guard.clock(clock?)));
}

/// Makes the guard. Keys of issuers are fetched now, so that a wrong address shows in time; if
/// their issuer is out of reach, with the first token.
///
/// @param builder The builder, which can be used again.
/// @param guard Receives the guard, to be freed with gk_guard_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if nobody would be
/// let in, or a setting is not acceptable, which gk_error_claim names; those of
/// gk_resource_server_builder_build.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_guard_builder_build(
    builder: Option<&gk_guard_builder>,
    guard: *mut *mut gk_guard,
    err: *mut gk_error,
) -> gk_status {
    create(guard, err, || Ok(gk_guard(given(builder, "builder")?.0.built()?.clone().build()?)))
}

/// Replaces what was set by what the change makes of it.
pub(super) fn set(
    builder: Option<&mut gk_guard_builder>,
    change: impl FnOnce(GuardBuilder) -> Outcome<GuardBuilder>,
) {
    sticky::set(builder.map(|builder| &mut builder.0), change);
}
