//! `gatekey.Cookie` and `gatekey.Csrf`.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::options::{octets, shown, span};
use gatekey::Secret;
use gatekey::web::{CsrfRequest, SameSite};
use pyo3::prelude::*;

/// A cookie of one name: how it is set, cleared and read (RFC 6265bis).
///
/// A combination that a browser would refuse, cut, or send where it should not go is a
/// ConfigurationError. The name should begin with `__Host-`, which keeps other hosts of the domain from
/// planting one. `secure=False` needs `danger_allow_http=True`, for development without HTTPS.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Cookie {
    inner: gatekey::web::Cookie,
}

#[pymethods]
impl Cookie {
    #[new]
    #[pyo3(signature = (name, *, path=Text("/"), domain=None, max_age=None, same_site=Text("Lax"), secure=true,
        http_only=true, partitioned=false, danger_allow_http=false),
        text_signature = "(name, *, path='/', domain=None, max_age=None, same_site='Lax', secure=True, \
        http_only=True, partitioned=False, danger_allow_http=False)")]
    #[expect(clippy::too_many_arguments, reason = "the attributes of a cookie, by their names")]
    fn new(
        py: Python<'_>,
        name: Text<'_>,
        path: Text<'_>,
        domain: Option<Text<'_>>,
        max_age: Option<&Bound<'_, PyAny>>,
        same_site: Text<'_>,
        secure: bool,
        http_only: bool,
        partitioned: bool,
        danger_allow_http: bool,
    ) -> PyResult<Self> {
        let same_site = SameSite::from_name(same_site.0).or_raise(py)?;
        let mut builder = gatekey::web::Cookie::builder(name.0)
            .path(path.0)
            .same_site(same_site)
            .http_only(http_only)
            .partitioned(partitioned);
        if let Some(domain) = domain {
            builder = builder.domain(domain.0);
        }
        if let Some(age) = max_age {
            builder = builder.max_age(span(age, "max_age")?.at_most());
        }
        if !secure {
            builder = builder.insecure();
        }
        if danger_allow_http {
            builder = builder.danger_allow_http();
        }
        Ok(Self { inner: builder.build().or_raise(py)? })
    }

    /// The name.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// The value of a `Set-Cookie` header that sets it. `value` is visible ASCII without quotes, commas,
    /// semicolons and backslashes; with the name it has at most 4096 bytes.
    fn set(&self, py: Python<'_>, value: Text<'_>) -> PyResult<String> {
        self.inner.set(value.0).or_raise(py)
    }

    /// The value of a `Set-Cookie` header that makes the browser forget it.
    fn clear(&self) -> String {
        self.inner.clear()
    }

    /// What a `Cookie` header says it is, or None. Several headers (HTTP/2) are to be joined with `; `
    /// before. A name that comes twice is a MalformedCookieError: another host may have planted one.
    fn read(&self, py: Python<'_>, header: Option<Text<'_>>) -> PyResult<Option<String>> {
        let value = self.inner.read(header.map_or("", |header| header.0)).or_raise(py)?;
        Ok(value.map(str::to_owned))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.Cookie {}>", shown(py, self.inner.name()))
    }
}

/// Makes and checks CSRF tokens, which are bound to a session, under a secret of at least 32 random
/// bytes. Nothing is stored.
///
/// `allow_same_site` accepts requests of other hosts of the same site: only where all are trusted.
/// `danger_allow_http` accepts an `Origin` of `http://`, for development.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Csrf {
    inner: gatekey::web::Csrf,
}

impl Csrf {
    pub(crate) const fn core(&self) -> &gatekey::web::Csrf {
        &self.inner
    }
}

#[pymethods]
impl Csrf {
    #[new]
    #[pyo3(signature = (secret, *, allow_same_site=false, danger_allow_http=false))]
    fn new(
        secret: &Bound<'_, PyAny>,
        allow_same_site: bool,
        danger_allow_http: bool,
    ) -> PyResult<Self> {
        let secret_bytes = Secret::new(octets(secret, "secret")?.to_vec());
        let mut inner = gatekey::web::Csrf::new(&secret_bytes).or_raise(secret.py())?;
        if allow_same_site {
            inner = inner.allow_same_site();
        }
        if danger_allow_http {
            inner = inner.danger_allow_http();
        }
        Ok(Self { inner })
    }

    /// A new token for this session: 64 characters of base64url.
    fn issue(&self, py: Python<'_>, session_id: Text<'_>) -> PyResult<String> {
        self.inner.issue(session_id.0).or_raise(py)
    }

    /// Lets a request pass that is harmless (GET, HEAD, OPTIONS), or that no other site has caused and
    /// that brings a token of this session; raises CsrfError otherwise, and MissingCredentialsError if there is no session
    /// (`session_id` is None).
    ///
    /// `sec_fetch_site` and `origin` are the headers of these names, `host` the name under which users
    /// know the service; an `origin` needs it.
    #[pyo3(signature = (session_id, token, *, method, sec_fetch_site=None, origin=None, host=None))]
    #[expect(clippy::too_many_arguments, reason = "the headers, by their names")]
    fn check(
        &self,
        py: Python<'_>,
        session_id: Option<Text<'_>>,
        token: Option<Text<'_>>,
        method: Text<'_>,
        sec_fetch_site: Option<Text<'_>>,
        origin: Option<Text<'_>>,
        host: Option<Text<'_>>,
    ) -> PyResult<()> {
        let mut request = CsrfRequest::new(method.0);
        if let Some(site) = sec_fetch_site {
            request = request.sec_fetch_site(site.0);
        }
        if let Some(origin) = origin {
            request = request.origin(origin.0);
        }
        if let Some(host) = host {
            request = request.host(host.0);
        }
        let token = token.map_or("", |token| token.0);
        let session_id = session_id.map_or("", |id| id.0);
        self.inner.check(session_id, token, &request).or_raise(py)
    }

    fn __repr__(&self) -> &'static str {
        "<gatekey.Csrf [redacted]>"
    }
}
