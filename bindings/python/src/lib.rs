//! `gatekey._core`: the extension module behind the Python package `gatekey`.
//!
//! Only an adapter: every rule lives in the Rust crate. What is decided here is how Python values
//! become JSON and back (`encode`, `decode`), which class an error is raised as (`errors`), how
//! options and clocks are read (`options`), and when the GIL is released (`gil`).

#![forbid(unsafe_code)]

mod access;
mod apikey;
mod apikey_import;
mod apikey_records;
mod args;
mod attempt;
mod backup;
mod claim_index;
mod cli;
mod clock;
mod decode;
mod encode;
mod errors;
mod former_tokens;
mod gil;
mod guard;
mod guard_decision;
mod guard_demand;
mod guard_request;
mod headers;
mod interpreter;
mod key;
mod key_callback;
mod key_set;
mod keyring;
mod oauth_client;
mod oauth_records;
mod operation;
mod options;
mod own_transport;
mod remote_key_set;
mod resource;
mod revocations;
mod session;
mod session_cookies;
mod session_records;
mod signer;
mod store;
mod token_manager;
mod transport;
mod twins;
mod verified;
mod verifier;
mod web;

/// The extension module of gatekey. Import `gatekey` instead.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    use crate::access::Access;
    use crate::apikey::{ApiKeys, scan_rule};
    use crate::apikey_records::{
        ApiKeyCheck, ApiKeyRecord, AuditRecord, ImportReport, IssuedApiKey, Page, PepperUse,
    };
    use crate::attempt::_Told;
    #[pymodule_export]
    use crate::attempt::_attempt;
    #[pymodule_export]
    use crate::backup::{store_acknowledge_restore, store_backup, store_restore};
    #[pymodule_export]
    use crate::cli::_main;
    use crate::errors::{_error_headers, _public_message};
    use crate::former_tokens::_FormerTokens;
    use crate::guard::_Guard;
    use crate::guard_decision::_Decision;
    use crate::guard_demand::_Demand;
    use crate::guard_request::_Request;
    use crate::headers::{api_key_from_headers, api_key_from_query};
    use crate::key::Key;
    use crate::key_callback::SignRequest;
    use crate::key_set::KeySet;
    use crate::keyring::{KeyRing, RingKey};
    use crate::oauth_client::_OAuthClient;
    use crate::oauth_records::{
        BegunLogin, DeviceCodes, FinishedLogin, Introspection, LogoutNotice, OAuthTokens, UserInfo,
    };
    use crate::operation::_Operation;
    use crate::options::{_bounded, _milliseconds, _named, _seconds, AnyValue};
    use crate::remote_key_set::_RemoteKeySet;
    use crate::resource::_ResourceServer;
    use crate::revocations::Revocations;
    use crate::session::Sessions;
    use crate::session_cookies::{SentCookies, SessionCookies};
    use crate::session_records::{SessionEvent, SessionRecord, SessionTokens};
    use crate::signer::{Signer, Unsigned};
    use crate::store::{Store, StoreHealth};
    use crate::token_manager::_TokenManager;
    use crate::transport::{HttpRequest, HttpTransport};
    use crate::verified::{Verified, danger_decode_unverified};
    use crate::verifier::{IssuerRule, Verifier};
    use crate::web::{Cookie, Csrf};
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;
    use pyo3::wrap_pyfunction;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        // Before any class is made: they belong to one interpreter.
        crate::interpreter::take(py)?;
        crate::errors::load(py)?;
        module.add_class::<ApiKeyCheck>()?;
        module.add_class::<ApiKeyRecord>()?;
        module.add_class::<AuditRecord>()?;
        module.add_class::<ImportReport>()?;
        module.add_class::<IssuedApiKey>()?;
        module.add_class::<Page>()?;
        module.add_class::<PepperUse>()?;
        module.add_class::<ApiKeys>()?;
        module.add_class::<Key>()?;
        module.add_class::<SignRequest>()?;
        module.add_class::<KeyRing>()?;
        module.add_class::<RingKey>()?;
        module.add_class::<KeySet>()?;
        module.add_class::<Access>()?;
        module.add_class::<BegunLogin>()?;
        module.add_class::<DeviceCodes>()?;
        module.add_class::<FinishedLogin>()?;
        module.add_class::<Introspection>()?;
        module.add_class::<LogoutNotice>()?;
        module.add_class::<OAuthTokens>()?;
        module.add_class::<UserInfo>()?;
        module.add_class::<_OAuthClient>()?;
        module.add_class::<_Operation>()?;
        module.add_class::<_Told>()?;
        module.add_class::<AnyValue>()?;
        module.add_class::<_Decision>()?;
        module.add_class::<_Demand>()?;
        module.add_class::<_FormerTokens>()?;
        module.add_class::<_Guard>()?;
        module.add_class::<_Request>()?;
        module.add_class::<_RemoteKeySet>()?;
        module.add_class::<_ResourceServer>()?;
        module.add_class::<_TokenManager>()?;
        module.add_class::<Revocations>()?;
        module.add_class::<SentCookies>()?;
        module.add_class::<SessionCookies>()?;
        module.add_class::<SessionEvent>()?;
        module.add_class::<SessionRecord>()?;
        module.add_class::<SessionTokens>()?;
        module.add_class::<Sessions>()?;
        module.add_class::<Signer>()?;
        module.add_class::<Unsigned>()?;
        module.add_class::<Store>()?;
        module.add_class::<StoreHealth>()?;
        module.add_class::<HttpRequest>()?;
        module.add_class::<HttpTransport>()?;
        module.add_class::<Verified>()?;
        module.add_class::<IssuerRule>()?;
        module.add_class::<Verifier>()?;
        module.add_class::<Cookie>()?;
        module.add_class::<Csrf>()?;
        for function in [
            wrap_pyfunction!(api_key_from_headers, module)?,
            wrap_pyfunction!(api_key_from_query, module)?,
            wrap_pyfunction!(scan_rule, module)?,
            wrap_pyfunction!(_bounded, module)?,
            wrap_pyfunction!(_milliseconds, module)?,
            wrap_pyfunction!(_named, module)?,
            wrap_pyfunction!(_seconds, module)?,
            wrap_pyfunction!(_main, module)?,
            wrap_pyfunction!(_public_message, module)?,
            wrap_pyfunction!(_error_headers, module)?,
            wrap_pyfunction!(danger_decode_unverified, module)?,
        ] {
            module.add_function(function)?;
        }
        module.add("ANY", AnyValue)?;
        module.add("OAUTH_PRESETS", PyTuple::new(py, gatekey::oauth::oauth_presets())?)?;
        module
            .add("ALGORITHMS", PyTuple::new(py, gatekey::Alg::ALL.iter().map(|alg| alg.name()))?)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
