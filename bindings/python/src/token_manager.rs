//! What is behind `gatekey.TokenManager`.

use crate::args::{self as args, Text};
use crate::clock::OwnClock;
use crate::errors::OrRaise;
use crate::gil::Kept;
use crate::oauth_client::_OAuthClient;
use crate::oauth_records::OAuthTokens;
use crate::operation::{_Operation, Outcome};
use crate::options::shown;
use crate::own_transport::{asked, in_threads};
use gatekey::Secret;
use gatekey::store::{MemoryTokenStore, TokenFolder, TokenStore};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::Arc;

/// What is behind `gatekey.TokenManager`. Every call may wait for another thread or process; the GIL is released.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _TokenManager(Kept<gatekey::oauth::TokenManager>, Option<OwnClock>);

impl _TokenManager {
    /// Reads the client's clock for the call that follows.
    fn ticked<'py>(&self, py: Python<'py>) -> PyResult<Python<'py>> {
        self.1.as_ref().map_or(Ok(()), |clock| clock.tick(py))?;
        Ok(py)
    }
}

#[pymethods]
impl _TokenManager {
    #[new]
    #[pyo3(signature = (client, folder, transport, *, seal=None, grant=None, refresh_with=None))]
    fn new(
        py: Python<'_>,
        client: &_OAuthClient,
        folder: Option<Text<'_>>,
        transport: Option<&Bound<'_, PyAny>>,
        seal: Option<&Bound<'_, PyAny>>,
        grant: Option<Text<'_>>,
        refresh_with: Option<Text<'_>>,
    ) -> PyResult<Self> {
        let store: Arc<dyn TokenStore> = match folder {
            None => Arc::new(MemoryTokenStore::new()),
            Some(folder) => Arc::new(py.detach(|| TokenFolder::open(folder.0)).or_raise(py)?),
        };
        let transport = in_threads(transport)?;
        let mut inner = gatekey::oauth::TokenManager::new(
            gatekey::OAuthClient::clone(&client.0),
            store,
            transport,
        );
        if let Some(grant) = grant {
            let grant = gatekey::oauth::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
            inner = inner.client_credentials(grant);
        }
        if let Some(grant) = refresh_with {
            let grant = gatekey::oauth::TokenGrant::from_json(grant.0.as_bytes()).or_raise(py)?;
            inner = inner.refresh_with(grant);
        }
        if let Some(seal) = seal {
            inner = inner.sealed(args::secrets(seal, "seal")?);
        }
        Ok(Self(Kept::new(inner), client.clock(py)))
    }

    fn put(&self, py: Python<'_>, name: Text<'_>, tokens: &OAuthTokens) -> PyResult<()> {
        self.ticked(py)?.detach(|| self.0.put(name.0, &tokens.0)).or_raise(py)
    }

    fn remove(&self, py: Python<'_>, name: Text<'_>) -> PyResult<()> {
        self.ticked(py)?.detach(|| self.0.remove(name.0)).or_raise(py)
    }

    fn tokens(&self, py: Python<'_>, name: Text<'_>, min_ttl: u64) -> PyResult<OAuthTokens> {
        let tokens = asked(self.ticked(py)?, || self.0.tokens(name.0, min_ttl))?;
        Ok(OAuthTokens(gatekey::oauth::OAuthTokens::clone(&tokens)))
    }

    fn known(&self, py: Python<'_>, name: Text<'_>, min_ttl: u64) -> PyResult<Option<OAuthTokens>> {
        let known = self.ticked(py)?.detach(|| self.0.known(name.0, min_ttl));
        Ok(known.map(|known| OAuthTokens(gatekey::oauth::OAuthTokens::clone(&known))))
    }

    fn replace(&self, py: Python<'_>, name: Text<'_>, refused: Text<'_>) -> PyResult<OAuthTokens> {
        let refused = Secret::from(refused.owned());
        let tokens = asked(self.ticked(py)?, || self.0.replace(name.0, &refused))?;
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
        let operation = match refused {
            Some(refused) => self.0.replacement(name.0, &Secret::from(refused.owned())),
            None => self.0.renewal(name.0, min_ttl),
        };
        let operation = operation.or_raise(py)?;
        let plain = |tokens: Arc<_>| Outcome::Tokens(gatekey::oauth::OAuthTokens::clone(&tokens));
        let clock = self.1.as_ref().map(|clock| clock.share(py));
        Ok(_Operation::new(operation, plain).by(clock))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let names = match self.0.names_in_use() {
            1 => "1 name".to_owned(),
            count => format!("{count} names"),
        };
        format!(
            "<gatekey.TokenManager of {} ({names} in use)>",
            shown(py, self.0.client().client_id())
        )
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a TokenManager is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.1.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}
