//! `tests/vectors/attack_tokens.txt`: good and hostile tokens with the status each must get, run here
//! and by the C and Python tests.
//!
//! Lines of tab-separated cells; `-` stands for an empty cell, `#` begins a comment:
//! `key name alg jwk`, `policy name issuer audience now`, `token name key policy status token`.
//! A verifier is built from the one key and the policy (issuer and audience expected where given, else
//! not mentioned; the clock stands at `now`), and must answer `status`: 0 for acceptance, else the
//! number of the kind.
//!
//! The file is what this module makes: `GATEKEY_WRITE_TOKENS=1 cargo test --test it token_file`
//! writes it again. Signatures that are random (ECDSA, PSS, ML-DSA) stay as they were written; for
//! those all else is compared, and the verdict.

mod entries;

use crate::fixtures::{AUDIENCE, ISSUER, NOW, key, row};
use entries::{Entry, entries};
use gatekey::clock::FixedClock;
use gatekey::{Alg, ErrorKind, Key, Policy, Verifier};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

const FILE: &str = include_str!("../../vectors/attack_tokens.txt");

/// Issuer, audience and time of the policies, by name.
const POLICIES: [(&str, &str, &str, u64); 4] = [
    ("main", ISSUER, AUDIENCE, NOW),
    ("silent", "-", "-", NOW),
    ("issuer-only", ISSUER, "-", NOW),
    ("later", ISSUER, AUDIENCE, NOW + 600),
];

fn policy_of(issuer: &str, audience: &str, now: u64) -> Policy {
    let policy = Policy::new().clock(Arc::new(FixedClock::new(now)));
    let policy = if issuer == "-" { policy } else { policy.expect_issuer(issuer) };
    if audience == "-" { policy } else { policy.expect_audience(audience) }
}

/// What the verifier holds: the secret, or the public part.
fn verifying_jwk(key: &Key) -> String {
    if key.is_symmetric() {
        key.to_private_jwk().unwrap().expose_str().to_owned()
    } else {
        key.to_jwk().unwrap()
    }
}

/// The JWK of an algorithm's key without `kid`, so that the key takes any.
fn nameless_jwk(alg: Alg) -> String {
    let mut jwk: serde_json::Value = serde_json::from_str(&verifying_jwk(key(alg))).unwrap();
    jwk.as_object_mut().unwrap().remove("kid");
    jwk.to_string()
}

fn named(alg: Alg) -> Key {
    key(alg).with_kid("main").unwrap()
}

fn is_random(alg: Alg) -> bool {
    use Alg::{Es256, Es256k, Es384, Es512, MlDsa44, MlDsa65, MlDsa87, Ps256, Ps384, Ps512};
    matches!(
        alg,
        Es256 | Es384 | Es512 | Es256k | Ps256 | Ps384 | Ps512 | MlDsa44 | MlDsa65 | MlDsa87
    )
}

fn keys() -> Vec<(String, Alg, String)> {
    let of_alg = |&alg: &Alg| (alg.name().to_ascii_lowercase(), alg, nameless_jwk(alg));
    let named = ("es256-named".to_owned(), Alg::Es256, verifying_jwk(&named(Alg::Es256)));
    Alg::ALL.iter().map(of_alg).chain([named]).collect()
}

fn written() -> String {
    let mut text = String::from(
        "# Good and hostile tokens with the status each must get. Made by tests/it/token_file.rs, which says\n\
         # how to read this file and how to make it anew. The keys are worthless outside of the tests.\n",
    );
    for (name, alg, jwk) in keys() {
        writeln!(text, "key\t{name}\t{}\t{jwk}", alg.name()).unwrap();
    }
    for (name, issuer, audience, now) in POLICIES {
        writeln!(text, "policy\t{name}\t{issuer}\t{audience}\t{now}").unwrap();
    }
    for Entry { name, key, policy, status, token } in entries() {
        let token = if token.is_empty() { "-" } else { &token };
        writeln!(text, "token\t{name}\t{key}\t{policy}\t{status}\t{token}").unwrap();
    }
    text
}

/// Reads the file as the C and Python tests do, and nothing but the file.
#[test]
fn every_token_of_the_file_gets_its_status() {
    let (mut keys, mut policies, mut statuses) =
        (HashMap::new(), HashMap::new(), HashMap::<i32, usize>::new());
    for line in FILE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        match cells[..] {
            ["key", name, alg, jwk] => {
                keys.insert(
                    name,
                    Key::from_jwk(jwk.as_bytes(), Some(Alg::from_name(alg).unwrap())).unwrap(),
                );
            }
            ["policy", name, issuer, audience, now] => {
                policies.insert(name, policy_of(issuer, audience, now.parse().unwrap()));
            }
            ["token", name, key, policy, status, token] => {
                let token = if token == "-" { "" } else { token };
                let status: i32 = status.parse().unwrap();
                let verifier = Verifier::with_key(&keys[key], policies[policy].clone()).unwrap();
                let got = verifier.verify(token).map_or_else(|error| error.kind().number(), |_| 0);
                assert_eq!(got, status, "{name}");
                *statuses.entry(status).or_default() += 1;
            }
            _ => panic!("{line:.80}"),
        }
    }
    assert!(statuses.values().sum::<usize>() >= 300, "{statuses:?}");
    assert!(statuses[&0] >= 50, "{statuses:?}");
    for kind in ErrorKind::ALL.iter().filter(|kind| (1000..2000).contains(&kind.number())) {
        // These need several keys, a list of what is revoked, or a policy that the file cannot express.
        let elsewhere = [
            ErrorKind::InvalidSubject,
            ErrorKind::AmbiguousKey,
            ErrorKind::TooOld,
            ErrorKind::RevokedToken,
            ErrorKind::UnusableKey,
        ]
        .contains(kind);
        assert_eq!(statuses.contains_key(&kind.number()), !elsewhere, "{kind:?}");
    }
}

#[test]
fn the_file_is_what_is_made_here() {
    let made = written();
    if std::env::var_os("GATEKEY_WRITE_TOKENS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/attack_tokens.txt"),
            made,
        )
        .unwrap();
        return;
    }
    assert_eq!(made.lines().count(), FILE.lines().count(), "make the file anew");
    for (made, stored) in made.lines().zip(FILE.lines()) {
        let random = made.starts_with("token\t") && {
            let alg = made.split('\t').nth(2).unwrap();
            is_random(if alg == "es256-named" { Alg::Es256 } else { row(alg).alg })
        };
        assert_eq!(comparable(made, random), comparable(stored, random), "make the file anew");
    }
}

/// The line; where its signature is random, all that stands before it and how long the line is.
fn comparable(line: &str, random: bool) -> (usize, &str) {
    let certain = match line.split_once("\"signature\"") {
        _ if !random => line.len(),
        Some((before, _)) => before.len(),
        None => line.match_indices('.').nth(1).map_or(line.len(), |(second_dot, _)| second_dot),
    };
    (line.len(), &line[..certain])
}
