//! The command `gatekey`, which is the crate's own: `gatekey.__main__` calls this and exits.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the command line and returns its exit code; docs/cli.md.
#[pyfunction]
pub(crate) fn _main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| gatekey::cli::main(arguments))
}
