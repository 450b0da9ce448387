//! `gk_resource_server`: an API's door.

use super::apikey::gk_api_keys;
use super::boundary::{
    Fault, caller_address, chars, create, fill, given, guard, release, sent, share, text, writable,
};
use super::buf::gk_buf;
use super::error::gk_error;
use super::http::gk_http;
use super::keyring::gk_key_ring;
use super::oauth::gk_oauth_client;
use super::remote::gk_remote_key_set;
use super::revocations::gk_revocations;
use super::status::gk_status;
use crate::{Demand, KeySource, ResourceServer, ResourceServerBuilder, ToJson as _};
use libc::c_char;
use std::sync::Arc;

/// An API's door: JWTs of an issuer, opaque tokens and API keys behind one call. Shared by reference count, safe to use
/// from several threads at once and to go on with after a fork.
pub struct gk_resource_server(ResourceServer);

/// Opens a door. At least one of keys, ring, asking and api_keys; each is shared.
///
/// @param options_json One JSON object with `audience`, which tokens must name, `issuer` if there are keys or a ring, and any of `token_types` (instead of at+jwt), `algorithms`, `leeway`, `metadata_url`, `scopes_supported`, and `introspection` with any of `ttl` (30), `negative_ttl` (10) and `require_audience`.
/// @param options_json_len Its length in bytes.
/// @param keys The keys of the issuer, where they are another server's; or NULL.
/// @param ring The keys of the issuer, where they are our own; or NULL.
/// @param asking Who asks about opaque tokens (RFC 7662); or NULL.
/// @param http What carries these questions; NULL if there are none.
/// @param api_keys API keys that are accepted; or NULL.
/// @param revocations JWTs that are not accepted any more; or NULL.
/// @param server Receives the resource server, to be freed with gk_resource_server_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if nothing would be accepted, or the options contradict themselves;
/// those of the keys, unless their issuer is only out of reach.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_new(
    options_json: *const c_char,
    options_json_len: usize,
    keys: Option<&gk_remote_key_set>,
    ring: Option<&gk_key_ring>,
    asking: Option<&gk_oauth_client>,
    http: Option<&gk_http>,
    api_keys: Option<&gk_api_keys>,
    revocations: Option<&gk_revocations>,
    server: *mut *mut gk_resource_server,
    err: *mut gk_error,
) -> gk_status {
    create(server, err, || {
        let source: Option<Arc<dyn KeySource>> = match (keys, ring) {
            (Some(_), Some(_)) => return Err(Fault::Both("keys", "ring")),
            (Some(keys), None) => Some(Arc::new(keys.0.clone())),
            (None, Some(ring)) => Some(Arc::new(ring.inner.clone())),
            (None, None) => None,
        };
        let options = chars(options_json, options_json_len, "options_json")?;
        let mut builder = ResourceServerBuilder::from_json(options, source)?;
        if let Some(client) = asking {
            let http = Arc::clone(&given(http, "http")?.0);
            builder = builder.introspection_by(client.0.clone(), http);
        }
        if let Some(keys) = api_keys {
            builder = builder.api_keys(keys.inner.clone());
        }
        if let Some(list) = revocations {
            builder = builder.revocations(Arc::new(list.0.clone()));
        }
        Ok(gk_resource_server(builder.build()?))
    })
}

/// Shares a resource server.
///
/// @param server The resource server; NULL is fine.
/// @return Another handle to the same, to be freed with gk_resource_server_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_clone(
    server: Option<&gk_resource_server>,
) -> Option<Box<gk_resource_server>> {
    share(|| Some(gk_resource_server(server?.0.clone())))
}

/// Frees a handle to a resource server.
///
/// @param server The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_resource_server_free(server: Option<Box<gk_resource_server>>) {
    release(server);
}

/// Says who calls, by the value of the request's one Authorization header.
///
/// @param server The resource server.
/// @param authorization The header's value; NULL and 0 for a request without.
/// @param authorization_len Its length in bytes.
/// @param scopes The scopes that must have been granted, separated by spaces; NULL and 0 for none.
/// @param scopes_len Its length in bytes.
/// @param acr_values How the user must have signed in, one of these, separated by spaces (RFC 9470); NULL and 0 for any.
/// @param acr_values_len Its length in bytes.
/// @param max_age How many seconds ago the user may have signed in at the most; -1 for any time.
/// @param address The caller's address, for API keys with an allow-list; NULL and 0 for unknown, as which a text that is no address counts.
/// @param address_len Its length in bytes.
/// @param access Receives who calls, as JSON: `kind` (`jwt`, `opaque`, `api_key`), `subject`, `client_id`, `scopes`, `expires_at` and `claims`; to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param challenge Receives the value of the WWW-Authenticate header if the call fails with 401 or 403, to be freed with gk_buf_free; otherwise {NULL, 0}. NULL is fine.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; the reason otherwise: gk_status_http says which HTTP status to answer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_check(
    server: Option<&gk_resource_server>,
    authorization: *const c_char,
    authorization_len: usize,
    scopes: *const c_char,
    scopes_len: usize,
    acr_values: *const c_char,
    acr_values_len: usize,
    max_age: i64,
    address: *const c_char,
    address_len: usize,
    access: *mut gk_buf,
    challenge: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let place = writable(access)?;
        place.write(gk_buf::EMPTY);
        if !challenge.is_null() {
            challenge.write(gk_buf::EMPTY);
        }
        let server = &given(server, "server")?.0;
        let authorization = sent(authorization, authorization_len, "authorization")?;
        let scopes = words(text(scopes, scopes_len, "scopes")?);
        let acr_values = words(text(acr_values, acr_values_len, "acr_values")?);
        let mut demand = Demand::new().scopes(&scopes).acr_values(&acr_values);
        demand.max_age = match max_age {
            -1 => None,
            seconds => Some(u64::try_from(seconds).map_err(|_| Fault::OutOfRange("max_age"))?),
        };
        demand.address = caller_address(address, address_len, "address")?;
        match server.check(Some(&authorization), &demand) {
            Ok(who) => {
                place.write(gk_buf::copy_of(who.to_json().as_bytes()));
                Ok(())
            }
            Err(error) => {
                if let Some(value) = server.challenge(&error, &demand)
                    && !challenge.is_null()
                {
                    challenge.write(gk_buf::copy_of(value.as_bytes()));
                }
                Err(error.into())
            }
        }
    })
}

/// Gives the metadata of the API (RFC 9728 section 2), to be served as application/json.
///
/// @param server The resource server.
/// @param json Receives them, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_resource_server_metadata(
    server: Option<&gk_resource_server>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(server, "server")?.0.metadata_json()))
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}
