//! `gk_oauth_config`: how a client is registered at its authorization server.

use super::alg::gk_alg;
use super::boundary::{Fault, Outcome, algs, chars, given, release, share, slice, text, words};
use super::callback::{clock, gk_clock_fn, gk_random_fn, gk_release_fn, random};
use super::key::gk_key;
use super::revocations::gk_revocations;
use super::sticky::{self, Sticky};
use crate::oauth::{AssertionAudience, AuthMethod, OAuthConfig};
use crate::{Peppers, Secret};
use libc::{c_char, c_void};
use std::sync::Arc;

/// How a client is registered at its authorization server: its id, and the server by its issuer, by
/// a preset, or by endpoints. The setters keep the first thing that was wrong, which
/// gk_oauth_client_new reports.
pub struct gk_oauth_config(Sticky<Registered>);

struct Registered {
    config: OAuthConfig,
    /// Those that were given one by one.
    flow_keys: Vec<(u32, Secret)>,
}

impl gk_oauth_config {
    /// What was set, or what was wrong.
    pub(super) fn built(&self) -> Outcome<OAuthConfig> {
        Ok(self.0.built()?.config.clone())
    }
}

/// A configuration of nothing yet.
///
/// @return The configuration, to be freed with gk_oauth_config_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_new() -> Option<Box<gk_oauth_config>> {
    share(|| {
        let (config, flow_keys) = (OAuthConfig::new(""), Vec::new());
        Some(gk_oauth_config(Sticky::new(Registered { config, flow_keys })))
    })
}

/// Frees a configuration; clients that were made of it are not affected.
///
/// @param config The configuration, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_free(config: Option<Box<gk_oauth_config>>) {
    release(config);
}

/// Takes over the members of a configuration in JSON: they override what was set before, and later
/// calls override them.
///
/// @param config The configuration.
/// @param json One JSON object with members of docs/oauth.md, at most 64 KiB; borrowed for the
/// call. What is not known or of another kind is GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_json(
    config: Option<&mut gk_oauth_config>,
    json: *const c_char,
    json_len: usize,
) {
    set(config, |config| Ok(config.json(chars(json, json_len, "json")?)?));
}

/// The client's id, as it is registered at the server.
///
/// @param config The configuration.
/// @param client_id The id; copied.
/// @param client_id_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_client_id(
    config: Option<&mut gk_oauth_config>,
    client_id: *const c_char,
    client_id_len: usize,
) {
    set(config, |config| Ok(config.client_id(text(client_id, client_id_len, "client_id")?)));
}

/// The client's secret, for `client_secret_basic`, `client_secret_post` and `client_secret_jwt`.
///
/// @param config The configuration.
/// @param client_secret The secret; copied, and wiped in the end.
/// @param client_secret_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_client_secret(
    config: Option<&mut gk_oauth_config>,
    client_secret: *const c_char,
    client_secret_len: usize,
) {
    set(config, |config| {
        let secret = text(client_secret, client_secret_len, "client_secret")?;
        Ok(config.client_secret(Secret::from(secret.to_owned())))
    });
}

/// The client's private key, for `private_key_jwt` (RFC 7523), or a secret that the client signs
/// itself.
///
/// @param config The configuration.
/// @param key The key, which is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_private_key(
    config: Option<&mut gk_oauth_config>,
    key: Option<&gk_key>,
) {
    set(config, |config| Ok(config.private_key(&given(key, "key")?.0)));
}

/// How the client proves who it is; otherwise the best that its secret or key and the server's
/// metadata allow.
///
/// @param config The configuration.
/// @param method A name of `token_endpoint_auth_method` (RFC 7591 section 2): `none`,
/// `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or
/// `tls_client_auth`; or `signed_secret`.
/// @param method_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_auth_method(
    config: Option<&mut gk_oauth_config>,
    method: *const c_char,
    method_len: usize,
) {
    set(config, |config| {
        let method = AuthMethod::from_name(text(method, method_len, "method")?);
        let named = |error| Fault::Member("token_endpoint_auth_method", Box::new(error));
        Ok(config.auth_method(method.map_err(named)?))
    });
}

/// Whom the tokens of `client_secret_jwt` and `private_key_jwt` are for.
///
/// @param config The configuration.
/// @param audience `issuer`, which it is unless set, or `token_endpoint`, where a server takes
/// nothing else.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_assertion_audience(
    config: Option<&mut gk_oauth_config>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(config, |config| {
        let audience = AssertionAudience::from_name(text(audience, audience_len, "audience")?);
        let named = |error| Fault::Member("assertion_audience", Box::new(error));
        Ok(config.assertion_audience(audience.map_err(named)?))
    });
}

/// Sets a header member of the tokens of `client_secret_jwt` and `private_key_jwt`: `x5t` or
/// `x5t#S256` for Entra ID, see gk_signer_builder_header.
///
/// @param config The configuration.
/// @param name The member's name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json Its value as JSON text; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_assertion_header(
    config: Option<&mut gk_oauth_config>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(config, |config| {
        let name = text(name, name_len, "name")?;
        Ok(config.assertion_header(name, text(json, json_len, "json")?))
    });
}

/// The authorization server by its issuer: its metadata are fetched when they are first needed and
/// must name this very issuer (OpenID Connect Discovery section 4, RFC 8414 section 3).
///
/// @param config The configuration.
/// @param issuer An https address; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_issuer(
    config: Option<&mut gk_oauth_config>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(config, |config| Ok(config.issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Whether the issuer's metadata are fetched.
///
/// @param config The configuration.
/// @param discover True unless set, or unless a preset knows better. Without them endpoints must be
/// set, `jwks_uri` for ID tokens, too.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_discover(config: Option<&mut gk_oauth_config>, discover: bool) {
    set(config, |config| Ok(config.discover(discover)));
}

/// Where the issuer's metadata are, if they are at none of the places that its address leads to.
/// They must name the issuer that is set, byte by byte.
///
/// @param config The configuration.
/// @param url An https address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_metadata_url(
    config: Option<&mut gk_oauth_config>,
    url: *const c_char,
    url_len: usize,
) {
    set(config, |config| Ok(config.metadata_url(text(url, url_len, "url")?)));
}

/// Takes over what is known about a provider; later calls override it.
///
/// @param config The configuration.
/// @param name For example `github` or `google`: docs/oauth.md lists them.
/// @param name_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_preset(
    config: Option<&mut gk_oauth_config>,
    name: *const c_char,
    name_len: usize,
) {
    set(config, |config| Ok(config.preset(text(name, name_len, "name")?)?));
}

/// A value for a placeholder of the preset.
///
/// @param config The configuration.
/// @param name For example `tenant`, `domain` or `base_url`; copied.
/// @param name_len Its length in bytes.
/// @param value Letters, digits and any of `. _ : / -`; copied.
/// @param value_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_variable(
    config: Option<&mut gk_oauth_config>,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) {
    set(config, |config| {
        let name = text(name, name_len, "name")?;
        Ok(config.variable(name, text(value, value_len, "value")?))
    });
}

/// One endpoint, which is used instead of what metadata say.
///
/// @param config The configuration.
/// @param name Its name in metadata (RFC 8414 section 2), for example `token_endpoint`.
/// @param name_len Its length in bytes.
/// @param url An https address; copied.
/// @param url_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_endpoint(
    config: Option<&mut gk_oauth_config>,
    name: *const c_char,
    name_len: usize,
    url: *const c_char,
    url_len: usize,
) {
    set(config, |config| {
        let name = text(name, name_len, "name")?;
        Ok(config.endpoint(name, text(url, url_len, "url")?)?)
    });
}

/// Where the server departs from the RFCs, if no preset says so.
///
/// @param config The configuration.
/// @param json One JSON object with quirks of docs/oauth.md; borrowed for the call. Others stay as
/// they are.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_quirks(
    config: Option<&mut gk_oauth_config>,
    json: *const c_char,
    json_len: usize,
) {
    set(config, |config| Ok(config.quirks(chars(json, json_len, "json")?)?));
}

/// Where the server sends the browser back to, as it is registered there.
///
/// @param config The configuration.
/// @param uri An https address, http on this machine, or a scheme of the program's own; copied.
/// @param uri_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_redirect_uri(
    config: Option<&mut gk_oauth_config>,
    uri: *const c_char,
    uri_len: usize,
) {
    set(config, |config| Ok(config.redirect_uri(text(uri, uri_len, "uri")?)));
}

/// What a log-in asks for unless it says otherwise.
///
/// @param config The configuration.
/// @param scopes The scopes, separated by spaces; copied.
/// @param scopes_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_scopes(
    config: Option<&mut gk_oauth_config>,
    scopes: *const c_char,
    scopes_len: usize,
) {
    set(config, |config| Ok(config.scopes(&words(text(scopes, scopes_len, "scopes")?))));
}

/// The algorithms that ID tokens may be signed with (`id_token_signed_response_alg`); otherwise the
/// asymmetric ones of the server's metadata. HMAC is used only if it is named here.
///
/// @param config The configuration.
/// @param codes GK_ALG_ constants; copied.
/// @param codes_len How many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_id_token_algorithms(
    config: Option<&mut gk_oauth_config>,
    codes: *const gk_alg,
    codes_len: usize,
) {
    set(config, |config| Ok(config.id_token_algorithms(algs(codes, codes_len)?)));
}

/// An audience that may stand beside this client in an ID token's `aud`; several calls, several
/// audiences.
///
/// @param config The configuration.
/// @param audience The audience; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_trusted_audience(
    config: Option<&mut gk_oauth_config>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(config, |config| Ok(config.trusted_audience(text(audience, audience_len, "audience")?)));
}

/// A tenant whose users may sign in, where the preset has tenants; several calls, several tenants.
/// Without any, all may.
///
/// @param config The configuration.
/// @param tenant The tenant's id; copied.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_allowed_tenant(
    config: Option<&mut gk_oauth_config>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    set(config, |config| Ok(config.allowed_tenant(text(tenant, tenant_len, "tenant")?)));
}

/// Adds a secret that the cookies of log-ins are sealed with; several calls go from the oldest to
/// the active one. Every process that finishes log-ins needs the same ones; without any, a client
/// makes one of its own.
///
/// @param config The configuration.
/// @param number Its number, from 1.
/// @param key At least 16 bytes; copied, and wiped in the end.
/// @param key_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_flow_key(
    config: Option<&mut gk_oauth_config>,
    number: u32,
    key: *const u8,
    key_len: usize,
) {
    sticky::set(config.map(|config| &mut config.0), |all| {
        let Registered { config, mut flow_keys } = all;
        flow_keys.push((number, Secret::new(slice(key, key_len, "key")?.to_vec())));
        let keys = Peppers::new(&flow_keys)
            .map_err(|error| Fault::Member("flow_keys", Box::new(error)))?;
        Ok(Registered { config: config.flow_keys(keys), flow_keys })
    });
}

/// Refuses callbacks that have been seen, even if the cookie was kept.
///
/// @param config The configuration.
/// @param seen Where it is kept which were seen; shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_replay(
    config: Option<&mut gk_oauth_config>,
    seen: Option<&gk_revocations>,
) {
    set(config, |config| Ok(config.replay(Arc::new(given(seen, "seen")?.0.clone()))));
}

/// Refuses a server whose metadata do not say that it knows PKCE with S256 (OAuth 2.1). PKCE is
/// used in any case.
///
/// @param config The configuration.
/// @param require False unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_require_pkce(
    config: Option<&mut gk_oauth_config>,
    require: bool,
) {
    set(config, |config| Ok(config.require_pkce(require)));
}

/// Allows plain http to this very machine, for tests.
///
/// @param config The configuration.
/// @param allow False unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_allow_loopback_http(
    config: Option<&mut gk_oauth_config>,
    allow: bool,
) {
    set(config, |config| Ok(config.allow_loopback_http(allow)));
}

/// How many seconds the server's clock may be off.
///
/// @param config The configuration.
/// @param seconds 60 unless set; more than 600 is refused by gk_oauth_client_new.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_leeway(config: Option<&mut gk_oauth_config>, seconds: u64) {
    set(config, |config| Ok(config.leeway(seconds)));
}

/// How many milliseconds each request may take in all.
///
/// @param config The configuration.
/// @param milliseconds 1 to 120000, checked by gk_oauth_client_new; 10000 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_oauth_config_deadline_ms(
    config: Option<&mut gk_oauth_config>,
    milliseconds: u64,
) {
    set(config, |config| Ok(config.deadline_ms(milliseconds)));
}

/// Takes the time from a callback.
///
/// @param config The configuration.
/// @param now The clock.
/// @param user A pointer that is given back to `now`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_clock(
    config: Option<&mut gk_oauth_config>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(config, |config| Ok(config.clock(clock?)));
}

/// Takes randomness from a callback.
///
/// @param config The configuration.
/// @param fill The source.
/// @param user A pointer that is given back to `fill`.
/// @param release Releases `user`; may be NULL. Called in any case, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_oauth_config_random(
    config: Option<&mut gk_oauth_config>,
    fill: gk_random_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let random = random(fill, user, release); // released in any case
    set(config, |config| Ok(config.random(random?)));
}

/// Replaces what was set by what the change makes of it.
fn set(
    config: Option<&mut gk_oauth_config>,
    change: impl FnOnce(OAuthConfig) -> Outcome<OAuthConfig>,
) {
    sticky::set(config.map(|config| &mut config.0), |all| {
        Ok(Registered { config: change(all.config)?, ..all })
    });
}
