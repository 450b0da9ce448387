//! Where a request carries its API key.

use crate::args::{self as args, Text};
use crate::errors::OrRaise;
use crate::options::wrong_type;
use pyo3::intern;
use pyo3::prelude::*;

/// The API key among a request's headers, given as pairs of name and value: of
/// `Authorization: Bearer` or of `X-API-Key`; `None` if there is no key.
///
/// `place` reads one place alone, `"authorization"` or `"api_key"` (`X-API-Key`): for clients that send an API key
/// beside a token of their user's, which is not looked at here.
///
/// Raises `MalformedApiKeyError` if there is more than one, or an empty one.
#[pyfunction]
#[pyo3(signature = (pairs, *, place=None))]
pub(crate) fn api_key_from_headers(
    py: Python<'_>,
    pairs: &Bound<'_, PyAny>,
    place: Option<Text<'_>>,
) -> PyResult<Option<String>> {
    let place = place.map(|place| args::credential_place(py, place.0)).transpose()?;
    let pairs = match pairs.getattr(intern!(py, "items")) {
        Ok(items) if items.is_callable() => items.call0()?,
        _ => pairs.clone(),
    };
    let Ok(items) = pairs.try_iter() else {
        return Err(wrong_type(&pairs, "pairs", "an iterable of pairs of name and value"));
    };
    let mut headers = Vec::new();
    for item in items {
        let item = item?;
        let pair = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>();
        let (name, value) =
            pair.map_err(|_| wrong_type(&item, "a header", "a pair of name and value"))?;
        headers.push((args::header(&name, "header")?, args::header(&value, "header")?));
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let found = match place {
        None => gatekey::apikey::api_key_from_headers(pairs),
        Some(place) => gatekey::apikey::api_key_from_headers_at(pairs, place),
    };
    found.or_raise(py).map(|key| key.map(str::to_owned))
}

/// The API key in a query string, for clients that can do nothing else: addresses end up in logs.
#[pyfunction]
pub(crate) fn api_key_from_query(
    py: Python<'_>,
    query: &Bound<'_, PyAny>,
    parameter: Text<'_>,
) -> PyResult<Option<String>> {
    let query = args::header(query, "query")?;
    gatekey::apikey::api_key_from_query(&query, parameter.0)
        .or_raise(py)
        .map(|key| key.map(str::to_owned))
}
