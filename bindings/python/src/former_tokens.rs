//! `_FormerTokens`: the access tokens of what a service had before, for a guard.

use crate::args::{Text, moment};
use crate::encode::{Default, members};
use crate::guard::listed;
use crate::key_set::keyset;
use crate::options::{Span, span};
use pyo3::prelude::*;
use std::sync::Arc;

/// The access tokens of what a service had before, until a date; an implementation detail of `gatekey.simplejwt`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _FormerTokens(pub(crate) gatekey::guard::FormerTokens);

#[pymethods]
impl _FormerTokens {
    #[new]
    #[pyo3(signature = (keys, *, user_claim, until, claims, issuer=None, audience=None, leeway=None))]
    fn new(
        keys: &Bound<'_, PyAny>,
        user_claim: Text<'_>,
        until: &Bound<'_, PyAny>,
        claims: &Bound<'_, PyAny>,
        issuer: Option<Text<'_>>,
        audience: Option<&Bound<'_, PyAny>>,
        leeway: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (keys, until) = (Arc::new(keyset(keys)?), moment(until, "until")?);
        let mut former = gatekey::guard::FormerTokens::new(keys, user_claim.0, until);
        for (name, json) in members(claims, "claims", Default::Absent)? {
            former = former.claim(name, json);
        }
        if let Some(issuer) = issuer {
            former = former.issuer(issuer.0);
        }
        for audience in listed(audience, "audience")? {
            former = former.audience(audience);
        }
        if let Some(leeway) = leeway {
            former = former.leeway(span(leeway, "leeway").map(Span::at_most)?);
        }
        Ok(Self(former))
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    const fn __repr__(&self) -> &'static str {
        "<gatekey._FormerTokens>"
    }
}
