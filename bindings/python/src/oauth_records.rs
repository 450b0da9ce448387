//! What `gatekey.oauth` hands out: log-ins, tokens, what servers say. All are read-only; those that
//! hold a secret show none in their `repr` and refuse to be pickled.

use crate::args::Text;
use crate::decode;
use crate::errors::OrRaise;
use crate::options::{names, octets, shown, shown_or_none};
use gatekey::Secret;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

fn no_pickle(what: &str) -> PyResult<()> {
    Err(PyTypeError::new_err(format!("{what} cannot be pickled or copied: it holds secrets")))
}

fn dict<'py>(py: Python<'py>, json: Option<&str>) -> PyResult<Option<Bound<'py, PyDict>>> {
    json.map(|json| decode::object(py, json.as_bytes())).transpose()
}

/// A log-in that has begun: send the browser to `url`, with every one of `set_cookies`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct BegunLogin(pub(crate) gatekey::oauth::BegunLogin);

#[pymethods]
impl BegunLogin {
    /// Where to send the browser.
    #[getter]
    fn url(&self) -> &str {
        &self.0.url
    }

    /// The values of the `Set-Cookie` headers that must go with it.
    #[getter]
    fn set_cookies(&self) -> Vec<&str> {
        self.0.set_cookies.iter().map(String::as_str).collect()
    }

    fn __repr__(&self) -> String {
        let place = self.0.url.split('?').next().unwrap_or_default();
        format!("<gatekey.BegunLogin at {place}>")
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        no_pickle("a log-in")
    }
}

/// A log-in that has succeeded.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct FinishedLogin(pub(crate) gatekey::oauth::FinishedLogin);

#[pymethods]
impl FinishedLogin {
    /// The tokens.
    #[getter]
    fn tokens(&self) -> OAuthTokens {
        OAuthTokens(self.0.tokens.clone())
    }

    /// Whose user signed in: subjects are names of their issuer's. For a provider without an issuer, its token endpoint.
    #[getter]
    fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Who signed in, together with the issuer: the ID token's `sub`. None without OpenID Connect (GitHub and others);
    /// then ask `userinfo`.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The ID token's `email`, where the provider says that it is the user's and proven, or None. Unlike the claim
    /// `email_verified`, which some write as a text, it cannot be mistaken.
    #[getter]
    fn verified_email(&self) -> Option<&str> {
        self.0.verified_email.as_deref()
    }

    /// The ID token's claims as a new dict, or None.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        dict(py, self.0.claims_json.as_deref())
    }

    /// What Apple posts along the first time, not signed, or None.
    #[getter]
    fn user<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        dict(py, self.0.user_json.as_deref())
    }

    /// The page of this site to go to: a path.
    #[getter]
    fn return_to(&self) -> &str {
        &self.0.return_to
    }

    /// The values of the `Set-Cookie` headers that must go with the answer.
    #[getter]
    fn set_cookies(&self) -> Vec<&str> {
        self.0.set_cookies.iter().map(String::as_str).collect()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let subject = shown_or_none(py, self.0.subject.as_deref());
        format!("<gatekey.FinishedLogin of {subject} [redacted]>")
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        no_pickle("a log-in")
    }
}

/// What a token endpoint gave (RFC 6749 section 5.1): handed out by a client, or made of a refresh token that was got in
/// another way, for example by another library. Without an access token the first use refreshes.
///
/// - `issuer`: who gave them: the issuer of the client that will use them.
/// - `subject`: who signed in, if that is known; a refresh that names another one is then refused.
/// - `expires_at`: seconds since 1970; for an access token that is given.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct OAuthTokens(pub(crate) gatekey::oauth::OAuthTokens);

#[pymethods]
impl OAuthTokens {
    #[new]
    #[pyo3(signature = (issuer, *, refresh_token, access_token=None, expires_at=None, scopes=None, resources=None,
        subject=None), text_signature = "(issuer, *, refresh_token, access_token=None, expires_at=None, scopes=(), \
        resources=(), subject=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn new(
        py: Python<'_>,
        issuer: Text<'_>,
        refresh_token: Text<'_>,
        access_token: Option<Text<'_>>,
        expires_at: Option<u64>,
        scopes: Option<&Bound<'_, PyAny>>,
        resources: Option<&Bound<'_, PyAny>>,
        subject: Option<Text<'_>>,
    ) -> PyResult<Self> {
        let refresh_token = Secret::from(refresh_token.owned());
        let made = gatekey::oauth::OAuthTokens::from_refresh_token(issuer.0, refresh_token);
        let mut tokens = made.or_raise(py)?;
        if let Some(access_token) = access_token {
            tokens.access_token = Secret::from(access_token.owned());
            tokens.expires_at = expires_at;
        }
        tokens.scopes = scopes.map_or_else(|| Ok(Vec::new()), |all| names(all, "scopes"))?;
        let resources = resources.map(|all| names(all, "resources"));
        tokens.resources = resources.unwrap_or_else(|| Ok(Vec::new()))?;
        tokens.subject = subject.map(|subject| subject.owned());
        Ok(Self(tokens))
    }

    /// Reads what `to_secret_json` has written. Raises `StoreCorruptError` for anything else.
    #[staticmethod]
    fn from_secret_json(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let read = gatekey::oauth::OAuthTokens::from_secret_json(octets(text, "text")?);
        read.or_raise(text.py()).map(Self)
    }

    /// All of it, tokens included, as JSON, to be kept in a safe place: a person who reads it can act as the user.
    fn to_secret_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, Secret::expose(&self.0.to_secret_json()))
    }

    /// Who gave it: the issuer, or the token endpoint of a server without one.
    #[getter]
    fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// What is sent to the API, as `Authorization: Bearer`.
    #[getter]
    fn access_token(&self) -> &str {
        self.0.access_token.expose_str()
    }

    /// When it expires, in seconds since 1970, or None if the server did not say.
    #[getter]
    const fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }

    /// What gets the next access token, or None.
    #[getter]
    fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token.as_ref().map(Secret::expose_str)
    }

    /// What was granted.
    #[getter]
    fn scopes(&self) -> Vec<&str> {
        self.0.scopes.iter().map(String::as_str).collect()
    }

    /// The APIs that the access token was asked for (RFC 8707); a refresh asks for the same.
    #[getter]
    fn resources(&self) -> Vec<&str> {
        self.0.resources.iter().map(String::as_str).collect()
    }

    /// Who signed in, as a token that has been verified, or None.
    #[getter]
    fn id_token(&self) -> Option<&str> {
        self.0.id_token.as_ref().map(Secret::expose_str)
    }

    /// Its claims as a new dict, or None.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        dict(py, self.0.claims_json.as_deref())
    }

    /// Its `sub`, or None.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Its `email`, where the provider says that it is the user's and proven, or None.
    #[getter]
    fn verified_email(&self) -> Option<&str> {
        self.0.verified_email.as_deref()
    }

    /// What kind of token an exchange has given (RFC 8693 section 2.2.1), or None.
    #[getter]
    fn issued_token_type(&self) -> Option<&str> {
        self.0.issued_token_type.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let subject = shown_or_none(py, self.0.subject.as_deref());
        format!("<gatekey.OAuthTokens of {subject} from {} [redacted]>", shown(py, &self.0.issuer))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        no_pickle("a set of tokens")
    }
}

/// What a device shows its user (RFC 8628 section 3.2).
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct DeviceCodes(pub(crate) gatekey::oauth::DeviceCodes);

#[pymethods]
impl DeviceCodes {
    /// What the user types in.
    #[getter]
    fn user_code(&self) -> &str {
        &self.0.user_code
    }

    /// Where.
    #[getter]
    fn verification_uri(&self) -> &str {
        &self.0.verification_uri
    }

    /// The same with the code in it, for a link or a picture, or None.
    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.0.verification_uri_complete.as_deref()
    }

    /// When the codes expire, in seconds since 1970.
    #[getter]
    const fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// Seconds between two questions.
    #[getter]
    const fn interval(&self) -> u64 {
        self.0.interval
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.DeviceCodes for {} [redacted]>", shown(py, &self.0.verification_uri))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        no_pickle("a device's codes")
    }
}

/// What a server knows about a user.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct UserInfo(pub(crate) gatekey::oauth::UserInfo);

#[pymethods]
impl UserInfo {
    /// Whose user it is, as `FinishedLogin.issuer`: keep it with the subject.
    #[getter]
    fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Who it is, as the server names users.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// An address that the provider says is the user's and proven, or None.
    #[getter]
    fn verified_email(&self) -> Option<&str> {
        self.0.verified_email.as_deref()
    }

    /// Everything the server said, as a new dict.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        decode::object(py, self.0.claims_json.as_bytes())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.UserInfo of {}>", shown(py, &self.0.subject))
    }
}

/// What a server says about a token (RFC 7662 section 2.2).
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Introspection(pub(crate) gatekey::oauth::Introspection);

#[pymethods]
impl Introspection {
    /// Whether it is good.
    #[getter]
    const fn active(&self) -> bool {
        self.0.active
    }

    /// What it allows.
    #[getter]
    fn scopes(&self) -> Vec<&str> {
        self.0.scopes.iter().map(String::as_str).collect()
    }

    /// Whom it is about, or None.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Whom it was issued to, or None.
    #[getter]
    fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }

    /// When it expires, in seconds since 1970, or None.
    #[getter]
    const fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }

    /// When it was issued, in seconds since 1970, or None.
    #[getter]
    const fn issued_at(&self) -> Option<u64> {
        self.0.issued_at
    }

    /// Everything the server said, as a new dict.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        decode::object(py, self.0.claims_json.as_bytes())
    }

    fn __repr__(&self) -> String {
        let active = if self.0.active { "active" } else { "not active" };
        format!("<gatekey.Introspection: {active}>")
    }
}

/// A session that the authorization server has ended (Back-Channel Logout 1.0).
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct LogoutNotice(pub(crate) gatekey::oauth::LogoutNotice);

#[pymethods]
impl LogoutNotice {
    /// Whose sessions end, or None.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The server's session, or None: the `sid` of the ID token.
    #[getter]
    fn session_id(&self) -> Option<&str> {
        self.0.session_id.as_deref()
    }

    /// The token's id, for `Revocations.seen_once`.
    #[getter]
    fn token_id(&self) -> &str {
        &self.0.token_id
    }

    /// When the token expires, in seconds since 1970.
    #[getter]
    const fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let subject = shown_or_none(py, self.0.subject.as_deref());
        format!("<gatekey.LogoutNotice of {subject}>")
    }
}
