//! `_OAuthClient`: the client behind `gatekey.oauth.OAuthClient`.

use crate::args::Text;
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::oauth_records::{DeviceCodes, OAuthTokens};
use crate::operation::{_Operation, Outcome};
use crate::options::octets;
use crate::revocations::Revocations;
use gatekey::Secret;
use gatekey::oauth::TokenGrant;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// The client behind `gatekey.oauth.OAuthClient`: it makes operations.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _OAuthClient(pub(crate) Kept<gatekey::OAuthClient>, Option<Py<Revocations>>);

#[pymethods]
impl _OAuthClient {
    #[new]
    #[pyo3(signature = (config, *, flow_keys=None, replay=None))]
    fn new(
        py: Python<'_>,
        config: Text<'_>,
        flow_keys: Option<&Bound<'_, PyAny>>,
        replay: Option<Py<Revocations>>,
    ) -> PyResult<Self> {
        let mut config =
            gatekey::oauth::OAuthConfig::from_json(config.0.as_bytes()).or_raise(py)?;
        if let Some(keys) = flow_keys {
            config = config.flow_keys(crate::args::peppers(keys, "flow_keys")?);
        }
        if let Some(replay) = &replay {
            config = config.replay(std::sync::Arc::new(replay.get().core().clone()));
        }
        Ok(Self(Kept::new(gatekey::OAuthClient::new(config).or_raise(py)?), replay))
    }

    #[getter]
    fn client_id(&self) -> &str {
        self.0.client_id()
    }

    #[getter]
    fn issuer(&self) -> Option<&str> {
        self.0.issuer()
    }

    fn begin(&self, py: Python<'_>, options: Text<'_>, cookies: Text<'_>) -> PyResult<_Operation> {
        let options = gatekey::oauth::LoginOptions::from_json(options.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.begin(&options, cookies.0).or_raise(py)?, Outcome::Begun))
    }

    #[pyo3(signature = (callback, cookies, grant=None))]
    fn finish(
        &self,
        py: Python<'_>,
        callback: Text<'_>,
        cookies: Text<'_>,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let grant = granted(py, grant)?;
        self.1.as_ref().map_or(Ok(()), |list| list.get().follow(py))?;
        // What was seen before is asked of a store.
        let begin = || self.0.finish_with(callback.0, cookies.0, &grant);
        let operation = py.detach(begin).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Finished))
    }

    fn end_login(&self, callback: Text<'_>) -> Option<String> {
        self.0.end_login(callback.0)
    }

    #[pyo3(signature = (tokens, grant=None))]
    fn refresh(
        &self,
        py: Python<'_>,
        tokens: &OAuthTokens,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let operation = self.0.refresh_with(&tokens.0, &granted(py, grant)?).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Tokens))
    }

    fn client_credentials(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        Ok(_Operation::new(self.0.client_credentials(&grant).or_raise(py)?, Outcome::Tokens))
    }

    fn jwt_bearer(
        &self,
        py: Python<'_>,
        assertion: Text<'_>,
        grant: Text<'_>,
    ) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        let assertion = Secret::from(assertion.owned());
        Ok(_Operation::new(self.0.jwt_bearer(assertion, &grant).or_raise(py)?, Outcome::Tokens))
    }

    fn token_exchange(&self, py: Python<'_>, exchange: Text<'_>) -> PyResult<_Operation> {
        let exchange =
            gatekey::oauth::TokenExchange::from_json(exchange.0.as_bytes()).or_raise(py)?;
        Ok(_Operation::new(self.0.token_exchange(&exchange).or_raise(py)?, Outcome::Tokens))
    }

    fn device_codes(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        Ok(_Operation::new(self.0.device_codes(&grant).or_raise(py)?, Outcome::Codes))
    }

    #[pyo3(signature = (codes, grant=None))]
    fn poll(
        &self,
        py: Python<'_>,
        codes: &DeviceCodes,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let operation = self.0.poll_with(&codes.0, &granted(py, grant)?).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Tokens))
    }

    /// Of tokens, or of an access token alone.
    fn userinfo(&self, tokens: &Bound<'_, PyAny>) -> PyResult<_Operation> {
        let operation = match tokens.cast::<OAuthTokens>() {
            Ok(tokens) => self.0.userinfo(&tokens.get().0),
            Err(_) => {
                let token = octets(tokens, "access token")?;
                self.0.userinfo_by_token(&Secret::new(token.to_vec()))
            }
        };
        Ok(_Operation::new(operation, Outcome::User))
    }

    fn metadata(&self) -> _Operation {
        _Operation::new(self.0.metadata(), Outcome::Json)
    }

    #[pyo3(signature = (token, grant=None))]
    fn introspect(
        &self,
        py: Python<'_>,
        token: Text<'_>,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let token = Secret::from(token.owned());
        let operation = self.0.introspect_with(&token, &granted(py, grant)?).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Told))
    }

    fn revoke(&self, token: Text<'_>, is_refresh_token: bool) -> _Operation {
        let operation = self.0.revoke(&Secret::from(token.owned()), is_refresh_token);
        _Operation::new(operation, |()| Outcome::Nothing)
    }

    fn logout_url(
        &self,
        py: Python<'_>,
        id_token: Option<Text<'_>>,
        post_logout_redirect_uri: Option<Text<'_>>,
        state: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let id_token = id_token.map(|token| Secret::from(token.owned()));
        let (uri, state) = (post_logout_redirect_uri.map(|uri| uri.0), state.map(|state| state.0));
        let operation = self.0.logout_url(id_token.as_ref(), uri, state).or_raise(py)?;
        Ok(_Operation::new(operation, Outcome::Text))
    }

    fn logout_notice(&self, logout_token: Text<'_>) -> _Operation {
        _Operation::new(self.0.logout_notice(logout_token.0), Outcome::Notice)
    }

    fn __repr__(&self) -> String {
        format!("<gatekey {:?}>", *self.0)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an OAuth client cannot be pickled or copied: it holds secrets"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.1)
    }
}

/// What a request says besides; nothing if there is none.
fn granted(py: Python<'_>, grant: Option<Text<'_>>) -> PyResult<TokenGrant> {
    let read = |grant: Text<'_>| TokenGrant::from_json(grant.0.as_bytes()).or_raise(py);
    grant.map_or_else(|| Ok(TokenGrant::new()), read)
}
