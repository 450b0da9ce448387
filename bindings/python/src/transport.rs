//! `gatekey.HttpTransport`, and the requests that other transports carry.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::options::span;
use gatekey::Secret;
use gatekey::transport::{HttpOptions, Transport};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::net::{IpAddr, Ipv4Addr};

/// Status, headers and body.
type Answer<'py> = (u16, Vec<(String, String)>, Bound<'py, PyBytes>);

/// The built-in transport: blocking, HTTPS only, no redirects; no proxy and nothing from the environment unless it is asked
/// for.
///
/// - `allow_loopback_http`: plain HTTP to this very machine, for tests.
/// - `public_only`: only public addresses, checked when connecting: for URLs that others may choose.
/// - `deadline`: seconds that a request may take in all, at the most; 10.
/// - `ca`: certificate authorities (PEM) to trust instead of Mozilla's.
/// - `proxy`: `http://[user[:password]@]host[:port]`, for https requests, or `environment` for what `https_proxy`,
///   `all_proxy` and `no_proxy` say now. It looks names up, and is refused together with `public_only`.
/// - `client_certificate`: a pair of PEM texts, the chain and its private key (RFC 8705).
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct HttpTransport(gatekey::transport::HttpTransport);

impl HttpTransport {
    pub(crate) const fn core(&self) -> &gatekey::transport::HttpTransport {
        &self.0
    }
}

#[pymethods]
impl HttpTransport {
    #[new]
    #[pyo3(signature = (*, allow_loopback_http=false, public_only=false, deadline=None, ca=None,
        client_certificate=None, proxy=None), text_signature = "(*, allow_loopback_http=False, public_only=False, \
        deadline=10.0, ca=None, client_certificate=None, proxy=None)")]
    fn new(
        py: Python<'_>,
        allow_loopback_http: bool,
        public_only: bool,
        deadline: Option<&Bound<'_, PyAny>>,
        ca: Option<Text<'_>>,
        client_certificate: Option<(Text<'_>, Text<'_>)>,
        proxy: Option<Text<'_>>,
    ) -> PyResult<Self> {
        let mut options =
            HttpOptions::new().allow_loopback_http(allow_loopback_http).public_only(public_only);
        if let Some(deadline) = deadline {
            options = options.deadline_ms(span(deadline, "deadline")?.millis());
        }
        if let Some(ca) = ca {
            options = options.ca_pem(ca.0.as_bytes());
        }
        if let Some((chain, key)) = client_certificate {
            options = options.client_certificate_pem(chain.0.as_bytes(), key.0.as_bytes());
        }
        if let Some(proxy) = proxy {
            options = options.proxy(proxy.0);
        }
        Ok(Self(py.detach(|| gatekey::transport::HttpTransport::new(options)).or_raise(py)?))
    }

    /// Whether it would send to this address, whose host has these addresses; raises if not. For `gatekey.aio`.
    fn _check(&self, py: Python<'_>, url: Text<'_>, addresses: Vec<String>) -> PyResult<()> {
        // What cannot be read, such as an address with a zone, is of the link itself.
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let addresses: Vec<_> =
            addresses.iter().map(|address| address.parse().unwrap_or(unknown)).collect();
        self.0.check(url.0, &addresses).or_raise(py)
    }

    /// Sends a request and gives status, headers and body. For `gatekey.aio`.
    fn _send<'py>(&self, py: Python<'py>, request: &HttpRequest) -> PyResult<Answer<'py>> {
        let answer = py.detach(|| self.0.send(&request.0)).or_raise(py)?;
        Ok((answer.status, answer.headers, PyBytes::new(py, answer.body.expose())))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey.HttpTransport>"
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an HttpTransport is not pickled or copied; share it"))
    }
}

/// A request to another server, for the transport that sends it: `method`, `url`, `headers`, `body`, the `deadline`
/// in seconds, the most bytes of the answer's body (`max_body`) and what it is for (`purpose`).
///
/// Follow no redirect, ask for no compression, and keep to deadline and max_body.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct HttpRequest(pub(crate) gatekey::transport::HttpRequest);

#[pymethods]
impl HttpRequest {
    /// `GET` or `POST`.
    #[getter]
    const fn method(&self) -> &'static str {
        self.0.method
    }

    /// The absolute address.
    #[getter]
    fn url(&self) -> &str {
        &self.0.url
    }

    /// Names in lower case, and values; they hold secrets.
    #[getter]
    fn headers(&self) -> Vec<(&'static str, &str)> {
        self.0.headers.iter().map(|(name, value)| (*name, value.expose_str())).collect()
    }

    /// The body of a `POST`, which holds secrets, or None.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.body.as_ref().map(|body| PyBytes::new(py, Secret::expose(body)))
    }

    /// Seconds that everything may take.
    #[getter]
    fn deadline(&self) -> f64 {
        std::time::Duration::from_millis(self.0.deadline_ms).as_secs_f64()
    }

    /// The most bytes of the answer's body.
    #[getter]
    const fn max_body(&self) -> usize {
        self.0.max_body
    }

    /// `metadata`, `keys`, `token`, `userinfo`, `introspection`, `revocation`, `pushed_authorization` or
    /// `device_authorization`.
    #[getter]
    const fn purpose(&self) -> &'static str {
        self.0.purpose.name()
    }

    fn __repr__(&self) -> String {
        let place = self.0.url.split('?').next().unwrap_or_default();
        format!("<gatekey.HttpRequest {} {place} for {}>", self.0.method, self.0.purpose.name())
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an HttpRequest cannot be pickled or copied: it holds secrets"))
    }
}
