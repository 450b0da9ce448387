//! `_OAuthClient`: the client behind `gatekey.oauth.OAuthClient`.

use crate::args::Text;
use crate::clock::OwnClock;
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::oauth_records::{DeviceCodes, OAuthTokens};
use crate::operation::{_Operation, Outcome};
use crate::options::{PyClock, octets, shown, shown_or_none};
use crate::revocations::Revocations;
use crate::twins::Own;
use gatekey::Secret;
use gatekey::oauth::TokenGrant;
use gatekey::transport::Operation;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// The client behind `gatekey.oauth.OAuthClient`: it makes operations.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _OAuthClient(
    pub(crate) Kept<gatekey::OAuthClient>,
    Option<Py<Revocations>>,
    Option<OwnClock>,
);

impl _OAuthClient {
    /// The client's clock, for what makes requests in its name.
    pub(crate) fn clock(&self, py: Python<'_>) -> Option<OwnClock> {
        self.2.as_ref().map(|clock| clock.share(py))
    }

    /// The client, which has read its clock for the call that follows.
    fn ticked(&self, py: Python<'_>) -> PyResult<&gatekey::OAuthClient> {
        self.2.as_ref().map_or(Ok(()), |clock| clock.tick(py))?;
        Ok(&self.0)
    }

    /// An operation of this client's, which goes by its clock.
    fn made<T: 'static>(
        &self,
        py: Python<'_>,
        operation: Operation<T>,
        wrap: impl FnOnce(T) -> Outcome + Send + 'static,
    ) -> _Operation {
        _Operation::new(operation, wrap).by(self.clock(py))
    }
}

#[pymethods]
impl _OAuthClient {
    #[new]
    #[pyo3(signature = (config, *, flow_keys=None, replay=None, clock=None))]
    fn new(
        py: Python<'_>,
        config: Text<'_>,
        flow_keys: Option<&Bound<'_, PyAny>>,
        replay: Option<Own<Revocations>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let replay = replay.map(|list| list.0);
        let mut config =
            gatekey::oauth::OAuthConfig::from_json(config.0.as_bytes()).or_raise(py)?;
        if let Some(keys) = flow_keys {
            config = config.flow_keys(crate::args::secrets(keys, "flow_keys")?);
        }
        if let Some(replay) = &replay {
            config = config.replay(std::sync::Arc::new(replay.get().core().clone()));
        }
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            config = config.clock(clock.core());
        }
        Ok(Self(Kept::new(gatekey::OAuthClient::new(config).or_raise(py)?), replay, clock))
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
        Ok(self.made(py, self.ticked(py)?.begin(&options, cookies.0).or_raise(py)?, Outcome::Begun))
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
        let client = self.ticked(py)?;
        self.1.as_ref().map_or(Ok(()), |list| list.get().follow(py))?;
        // What was seen before is asked of a store.
        let begin = || client.finish_with(callback.0, cookies.0, &grant);
        let operation = py.detach(begin).or_raise(py)?;
        Ok(self.made(py, operation, Outcome::Finished))
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
        let operation =
            self.ticked(py)?.refresh_with(&tokens.0, &granted(py, grant)?).or_raise(py)?;
        Ok(self.made(py, operation, Outcome::Tokens))
    }

    fn client_credentials(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        Ok(self.made(
            py,
            self.ticked(py)?.client_credentials(&grant).or_raise(py)?,
            Outcome::Tokens,
        ))
    }

    fn jwt_bearer(
        &self,
        py: Python<'_>,
        assertion: Text<'_>,
        grant: Text<'_>,
    ) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        let assertion = Secret::from(assertion.owned());
        Ok(self.made(
            py,
            self.ticked(py)?.jwt_bearer(assertion, &grant).or_raise(py)?,
            Outcome::Tokens,
        ))
    }

    fn token_exchange(&self, py: Python<'_>, exchange: Text<'_>) -> PyResult<_Operation> {
        let exchange =
            gatekey::oauth::TokenExchange::from_json(exchange.0.as_bytes()).or_raise(py)?;
        Ok(self.made(py, self.ticked(py)?.token_exchange(&exchange).or_raise(py)?, Outcome::Tokens))
    }

    fn device_codes(&self, py: Python<'_>, grant: Text<'_>) -> PyResult<_Operation> {
        let grant = granted(py, Some(grant))?;
        Ok(self.made(py, self.ticked(py)?.device_codes(&grant).or_raise(py)?, Outcome::Codes))
    }

    #[pyo3(signature = (codes, grant=None))]
    fn poll(
        &self,
        py: Python<'_>,
        codes: &DeviceCodes,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let operation = self.ticked(py)?.poll_with(&codes.0, &granted(py, grant)?).or_raise(py)?;
        Ok(self.made(py, operation, Outcome::Tokens))
    }

    /// Of tokens, or of an access token alone.
    fn userinfo(&self, py: Python<'_>, tokens: &Bound<'_, PyAny>) -> PyResult<_Operation> {
        let client = self.ticked(py)?;
        let operation = match tokens.cast::<OAuthTokens>() {
            Ok(tokens) => client.userinfo(&tokens.get().0),
            Err(_) => {
                let token = octets(tokens, "access token")?;
                client.userinfo_by_token(&Secret::new(token.to_vec()))
            }
        };
        Ok(self.made(py, operation, Outcome::User))
    }

    fn metadata(&self, py: Python<'_>) -> PyResult<_Operation> {
        Ok(self.made(py, self.ticked(py)?.metadata(), Outcome::Json))
    }

    #[pyo3(signature = (token, grant=None))]
    fn introspect(
        &self,
        py: Python<'_>,
        token: Text<'_>,
        grant: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let token = Secret::from(token.owned());
        let operation =
            self.ticked(py)?.introspect_with(&token, &granted(py, grant)?).or_raise(py)?;
        Ok(self.made(py, operation, Outcome::Told))
    }

    fn revoke(
        &self,
        py: Python<'_>,
        token: Text<'_>,
        is_refresh_token: bool,
    ) -> PyResult<_Operation> {
        let operation = self.ticked(py)?.revoke(&Secret::from(token.owned()), is_refresh_token);
        Ok(self.made(py, operation, |()| Outcome::Nothing))
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
        let operation = self.ticked(py)?.logout_url(id_token.as_ref(), uri, state).or_raise(py)?;
        Ok(self.made(py, operation, Outcome::Text))
    }

    fn logout_notice(&self, py: Python<'_>, logout_token: Text<'_>) -> PyResult<_Operation> {
        let operation = self.ticked(py)?.logout_notice(logout_token.0);
        Ok(self.made(py, operation, Outcome::Notice))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let issuer = shown_or_none(py, self.0.issuer());
        format!("<gatekey.OAuthClient {} issuer={issuer}>", shown(py, self.0.client_id()))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an OAuth client cannot be pickled or copied: it holds secrets"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.1)?;
        self.2.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

/// What a request says in addition; nothing if there is nothing to add.
fn granted(py: Python<'_>, grant: Option<Text<'_>>) -> PyResult<TokenGrant> {
    let read = |grant: Text<'_>| TokenGrant::from_json(grant.0.as_bytes()).or_raise(py);
    grant.map_or_else(|| Ok(TokenGrant::new()), read)
}
