//! `_Demand`: what a route demands, made once.

use crate::args::Text;
use crate::encode;
use crate::errors::{OrRaise, of_kind, usage};
use crate::options::{names, span, wrong_type};
use gatekey::ErrorKind;
use gatekey::guard::{AccessKind, Demand, DemandBuilder, Pair};
use gatekey::named::shown;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyMapping, PyString};

/// What a route demands of its caller; an implementation detail of `gatekey.guard`.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Demand(pub(crate) Demand, Callers);

/// Who may come, for the documents of an API.
#[derive(Clone, Default)]
struct Callers {
    is_optional: bool,
    pair: Vec<AccessKind>,
}

#[pymethods]
impl _Demand {
    #[new]
    #[pyo3(signature = (*, kinds=None, scopes=None, any_of=None, tenant=None, claims=None, acr_values=None,
        max_age=None, fresh=false, cost=None, limits=None, csrf=None, own_pages=false, optional=false,
        public=false, pair=None, same_tenant=false, same_subject=false))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of the Python class")]
    fn new(
        py: Python<'_>,
        kinds: Option<&Bound<'_, PyAny>>,
        scopes: Option<&Bound<'_, PyAny>>,
        any_of: Option<&Bound<'_, PyAny>>,
        tenant: Option<Text<'_>>,
        claims: Option<&Bound<'_, PyAny>>,
        acr_values: Option<&Bound<'_, PyAny>>,
        max_age: Option<&Bound<'_, PyAny>>,
        fresh: bool,
        cost: Option<u32>,
        limits: Option<&Bound<'_, PyAny>>,
        csrf: Option<&Bound<'_, PyAny>>,
        own_pages: bool,
        optional: bool,
        public: bool,
        pair: Option<&Bound<'_, PyAny>>,
        same_tenant: bool,
        same_subject: bool,
    ) -> PyResult<Self> {
        let listed = |value: Option<&Bound<'_, PyAny>>, what: &str| {
            value.map_or(Ok(Vec::new()), |value| names(value, what))
        };
        let mut demand = Demand::builder().scopes(listed(scopes, "scopes")?);
        let acr_values = listed(acr_values, "acr_values")?;
        if !acr_values.is_empty() {
            demand = demand.acr_values(acr_values);
        }
        if let Some(any) = any_of {
            let any = names(any, "any_of")?;
            if any.is_empty() {
                let message = "The `any_of` is empty, and would demand nothing: name at least one \
                    scope, or leave it out.";
                return Err(of_kind(py, ErrorKind::InvalidConfiguration, message));
            }
            demand = demand.any_scopes(any);
        }
        if let Some(kinds) = kinds {
            demand = demand.kinds(self::kinds(kinds, "kinds")?);
        }
        if let Some(tenant) = tenant {
            demand = demand.tenant(tenant.0);
        }
        for (name, json) in claims
            .map(|claims| encode::members(claims, "claims", encode::Default::Absent))
            .transpose()?
            .into_iter()
            .flatten()
        {
            demand = demand.claim(name, json);
        }
        if let Some(age) = max_age {
            demand = demand.max_age(span(age, "max_age")?.at_most());
        }
        if fresh {
            demand = demand.fresh();
        }
        if let Some(cost) = cost {
            demand = demand.cost(cost);
        }
        demand = with_limits(demand, limits)?;
        demand = with_csrf(demand, csrf)?;
        if own_pages {
            demand = demand.own_pages();
        }
        if optional {
            demand = demand.optional();
        }
        if public {
            demand = demand.public();
        }
        let mut callers = Callers { is_optional: optional, pair: Vec::new() };
        match pair {
            Some(pair) => {
                callers.pair = self::kinds(pair, "pair")?;
                let mut pair = Pair::with(callers.pair.iter().copied());
                if same_tenant {
                    pair = pair.same_tenant();
                }
                if same_subject {
                    pair = pair.same_subject();
                }
                demand = demand.pair(pair);
            }
            None if same_tenant || same_subject => {
                let message =
                    "`same_tenant` and `same_subject` are about a `pair`; name its kinds.";
                return Err(usage(py, message));
            }
            None => {}
        }
        demand.build().or_raise(py).map(|demand| Self(demand, callers))
    }

    /// The same for one tenant: of a path, for example.
    fn in_tenant(&self, tenant: Text<'_>) -> Self {
        Self(self.0.in_tenant(tenant.0), self.1.clone())
    }

    /// Whether no credential is looked at.
    #[getter]
    fn is_public(&self) -> bool {
        self.0.is_public()
    }

    /// Whether callers without a credential are let in.
    #[getter]
    const fn is_optional(&self) -> bool {
        self.1.is_optional
    }

    /// The kinds of a second credential that must also be there; none: there is no second.
    #[getter]
    fn pair(&self) -> Vec<&'static str> {
        self.1.pair.iter().map(|kind| kind.name()).collect()
    }

    /// The kinds that are taken; none: every kind.
    #[getter]
    fn kinds(&self) -> Vec<&'static str> {
        self.0.kinds().iter().map(|kind| kind.name()).collect()
    }

    /// The scopes that are wanted, all of them.
    #[getter]
    fn scopes(&self) -> Vec<&str> {
        self.0.scopes().iter().map(String::as_str).collect()
    }

    /// The scopes of which one is wanted.
    #[getter]
    fn any_scopes(&self) -> Vec<&str> {
        self.0.any_scopes().iter().map(String::as_str).collect()
    }

    fn __repr__(&self) -> String {
        format!("<gatekey._Demand {}>", if self.0.is_public() { "public" } else { "of a caller" })
    }
}

fn kinds(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<AccessKind>> {
    const ALL: [AccessKind; 4] =
        [AccessKind::ApiKey, AccessKind::Session, AccessKind::Jwt, AccessKind::Opaque];
    let kind = |name: String| {
        ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let message = format!(
                "`{what}` are of `api_key`, `session`, `jwt` and `opaque`; {:?} is none of them.",
                shown(&name)
            );
            usage(value.py(), &message)
        })
    };
    names(value, what)?.into_iter().map(kind).collect()
}

/// A mapping of names to rates, such as `{"log-in": "5/min"}`.
fn with_limits(
    mut demand: DemandBuilder,
    limits: Option<&Bound<'_, PyAny>>,
) -> PyResult<DemandBuilder> {
    let Some(limits) = limits else { return Ok(demand) };
    let wrong = || wrong_type(limits, "limits", "a mapping of names to rates such as '5/min'");
    for item in limits.cast::<PyMapping>().map_err(|_| wrong())?.items()?.iter() {
        let (name, rate) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let name =
            name.extract::<String>().map_err(|_| wrong_type(&name, "a name of limits", "str"))?;
        let rate = rate
            .extract::<String>()
            .map_err(|_| wrong_type(&rate, "a rate of limits", "str, such as '5/min'"))?;
        demand = demand.limit(name, rate);
    }
    Ok(demand)
}

/// None: as the method says; `"always"`; False, which is dangerous.
fn with_csrf(demand: DemandBuilder, csrf: Option<&Bound<'_, PyAny>>) -> PyResult<DemandBuilder> {
    match csrf {
        None => Ok(demand),
        Some(csrf) if csrf.cast::<PyString>().is_ok_and(|csrf| csrf == "always") => {
            Ok(demand.csrf_always())
        }
        Some(csrf) if csrf.is_exact_instance_of::<PyBool>() && !csrf.is_truthy()? => {
            Ok(demand.danger_no_csrf())
        }
        Some(csrf) => Err(wrong_type(csrf, "csrf", "'always', or danger_no_csrf=True")),
    }
}
