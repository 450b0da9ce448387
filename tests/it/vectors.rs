//! Published vectors that are read in place: `GATEKEY_VECTORS`, by default a folder beside the
//! checkout. `git clone` github.com/ietf-jose/cookbook as `rfc7520` and take
//! `testvectors_v1/json_web_signature_test.json` of github.com/C2SP/wycheproof as `wycheproof` to
//! have them elsewhere.

use serde_json::Value;
use std::path::PathBuf;

/// The vectors in this file, or `None` after saying by name what is skipped.
pub(crate) fn read(file: &str) -> Option<Value> {
    let folder = std::env::var_os("GATEKEY_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        PathBuf::from,
    );
    match std::fs::read(folder.join(file)) {
        Ok(text) => {
            Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{file}: {error}")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!(
                "skipped: {file} is not there; set GATEKEY_VECTORS to the folder that holds it"
            );
            None
        }
        Err(error) => panic!("{file}: {error}"),
    }
}
