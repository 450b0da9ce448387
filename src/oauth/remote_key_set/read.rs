//! What an issuer publishes, read strictly: a set of 1 to 100 public keys, of which at least one
//! can be used. Symmetric ones are refused. What is wrong with an answer is reported by its own
//! message.

use super::super::answer::{COMPRESSED, is_compressed};
use crate::base::json::{self, Kind, ObjectWriter, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, KeySet, mistaken};
use crate::transport::HttpResponse;

/// The private members of keys (RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// The most keys that are read.
const MOST: usize = 100;

/// The public keys of a key set, with what was skipped; RSA keys that name no algorithm have this
/// one.
pub(super) fn keys(response: &HttpResponse, rsa_alg: Alg) -> Result<KeySet> {
    let text = response.body.expose();
    match text.trim_ascii_start() {
        [b'<', ..] => return Err(A_PAGE),
        [0xef, 0xbb, 0xbf, ..] => return Err(BYTE_ORDER_MARK),
        _ => {}
    }
    let whole = json::parse(text).ok();
    let Some(whole) = whole.filter(|whole| whole.kind() == Kind::Object) else {
        return Err(if is_compressed(response) { COMPRESSED } else { NOT_KEYS });
    };
    // No list in nothing at all is an empty one: so answer servers that have no key.
    let list = whole.given("keys");
    match &list {
        Some(list) if list.kind() == Kind::Array => {}
        None if whole.member("keys").is_some() => return Err(KEYS_NULL),
        None if whole.members().next().is_none() => {}
        _ => return Err(mistaken::for_set(&whole).with_kind(ErrorKind::OauthMalformedResponse)),
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
    let given = public_members(&members);
    let set = KeySet::from_jwks_with(given.as_bytes(), Some(rsa_alg)).map_err(|_| NOT_KEYS)?;
    match set.skipped().first() {
        _ if !set.is_empty() => set.public(),
        Some(first) => Err(NONE_USABLE.about_key(first.kid().unwrap_or_default(), first.reason())),
        None => Err(NO_KEYS),
    }
}

/// A key set without the members of its keys that are `null`, since some servers write out what a
/// key does not have, and without private ones: they sign nothing here, and checking them is slow,
/// which a server could exploit.
fn public_members(keys: &[Value<'_>]) -> String {
    let given = |key: &Value<'_>| {
        if key.kind() != Kind::Object {
            return key.raw().to_owned();
        }
        let mut out = ObjectWriter::new();
        for (name, value) in key.members() {
            let name = name.decode();
            if value.kind() != Kind::Null && !PRIVATE.contains(&&*name) {
                out.raw(&name, value.raw());
            }
        }
        out.end()
    };
    let mut out = ObjectWriter::new();
    out.raw("keys", &json::array(keys, given));
    out.end()
}

/// The seconds of `max-age` (RFC 9111 section 5.2.2.1); 0 if nothing may be kept or it is not
/// understood.
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

pub(super) const NOT_THERE: Error = malformed(
    "The issuer's keys are not at their address: the answer's status is not 200; see that `jwks_uri` is right.",
);
const NOT_KEYS: Error = malformed(
    "The answer is no key set, a JSON object with a list `keys` (RFC 7517 section 5); see that `jwks_uri` is right.",
);
const A_PAGE: Error = malformed(
    "The answer is an HTML or XML page, and no key set with a list `keys`; see that `jwks_uri` is right.",
);
const BYTE_ORDER_MARK: Error = malformed(
    "The issuer's key set begins with a byte order mark, which JSON must not have (RFC 8259 section 8.1).",
);
const NO_KEYS: Error = malformed(
    "The issuer's key set has no usable public key. Give it a signing key there; if it signs ID tokens with the \
     client's secret, set `id_token_algorithms` to HS256.",
);
const KEYS_NULL: Error = malformed(
    "The `keys` of the issuer's key set is null, so it has no key. Give it a signing key there; if it signs ID tokens \
     with the client's secret, set `id_token_algorithms` to HS256.",
);
const NONE_USABLE: Error = malformed(
    "No key of the issuer's set can be used, the first for the reason told here. Give it a signing key there; if it \
     signs with the client's secret, set `id_token_algorithms` to HS256.",
);
const SYMMETRIC: Error = malformed(
    "The issuer's key set holds a symmetric key (`kty` is `oct`), which all can read; none of its keys is used \
     before that one is gone.",
);
const TOO_MANY: Error = malformed("The issuer's key set has more than 100 keys; no more are read.");

const fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::OauthMalformedResponse, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test of a reason: what an issuer answers, and what its message says.
    #[test]
    fn each_thing_that_is_wrong_has_a_message_of_its_own() {
        let key = crate::jwk::Key::generate(Alg::Es256).unwrap().to_jwk().unwrap();
        let weak = format!(
            r#"{{"kty":"RSA","kid":"old","alg":"RS256","e":"AQAB","n":"{}"}}"#,
            "_".repeat(84)
        );
        let set = |members: &str| format!(r#"{{"keys":[{members}]}}"#);
        let cases = [
            ("<!doctype html><title>404</title>".to_owned(), "page"),
            (" \n<?xml version=\"1.0\"?><keys/>".to_owned(), "page"),
            (format!("\u{feff}{}", set(&key)), "byte order mark"),
            ("{}".to_owned(), "HS256"),
            (set(""), "HS256"),
            (set(&vec![key.as_str(); 101].join(",")), "more than 100"),
            (set(&format!(r#"{key},{{"kty":"oct","k":"AAAA"}}"#)), "symmetric"),
            (set(r#"{"kty":"oct","k":null}"#), "symmetric"),
            (set(&weak), "can be used, the first"),
            (set("1"), "can be used, the first"),
            (r#"{"keys":null}"#.to_owned(), "`keys` of the issuer's key set is null"),
            (r#"{"error":"invalid_request"}"#.to_owned(), "server's error"),
            (key.clone(), "one key (JWK) and no JWK Set"),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"https://a.example/k"}"#.to_owned(),
                "`jwks_uri`",
            ),
            (r#"{"k1":"-----BEGIN CERTIFICATE-----\n"}"#.to_owned(), "address of the JWK Set"),
            (r#"{"a":1}"#.to_owned(), "array `keys`"),
            ("[]".to_owned(), "no key set"),
            (r#"{"keys":{}}"#.to_owned(), "array `keys`"),
            (r#"{"keys":[}"#.to_owned(), "no key set"),
            (r#"{"keys":[],"keys":[]}"#.to_owned(), "no key set"),
        ];
        let keys = |text: &str| {
            let body = crate::Secret::from(text.to_owned());
            keys(&HttpResponse { status: 200, headers: Vec::new(), body }, Alg::Rs256)
        };
        for (text, told) in cases {
            let error = keys(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse, "{text}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        }
        let error = keys(&set(&weak)).unwrap_err();
        let (kid, reason) = error.unusable_key().unwrap();
        assert_eq!((kid, reason.kind()), ("old", ErrorKind::WeakKey));
        assert!(error.to_string().contains(reason.message()), "{error}");
        let some = keys(&set(&format!("{weak},{key}"))).unwrap();
        assert_eq!((some.len(), some.skipped()[0].kid()), (1, Some("old")));
    }

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
