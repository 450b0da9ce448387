//! What an issuer publishes, read strictly: a set of 1 to 100 public keys. Symmetric ones are refused.

use super::super::answer::{COMPRESSED, is_compressed};
use crate::base::json::{self, Kind, ObjectWriter, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet};
use crate::transport::HttpResponse;

/// The most keys that are read.
const MOST: usize = 100;

/// The public keys of a key set; RSA keys that name no algorithm have this one.
pub(super) fn keys(response: &HttpResponse, rsa_alg: Alg) -> Result<KeySet> {
    let whole = json::parse(response.body.expose()).ok();
    let Some(whole) = whole.filter(|whole| whole.kind() == Kind::Object) else {
        return Err(if is_compressed(response) { COMPRESSED } else { NOT_KEYS });
    };
    // No list is an empty one: so answer servers that have no key.
    let list = whole.given("keys");
    if list.as_ref().is_some_and(|list| list.kind() != Kind::Array) {
        return Err(NOT_KEYS);
    }
    let members: Vec<Value<'_>> = list.iter().flat_map(Value::elements).collect();
    let is_symmetric = |key: &Value<'_>| {
        key.member("kty").and_then(|kind| kind.as_str()).as_deref() == Some("oct")
    };
    // Whatever else may be wrong with it.
    if members.iter().any(is_symmetric) {
        return Err(SYMMETRIC);
    }
    if members.len() > MOST {
        return Err(TOO_MANY);
    }
    let given = without_nulls(&members);
    let set = KeySet::from_jwks_with(given.as_bytes(), Some(rsa_alg)).map_err(|_| NOT_KEYS)?;
    if set.is_empty() {
        return Err(NO_KEYS);
    }
    let public = |key: &Key| if key.is_private() { key.public() } else { Ok(key.clone()) };
    KeySet::new(set.iter().map(public).collect::<Result<Vec<_>>>()?)
}

/// A key set without the members of its keys that are `null`: some servers write out what a key does not have.
fn without_nulls(keys: &[Value<'_>]) -> String {
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
    out.raw("keys", &json::array(keys, given));
    out.end()
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

pub(super) const NOT_THERE: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's keys are not at their address: the answer's status is not 200; see that `jwks_uri` is right.",
);
const NOT_KEYS: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The answer is no key set, a JSON object with a list `keys` (RFC 7517 section 5); see that `jwks_uri` is right.",
);
const NO_KEYS: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's key set has no usable public key. Give it a signing key there; if it signs ID tokens with the \
     client's secret, set `id_token_algorithms` to HS256.",
);
const SYMMETRIC: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's key set holds a symmetric key (`kty` is `oct`), which all can read; none of its keys is used \
     before that one is gone.",
);
const TOO_MANY: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer's key set has more than 100 keys; no more are read.",
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
