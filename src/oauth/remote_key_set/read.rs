//! What an issuer publishes, read strictly: a set of 1 to 100 public keys. Symmetric ones are refused.

use crate::base::json::{self, Kind, ObjectWriter, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet};

/// The public keys of a key set; RSA keys that name no algorithm have this one.
pub(super) fn keys(text: &[u8], rsa_alg: Alg) -> Result<KeySet> {
    let given = without_nulls(text).ok_or(NOT_KEYS)?;
    let set = KeySet::from_jwks_with(given.as_bytes(), Some(rsa_alg)).map_err(|_| NOT_KEYS)?;
    // Whatever else may be wrong with it.
    let members = json::parse(text)?.member("keys");
    let is_symmetric =
        |key: Value<'_>| key.member("kty").and_then(|kind| kind.as_str()).as_deref() == Some("oct");
    if set.is_empty() || members.iter().flat_map(Value::elements).any(is_symmetric) {
        return Err(NOT_KEYS);
    }
    let public = |key: &Key| if key.is_private() { key.public() } else { Ok(key.clone()) };
    KeySet::new(set.iter().map(public).collect::<Result<Vec<_>>>()?)
}

/// A key set without the members of its keys that are `null`: some servers write out what a key does not have.
fn without_nulls(text: &[u8]) -> Option<String> {
    let keys = json::parse(text).ok()?.member("keys").filter(|keys| keys.kind() == Kind::Array)?;
    let keys: Vec<Value<'_>> = keys.elements().collect();
    let given = |key: &Value<'_>| {
        if key.kind() != Kind::Object {
            return key.raw().to_owned();
        }
        let mut out = ObjectWriter::new();
        for (name, value) in key.members().filter(|(_, value)| value.kind() != Kind::Null) {
            out.raw(&name.decode(), value.raw());
        }
        out.end()
    };
    let mut out = ObjectWriter::new();
    out.raw("keys", &json::array(&keys, given));
    Some(out.end())
}

/// The seconds of `max-age` (RFC 9111 section 5.2.2.1); 0 if nothing may be kept or it is not understood.
pub(super) fn max_age(header: &str) -> u64 {
    let mut age = 0;
    for directive in header.split(',').map(str::trim) {
        match directive.split_once('=') {
            _ if ["no-store", "no-cache"].iter().any(|no| directive.eq_ignore_ascii_case(no)) => {
                return 0;
            }
            Some((name, seconds)) if name.trim().eq_ignore_ascii_case("max-age") => {
                age = seconds.trim().trim_matches('"').parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    age
}

const NOT_KEYS: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's key set is not 1 to 100 usable public keys; symmetric ones are refused.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control() {
        for (header, age) in [
            ("max-age=300", 300),
            ("public, Max-Age = 60", 60),
            ("max-age=\"5\"", 5),
            ("no-store, max-age=300", 0),
            ("max-age=300, no-cache", 0),
            ("max-age=-1", 0),
            ("max-age=99999999999999999999", 0),
            ("private", 0),
            ("", 0),
        ] {
            assert_eq!(max_age(header), age, "{header}");
        }
    }
}
