//! `gatekey.SessionCookies`: the three cookies of a session, set, cleared and read in one place.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::options::names;
use crate::session_records::SessionTokens;
use crate::web::Csrf;
use gatekey::web::SameSite;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The cookies of a session in a browser: the access token, the refresh token, and a CSRF token that scripts read and send
/// back in a header.
///
/// - `names`: what the three are called, behind `__Host-`. Services on one host name, on several ports, need different ones.
/// - `refresh_path`: the refresh token is sent under this path alone, such as `/auth`; its name begins with `__Secure-` then.
/// - `same_site`: when the access token is sent with requests that other sites cause; the refresh token never is.
/// - `danger_allow_http`: for development without HTTPS; the names have no prefix then.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct SessionCookies(gatekey::session::SessionCookies);

#[pymethods]
impl SessionCookies {
    #[new]
    #[pyo3(signature = (csrf, *, names=None, refresh_path=None, same_site=Text("Lax"), danger_allow_http=false),
        text_signature = "(csrf, *, names=('access', 'refresh', 'csrf'), refresh_path=None, same_site='Lax', \
        danger_allow_http=False)")]
    fn new(
        py: Python<'_>,
        csrf: PyRef<'_, Csrf>,
        names: Option<&Bound<'_, PyAny>>,
        refresh_path: Option<Text<'_>>,
        same_site: Text<'_>,
        danger_allow_http: bool,
    ) -> PyResult<Self> {
        let same_site = SameSite::from_name(same_site.0).or_raise(py)?;
        let mut builder =
            gatekey::session::SessionCookies::builder(csrf.core()).same_site(same_site);
        if let Some(given) = names {
            let given: [String; 3] = self::names(given, "names")?.try_into().map_err(|_| {
                PyTypeError::new_err(
                    "names must be three: of the access token, of the refresh token, of the CSRF token",
                )
            })?;
            let [access, refresh, csrf] = given;
            builder = builder.names(access, refresh, csrf);
        }
        if let Some(path) = refresh_path {
            builder = builder.refresh_path(path.0);
        }
        if danger_allow_http {
            builder = builder.danger_allow_http();
        }
        builder.build().or_raise(py).map(Self)
    }

    /// The values of the three `Set-Cookie` headers after a log-in and after a refresh.
    fn set(&self, py: Python<'_>, tokens: PyRef<'_, SessionTokens>) -> PyResult<Vec<String>> {
        self.0.set(tokens.core()).or_raise(py)
    }

    /// The values of the three `Set-Cookie` headers that make a browser forget them: when the session is over, not before.
    fn clear(&self) -> Vec<String> {
        self.0.clear()
    }

    /// What a `Cookie` header says they are. Several headers (HTTP/2) are to be joined with `; ` before. A name that comes
    /// twice with different values is a MalformedCookieError: another host may have planted one.
    fn read(&self, py: Python<'_>, header: Option<Text<'_>>) -> PyResult<SentCookies> {
        let sent = self.0.read(header.map_or("", |header| header.0)).or_raise(py)?;
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Ok(SentCookies {
            access: owned(sent.access),
            refresh: owned(sent.refresh),
            csrf: owned(sent.csrf),
        })
    }

    /// The names: of the access token, of the refresh token, of the CSRF token.
    #[getter]
    fn names(&self) -> (&str, &str, &str) {
        let [access, refresh, csrf] = self.0.names();
        (access, refresh, csrf)
    }

    /// Whether they are for development without HTTPS.
    #[getter]
    const fn allows_http(&self) -> bool {
        self.0.allows_http()
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.SessionCookies {}>", self.0.names().join(" "))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("SessionCookies are not pickled or copied: they hold a secret"))
    }
}

impl SessionCookies {
    pub(crate) const fn core(&self) -> &gatekey::session::SessionCookies {
        &self.0
    }
}

/// What a request brings of a session's cookies: none of it is trusted.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct SentCookies {
    /// The access token, or None.
    #[pyo3(get)]
    access: Option<String>,
    /// The refresh token, or None.
    #[pyo3(get)]
    refresh: Option<String>,
    /// The CSRF token that pages read, or None. It proves nothing in a cookie.
    #[pyo3(get)]
    csrf: Option<String>,
}

#[pymethods]
impl SentCookies {
    fn __repr__(&self) -> String {
        let sent = [("access", &self.access), ("refresh", &self.refresh), ("csrf", &self.csrf)];
        let sent = sent.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name);
        format!("<gatekey.SentCookies {} [redacted]>", sent.collect::<Vec<_>>().join(" "))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "cookies of a session cannot be pickled or copied: they are secrets",
        ))
    }
}
