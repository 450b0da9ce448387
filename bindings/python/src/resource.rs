//! What is behind `gatekey.ResourceServer`.

use crate::apikey::ApiKeys;
use crate::args::{self as args, Text};
use crate::errors::{OrRaise, raise};
use crate::gil::Kept;
use crate::keyring::KeyRing;
use crate::oauth_client::_OAuthClient;
use crate::oauth_records::Access;
use crate::options::{Span, names, span};
use crate::remote_key_set::key_source;
use crate::revocations::Revocations;
use crate::transport::HttpTransport;
use gatekey::resource::{Demand, IntrospectionOptions, ResourceServerBuilder};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;

/// Whom to ask about opaque tokens, how, and for how long answers are remembered; whether they must name an audience, and
/// how many unknown tokens are asked about.
type Asking<'py> = (PyRef<'py, _OAuthClient>, PyRef<'py, HttpTransport>, u64, u64, bool, u32);

/// What is behind `gatekey.ResourceServer`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _ResourceServer {
    inner: Kept<gatekey::ResourceServer>,
    /// What may have a clock of Python's.
    ring: Option<Py<KeyRing>>,
    api_keys: Option<Py<ApiKeys>>,
    revocations: Option<Py<Revocations>>,
    /// For the HTTP status and challenge of the refusals of others.
    #[pyo3(get)]
    metadata_path: Option<String>,
}

#[pymethods]
impl _ResourceServer {
    #[new]
    #[pyo3(signature = (options, *, keys=None, introspection=None, api_keys=None, revocations=None))]
    fn new(
        py: Python<'_>,
        options: Text<'_>,
        keys: Option<&Bound<'_, PyAny>>,
        introspection: Option<Asking<'_>>,
        api_keys: Option<Py<ApiKeys>>,
        revocations: Option<Py<Revocations>>,
    ) -> PyResult<Self> {
        let ring =
            keys.and_then(|keys| keys.cast::<KeyRing>().ok()).map(|ring| ring.clone().unbind());
        let keys = keys.map(key_source).transpose()?;
        let mut builder = ResourceServerBuilder::from_json(options.0.as_bytes()).or_raise(py)?;
        if let Some(keys) = keys {
            builder = builder.keys(keys);
        }
        if let Some((client, transport, ttl, negative, audience, unknown)) = introspection {
            let options = IntrospectionOptions::new().ttl(ttl).negative_ttl(negative);
            let options = options.require_audience(audience).unknown_tokens(unknown);
            let transport = Arc::new(transport.core().clone());
            builder =
                builder.introspection(gatekey::OAuthClient::clone(&client.0), transport, options);
        }
        if let Some(api_keys) = &api_keys {
            builder = builder.api_keys(api_keys.get().core().clone());
        }
        if let Some(list) = &revocations {
            builder = builder.revocations(Arc::new(list.get().core().clone()));
        }
        follow(py, ring.as_ref(), api_keys.as_ref(), revocations.as_ref())?;
        let inner = Kept::new(py.detach(|| builder.build()).or_raise(py)?);
        let metadata_path = inner.metadata_path();
        Ok(Self { inner, ring, api_keys, revocations, metadata_path })
    }

    /// Who calls. The GIL is released: keys may have to be fetched, or the server asked.
    #[pyo3(signature = (authorization, scopes, acr_values, max_age, address))]
    fn check(
        &self,
        py: Python<'_>,
        authorization: Option<&Bound<'_, PyString>>,
        scopes: &Bound<'_, PyAny>,
        acr_values: &Bound<'_, PyAny>,
        max_age: Option<&Bound<'_, PyAny>>,
        address: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Access> {
        let scopes = names(scopes, "scopes")?;
        let acr_values = names(acr_values, "acr_values")?;
        let address = address.map(args::caller_address).transpose()?.flatten();
        let max_age = max_age.map(|age| span(age, "max_age")).transpose()?.map(Span::at_most);
        // A str that is no Unicode text is no header that could be good, not a misuse.
        let header = authorization.map(|header| header.to_str().unwrap_or_default());
        follow(py, self.ring.as_ref(), self.api_keys.as_ref(), self.revocations.as_ref())?;
        let checked = py.detach(|| {
            with_demand(&scopes, &acr_values, max_age, |mut demand| {
                demand.address = address;
                self.inner.check(header, &demand).map_err(|error| {
                    let challenge = self.inner.challenge(&error, &demand);
                    (error, challenge)
                })
            })
        });
        checked.map(Access).map_err(|(error, challenge)| {
            let raised = raise(py, &error);
            let told = raised.value(py).setattr("_challenge", challenge);
            told.err().unwrap_or(raised)
        })
    }

    fn metadata_json(&self) -> String {
        self.inner.metadata_json()
    }

    fn __repr__(&self) -> String {
        format!("<gatekey {:?}>", *self.inner)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a ResourceServer is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.ring)?;
        visit.call(&self.api_keys)?;
        visit.call(&self.revocations)
    }
}

/// Has each of them read its clock, if it is one of Python's.
fn follow(
    py: Python<'_>,
    ring: Option<&Py<KeyRing>>,
    api_keys: Option<&Py<ApiKeys>>,
    revocations: Option<&Py<Revocations>>,
) -> PyResult<()> {
    ring.map_or(Ok(()), |ring| ring.get().follow(py))?;
    api_keys.map_or(Ok(()), |keys| keys.get().follow(py))?;
    revocations.map_or(Ok(()), |list| list.get().follow(py))
}

fn with_demand<T>(
    scopes: &[String],
    acr_values: &[String],
    max_age: Option<u64>,
    work: impl FnOnce(Demand<'_>) -> T,
) -> T {
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let acr_values: Vec<&str> = acr_values.iter().map(String::as_str).collect();
    let mut demand = Demand::new().scopes(&scopes).acr_values(&acr_values);
    demand.max_age = max_age;
    work(demand)
}
