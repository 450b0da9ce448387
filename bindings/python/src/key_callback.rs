//! `Key.with_callback`: a callable that signs with a key of a KMS or HSM.

use crate::options::wrong_type;
use crate::own_transport::Raised;
use gatekey::jwk::ExternalSigner;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use std::error::Error;

/// What the callable of `Key.with_callback` is asked for.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct SignRequest {
    alg: &'static str,
    message: Vec<u8>,
    digest: Vec<u8>,
}

#[pymethods]
impl SignRequest {
    /// The key's algorithm. RSA with PSS (PS256, PS384, PS512) has a salt as long as the digest.
    #[getter]
    const fn alg(&self) -> &'static str {
        self.alg
    }

    /// What is to be signed: for interfaces that compute the digest themselves, and for Ed25519 and ML-DSA.
    #[getter]
    fn message(&self) -> &[u8] {
        &self.message
    }

    /// The algorithm's SHA-2 digest of the message, for interfaces that want that; empty for Ed25519 and ML-DSA.
    #[getter]
    fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Says nothing of the message: it is a token that is not out yet.
    fn __repr__(&self) -> String {
        format!("<gatekey.SignRequest alg='{}'>", self.alg)
    }
}

/// The callable.
pub(crate) struct Callable(Py<PyAny>);

impl Callable {
    pub(crate) fn read(sign: &Bound<'_, PyAny>) -> PyResult<Self> {
        if sign.is_callable() {
            return Ok(Self(sign.clone().unbind()));
        }
        Err(wrong_type(sign, "sign", "a callable that takes a SignRequest and gives the signature"))
    }
}

impl ExternalSigner for Callable {
    fn sign(
        &self,
        request: &gatekey::jwk::SignRequest<'_>,
    ) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let asked = SignRequest {
            alg: request.alg().name(),
            message: request.message().to_vec(),
            digest: request.digest().to_vec(),
        };
        Python::attach(|py| {
            let given = Py::new(py, asked).and_then(|asked| self.0.bind(py).call1((asked,)));
            let given = given.map_err(|error| Raised::kept(py, error))?;
            if let Ok(bytes) = given.cast::<PyByteArray>() {
                return Ok(bytes.to_vec());
            }
            match given.cast::<PyBytes>() {
                Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
                // No KMS is out of reach: the callable itself is wrong.
                Err(_) => {
                    let error = wrong_type(&given, "what `sign` returns", "the signature as bytes");
                    Err(Raised::misuse(py, error))
                }
            }
        })
    }
}
