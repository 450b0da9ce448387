//! What is behind `gatekey.ResourceServer`.

use crate::access::Access;
use crate::apikey::ApiKeys;
use crate::args::{self as args, Text};
use crate::attempt::without_asking;
use crate::clock::OwnClock;
use crate::errors::{OrRaise, raise, usage};
use crate::gil::Kept;
use crate::keyring::KeyRing;
use crate::oauth_client::_OAuthClient;
use crate::options::{PyClock, Span, names, shown, span, text};
use crate::own_transport::{asked, asking, in_threads};
use crate::remote_key_set::key_source;
use crate::revocations::Revocations;
use crate::twins::Own;
use gatekey::resource::{Demand, IntrospectionOptions, Presented, ResourceServerBuilder};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;

/// Whom to ask about opaque tokens, how, and for how long answers are remembered; whether they must name an audience, and
/// how many unknown tokens are asked about. Without a transport only a loop can ask.
type Asking<'py> = (PyRef<'py, _OAuthClient>, Option<Bound<'py, PyAny>>, u64, u64, bool, u32);

/// What is behind `gatekey.ResourceServer`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _ResourceServer {
    inner: Kept<gatekey::ResourceServer>,
    /// For a guard that takes what this takes.
    builder: ResourceServerBuilder,
    /// Whether only a loop can ask about opaque tokens.
    is_for_loops: bool,
    /// What may have a clock of Python's.
    rings: Vec<Py<KeyRing>>,
    api_keys: Option<Py<ApiKeys>>,
    revocations: Option<Py<Revocations>>,
    /// What `repr` shows: the API's identifier.
    audience: String,
    /// Its own, and that of the client that asks about tokens.
    clocks: Vec<OwnClock>,
    /// For the HTTP status and challenge of the refusals of others.
    #[pyo3(get)]
    metadata_path: Option<String>,
}

#[pymethods]
impl _ResourceServer {
    #[new]
    #[pyo3(signature = (options, *, keys=None, issuers=Vec::new(), introspection=None, api_keys=None, revocations=None,
        clock=None))]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn new(
        py: Python<'_>,
        options: Text<'_>,
        keys: Option<Bound<'_, PyAny>>,
        issuers: Vec<(Bound<'_, PyString>, Bound<'_, PyAny>)>,
        introspection: Option<Asking<'_>>,
        api_keys: Option<Own<ApiKeys>>,
        revocations: Option<Own<Revocations>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (api_keys, revocations) = (api_keys.map(|keys| keys.0), revocations.map(|list| list.0));
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        let mut builder = ResourceServerBuilder::from_json(options.0.as_bytes()).or_raise(py)?;
        for (name, keys) in &issuers {
            builder = builder.issuer(text(name, "issuers")?, key_source(keys)?);
        }
        if let Some(keys) = &keys {
            builder = builder.keys(key_source(keys)?);
        }
        let all = issuers.iter().map(|(_, keys)| keys).chain(&keys);
        let rings = all.filter_map(|keys| keys.cast::<KeyRing>().ok());
        let rings: Vec<_> = rings.map(|ring| ring.clone().unbind()).collect();
        let mut clocks = Vec::new();
        let is_for_loops =
            introspection.as_ref().is_some_and(|(_, transport, ..)| transport.is_none());
        if let Some((client, transport, ttl, negative, audience, unknown)) = introspection {
            let options = IntrospectionOptions::new().ttl(ttl).negative_ttl(negative);
            let options = options.require_audience(audience).unknown_tokens(unknown);
            let transport = in_threads(transport.as_ref())?;
            builder =
                builder.introspection(gatekey::OAuthClient::clone(&client.0), transport, options);
            clocks.extend(client.clock(py));
        }
        if let Some(clock) = clock {
            builder = builder.clock(clock.core());
            clocks.push(clock);
        }
        if let Some(api_keys) = &api_keys {
            builder = builder.api_keys(api_keys.get().core().clone());
        }
        if let Some(list) = &revocations {
            builder = builder.revocations(Arc::new(list.get().core().clone()));
        }
        follow(py, &rings, api_keys.as_ref(), revocations.as_ref())?;
        let made = builder.clone();
        let inner = Kept::new(asked(py, || made.build())?);
        let metadata_path = inner.metadata_path();
        let about = gatekey::json::parse(options.0.as_bytes()).or_raise(py)?;
        let audience = about.member("audience").and_then(|audience| audience.as_str());
        let audience = audience.unwrap_or_default().into_owned();
        Ok(Self {
            inner,
            builder,
            is_for_loops,
            rings,
            api_keys,
            revocations,
            audience,
            clocks,
            metadata_path,
        })
    }

    /// Who calls. The GIL is released: keys may have to be fetched, or the server asked.
    #[pyo3(signature = (authorization, api_key, scopes, acr_values, max_age, address, tenant, decided_by))]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python method")]
    fn check(
        &self,
        py: Python<'_>,
        authorization: Option<&Bound<'_, PyString>>,
        api_key: Option<&Bound<'_, PyString>>,
        scopes: &Bound<'_, PyAny>,
        acr_values: &Bound<'_, PyAny>,
        max_age: Option<&Bound<'_, PyAny>>,
        address: Option<&Bound<'_, PyAny>>,
        tenant: Option<&Bound<'_, PyString>>,
        decided_by: Option<Text<'_>>,
    ) -> PyResult<Access> {
        let scopes = names(scopes, "scopes")?;
        let acr_values = names(acr_values, "acr_values")?;
        let address = address.map(args::caller_address).transpose()?.flatten();
        let max_age = max_age.map(|age| span(age, "max_age")).transpose()?.map(Span::at_most);
        let tenant = tenant.map(|tenant| text(tenant, "tenant")).transpose()?;
        let decided_by = decided_by.map(|place| args::credential_place(py, place.0)).transpose()?;
        // A str that is no Unicode text is no header that could be good, not a misuse.
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        let api_key = api_key.map(|value| value.to_str().unwrap_or_default());
        let presented = Presented { authorization, api_key };
        self.follow(py)?;
        let (scopes, acr_values) = (borrowed(&scopes), borrowed(&acr_values));
        let mut demand = Demand::new().scopes(&scopes).acr_values(&acr_values);
        (demand.max_age, demand.address) = (max_age, address);
        (demand.tenant, demand.decided_by) = (tenant, decided_by);
        let check = || {
            self.inner.check_presented(&presented, &demand).map_err(|error| {
                let challenge = self.inner.challenge(&error, &demand);
                Box::new((error, challenge))
            })
        };
        let checked =
            asking(py, || if self.is_for_loops { without_asking(check) } else { Some(check()) })?;
        let checked = checked.ok_or_else(|| usage(py, FOR_LOOPS))?;
        checked.map(Access::of_server).map_err(|refusal| {
            let (error, challenge) = *refusal;
            let raised = raise(py, &error);
            let told = raised.value(py).setattr("_challenge", challenge);
            told.err().unwrap_or(raised)
        })
    }

    fn metadata_json(&self) -> String {
        self.inner.metadata_json()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<gatekey.ResourceServer {}>", shown(py, &self.audience))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a ResourceServer is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.rings.iter().try_for_each(|ring| visit.call(ring))?;
        self.clocks.iter().try_for_each(|clock| clock.traverse(&visit))?;
        visit.call(&self.api_keys)?;
        visit.call(&self.revocations)
    }
}

impl _ResourceServer {
    /// What it takes, for a guard.
    pub(crate) fn builder(&self) -> ResourceServerBuilder {
        self.builder.clone()
    }

    /// Whether only a loop can ask about opaque tokens.
    pub(crate) const fn is_for_loops(&self) -> bool {
        self.is_for_loops
    }

    /// Has everything that it was given read its clock, if it is one of Python's.
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        follow(py, &self.rings, self.api_keys.as_ref(), self.revocations.as_ref())?;
        self.clocks.iter().try_for_each(|clock| clock.tick(py))
    }
}

/// Has each of them read its clock, if it is one of Python's.
fn follow(
    py: Python<'_>,
    rings: &[Py<KeyRing>],
    api_keys: Option<&Py<ApiKeys>>,
    revocations: Option<&Py<Revocations>>,
) -> PyResult<()> {
    rings.iter().try_for_each(|ring| ring.get().follow(py))?;
    api_keys.map_or(Ok(()), |keys| keys.get().follow(py))?;
    revocations.map_or(Ok(()), |list| list.get().follow(py))
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub(crate) const FOR_LOOPS: &str = "The server has to be asked, and the transport of `introspection` is async: use a \
    gatekey.aio.ResourceServer on its loop, or give the client a HttpTransport.";
