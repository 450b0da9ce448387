//! Fixed keys, a fixed clock, a policy and claims that fit each other.

use gatekey::clock::FixedClock;
use gatekey::{Alg, Clock, Error, ErrorKind, Key, Policy, Verified, Verifier};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The time of every test that does not move it.
pub(crate) const NOW: u64 = 1_795_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

const KEY_ROWS: &str = include_str!("../vectors/keys.txt");
const WEAK_ROWS: &str = include_str!("../vectors/weak_keys.txt");

/// One row of `tests/vectors/keys.txt`: a private JWK and the key made of it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) alg: Alg,
    pub(crate) jwk: &'static str,
    pub(crate) key: Key,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let mut cells = line.split('\t').skip(1);
        let mut cell = || cells.next().expect("keys.txt has four columns");
        let (name, alg, jwk) = (cell(), Alg::from_name(cell()).unwrap(), cell());
        Row { name, alg, jwk, key: Key::from_jwk(jwk.as_bytes(), None).expect(name) }
    };
    KEY_ROWS.lines().filter(|line| line.starts_with("key\t")).map(row).collect()
});

static BY_NAME: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| ROWS.iter().enumerate().map(|(i, row)| (row.name, i)).collect());

/// All fixed keys: one per algorithm, then a stranger's (`other-...`) per algorithm.
pub(crate) fn rows() -> &'static [Row] {
    &ROWS
}

pub(crate) fn row(name: &str) -> &'static Row {
    &ROWS[*BY_NAME.get(name).unwrap_or_else(|| panic!("no key {name}"))]
}

/// The fixed private (or symmetric) key of this algorithm.
pub(crate) fn key(alg: Alg) -> &'static Key {
    &row(&alg.name().to_ascii_lowercase()).key
}

/// A stranger's key of the same algorithm.
pub(crate) fn other(alg: Alg) -> &'static Key {
    &row(&format!("other-{}", alg.name().to_ascii_lowercase())).key
}

/// What a verifier holds of `key`: its public part, or the shared secret.
pub(crate) fn verifying(key: &Key) -> Key {
    if key.is_symmetric() { key.clone() } else { key.public().unwrap() }
}

/// RSA JWKs that must be refused, by name.
pub(crate) fn weak_jwks() -> impl Iterator<Item = (&'static str, &'static str)> {
    WEAK_ROWS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
}

pub(crate) fn asymmetric() -> impl Iterator<Item = Alg> {
    Alg::ALL.iter().copied().filter(|alg| !alg.is_symmetric())
}

pub(crate) fn fixed_clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock::new(NOW))
}

/// Expects [`ISSUER`] and [`AUDIENCE`] at [`NOW`].
pub(crate) fn policy() -> Policy {
    silent_policy().expect_issuer(ISSUER).expect_audience(AUDIENCE)
}

/// Says nothing about anything, at [`NOW`].
pub(crate) fn silent_policy() -> Policy {
    Policy::new().clock(fixed_clock())
}

pub(crate) fn verifier(alg: Alg) -> Verifier {
    Verifier::with_key(&verifying(key(alg)), policy()).unwrap()
}

/// Claims that [`policy`] accepts.
pub(crate) fn claims() -> serde_json::Value {
    serde_json::json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "jti": "1", "iat": NOW - 10, "exp": NOW + 600,
    })
}

/// [`claims`] with one member set, or removed by `null`-less `remove`.
pub(crate) fn claims_with(name: &str, value: serde_json::Value) -> serde_json::Value {
    let mut all = claims();
    all[name] = value;
    all
}

pub(crate) fn claims_without(name: &str) -> serde_json::Value {
    let mut all = claims();
    all.as_object_mut().unwrap().remove(name);
    all
}

/// The kind of the refusal; panics, naming `what`, if there was none.
#[track_caller]
pub(crate) fn kind_of<T>(result: Result<T, Error>, what: &str) -> ErrorKind {
    match result {
        Ok(_) => panic!("accepted: {what}"),
        Err(error) => {
            check_message(&error);
            error.kind()
        }
    }
}

/// Asserts that `result` is refused with exactly this kind.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>, kind: ErrorKind, what: &str) {
    let got = kind_of(result, what);
    assert_eq!(got, kind, "{what}");
}

/// Asserts that `token` is accepted.
#[track_caller]
pub(crate) fn accepted(verifier: &Verifier, token: &str, what: &str) -> Verified {
    verifier.verify(token).unwrap_or_else(|error| panic!("{what}: {error:?}"))
}

/// What holds of every message: a bounded, printable sentence.
#[track_caller]
pub(crate) fn check_message(error: &Error) {
    let message = error.message();
    assert!(!message.is_empty() && message.len() <= Error::MAX_MESSAGE, "{message:?}");
    assert!(message.ends_with(['.', '?']) && !message.chars().any(char::is_control), "{message:?}");
}
