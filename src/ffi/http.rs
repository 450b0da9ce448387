//! `gk_http`: the built-in transport, where the build has it.

use super::boundary::{Outcome, chars, create, release, share, text};
use super::error::gk_error;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::transport::Transport;
use libc::c_char;
use std::sync::Arc;

#[cfg(feature = "http")]
use crate::transport::HttpOptions;

#[cfg(not(feature = "http"))]
use self::without::HttpOptions;

/// How the built-in transport connects. The setters keep the first thing that was wrong, which
/// gk_http_new reports, and which numbers are out of range.
pub struct gk_http_options(Sticky<HttpOptions>);

/// https to any address but those of the link itself, with Mozilla's authorities; 10 seconds in
/// all.
///
/// @return The options, to be freed with gk_http_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_new() -> Option<Box<gk_http_options>> {
    share(|| Some(gk_http_options(Sticky::new(HttpOptions::new()))))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_free(options: Option<Box<gk_http_options>>) {
    release(options);
}

/// Takes over the members of options in JSON: they override what was set before, and later calls
/// override them.
///
/// What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
/// gk_error_claim names it.
///
/// @param options The options.
/// @param json One JSON object with any of `allow_loopback_http`, `public_only`, `deadline_ms`,
/// `connect_ms`, `ca_pem`, `client_certificate_pem`, `client_key_pem` and `proxy`; at most 1 MiB,
/// borrowed for the call.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_http_options_json(
    options: Option<&mut gk_http_options>,
    json: *const c_char,
    json_len: usize,
) {
    set(options, |options| Ok(options.json(chars(json, json_len, "json")?)?));
}

/// Allows plain http to this very machine, for tests.
///
/// @param options The options.
/// @param allow False unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_allow_loopback_http(
    options: Option<&mut gk_http_options>,
    allow: bool,
) {
    set(options, |options| Ok(options.allow_loopback_http(allow)));
}

/// Reaches only public addresses, checked when connecting: for addresses that a caller may have
/// had a say in.
///
/// @param options The options.
/// @param only False unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_public_only(options: Option<&mut gk_http_options>, only: bool) {
    set(options, |options| Ok(options.public_only(only)));
}

/// The most milliseconds that a request may take in all, whatever it asks for.
///
/// @param options The options.
/// @param milliseconds 1 to 120000; 10000 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_deadline_ms(
    options: Option<&mut gk_http_options>,
    milliseconds: u64,
) {
    set(options, |options| Ok(options.deadline_ms(milliseconds)));
}

/// The most milliseconds that connecting may take.
///
/// @param options The options.
/// @param milliseconds 1 to 120000; 5000 unless set.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_options_connect_ms(
    options: Option<&mut gk_http_options>,
    milliseconds: u64,
) {
    set(options, |options| Ok(options.connect_ms(milliseconds)));
}

/// Sends https requests through a proxy, by CONNECT: TLS is spoken with the other server itself.
/// Plain http to this machine never goes through it.
///
/// The proxy looks names up, so that gk_http_options_public_only cannot be kept: gk_http_new
/// refuses both together with GK_STATUS_INVALID_CONFIGURATION, as it does an address that cannot
/// be read; gk_error_claim is `proxy`.
///
/// @param options The options.
/// @param proxy `http://[user[:password]@]host[:port]`, user and password percent-encoded; or
/// `environment` for what https_proxy, all_proxy and no_proxy say, in small or capital letters,
/// when gk_http_new is called, if they say anything. Copied, and wiped in the end.
/// @param proxy_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_http_options_proxy(
    options: Option<&mut gk_http_options>,
    proxy: *const c_char,
    proxy_len: usize,
) {
    set(options, |options| Ok(options.proxy(text(proxy, proxy_len, "proxy")?)));
}

/// Trusts these certificate authorities instead of Mozilla's.
///
/// @param options The options.
/// @param pem Certificates; copied.
/// @param pem_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_http_options_ca_pem(
    options: Option<&mut gk_http_options>,
    pem: *const c_char,
    pem_len: usize,
) {
    set(options, |options| Ok(options.ca_pem(chars(pem, pem_len, "pem")?)));
}

/// Presents a certificate to servers that ask for one (RFC 8705).
///
/// @param options The options.
/// @param chain The certificate and those that it was signed with; copied.
/// @param chain_len Its length in bytes.
/// @param key Its private key; copied, and wiped in the end.
/// @param key_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_http_options_client_certificate_pem(
    options: Option<&mut gk_http_options>,
    chain: *const c_char,
    chain_len: usize,
    key: *const c_char,
    key_len: usize,
) {
    set(options, |options| {
        let chain = chars(chain, chain_len, "chain")?;
        Ok(options.client_certificate_pem(chain, chars(key, key_len, "key")?))
    });
}

/// The built-in transport: blocking, HTTPS only, no redirects; no proxy and nothing from the
/// environment unless it is asked for. Connections are kept for 15 seconds for requests that may be
/// asked twice: metadata, keys, user info and introspection. Shared by reference count, safe to use
/// from several threads at once, and usable after a fork.
pub struct gk_http(pub(super) Arc<dyn Transport>);

/// Makes a transport.
///
/// @param options How it connects; copied. NULL for the usual options.
/// @param http Receives the transport, to be freed with gk_http_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if a certificate or
/// key cannot be used, or the proxy; gk_error_claim names the member. GK_STATUS_UNSUPPORTED if this
/// build has no transport: drive the operations yourself.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_http_new(
    options: Option<&gk_http_options>,
    http: *mut *mut gk_http,
    err: *mut gk_error,
) -> gk_status {
    create(http, err, || {
        let usual = HttpOptions::new();
        let options = options.map_or(Ok(&usual), |options| options.0.built())?;
        Ok(gk_http(transport(options.clone())?))
    })
}

#[cfg(feature = "http")]
fn transport(options: HttpOptions) -> crate::Result<Arc<dyn Transport>> {
    Ok(Arc::new(crate::transport::HttpTransport::new(options)?))
}

#[cfg(not(feature = "http"))]
fn transport(_: HttpOptions) -> crate::Result<Arc<dyn Transport>> {
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

/// Frees a handle to a transport; what shares it is not affected.
///
/// @param http The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_http_free(http: Option<Box<gk_http>>) {
    release(http);
}

/// Replaces what was set by what the change makes of it.
fn set(
    options: Option<&mut gk_http_options>,
    change: impl FnOnce(HttpOptions) -> Outcome<HttpOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}

/// What is set where there is no transport: nothing.
#[cfg(not(feature = "http"))]
mod without {
    #[derive(Clone)]
    pub(super) struct HttpOptions;

    impl HttpOptions {
        pub(super) const fn new() -> Self {
            Self
        }

        pub(super) const fn json(self, _: &[u8]) -> crate::Result<Self> {
            Ok(self)
        }

        pub(super) const fn allow_loopback_http(self, _: bool) -> Self {
            self
        }

        pub(super) const fn public_only(self, _: bool) -> Self {
            self
        }

        pub(super) const fn deadline_ms(self, _: u64) -> Self {
            self
        }

        pub(super) const fn connect_ms(self, _: u64) -> Self {
            self
        }

        pub(super) const fn proxy(self, _: &str) -> Self {
            self
        }

        pub(super) const fn ca_pem(self, _: &[u8]) -> Self {
            self
        }

        pub(super) const fn client_certificate_pem(self, _: &[u8], _: &[u8]) -> Self {
            self
        }
    }
}
