//! PEM and DER from a stranger: refused, or keys of which everything holds that must hold.

use crate::accepted_key::check;
use gatekey::{Alg, ErrorKind, Key, Result};

/// Reads the data as PEM and as DER.
pub fn run(data: &[u8]) -> bool {
    let pem = read(|alg| Key::from_pem(data, alg));
    read(|alg| Key::from_der(data, alg)) || pem
}

fn read(from: impl Fn(Option<Alg>) -> Result<Key>) -> bool {
    let key = match from(None) {
        Err(error) if error.kind() == ErrorKind::AlgorithmRequired => from(Some(Alg::Ps256)),
        other => other,
    };
    key.map(|key| check(&key))
        .map_err(|error| assert!(error.kind() != ErrorKind::Internal, "{error:?}"))
        .is_ok()
}
