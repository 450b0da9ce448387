//! `gatekey._core`: the extension module behind the Python package `gatekey`.
//!
//! Only an adapter: every rule lives in the Rust crate. What is decided here is how Python values
//! become JSON and back (`encode`, `decode`), which class an error is raised as (`errors`), how
//! options and clocks are read (`options`), and when the GIL is released: for public-key
//! operations, never for an HMAC, which is over before another thread could wake up.

#![forbid(unsafe_code)]

mod apikey_args;
mod apikey_records;
mod apikeys;
mod backup;
mod cli;
mod clock;
mod decode;
mod encode;
mod errors;
mod index;
mod key;
mod keyring;
mod keyset;
mod oauth_records;
mod operation;
mod options;
mod remote;
mod revocations;
mod session_records;
mod sessions;
mod signer;
mod transport;
mod verified;
mod verifier;
mod web;

/// The extension module of gatekey. Import `gatekey` instead.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use crate::apikey_records::{
        ApiKeyCheck, ApiKeyRecord, AuditRecord, ImportReport, IssuedApiKey, Page, PepperUse,
    };
    #[pymodule_export]
    use crate::apikeys::{ApiKeys, api_key_from_headers, api_key_from_query, scan_rule};
    #[pymodule_export]
    use crate::backup::{store_acknowledge_restore, store_backup, store_restore};
    #[pymodule_export]
    use crate::cli::_main;
    #[pymodule_export]
    use crate::key::Key;
    #[pymodule_export]
    use crate::keyring::{KeyRing, RingKey};
    #[pymodule_export]
    use crate::keyset::KeySet;
    #[pymodule_export]
    use crate::oauth_records::{
        Access, BegunLogin, DeviceCodes, FinishedLogin, Introspection, LogoutNotice, OAuthTokens,
        UserInfo,
    };
    #[pymodule_export]
    use crate::operation::{_OAuthClient, _Operation};
    #[pymodule_export]
    use crate::options::AnyValue;
    #[pymodule_export]
    use crate::remote::{_RemoteKeySet, _ResourceServer, _TokenManager};
    #[pymodule_export]
    use crate::revocations::Revocations;
    #[pymodule_export]
    use crate::session_records::{SessionEvent, SessionRecord, SessionTokens};
    #[pymodule_export]
    use crate::sessions::Sessions;
    #[pymodule_export]
    use crate::signer::{Signer, Unsigned};
    #[pymodule_export]
    use crate::transport::{HttpRequest, HttpTransport};
    #[pymodule_export]
    use crate::verified::{Verified, danger_decode_unverified};
    #[pymodule_export]
    use crate::verifier::{IssuerRule, Verifier};
    #[pymodule_export]
    use crate::web::{Cookie, Csrf};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        crate::errors::load(py)?;
        module.add("ANY", AnyValue)?;
        module.add("OAUTH_PRESETS", PyTuple::new(py, gatekey::oauth_presets())?)?;
        module
            .add("ALGORITHMS", PyTuple::new(py, gatekey::Alg::ALL.iter().map(|alg| alg.name()))?)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
