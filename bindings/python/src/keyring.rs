//! `gatekey.KeyRing`: keys that rotate.

use crate::args::{self as args, Place, Text};
use crate::clock::OwnClock;
use crate::decode;
use crate::errors::OrRaise;
use crate::gil::{Kept, quickly};
use crate::key::Key;
use crate::options::{PyClock, algorithm, shown, span, wrong_type};
use gatekey::keyring::KeyRingOptions;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The keys of a signer over time: one signs, the next one is published already, retired ones are good
/// until their last token has expired.
///
/// Made by `KeyRing.open`. `Signer(ring)` and `Verifier(ring)` follow it without a restart, in other
/// processes within 50 ms.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct KeyRing {
    inner: Kept<gatekey::KeyRing>,
    clock: Option<OwnClock>,
}

#[pymethods]
impl KeyRing {
    /// Refuses, and says how one is made.
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(PyTypeError::new_err(
            "a KeyRing is made by KeyRing.open(url) or Store.open(url).key_ring()",
        ))
    }

    /// The short way for a program that keeps nothing else there: `Store.open(url).key_ring(name)`. A ring that is not
    /// there is made.
    ///
    /// - `url`: as for `Store.open`; in a folder, `folder:/path`, which only its owner may read, the keys lie open in
    ///   files of mode 0600 unless there is a pepper.
    /// - `name`: of the ring in its store or folder.
    /// - `alg`: the algorithm of new keys.
    /// - `token_ttl`: the longest life of a token that signers of this handle sign, in seconds. The ring remembers the
    ///   longest that it was ever opened with, and keeps a retired key for that long, and 600 seconds. None is what it
    ///   remembers; 900 if it is new.
    /// - `keys`: keys that were not made here, such as those of `Key.with_callback`: a ring that is not there is made with
    ///   the first as its active key and the second as its next. For a ring that is there, they are the callbacks that
    ///   this process has; a new key is given to `add`.
    /// - `max_stale`: seconds for which the keys are used if the store is out of reach; 30.
    /// - `pepper`: as for `Store.open`.
    /// - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
    #[staticmethod]
    #[pyo3(signature = (url, *, name=Text("default"), alg=Text("ES256"), token_ttl=None,
        keys=Keys::default(), max_stale=None, pepper=None, clock=None),
        text_signature = "(url, *, name='default', alg='ES256', token_ttl=None, keys=(), \
        max_stale=30, \
        pepper=None, clock=None)")]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python method")]
    fn open(
        py: Python<'_>,
        url: Place,
        name: Text<'_>,
        alg: Text<'_>,
        token_ttl: Option<&Bound<'_, PyAny>>,
        keys: Keys,
        max_stale: Option<&Bound<'_, PyAny>>,
        pepper: Option<&Bound<'_, PyAny>>,
        clock: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let pepper = args::pepper_source(pepper)?;
        let mut options = made_of(py, alg, token_ttl, &keys)?.name(name.0);
        if let Some(max_stale) = max_stale {
            options = options.max_stale_ms(span(max_stale, "max_stale")?.millis());
        }
        let clock = PyClock::read(clock)?.map(|clock| OwnClock::new(py, clock)).transpose()?;
        if let Some(clock) = &clock {
            options = options.clock(clock.core());
        }
        let opened =
            py.detach(|| gatekey::open::open_key_ring(&url.0, &pepper, options)).or_raise(py)?;
        args::warn_of_pepper(py, opened.new_pepper_file.as_deref())?;
        Ok(Self::of(opened.ring, clock))
    }

    /// Makes the next key the active one, retires the one that was, and makes a new next one. The new
    /// active key. Wait with a second rotation until all that cache the set have fetched the next one.
    fn rotate(&self, py: Python<'_>) -> PyResult<RingKey> {
        self.follow(py)?;
        py.detach(|| self.inner.rotate()).or_raise(py).map(RingKey)
    }

    /// Makes a key that was not made here the next one: a key of a KMS or HSM (`Key.with_callback`), or one that the ring
    /// takes over. `rotate()` makes it the active one. A next key that has never signed is dropped for it.
    ///
    /// Of a key with a callback, the ring keeps the public half, and each process that signs must have the callback: by
    /// this call, which changes nothing if the ring has the key already, or by `keys` when it opens the ring. While such
    /// a key is active, the ring makes no keys of its own.
    fn add(&self, py: Python<'_>, key: &Key) -> PyResult<RingKey> {
        self.follow(py)?;
        py.detach(|| self.inner.add(&key.0)).or_raise(py).map(RingKey)
    }

    /// Takes a key out at once: for the day that it has leaked. Raises `RingKeyNotFoundError`.
    fn remove(&self, py: Python<'_>, kid: Text<'_>) -> PyResult<()> {
        self.follow(py)?;
        py.detach(|| self.inner.remove(kid.0)).or_raise(py)
    }

    /// The next key, the active one, and the retired ones, the latest first.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<RingKey>> {
        self.follow(py)?;
        let keys = quickly(py, || self.inner.keys()).or_raise(py)?;
        Ok(keys.into_iter().map(RingKey).collect())
    }

    /// The key that signs.
    #[getter]
    fn active(&self, py: Python<'_>) -> PyResult<RingKey> {
        self.follow(py)?;
        quickly(py, || self.inner.active()).or_raise(py).map(RingKey)
    }

    /// The longest life of a token, in seconds, that the ring was ever opened with, by any process. A retired key
    /// stays good for that long and 600 seconds more.
    #[getter]
    fn token_ttl(&self, py: Python<'_>) -> PyResult<u64> {
        self.follow(py)?;
        quickly(py, || self.inner.token_ttl()).or_raise(py)
    }

    /// The public keys as a JWK Set (RFC 7517), to be published: the next one, too.
    fn to_jwks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.follow(py)?;
        decode::object(py, quickly(py, || self.inner.to_jwks()).or_raise(py)?.as_bytes())
    }

    /// Looks now at what other processes have changed.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.follow(py)?;
        py.detach(|| self.inner.refresh()).or_raise(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        match quickly(py, || self.inner.active()) {
            Ok(active) => format!("<gatekey.KeyRing active={}>", shown(py, &active.kid)),
            Err(_) if self.inner.check_open().is_err() => "<gatekey.KeyRing closed>".to_owned(),
            Err(_) => "<gatekey.KeyRing out of reach>".to_owned(),
        }
    }

    /// Refuses: a pickle would hold the private keys in plain text.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a KeyRing is not pickled or copied; share it"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.traverse(&visit))
    }
}

impl KeyRing {
    /// One that a store has handed out.
    pub(crate) fn of(ring: gatekey::KeyRing, clock: Option<OwnClock>) -> Self {
        Self { inner: Kept::new(ring), clock }
    }

    /// The ring, to be followed by a signer or verifier.
    pub(crate) fn core(&self) -> &gatekey::KeyRing {
        &self.inner
    }

    /// Reads Python's clock for what follows.
    #[inline]
    pub(crate) fn follow(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(clock) = &self.clock {
            clock.tick(py)?;
        }
        Ok(())
    }
}

/// A key of a ring, without the key. Times are in seconds since 1970.
#[pyclass(frozen, eq, module = "gatekey")]
#[derive(PartialEq)]
pub(crate) struct RingKey(gatekey::keyring::RingKey);

#[pymethods]
impl RingKey {
    /// The key's name in its tokens.
    #[getter]
    fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Its algorithm.
    #[getter]
    fn alg(&self) -> &'static str {
        self.0.alg.name()
    }

    /// `next`, `active` or `retired`.
    #[getter]
    const fn state(&self) -> &'static str {
        self.0.state.name()
    }

    /// When it was made.
    #[getter]
    const fn created_at(&self) -> u64 {
        self.0.created_at
    }

    /// When it became active.
    #[getter]
    const fn active_at(&self) -> Option<u64> {
        self.0.active_at
    }

    /// When it was retired.
    #[getter]
    const fn retired_at(&self) -> Option<u64> {
        self.0.retired_at
    }

    /// Until when its tokens are good, if it is retired.
    #[getter]
    const fn until(&self) -> Option<u64> {
        self.0.until
    }

    /// Whether it lies in a KMS or HSM: the ring has its public half alone.
    #[getter]
    const fn by_callback(&self) -> bool {
        self.0.by_callback
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&self.0.kid, &mut hasher);
        std::hash::Hasher::finish(&hasher)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let kid = shown(py, &self.0.kid);
        format!("<gatekey.RingKey {kid} {} {}>", self.0.alg.name(), self.state())
    }
}

/// The `keys` argument: what was not made here.
#[derive(Default)]
pub(crate) struct Keys(Vec<gatekey::Key>);

impl<'a, 'py> FromPyObject<'a, 'py> for Keys {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let wanted = "a list of Keys";
        let mut keys = Vec::new();
        for key in value.try_iter().map_err(|_| wrong_type(&value, "keys", wanted))? {
            let key = key?;
            let key = key.cast::<Key>().map_err(|_| wrong_type(&key, "keys", wanted))?;
            keys.push(key.get().0.clone());
            if keys.len() > MOST_KEYS {
                return Err(PyValueError::new_err("keys: at most 64 keys"));
            }
        }
        Ok(Self(keys))
    }
}

/// As many as a ring has.
const MOST_KEYS: usize = 64;

/// What the keys of a ring are like.
pub(crate) fn made_of(
    py: Python<'_>,
    alg: Text<'_>,
    token_ttl: Option<&Bound<'_, PyAny>>,
    keys: &Keys,
) -> PyResult<KeyRingOptions> {
    let options = KeyRingOptions::new().alg(algorithm(py, alg.0)?);
    let options = keys.0.iter().fold(options, |options, key| options.key(key));
    Ok(match token_ttl {
        Some(ttl) => options.token_ttl(span(ttl, "token_ttl")?.at_least()),
        None => options,
    })
}
