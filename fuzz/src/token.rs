//! gatekey's verifier against jsonwebtoken's, on tokens whose MAC is right.
//!
//! What gatekey accepts jsonwebtoken must accept, and what jsonwebtoken accepts and gatekey refuses
//! must be on [`STRICTER`]. [`WIDER`] names the few places where jsonwebtoken's types are narrower
//! than the RFC, which gatekey does not read as errors.

use crate::reference::Json;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatekey::jwt::danger_decode_unverified;
use gatekey::{Alg, Error, ErrorKind, Key, Policy, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The key of every seed token.
pub const SECRET: &[u8] = b"thirty-two bytes for the fuzzer!";
/// The issuer both verifiers expect.
pub const ISSUER: &str = "https://issuer.example";
/// The audience both verifiers expect.
pub const AUDIENCE: &str = "api";

/// Verifies the data as a token; if it holds a line break, also as header and payload to be signed.
pub fn run(data: &[u8]) -> bool {
    let as_it_is = std::str::from_utf8(data).is_ok_and(compare);
    let line_break = data.iter().position(|&byte| byte == b'\n');
    line_break.is_some_and(|at| compare(&signed(&data[..at], &data[at + 1..]))) || as_it_is
}

/// A token with a right MAC over whatever header and payload.
pub fn signed(header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET);
    let mac =
        jsonwebtoken::crypto::sign(input.as_bytes(), &key, Algorithm::HS256).expect("an HMAC");
    format!("{input}.{mac}")
}

/// Runs both verifiers and accounts for every difference.
pub fn compare(token: &str) -> bool {
    let ours = VERIFIER.verify(token);
    let theirs = decode::<serde_json::Value>(token, &DECODING, &VALIDATION);
    let facts = Facts::of(token);
    if facts.is_about_now() {
        return ours.is_ok(); // the two clocks are read one after the other
    }
    match (&ours, theirs) {
        (Ok(verified), Ok(theirs)) => {
            let claims: serde_json::Value = serde_json::from_str(verified.claims_json())
                .expect("serde_json reads verified claims");
            assert_eq!(claims, theirs.claims, "the verifiers read different claims");
            let unverified =
                danger_decode_unverified(token).expect("a verified token can be decoded");
            assert_eq!(unverified.claims_json(), verified.claims_json());
        }
        (Ok(_), Err(reason)) => {
            assert!(
                WIDER.iter().any(|(_, holds)| holds(&facts)),
                "accepted, but jsonwebtoken says: {reason}"
            );
        }
        (Err(error), Ok(_)) => {
            let listed = STRICTER
                .iter()
                .any(|(kinds, _, holds)| kinds.contains(&error.kind()) && holds(&facts));
            assert!(listed, "refused for no reason on the list: {error:?}");
        }
        (Err(_), Err(_)) => {}
    }
    ours.map_err(|error| harmless(&error, token)).is_ok()
}

/// An error is about the token (never a misuse or a defect) and its message holds nothing of it.
fn harmless(error: &Error, token: &str) {
    assert!(error.kind().is_rejected(), "{error:?}");
    assert!(error.message().len() <= Error::MAX_MESSAGE);
    assert!(error.claim().is_none_or(|claim| claim.len() <= 64));
    assert!(token.len() < 24 || !error.message().contains(token));
}

pub type Reason<'a> = (&'a [ErrorKind], &'a str, fn(&Facts) -> bool);

/// Why gatekey refuses a token with a right MAC that jsonwebtoken accepts.
pub const STRICTER: &[Reason<'static>] = &[
    (
        &[ErrorKind::MalformedToken],
        "two members of one name, in the header or the payload, at any depth (RFC 7519 section 4)",
        |f| f.both().any(Json::has_duplicates),
    ),
    (&[ErrorKind::MalformedToken], "arrays or objects nested more than 32 deep", |f| {
        f.both().any(|json| json.depth() > gatekey::json::MAX_DEPTH)
    }),
    (
        &[ErrorKind::MalformedToken],
        "a header or a payload that is not an object (RFC 7519 section 7.2)",
        |f| f.both().any(|json| !matches!(json, Json::Object(_))),
    ),
    (
        &[ErrorKind::MalformedToken],
        "a header that serde_json itself refuses when asked for all of it, such as one with a lone surrogate",
        |f| f.header.is_none(),
    ),
    (
        &[ErrorKind::MalformedToken, ErrorKind::UnsupportedCritical],
        "`crit`: no extension is understood (RFC 7515 section 4.1.11)",
        |f| f.header_has("crit"),
    ),
    (&[ErrorKind::UnsupportedCritical], "`b64`: the payload is not base64url (RFC 7797)", |f| {
        f.header_has("b64")
    }),
    (&[ErrorKind::MalformedToken], "`kid` or `typ` that is null, not a string", |f| {
        ["kid", "typ"].iter().any(|name| matches!(f.header_member(name), Some(Json::Null)))
    }),
    (&[ErrorKind::InvalidType], "a `typ` that is not JWT (RFC 8725 section 3.11)", |f| {
        f.header_member("typ")
            .and_then(Json::as_str)
            .is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"))
    }),
    (
        &[ErrorKind::InvalidClaim],
        "a registered claim of a wrong type, or a date beyond 2^53",
        Facts::has_bad_claim,
    ),
    (&[ErrorKind::IssuedInFuture], "`iat` in the future", |f| {
        f.date("iat").is_some_and(|iat| iat > f.now)
    }),
    (&[ErrorKind::TokenTooLarge], "a token over 16 KiB or a header over 4 KiB", |f| {
        f.token_len > 16 * 1024 || f.header_len > 4 * 1024
    }),
];

/// What it is, and whether it is so.
pub type Wider = (&'static str, fn(&Facts) -> bool);

/// Why gatekey accepts a token that jsonwebtoken refuses.
pub const WIDER: &[Wider] = &[
    (
        "a header member that gatekey never reads has a type that jsonwebtoken's structure does not expect",
        |f| {
            ["cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip", "url", "nonce"]
                .iter()
                .any(|name| f.header_has(name))
        },
    ),
    ("an integer, in a claim or a member that is not a date, that no double can hold", |f| {
        f.payload.is_none() || f.header.is_none()
    }),
    ("`nbf` before 1970", |f| f.date("nbf").is_some_and(|nbf| nbf < 0.0)),
];

/// What an independent reading says about a token.
pub struct Facts {
    header: Option<Json>,
    payload: Option<Json>,
    header_len: usize,
    token_len: usize,
    now: f64,
}

impl Facts {
    fn of(token: &str) -> Self {
        let mut parts =
            token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
        let (header, payload) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        Self {
            header_len: header.len(),
            header: Json::parse(&header).ok(),
            payload: Json::parse(&payload).ok(),
            token_len: token.len(),
            now,
        }
    }

    fn both(&self) -> impl Iterator<Item = &Json> {
        self.header.iter().chain(&self.payload)
    }

    fn header_member(&self, name: &str) -> Option<&Json> {
        self.header.as_ref()?.member(name)
    }

    fn header_has(&self, name: &str) -> bool {
        self.header_member(name).is_some()
    }

    fn claim(&self, name: &str) -> Option<&Json> {
        self.payload.as_ref()?.member(name)
    }

    fn date(&self, name: &str) -> Option<f64> {
        self.claim(name)?.as_f64()
    }

    fn is_about_now(&self) -> bool {
        ["exp", "nbf", "iat"]
            .iter()
            .any(|name| self.date(name).is_some_and(|date| (date - self.now).abs() < 5.0))
    }

    fn has_bad_claim(&self) -> bool {
        let text = |name| self.claim(name).is_some_and(|value| value.as_str().is_none());
        let date = |name| {
            self.claim(name)
                .is_some_and(|value| value.as_f64().is_none_or(|x| x.abs() > 2f64.powi(53)))
        };
        let audience = self.claim("aud").is_some_and(|value| match value {
            Json::String(_) => false,
            Json::Array(items) => {
                items.is_empty() || items.iter().any(|item| item.as_str().is_none())
            }
            _ => true,
        });
        ["iss", "sub", "jti"].into_iter().any(text)
            || ["exp", "nbf", "iat"].into_iter().any(date)
            || audience
    }
}

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let key = Key::from_secret(SECRET, Alg::Hs256).expect("a key");
    let policy = Policy::new().expect_issuer(ISSUER).expect_audience(AUDIENCE);
    Verifier::with_key(&key, policy).expect("a verifier")
});

static DECODING: LazyLock<DecodingKey> = LazyLock::new(|| DecodingKey::from_secret(SECRET));

static VALIDATION: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
});
