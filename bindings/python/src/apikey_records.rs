//! What `ApiKeys` hands out: records, checks, pages. All are read-only; none holds a secret but the
//! one that a key is issued with.

use crate::decode;
use crate::errors::raise;
use crate::options::shown;
use gatekey::apikey::{Grant, KeyRecord};
use gatekey::{Error, Secret, Words};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyTuple};
use std::sync::OnceLock;

/// An API key, without anything that would prove it. Times are in seconds since 1970.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct ApiKeyRecord {
    /// Of a key that was just verified: its record is made when someone asks.
    grant: Option<Grant>,
    record: OnceLock<KeyRecord>,
}

impl ApiKeyRecord {
    pub(crate) fn new(record: KeyRecord) -> Self {
        Self { grant: None, record: OnceLock::from(record) }
    }

    #[inline]
    pub(crate) const fn of_grant(grant: Grant) -> Self {
        Self { grant: Some(grant), record: OnceLock::new() }
    }

    fn whole(&self) -> &KeyRecord {
        self.record.get_or_init(|| self.grant.as_ref().map(Grant::record).unwrap_or_default())
    }
}

#[pymethods]
impl ApiKeyRecord {
    /// The public id: twelve letters and digits of the key's text.
    #[getter]
    fn id(&self) -> &str {
        self.grant.as_ref().map_or_else(|| &*self.whole().id, Grant::key_id)
    }

    /// The prefix of the key's text.
    #[getter]
    fn prefix(&self) -> &str {
        &self.whole().prefix
    }

    /// The environment.
    #[getter]
    fn env(&self) -> &str {
        &self.whole().env
    }

    /// The tenant; empty where there is one only.
    #[getter]
    fn tenant(&self) -> &str {
        self.grant.as_ref().map_or_else(|| &*self.whole().tenant, Grant::tenant)
    }

    /// Whose key it is.
    #[getter]
    fn owner(&self) -> &str {
        self.grant.as_ref().map_or_else(|| &*self.whole().owner, Grant::owner)
    }

    /// What the owner calls it.
    #[getter]
    fn name(&self) -> &str {
        &self.whole().name
    }

    /// What it may do, ascending.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.grant {
            Some(grant) => {
                let scopes: Vec<&str> = grant.scopes().split_terminator(' ').collect();
                PyTuple::new(py, scopes)
            }
            None => PyTuple::new(py, &self.whole().scopes),
        }
    }

    /// From where it may be used; empty for anywhere.
    #[getter]
    fn cidrs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.whole().cidrs)
    }

    /// `active`, `disabled` or `revoked`.
    #[getter]
    fn status(&self) -> &'static str {
        self.whole().status.name()
    }

    /// When it was revoked.
    #[getter]
    fn revoked_at(&self) -> Option<u64> {
        self.whole().revoked_at
    }

    /// Why it was disabled or revoked.
    #[getter]
    fn reason(&self) -> &str {
        &self.whole().reason
    }

    /// When it becomes valid.
    #[getter]
    fn not_before(&self) -> Option<u64> {
        self.whole().not_before
    }

    /// When it stops being valid.
    #[getter]
    fn expires_at(&self) -> Option<u64> {
        self.grant.as_ref().map_or_else(|| self.whole().expires_at, Grant::expires_at)
    }

    /// How often it may be used, as `100/60s`.
    #[getter]
    fn rate(&self) -> Option<String> {
        self.whole().rate.map(|rate| rate.to_string())
    }

    /// How much it may be used: `remaining`, `limit`, `refill`, `every`, `refilled_at`.
    #[getter]
    fn credits<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(credits) = self.whole().credits else { return Ok(None) };
        let dict = PyDict::new(py);
        dict.set_item("remaining", credits.remaining)?;
        dict.set_item("limit", credits.limit)?;
        dict.set_item("refill", credits.refill)?;
        dict.set_item("every", credits.every)?;
        dict.set_item("refilled_at", credits.refilled_at)?;
        Ok(Some(dict))
    }

    /// The program's own notes, as a new dict.
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match &*self.whole().meta {
            "" => Ok(PyDict::new(py)),
            meta => decode::object(py, meta.as_bytes()),
        }
    }

    /// When it was made.
    #[getter]
    fn created_at(&self) -> u64 {
        self.whole().created_at
    }

    /// Who made it.
    #[getter]
    fn created_by(&self) -> &str {
        &self.whole().created_by
    }

    /// When its secret was last changed.
    #[getter]
    fn rotated_at(&self) -> Option<u64> {
        self.whole().rotated_at
    }

    /// Until when the secret before the last rotation is accepted.
    #[getter]
    fn overlap_until(&self) -> Option<u64> {
        self.whole().overlap_until
    }

    /// When it was last used, as of the last flush.
    #[getter]
    fn last_used_at(&self) -> Option<u64> {
        self.whole().last_used_at
    }

    /// How often it was used, as of the last flush.
    #[getter]
    fn uses(&self) -> u64 {
        self.whole().uses
    }

    /// Grows by one with every change.
    #[getter]
    fn version(&self) -> u64 {
        self.whole().version
    }

    /// Whether its row was altered from outside, so that it is refused, and nothing else here is to be believed.
    #[getter]
    fn altered(&self) -> bool {
        self.whole().altered
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.whole() == other.get().whole())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(self.id(), &mut hasher);
        std::hash::Hasher::finish(&hasher)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let record = self.whole();
        let (owner, status) = (shown(py, &record.owner), record.status.name());
        format!("<gatekey.ApiKeyRecord {} owner={owner} status={status}>", record.id)
    }
}

/// A key that was just made or rotated: the one time that its text is seen.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct IssuedApiKey {
    secret: Secret,
    record: KeyRecord,
}

impl IssuedApiKey {
    pub(crate) fn new(issued: gatekey::apikey::IssuedKey) -> Self {
        Self { secret: issued.secret, record: issued.record }
    }
}

#[pymethods]
impl IssuedApiKey {
    /// The key's text, to be handed to its owner.
    #[getter]
    fn secret(&self) -> &str {
        self.secret.expose_str()
    }

    /// The key's id.
    #[getter]
    fn id(&self) -> &str {
        &self.record.id
    }

    /// Everything else about it.
    #[getter]
    fn record(&self) -> ApiKeyRecord {
        ApiKeyRecord::new(self.record.clone())
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.IssuedApiKey {} secret=[redacted]>", self.record.id)
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "an issued API key cannot be pickled or copied: it holds a secret",
        ))
    }
}

/// Whether an API key may do what was asked, and if not, why.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct ApiKeyCheck {
    record: Option<Py<ApiKeyRecord>>,
    error: Option<Error>,
}

impl ApiKeyCheck {
    #[inline]
    pub(crate) fn new(py: Python<'_>, outcome: gatekey::Result<Grant>) -> PyResult<Self> {
        Ok(match outcome {
            Ok(grant) => {
                Self { record: Some(Py::new(py, ApiKeyRecord::of_grant(grant))?), error: None }
            }
            Err(error) => Self { record: None, error: Some(error) },
        })
    }
}

#[pymethods]
impl ApiKeyCheck {
    /// Whether it may.
    #[getter]
    const fn ok(&self) -> bool {
        self.error.is_none()
    }

    /// `ok`, or the `code` of the error, such as `api_key_expired`.
    #[getter]
    fn code(&self) -> &'static str {
        self.error.as_ref().map_or("ok", |error| error.kind().code())
    }

    /// The HTTP status to answer with: 200, 401, 403, 429 or 503.
    #[getter]
    fn status(&self) -> u16 {
        self.error.as_ref().map_or(200, |error| error.kind().http_status())
    }

    /// Seconds after which the same call may succeed, where waiting is the remedy.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        retry_after(self.error.as_ref()?)
    }

    /// Why, for the log; `None` if it may.
    #[getter]
    fn message(&self) -> Option<String> {
        self.error.as_ref().map(|error| error.text(Words::Python).to_string())
    }

    /// What the caller may be told; `None` if it may.
    #[getter]
    fn public_message(&self) -> Option<&'static str> {
        self.error.as_ref().map(Error::public_message)
    }

    /// The headers of the answer: those of `GatekeyError.headers`; none if it may.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        for (name, value) in self.error.iter().flat_map(Error::http_headers) {
            headers.set_item(name, value)?;
        }
        Ok(headers)
    }

    /// The key's id, if it was accepted, or refused after its secret was proved.
    #[getter]
    fn key_id(&self) -> Option<&str> {
        let refused = self.error.as_ref().and_then(Error::api_key_id);
        self.record.as_ref().map(|record| record.get().id()).or(refused)
    }

    /// The key's record, if it was accepted.
    #[getter]
    fn record(&self, py: Python<'_>) -> Option<Py<ApiKeyRecord>> {
        self.record.as_ref().map(|record| record.clone_ref(py))
    }

    const fn __bool__(&self) -> bool {
        self.ok()
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.ApiKeyCheck {}>", self.code())
    }

    /// Raises what `verify` would have raised.
    fn raise_for_status(&self, py: Python<'_>) -> PyResult<()> {
        self.error.as_ref().map_or(Ok(()), |error| Err(raise(py, error)))
    }
}

/// The seconds to wait, where waiting is the remedy.
pub(crate) fn retry_after(error: &Error) -> Option<f64> {
    error.retry_after().map(|milliseconds| f64::from(milliseconds) / 1000.0)
}

/// Some records, and the cursor that leads to the next page, or `None` if this is the last one.
#[pyclass(frozen, sequence, module = "gatekey")]
pub(crate) struct Page {
    /// The records.
    #[pyo3(get)]
    records: Py<PyList>,
    /// What to ask for the next page with.
    #[pyo3(get)]
    cursor: Option<String>,
}

impl Page {
    pub(crate) fn new<T>(
        py: Python<'_>,
        records: impl Iterator<Item = PyResult<Py<T>>>,
        cursor: Option<String>,
    ) -> PyResult<Self> {
        let list = PyList::empty(py);
        for record in records {
            list.append(record?.into_any())?;
        }
        Ok(Self { records: list.unbind(), cursor })
    }
}

#[pymethods]
impl Page {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.records.bind(py).len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, at: isize) -> PyResult<Bound<'py, PyAny>> {
        self.records.bind(py).as_any().get_item(at)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.records.bind(py).try_iter()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let last = if self.cursor.is_some() { "more" } else { "last" };
        format!("<gatekey.Page of {}, {last}>", self.records.bind(py).len())
    }
}

/// A row of the audit.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct AuditRecord(gatekey::apikey::AuditRecord);

impl AuditRecord {
    pub(crate) const fn new(row: gatekey::apikey::AuditRecord) -> Self {
        Self(row)
    }
}

#[pymethods]
impl AuditRecord {
    /// Its number: one more than that of the row before.
    #[getter]
    const fn seq(&self) -> u64 {
        self.0.seq
    }

    /// When, in seconds since 1970.
    #[getter]
    const fn at(&self) -> u64 {
        self.0.at
    }

    /// Who asked for it, as the program said.
    #[getter]
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// What was done: `create`, `rotate`, `revoke`, `disable`, `enable`, `update`, `import`, `purge`,
    /// `pepper.upgrade`, `pepper.wrap`.
    #[getter]
    fn action(&self) -> &str {
        &self.0.action
    }

    /// The key's id.
    #[getter]
    fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// More about it.
    #[getter]
    fn detail(&self) -> &str {
        &self.0.detail
    }

    fn __repr__(&self) -> String {
        format!("<gatekey.AuditRecord {} {} {}>", self.0.seq, self.0.action, self.0.key_id)
    }
}

/// What became of an import.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct ImportReport(gatekey::apikey::ImportReport);

impl ImportReport {
    pub(crate) const fn new(report: gatekey::apikey::ImportReport) -> Self {
        Self(report)
    }
}

#[pymethods]
impl ImportReport {
    /// How many keys were imported.
    #[getter]
    const fn imported(&self) -> u64 {
        self.0.imported
    }

    /// The ids that they were given, in the order of the rows.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.ids)
    }

    /// The rows that are there already, as pairs of their place (from 0) and the reason.
    #[getter]
    fn rejected<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let told = |error: &Error| error.text(Words::Python).to_string();
        PyTuple::new(py, self.0.rejected.iter().map(|(at, error)| (*at, told(error))))
    }

    fn __repr__(&self) -> String {
        format!(
            "<gatekey.ImportReport imported={} rejected={}>",
            self.0.imported,
            self.0.rejected.len()
        )
    }
}

/// How many keys, sessions and key rings still need a pepper.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct PepperUse(gatekey::apikey::PepperUse);

impl PepperUse {
    pub(crate) const fn new(one: gatekey::apikey::PepperUse) -> Self {
        Self(one)
    }
}

#[pymethods]
impl PepperUse {
    /// The pepper's number.
    #[getter]
    const fn pepper(&self) -> u32 {
        self.0.pepper
    }

    /// Whether new keys are made under it.
    #[getter]
    const fn active(&self) -> bool {
        self.0.active
    }

    /// The keys that cannot be verified without it.
    #[getter]
    const fn keys(&self) -> u64 {
        self.0.keys
    }

    /// The sessions that cannot be refreshed or read without it.
    #[getter]
    const fn sessions(&self) -> u64 {
        self.0.sessions
    }

    /// The key rings of the store that are sealed under it.
    #[getter]
    const fn key_rings(&self) -> u64 {
        self.0.key_rings
    }

    /// When it was first used, in seconds since 1970; 0 if never.
    #[getter]
    const fn since(&self) -> u64 {
        self.0.since
    }

    /// Of the number 0, which is there if anything is damaged: the ids of the API keys, then those of the sessions, then
    /// the names of the key rings whose rows were altered from outside or cannot be read.
    #[getter]
    fn damaged(&self) -> Vec<String> {
        self.0.damaged.clone()
    }

    fn __repr__(&self) -> String {
        let gatekey::apikey::PepperUse { pepper, keys, sessions, key_rings, .. } = &self.0;
        format!(
            "<gatekey.PepperUse {pepper} keys={keys} sessions={sessions} key_rings={key_rings}>"
        )
    }
}
