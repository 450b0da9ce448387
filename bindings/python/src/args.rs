//! Reads what callers pass: peppers, rates, credits, dates, addresses, rows to import.

use crate::errors::{OrRaise, usage};
use crate::options::{few, names, octets, span, whole, wrong_type};
use gatekey::apikey::{
    ApiKeyOptions, CreditSpec, ImportRow, ImportScheme, KeySpec, KeyUpdate, Rate,
};
use gatekey::named::shown;
use gatekey::open::StoreUrl;
use gatekey::pepper::{PepperSource, read_peppers};
use gatekey::store::Limits;
use gatekey::{Peppers, Secret};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyMapping, PyString, PyTuple, PyType};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A text. Python's own UnicodeEncodeError would carry the whole of it along.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Text<'_> {
    pub(crate) fn owned(self) -> String {
        self.0.to_owned()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match <&'a str>::extract(value) {
            Ok(text) => Ok(Self(text)),
            Err(_) if value.cast::<PyString>().is_ok() => {
                let message = "A text holds half of a surrogate pair, which has no UTF-8 form.";
                Err(usage(value.py(), message))
            }
            Err(_) => Err(wrong_type(&value, "the argument", "str")),
        }
    }
}

/// Whose thing a call may touch: left out, it does not matter. `None` is a caller without a subject, who owns nothing.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    Any,
    Of(Text<'a>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Whose<'a> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            let message = "The owner is None: a caller without a subject owns nothing. Refuse it, or leave the \
                argument out where the owner does not matter.";
            return Err(usage(value.py(), message));
        }
        Text::extract(value).map(Self::Of)
    }
}

/// A text for people, of whatever a caller sent: it is cleaned, and never a misuse. What a server has read as ISO 8859-1
/// although it was UTF-8, as ASGI and WSGI servers read headers, is put right where it holds what no text holds otherwise.
pub(crate) struct ForPeople(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for ForPeople {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let text = match (value.cast::<PyString>(), value.cast::<PyBytes>()) {
            (Ok(text), _) => text.to_string_lossy().into_owned(),
            // As ASGI has headers.
            (_, Ok(bytes)) => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
            _ => return Err(wrong_type(&value, "a client or a reason", "str or bytes")),
        };
        let is_control = |c: char| matches!(c, '\u{80}'..='\u{9f}');
        let octets: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let utf8 = octets.filter(|_| text.contains(is_control)).map(String::from_utf8);
        Ok(Self(utf8.and_then(Result::ok).unwrap_or(text)))
    }
}

/// Whom a token is about: a text, or a number, which is another subject than its text.
pub(crate) enum Subject {
    Text(String),
    Number(i64),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Subject {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.cast::<PyInt>().is_err() || value.cast::<PyBool>().is_ok() {
            return Text::extract(value).map(|text| Self::Text(text.owned()));
        }
        let message = "A subject that is a number has at most 64 bits.";
        value.extract().map(Self::Number).map_err(|_| usage(value.py(), message))
    }
}

/// A number that cannot be negative.
#[derive(Clone, Copy)]
pub(crate) struct Count(pub(crate) u32);

impl<'a, 'py> FromPyObject<'a, 'py> for Count {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        count(&value, "the argument").map(Self)
    }
}

fn count(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u32> {
    if value.cast::<PyInt>().is_err() || value.cast::<PyBool>().is_ok() {
        return Err(wrong_type(value, what, "int"));
    }
    let message = "A number is negative or too large; it must be from 0 to 4294967295.";
    value.extract().map_err(|_| usage(value.py(), message))
}

/// Numbered secrets, oldest first: pairs of a number and the secret, or one secret, number 1. A secret is bytes, or a text
/// in UTF-8. A text with white space in it is as in a pepper file: a number, a space and 32 bytes in hexadecimal, a line
/// for each.
pub(crate) fn secrets(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<Peppers> {
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().unwrap_or_default();
        if text.trim().contains(char::is_whitespace) {
            return Peppers::read(what, text).or_raise(value.py());
        }
    }
    peppers(value, what)
}

/// As [`secrets`]; a text is the secret itself.
fn peppers(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<Peppers> {
    const WANTED: &str = "str or bytes, or a list of pairs of a number and str or bytes";
    let py = value.py();
    let is_one = |value: &Bound<'_, PyAny>| {
        value.cast::<PyBytes>().is_ok() || value.cast::<PyString>().is_ok()
    };
    let secret = |value: &Bound<'_, PyAny>| match is_one(value) {
        true => Ok(Secret::new(octets(value, what)?.to_vec())),
        false => Err(wrong_type(value, what, WANTED)),
    };
    if is_one(value) {
        return Peppers::named(what, &[(1, secret(value)?)]).or_raise(py);
    }
    let items = value.try_iter().map_err(|_| wrong_type(value, what, WANTED))?;
    let mut peppers = Vec::new();
    for item in items {
        let item = item?;
        let pair = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>();
        let (number, bytes) = pair.map_err(|_| wrong_type(&item, what, WANTED))?;
        peppers.push((count(&number, what)?, secret(&bytes)?));
    }
    Peppers::named(what, &peppers).or_raise(py)
}

/// Where the peppers come from: as given, or from the file beside the store.
pub(crate) fn pepper_source(value: Option<&Bound<'_, PyAny>>) -> PyResult<PepperSource> {
    value.map_or(Ok(PepperSource::Beside), given)
}

/// Peppers as [`peppers`] reads them, or a text as in a pepper file.
fn given(value: &Bound<'_, PyAny>) -> PyResult<PepperSource> {
    let peppers = match value.cast::<PyString>() {
        Ok(_) => read_peppers(value.extract::<Text<'_>>()?.0).or_raise(value.py())?,
        Err(_) => peppers(value, "pepper")?,
    };
    Ok(PepperSource::Given(peppers))
}

/// Where the peppers of a store come from: one of the three ways at the most.
pub(crate) fn pepper_choice(
    pepper: Option<&Bound<'_, PyAny>>,
    file: Option<FilePath>,
    env: Option<Text<'_>>,
) -> PyResult<Option<PepperSource>> {
    match (pepper, file, env) {
        (None, None, None) => Ok(None),
        (Some(pepper), None, None) => given(pepper).map(Some),
        (None, Some(file), None) => Ok(Some(PepperSource::File(file.0))),
        (None, None, Some(name)) => Ok(Some(PepperSource::Env(name.owned()))),
        _ => Err(PyTypeError::new_err("give one of pepper, pepper_file and pepper_env")),
    }
}

/// What names a store: its URL as text, or the path of a SQLite file as text or of the module `pathlib`.
pub(crate) struct Place(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for Place {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        const WANTED: &str = "str or a path";
        let py = value.py();
        if value.cast::<PyString>().is_ok() {
            return Text::extract(value).map(|text| Self(text.owned()));
        }
        let path = value.call_method0(intern!(py, "__fspath__"));
        let path = path.map_err(|_| wrong_type(&value, "url", WANTED))?;
        if path.cast::<PyString>().is_err() {
            return Err(wrong_type(&value, "url", WANTED));
        }
        let path = path.extract::<Text<'_>>()?.owned();
        StoreUrl::of_path(Path::new(&path)).map(|url| Self(url.to_string())).or_raise(py)
    }
}

/// The path of a file. Python's own UnicodeEncodeError would carry the whole of it along.
pub(crate) struct FilePath(pub(crate) PathBuf);

impl<'a, 'py> FromPyObject<'a, 'py> for FilePath {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if value.cast::<PyString>().is_ok() {
            return Text::extract(value).map(|text| Self(text.0.into()));
        }
        let path = value.extract().map(Self);
        path.map_err(|_| wrong_type(&value, "the argument", "a path: a str or a pathlib.Path"))
    }
}

/// `None`, `False`, a folder, or the URL of a server.
pub(crate) fn limits(
    options: ApiKeyOptions,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<ApiKeyOptions> {
    let Some(value) = value else { return Ok(options) };
    if value.is_exact_instance_of::<PyBool>() && !value.is_truthy()? {
        return Ok(options.limits(Limits::Off));
    }
    if value.cast::<PyString>().is_ok() {
        let text = Text::extract(value.as_borrowed())?.0;
        if Limits::is_url(text) {
            return Ok(options.limits(text.parse().or_raise(value.py())?));
        }
    }
    match value.extract::<PathBuf>() {
        Ok(folder) if !folder.as_os_str().is_empty() => Ok(options.limits(Limits::Folder(folder))),
        _ => Err(wrong_type(value, "limits", "a folder, as a str or a path, a URL, or False")),
    }
}

/// Tells the log of a pepper file that was made, because it must be backed up.
pub(crate) fn warn_of_pepper(py: Python<'_>, file: Option<&Path>) -> PyResult<()> {
    let Some(file) = file else { return Ok(()) };
    let logger = py.import("logging")?.call_method1("getLogger", ("gatekey",))?;
    let message = "made the pepper file %s; back it up: without it everything in the store is lost";
    logger.call_method1("warning", (message, file.display().to_string()))?;
    Ok(())
}

/// Sets one option of a new key.
pub(crate) fn set(spec: &mut KeySpec, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match name {
        "owner" => spec.owner = text(value, "owner")?,
        "name" => spec.name = text(value, "name")?,
        "tenant" => spec.tenant = text(value, "tenant")?,
        "scopes" => spec.scopes = names(value, "scopes")?,
        "cidrs" => spec.cidrs = networks(value)?,
        "not_before" => spec.not_before = optional(value, |value| moment(value, "not_before"))?,
        "expires_in" => {
            spec.expires_in = optional(value, |value| Ok(span(value, "expires_in")?.at_most()))?
        }
        "expires_at" => {
            spec.expires_at = optional(value, |value| moment(value, "expires_at"))?;
        }
        "revoked" => {
            spec.revoked = optional(value, truth)?.unwrap_or_default();
        }
        "rate" => spec.rate = optional(value, rate)?,
        "credits" => spec.credits = optional(value, credits)?,
        "meta" => spec.meta = optional(value, meta)?.unwrap_or_default(),
        _ => {
            return Err(PyTypeError::new_err(format!(
                "an API key has no option {:?}",
                shown(name)
            )));
        }
    }
    Ok(())
}

/// Reads the keyword arguments of `update`.
pub(crate) struct Changes;

impl Changes {
    pub(crate) fn read(
        changes: Option<&Bound<'_, PyDict>>,
        now: impl Fn() -> u64,
    ) -> PyResult<KeyUpdate> {
        let mut update = KeyUpdate::default();
        for (name, value) in changes.iter().flat_map(|changes| changes.iter()) {
            let name: String = name.extract()?;
            match &*name {
                "owner" => update.owner = Some(text(&value, "owner")?),
                "name" => update.name = Some(text(&value, "name")?),
                "scopes" => update.scopes = Some(names(&value, "scopes")?),
                "cidrs" => {
                    update.cidrs = Some(optional(&value, networks)?.unwrap_or_default());
                }
                "not_before" => {
                    update.not_before = Some(optional(&value, |v| moment(v, "not_before"))?);
                }
                "expires_at" => {
                    update.expires_at = Some(optional(&value, |v| moment(v, "expires_at"))?);
                }
                "expires_in" => {
                    let length = optional(&value, |v| Ok(span(v, "expires_in")?.at_most()))?;
                    update.expires_at = Some(length.map(|length| now().saturating_add(length)));
                }
                "rate" => update.rate = Some(optional(&value, rate)?),
                "credits" => update.credits = Some(optional(&value, credits)?),
                "meta" => update.meta = Some(optional(&value, meta)?.unwrap_or_default()),
                _ => {
                    return Err(PyTypeError::new_err(format!(
                        "update() got an unexpected keyword argument {:?}",
                        shown(&name)
                    )));
                }
            }
        }
        Ok(update)
    }
}

/// One row of an import.
pub(crate) fn import_row(
    row: &Bound<'_, PyAny>,
    at: usize,
    scheme: ImportScheme,
) -> PyResult<ImportRow> {
    let py = row.py();
    let Ok(row) = row.cast::<PyMapping>() else {
        return Err(wrong_type(row, &format!("row {at}"), "a mapping"));
    };
    let mut spec = KeySpec::default();
    let (mut credential, mut lookup) = (None, None);
    let wanted = if scheme == ImportScheme::Plaintext { "secret" } else { "hash" };
    for item in row.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        match &*name {
            "secret" | "hash" if name == wanted => {
                credential = Some(Secret::new(octets(&value, &name)?.to_vec()));
            }
            "secret" | "hash" => {}
            "lookup" => lookup = optional(&value, |value| text(value, "lookup"))?,
            "owner" | "name" | "tenant" | "scopes" | "cidrs" | "not_before" | "expires_in"
            | "expires_at" | "revoked" | "rate" | "credits" | "meta" => {
                set(&mut spec, &name, &value)?
            }
            _ => {
                let name = shown(&name);
                let message =
                    format!("Row {at} has the column {name:?}, which no key has; leave it out.");
                return Err(usage(py, &message));
            }
        }
    }
    let Some(credential) = credential else {
        let message =
            format!("Row {at} has no `{wanted}`, which the scheme {} needs.", scheme.name());
        return Err(usage(py, &message));
    };
    Ok(ImportRow { spec, credential, lookup })
}

/// A moment: seconds since 1970, whose fraction does not count, or an aware datetime.
pub(crate) fn moment(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    rounded(value, what, f64::trunc)
}

/// As [`moment`], rounded up: what is kept until it is kept in the second that has begun, too.
pub(crate) fn until(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    rounded(value, what, f64::ceil)
}

/// As [`moment`], rounded up for what is from before it; of a time to come, cut.
pub(crate) fn before(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    let end = until(value, what)?;
    if end > gatekey::Clock::now(&gatekey::SystemClock).saturating_add(1) {
        return moment(value, what);
    }
    Ok(end)
}

fn rounded(value: &Bound<'_, PyAny>, what: &str, round: fn(f64) -> f64) -> PyResult<u64> {
    let py = value.py();
    let unusable = || usage(py, &format!("{what} must be a time after 1970, in seconds."));
    if value.cast::<PyInt>().is_ok() && value.cast::<PyBool>().is_err() {
        return value.extract().map_err(|_| unusable());
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return whole(round(float.value())).ok_or_else(unusable);
    }
    let Ok(timestamp) = value.getattr(intern!(py, "timestamp")) else {
        return Err(wrong_type(value, what, "int, float or an aware datetime"));
    };
    if value.getattr(intern!(py, "tzinfo")).is_ok_and(|zone| zone.is_none()) {
        return Err(usage(py, &format!("{what} must be an aware datetime: it has no time zone.")));
    }
    whole(round(timestamp.call0()?.extract()?)).ok_or_else(unusable)
}

/// The caller's address, as text or of the module `ipaddress`; `None` if it is not known, which a text that is no
/// address says as well: it may come from a header that an attacker writes.
pub(crate) fn caller_address(value: &Bound<'_, PyAny>) -> PyResult<Option<IpAddr>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str().ok().and_then(gatekey::apikey::parse_ip));
    }
    if !is_of_ipaddress(value, false)? {
        return Err(wrong_type(value, "ip", "str, or an address of the module ipaddress"));
    }
    // Its text may name a zone.
    let packed = value.getattr(intern!(value.py(), "packed"))?;
    let octets = packed.cast::<PyBytes>()?.as_bytes();
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    Ok(v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok())
}

/// Whether this is an address, or else a network if those will do, of the module `ipaddress`.
fn is_of_ipaddress(value: &Bound<'_, PyAny>, or_network: bool) -> PyResult<bool> {
    static CLASSES: PyOnceLock<[Py<PyType>; 4]> = PyOnceLock::new();
    let py = value.py();
    let classes = CLASSES.get_or_try_init(py, || {
        let module = py.import("ipaddress")?;
        let class = |name: &str| -> PyResult<_> {
            Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        Ok::<_, PyErr>([
            class("IPv4Address")?,
            class("IPv6Address")?,
            class("IPv4Network")?,
            class("IPv6Network")?,
        ])
    })?;
    for class in classes.iter().take(if or_network { 4 } else { 2 }) {
        if value.is_instance(class.bind(py))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A header's name or value, as text or as bytes of ISO 8859-1 (RFC 9110 section 5.5). What is no
/// Unicode text was sent by a client, and is not a misuse.
pub(crate) fn header(value: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().iter().copied().map(char::from).collect());
    }
    match value.cast::<PyString>() {
        Ok(text) => Ok(text.to_string_lossy().into_owned()),
        Err(_) => Err(wrong_type(value, what, "str or bytes")),
    }
}

fn text(value: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    match value.cast::<PyString>() {
        Ok(_) => value.extract::<Text<'_>>().map(Text::owned),
        Err(_) => Err(wrong_type(value, what, "str")),
    }
}

fn optional<T>(
    value: &Bound<'_, PyAny>,
    read: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Option<T>> {
    if value.is_none() { Ok(None) } else { read(value).map(Some) }
}

/// Texts, or networks and addresses of the module `ipaddress`.
fn networks(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.cast::<PyString>().is_ok() {
        return names(value, "cidrs");
    }
    // A network is an iterable of its addresses, and one element here.
    if is_of_ipaddress(value, true)? {
        return Ok(vec![value.str()?.extract::<Text<'_>>().map(Text::owned)?]);
    }
    let Ok(items) = value.try_iter() else {
        return Err(wrong_type(value, "cidrs", "an iterable of networks"));
    };
    let network = |item: &Bound<'_, PyAny>| {
        if item.cast::<PyString>().is_ok() || !is_of_ipaddress(item, true)? {
            return text(item, "a network");
        }
        item.str()?.extract::<Text<'_>>().map(Text::owned)
    };
    few(items, "cidrs")?.iter().map(network).collect()
}

/// `"100/60s"`, or a pair of units and seconds.
fn rate(value: &Bound<'_, PyAny>) -> PyResult<Rate> {
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_string_lossy(); // what is not Unicode is no rate
        return gatekey::apikey::parse_rate(&text).or_raise(value.py());
    }
    if value.cast::<PyTuple>().is_ok()
        && let Ok((burst, period)) = value.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
    {
        let burst = count(&burst, "the units of rate")?;
        return Ok(Rate { burst, period: count(&period, "the seconds of rate")? });
    }
    Err(wrong_type(value, "rate", "a str such as '100/60s', or a pair of units and seconds"))
}

/// A number, or a mapping of `amount`, `refill`, `every` and `limit`; or what a record says of its credits, which has
/// `remaining` for `amount`.
fn credits(value: &Bound<'_, PyAny>) -> PyResult<CreditSpec> {
    let py = value.py();
    let units = |value: &Bound<'_, PyAny>| {
        if value.cast::<PyInt>().is_err() || value.cast::<PyBool>().is_ok() {
            return Err(wrong_type(
                value,
                "credits",
                "int, or a mapping of amount, refill, every, limit",
            ));
        }
        value
            .extract::<u64>()
            .map_err(|_| usage(py, "The `credits` must be zero or more, below 2^53."))
    };
    let Ok(mapping) = value.cast::<PyMapping>() else {
        return Ok(CreditSpec { amount: units(value)?, ..CreditSpec::default() });
    };
    let mut spec = CreditSpec::default();
    let mut amount = None;
    for item in mapping.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        match &*name {
            "amount" | "remaining" if amount.is_some() => {
                return Err(usage(
                    py,
                    "Credits have `amount`, or `remaining` as a record says it, not both.",
                ));
            }
            "amount" | "remaining" => amount = Some(units(&value)?),
            "limit" => spec.limit = Some(units(&value)?),
            "refill" => spec.refill = units(&value)?,
            "every" => {
                let every = span(&value, "every")?.at_least();
                spec.every = u32::try_from(every).map_err(|_| {
                    usage(
                        py,
                        "The refill of `credits` is too rare: `every` is in seconds, below 2^32.",
                    )
                })?;
            }
            // What a record says, and no caller sets.
            "refilled_at" => {}
            _ => {
                let message = "Credits have `amount`, `refill`, `every` and `limit`, nothing else.";
                return Err(usage(py, message));
            }
        }
    }
    let lacking = || usage(py, "Credits lack their `amount`: how many there are at first.");
    spec.amount = amount.ok_or_else(lacking)?;
    Ok(spec)
}

fn truth(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match value.cast::<PyBool>() {
        Ok(value) => Ok(value.is_true()),
        Err(_) => Err(wrong_type(value, "revoked", "bool")),
    }
}

fn meta(value: &Bound<'_, PyAny>) -> PyResult<String> {
    crate::encode::object(value, "meta")
}

/// The place of a credential by its name.
pub(crate) fn credential_place(
    py: Python<'_>,
    name: &str,
) -> PyResult<gatekey::apikey::CredentialPlace> {
    use gatekey::apikey::CredentialPlace::{ApiKey, Authorization};
    let known = [Authorization, ApiKey].into_iter().find(|place| place.name() == name);
    known.ok_or_else(|| usage(py, "A `place` for credentials is `authorization` or `api_key`."))
}
