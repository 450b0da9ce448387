//! `gatekey.Verifier`: keys and a policy, checked once, used by any number of threads.

use crate::args::Subject;
use crate::encode::{self, Default};
use crate::errors::OrRaise;
use crate::gil::{Kept, quickly};
use crate::key::Key;
use crate::key_set::keyset;
use crate::keyring::KeyRing;
use crate::options::{
    Expectation, PyClock, algorithm, bounded, names, shown, span, token_octets, wrong_type,
};
use crate::own_transport::asked;
use crate::remote_key_set::{_RemoteKeySet, fetched};
use crate::revocations::Revocations;
use crate::twins::Own;
use crate::verified::Verified;
use gatekey::{Alg, Policy};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use std::sync::Arc;

/// Verifies tokens against keys and a policy. Immutable and safe to share between threads.
///
/// `keys` is a `Key`, a `KeySet`, several keys, or a `KeyRing`, which is followed. The options are:
///
/// - `issuer`, `audience`, `typ`: one value or several to choose from, which makes the claim
///   required; `gatekey.ANY` accepts every value and none. Where nothing is said, a token that has
///   an `iss` or `aud` is refused, and so is a `typ` other than `JWT`.
/// - `subject`: the only `sub` accepted; an `int` for one that is a number. `required`: names of claims that must be
///   there. `claims`: a mapping of claims to the values that they must have, such as `{"token_type": "access"}`.
/// - `allow_numeric_subject`: accept a `sub` that is a whole number, which RFC 7519 does not allow. 7 and "7" are two
///   subjects: `.subject` is then an `int`.
/// - `allow_padding`: accept parts that are padded with `=`, as AWS load balancers sign them.
/// - `leeway`: seconds, or a timedelta, by which clocks may differ; at most 600.
/// - `max_age`: seconds, or a timedelta, since `iat`, which is then required.
/// - `allow_missing_exp`: accept a token that never expires. An `exp` is always checked.
/// - `algorithms`: use only keys of these algorithms. The keys have one each, so this is rarely
///   needed.
/// - `max_token_bytes`, `max_header_bytes`: 16 KiB and 4 KiB unless set.
/// - `try_keys_without_kid`: try up to four keys on a token that names none.
/// - `revocations`: a `Revocations`; a token that is on it is a `RevokedTokenError`.
/// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Verifier {
    inner: Kept<gatekey::Verifier>,
    clock: Option<PyClock>,
    symmetric: bool,
    /// Whose keys are trusted, if they change.
    rings: Vec<Py<KeyRing>>,
    revocations: Option<Py<Revocations>>,
}

#[pymethods]
impl Verifier {
    #[new]
    #[pyo3(signature = (keys, *, issuer=None, audience=None, typ=None, subject=None, leeway=None,
        max_age=None, required=None, allow_missing_exp=false, clock=None, algorithms=None,
        max_token_bytes=None, max_header_bytes=None, try_keys_without_kid=false, revocations=None,
        claims=None, allow_numeric_subject=false, allow_padding=false),
        text_signature = "(keys, *, issuer=None, audience=None, typ=None, subject=None, leeway=0, \
        max_age=None, required=(), allow_missing_exp=False, clock=None, algorithms=None, \
        max_token_bytes=None, max_header_bytes=None, try_keys_without_kid=False, revocations=None, \
        claims=None, allow_numeric_subject=False, allow_padding=False)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python class")]
    fn new(
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        issuer: Option<&Bound<'_, PyAny>>,
        audience: Option<&Bound<'_, PyAny>>,
        typ: Option<&Bound<'_, PyAny>>,
        subject: Option<Subject>,
        leeway: Option<&Bound<'_, PyAny>>,
        max_age: Option<&Bound<'_, PyAny>>,
        required: Option<&Bound<'_, PyAny>>,
        allow_missing_exp: bool,
        clock: Option<Bound<'_, PyAny>>,
        algorithms: Option<&Bound<'_, PyAny>>,
        max_token_bytes: Option<&Bound<'_, PyAny>>,
        max_header_bytes: Option<&Bound<'_, PyAny>>,
        try_keys_without_kid: bool,
        revocations: Option<Own<Revocations>>,
        claims: Option<&Bound<'_, PyAny>>,
        allow_numeric_subject: bool,
        allow_padding: bool,
    ) -> PyResult<Self> {
        let revocations = revocations.map(|list| list.0);
        let mut policy = Options {
            audience,
            typ,
            subject,
            leeway,
            max_age,
            required,
            allow_missing_exp,
            algorithms,
            max_token_bytes,
            max_header_bytes,
            try_keys_without_kid,
            claims,
            allow_numeric_subject,
            allow_padding,
        }
        .policy(py)?;
        policy = match Expectation::read(issuer, "issuer")? {
            Expectation::Silent => policy,
            Expectation::Ignore => policy.ignore_issuer(),
            Expectation::OneOf(issuers) => issuers.into_iter().fold(policy, Policy::expect_issuer),
        };
        if let Ok(ring) = keys.cast::<KeyRing>() {
            ring.get().follow(py)?;
            let source = Arc::new(ring.get().core().clone());
            let mut built = Self::build(policy, clock, revocations, |policy| {
                asked(py, || gatekey::Verifier::following(source, policy))
            })?;
            built.rings.push(ring.clone().unbind());
            return Ok(built);
        }
        if let Ok(remote) = keys.cast::<_RemoteKeySet>() {
            fetched(remote)?;
            let source = Arc::new(gatekey::oauth::RemoteKeySet::clone(&remote.get().0));
            let mut built = Self::build(policy, clock, revocations, |policy| {
                asked(py, || gatekey::Verifier::following(source, policy))
            })?;
            // They may have to be fetched.
            built.symmetric = false;
            return Ok(built);
        }
        Self::build(policy, clock, revocations, |policy| match keys.cast::<Key>() {
            Ok(key) => gatekey::Verifier::with_key(&key.get().0, policy).or_raise(py),
            Err(_) => gatekey::Verifier::new(&keyset(keys)?, policy).or_raise(py),
        })
    }

    /// A verifier for several issuers, each with its own keys; a key never crosses issuers.
    ///
    /// `issuers` maps the issuer's `iss` to its keys (a `RemoteKeySet` or a `KeyRing`, too), or to an `IssuerRule` with an audience and
    /// algorithms of its own.
    #[staticmethod]
    #[pyo3(signature = (issuers, *, audience=None, typ=None, subject=None, leeway=None,
        max_age=None, required=None, allow_missing_exp=false, clock=None, algorithms=None,
        max_token_bytes=None, max_header_bytes=None, try_keys_without_kid=false, revocations=None,
        claims=None, allow_numeric_subject=false, allow_padding=false),
        text_signature = "(issuers, *, audience=None, typ=None, subject=None, leeway=0, \
        max_age=None, required=(), allow_missing_exp=False, clock=None, algorithms=None, \
        max_token_bytes=None, max_header_bytes=None, try_keys_without_kid=False, revocations=None, \
        claims=None, allow_numeric_subject=False, allow_padding=False)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python class")]
    fn for_issuers(
        py: Python<'_>,
        issuers: &Bound<'_, PyAny>,
        audience: Option<&Bound<'_, PyAny>>,
        typ: Option<&Bound<'_, PyAny>>,
        subject: Option<Subject>,
        leeway: Option<&Bound<'_, PyAny>>,
        max_age: Option<&Bound<'_, PyAny>>,
        required: Option<&Bound<'_, PyAny>>,
        allow_missing_exp: bool,
        clock: Option<Bound<'_, PyAny>>,
        algorithms: Option<&Bound<'_, PyAny>>,
        max_token_bytes: Option<&Bound<'_, PyAny>>,
        max_header_bytes: Option<&Bound<'_, PyAny>>,
        try_keys_without_kid: bool,
        revocations: Option<Own<Revocations>>,
        claims: Option<&Bound<'_, PyAny>>,
        allow_numeric_subject: bool,
        allow_padding: bool,
    ) -> PyResult<Self> {
        let revocations = revocations.map(|list| list.0);
        let policy = Options {
            audience,
            typ,
            subject,
            leeway,
            max_age,
            required,
            allow_missing_exp,
            algorithms,
            max_token_bytes,
            max_header_bytes,
            try_keys_without_kid,
            claims,
            allow_numeric_subject,
            allow_padding,
        }
        .policy(py)?;
        let (rules, rings) = rules(issuers)?;
        rings.iter().try_for_each(|ring| ring.get().follow(py))?;
        let mut built = Self::build(policy, clock, revocations, |policy| {
            asked(py, || gatekey::Verifier::for_issuers(rules, policy))
        })?;
        built.rings = rings;
        Ok(built)
    }

    /// The claims of the token, if its signature is valid and the policy accepts it.
    ///
    /// Raises a subclass of `InvalidTokenError` otherwise. A bad signature always wins over any
    /// other fault of the claims.
    fn verify(&self, py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<Verified> {
        let bytes = token_octets(token)?;
        for ring in &self.rings {
            ring.get().follow(py)?;
        }
        if let Some(list) = &self.revocations {
            list.get().follow(py)?;
        }
        if let Some(clock) = &self.clock {
            clock.tick(py)?;
        }
        let verified = if self.symmetric {
            quickly(py, || self.inner.verify(bytes)).or_raise(py)
        } else {
            asked(py, || self.inner.verify(bytes))
        };
        verified.map(Verified::new)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey.Verifier>"
    }

    /// Refuses: a pickle could hold a secret in plain text.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Verifier is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.rings.iter().try_for_each(|ring| visit.call(ring))?;
        visit.call(&self.revocations)?;
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl Verifier {
    fn build(
        mut policy: Policy,
        clock: Option<Bound<'_, PyAny>>,
        revocations: Option<Py<Revocations>>,
        make: impl FnOnce(Policy) -> PyResult<gatekey::Verifier>,
    ) -> PyResult<Self> {
        let clock = PyClock::read(clock)?;
        if clock.is_some() {
            policy = policy.clock(PyClock::core());
        }
        if let Some(list) = &revocations {
            policy = policy.revocations(Arc::new(list.get().core().clone()));
        }
        let inner = Kept::new(make(policy)?);
        let symmetric = inner.is_symmetric();
        Ok(Self { inner, clock, symmetric, rings: Vec::new(), revocations })
    }
}

/// The keys of one issuer, with an audience and algorithms of its own, for `Verifier.for_issuers`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct IssuerRule {
    keys: Kept<RuleKeys>,
    given: Py<PyAny>,
    audience: Expectation,
    algorithms: Option<Vec<Alg>>,
}

#[pymethods]
impl IssuerRule {
    #[new]
    #[pyo3(signature = (keys, *, audience=None, algorithms=None))]
    fn new(
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        audience: Option<&Bound<'_, PyAny>>,
        algorithms: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let audience = Expectation::read(audience, "audience")?;
        let algorithms = algorithms.map(|names| algorithm_list(py, names)).transpose()?;
        let (given, keys) = (keys.clone().unbind(), Kept::new(RuleKeys::read(keys)?));
        Ok(Self { keys, given, audience, algorithms })
    }

    /// The keys as they were given: remote ones know who fetches them.
    #[getter]
    fn _keys(&self, py: Python<'_>) -> Py<PyAny> {
        self.given.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match &*self.keys {
            RuleKeys::Set(keys) => format!("<gatekey.IssuerRule with {} keys>", keys.len()),
            RuleKeys::Remote(keys) => {
                format!("<gatekey.IssuerRule with the keys of {}>", shown(py, keys.place()))
            }
            RuleKeys::Ring(_) => "<gatekey.IssuerRule with the keys of a ring>".to_owned(),
        }
    }

    /// Refuses: a pickle could hold a secret in plain text.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("an IssuerRule is not pickled or copied; share it"))
    }
}

/// An issuer's keys: those that there are, or those that it publishes.
enum RuleKeys {
    Set(gatekey::KeySet),
    Remote(gatekey::oauth::RemoteKeySet),
    Ring(Py<KeyRing>),
}

impl RuleKeys {
    fn read(keys: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(ring) = keys.cast::<KeyRing>() {
            return Ok(Self::Ring(ring.clone().unbind()));
        }
        Ok(match keys.cast::<_RemoteKeySet>() {
            Ok(remote) => Self::Remote(gatekey::oauth::RemoteKeySet::clone(&remote.get().0)),
            Err(_) => Self::Set(keyset(keys)?),
        })
    }

    /// The ring whose clock is to be read.
    fn ring(&self, py: Python<'_>) -> Option<Py<KeyRing>> {
        match self {
            Self::Ring(ring) => Some(ring.clone_ref(py)),
            Self::Set(_) | Self::Remote(_) => None,
        }
    }

    fn rule(&self, issuer: &str) -> gatekey::jwt::IssuerRule {
        match self {
            Self::Set(keys) => gatekey::jwt::IssuerRule::new(issuer, keys),
            Self::Remote(keys) => {
                gatekey::jwt::IssuerRule::following(issuer, Arc::new(keys.clone()))
            }
            Self::Ring(ring) => {
                gatekey::jwt::IssuerRule::following(issuer, Arc::new(ring.get().core().clone()))
            }
        }
    }
}

type Rules = (Vec<gatekey::jwt::IssuerRule>, Vec<Py<KeyRing>>);

fn rules(issuers: &Bound<'_, PyAny>) -> PyResult<Rules> {
    const WANTED: &str = "a mapping of issuers to keys";
    let Ok(mapping) = issuers.cast::<PyMapping>() else {
        return Err(wrong_type(issuers, "issuers", WANTED));
    };
    let (mut rules, mut rings) = (Vec::new(), Vec::new());
    for item in mapping.items()?.iter() {
        let (issuer, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let Ok(issuer) = issuer.cast::<PyString>() else {
            return Err(wrong_type(&issuer, "an issuer", "str"));
        };
        let issuer = issuer.to_str()?;
        rules.push(match value.cast::<IssuerRule>() {
            Ok(own) => {
                rings.extend(own.get().keys.ring(value.py()));
                own.get().rule(issuer)
            }
            Err(_) => {
                value.cast::<_RemoteKeySet>().map_or(Ok(()), fetched)?;
                let keys = RuleKeys::read(&value)?;
                rings.extend(keys.ring(value.py()));
                keys.rule(issuer)
            }
        });
    }
    Ok((rules, rings))
}

impl IssuerRule {
    fn rule(&self, issuer: &str) -> gatekey::jwt::IssuerRule {
        let rule = self.keys.rule(issuer);
        let rule = match &self.audience {
            Expectation::Silent => rule,
            Expectation::Ignore => rule.ignore_audience(),
            Expectation::OneOf(names) => {
                names.iter().cloned().fold(rule, gatekey::jwt::IssuerRule::expect_audience)
            }
        };
        match &self.algorithms {
            Some(algorithms) => rule.algorithms(algorithms.iter().copied()),
            None => rule,
        }
    }
}

/// The options that both constructors share, as they came from Python.
struct Options<'a, 'py> {
    audience: Option<&'a Bound<'py, PyAny>>,
    typ: Option<&'a Bound<'py, PyAny>>,
    subject: Option<Subject>,
    leeway: Option<&'a Bound<'py, PyAny>>,
    max_age: Option<&'a Bound<'py, PyAny>>,
    required: Option<&'a Bound<'py, PyAny>>,
    allow_missing_exp: bool,
    algorithms: Option<&'a Bound<'py, PyAny>>,
    max_token_bytes: Option<&'a Bound<'py, PyAny>>,
    max_header_bytes: Option<&'a Bound<'py, PyAny>>,
    try_keys_without_kid: bool,
    claims: Option<&'a Bound<'py, PyAny>>,
    allow_numeric_subject: bool,
    allow_padding: bool,
}

impl Options<'_, '_> {
    fn policy(&self, py: Python<'_>) -> PyResult<Policy> {
        let mut policy = Policy::new();
        policy = match Expectation::read(self.audience, "audience")? {
            Expectation::Silent => policy,
            Expectation::Ignore => policy.ignore_audience(),
            Expectation::OneOf(values) => values.into_iter().fold(policy, Policy::expect_audience),
        };
        policy = match Expectation::read(self.typ, "typ")? {
            Expectation::Silent => policy,
            Expectation::Ignore => policy.ignore_type(),
            Expectation::OneOf(values) => values.into_iter().fold(policy, Policy::expect_type),
        };
        policy = match &self.subject {
            None => policy,
            Some(Subject::Text(subject)) => policy.expect_subject(subject),
            Some(Subject::Number(subject)) => policy.expect_numeric_subject(*subject),
        };
        for (name, json) in self
            .claims
            .map(|claims| encode::members(claims, "claims", Default::Absent))
            .transpose()?
            .unwrap_or_default()
        {
            policy = policy.expect_claim(name, &json).or_raise(py)?;
        }
        if self.allow_numeric_subject {
            policy = policy.allow_numeric_subject();
        }
        if self.allow_padding {
            policy = policy.allow_padding();
        }
        if let Some(leeway) = self.leeway {
            policy = policy.leeway(span(leeway, "leeway")?.at_most());
        }
        if let Some(max_age) = self.max_age {
            policy = policy.max_age(span(max_age, "max_age")?.at_most());
        }
        if let Some(required) = self.required {
            policy = names(required, "required")?.into_iter().fold(policy, Policy::require_claim);
        }
        if let Some(algorithms) = self.algorithms {
            policy = policy.algorithms(algorithm_list(py, algorithms)?);
        }
        if let Some(bytes) = self.max_token_bytes {
            policy = policy.max_token_bytes(size(bytes, "max_token_bytes")?);
        }
        if let Some(bytes) = self.max_header_bytes {
            policy = policy.max_header_bytes(size(bytes, "max_header_bytes")?);
        }
        if self.allow_missing_exp {
            policy = policy.allow_missing_exp();
        }
        if self.try_keys_without_kid {
            policy = policy.try_keys_without_kid();
        }
        Ok(policy)
    }
}

/// A number of bytes, of which a verifier reads at most a mebibyte.
fn size(value: &Bound<'_, PyAny>, what: &str) -> PyResult<usize> {
    bounded(value, what, (1, 1 << 20)).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn algorithm_list(py: Python<'_>, list: &Bound<'_, PyAny>) -> PyResult<Vec<Alg>> {
    names(list, "algorithms")?.iter().map(|name| algorithm(py, name)).collect()
}
