//! Objects of this package's classes as arguments. `gatekey.aio` has a twin of the same name for
//! most of them; which of the two is wanted is said.

use crate::options::wrong_type;
use pyo3::PyTypeInfo;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// An object of this class, and not its twin for asyncio.
pub(crate) struct Own<T>(pub(crate) Py<T>);

impl<'a, 'py, T: PyTypeInfo> FromPyObject<'a, 'py> for Own<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(own) = value.cast::<T>() {
            return Ok(Self(own.to_owned().unbind()));
        }
        let name = T::type_object(value.py()).name()?;
        if value.getattr("sync").is_ok_and(|sync| sync.is_instance_of::<T>()) {
            return Err(PyTypeError::new_err(format!(
                "a gatekey.{name} is wanted, not its twin gatekey.aio.{name}: give its `sync`, or use the class of \
                 gatekey.aio that takes the twin"
            )));
        }
        Err(wrong_type(&value, "the argument", &format!("a gatekey.{name}")))
    }
}
