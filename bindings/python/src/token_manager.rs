//! What is behind `gatekey.TokenManager`.

use crate::args::{self as args, Text};
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::oauth_client::_OAuthClient;
use crate::oauth_records::OAuthTokens;
use crate::operation::{_Operation, Outcome};
use crate::transport::{HttpTransport, in_threads};
use gatekey::Secret;
use gatekey::store::{MemoryTokenStore, TokenFolder, TokenStore};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// What is behind `gatekey.TokenManager`. Every call may wait for another thread or process; the GIL is released.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _TokenManager(Kept<gatekey::oauth::TokenManager>);

#[pymethods]
impl _TokenManager {
    #[new]
    #[pyo3(signature = (client, folder, transport, *, seal=None, grant=None))]
    fn new(
        py: Python<'_>,
        client: &_OAuthClient,
        folder: Option<Text<'_>>,
        transport: Option<&Bound<'_, HttpTransport>>,
        seal: Option<&Bound<'_, PyAny>>,
        grant: Option<Text<'_>>,
    ) -> PyResult<Self> {
        let store: Arc<dyn TokenStore> = match folder {
            None => Arc::new(MemoryTokenStore::new()),
            Some(folder) => Arc::new(py.detach(|| TokenFolder::open(folder.0)).or_raise(py)?),
        };
        let transport = in_threads(transport);
        let mut inner = gatekey::oauth::TokenManager::new(
            gatekey::OAuthClient::clone(&client.0),
            store,
            transport,
        );
        if let Some(grant) = grant {
            let grant = gatekey::oauth::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
            inner = inner.client_credentials(grant);
        }
        if let Some(seal) = seal {
            inner = inner.sealed(args::peppers(seal, "seal")?);
        }
        Ok(Self(Kept::new(inner)))
    }

    fn put(&self, py: Python<'_>, name: Text<'_>, tokens: &OAuthTokens) -> PyResult<()> {
        py.detach(|| self.0.put(name.0, &tokens.0)).or_raise(py)
    }

    fn remove(&self, py: Python<'_>, name: Text<'_>) -> PyResult<()> {
        py.detach(|| self.0.remove(name.0)).or_raise(py)
    }

    fn tokens(&self, py: Python<'_>, name: Text<'_>, min_ttl: u64) -> PyResult<OAuthTokens> {
        let tokens = py.detach(|| self.0.tokens(name.0, min_ttl)).or_raise(py)?;
        Ok(OAuthTokens(gatekey::oauth::OAuthTokens::clone(&tokens)))
    }

    fn known(&self, py: Python<'_>, name: Text<'_>, min_ttl: u64) -> Option<OAuthTokens> {
        let known = py.detach(|| self.0.known(name.0, min_ttl))?;
        Some(OAuthTokens(gatekey::oauth::OAuthTokens::clone(&known)))
    }

    fn replace(&self, py: Python<'_>, name: Text<'_>, refused: Text<'_>) -> PyResult<OAuthTokens> {
        let refused = Secret::from(refused.owned());
        let tokens = py.detach(|| self.0.replace(name.0, &refused)).or_raise(py)?;
        Ok(OAuthTokens(gatekey::oauth::OAuthTokens::clone(&tokens)))
    }

    /// `tokens`, or `replace` of a refused one, to be driven.
    fn _renewal(
        &self,
        py: Python<'_>,
        name: Text<'_>,
        min_ttl: u64,
        refused: Option<Text<'_>>,
    ) -> PyResult<_Operation> {
        let refused = refused.map(|refused| Secret::from(refused.owned()));
        let operation = self.0.renewal(name.0, min_ttl, refused.as_ref()).or_raise(py)?;
        let plain = |tokens: Arc<_>| Outcome::Tokens(gatekey::oauth::OAuthTokens::clone(&tokens));
        Ok(_Operation::new(operation, plain))
    }

    fn __repr__(&self) -> String {
        format!("<gatekey {:?}>", *self.0)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a TokenManager is not pickled or copied; share it"))
    }
}
