//! `gk_http`: the built-in transport, where the build has it.

use super::boundary::{chars, create, release, share};
use super::error::gk_error;
use super::status::gk_status;
use crate::Transport;
use libc::c_char;
use std::sync::Arc;

/// The built-in transport: blocking, HTTPS only, no redirects, no proxies, nothing from the environment.
/// Shared by reference count, safe to use from several threads at once and to go on with after a fork.
pub struct gk_http(pub(super) Arc<dyn Transport>);

/// Makes a transport.
///
/// @param options_json How: one JSON object with any of `allow_loopback_http` (plain HTTP to this very
/// machine, for tests), `public_only` (only public addresses, checked when connecting), `deadline_ms`
/// (10000), `connect_ms` (5000), `ca_pem` (authorities to trust instead of Mozilla's),
/// `client_certificate_pem` and `client_key_pem` (RFC 8705); NULL and 0 for the usual options.
/// @param options_json_len Its length in bytes.
/// @param http Receives the transport, to be freed with gk_http_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if a certificate or key cannot be used;
/// GK_STATUS_UNSUPPORTED if this build has no transport: drive the operations yourself.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_http_new(
    options_json: *const c_char,
    options_json_len: usize,
    http: *mut *mut gk_http,
    err: *mut gk_error,
) -> gk_status {
    create(http, err, || {
        let options = chars(options_json, options_json_len, "options_json")?;
        Ok(gk_http(transport(options)?))
    })
}

#[cfg(feature = "http")]
fn transport(options: &[u8]) -> crate::Result<Arc<dyn Transport>> {
    let options = match options {
        [] => crate::HttpOptions::new(),
        text => crate::HttpOptions::from_json(text)?,
    };
    Ok(Arc::new(crate::HttpTransport::new(options)?))
}

#[cfg(not(feature = "http"))]
fn transport(_: &[u8]) -> crate::Result<Arc<dyn Transport>> {
    Err(crate::ErrorKind::Unsupported.into())
}

/// Shares a transport.
///
/// @param http The transport; NULL is fine.
/// @return Another handle to the same transport, to be freed with gk_http_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_clone(http: Option<&gk_http>) -> Option<Box<gk_http>> {
    share(|| Some(gk_http(Arc::clone(&http?.0))))
}

/// Frees a handle to a transport; whoever shares it is not affected.
///
/// @param http The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_free(http: Option<Box<gk_http>>) {
    release(http);
}
