//! Rows 43-45: a verifier that remembers headers must remember nothing else.

use crate::fixtures::{
    NOW, accepted, claims, claims_with, claims_without, key, other, policy, refused, verifying,
};
use crate::forge::{header, header_and, resign, sign, signature, token};
use gatekey::clock::FixedClock;
use gatekey::{Alg, ErrorKind, KeySet, Policy, Verifier};
use serde_json::json;
use std::sync::Arc;

/// CVE-2026-35039: nobody's claims ever show for another's token.
#[test]
fn row_43_claims_are_those_of_the_token_at_hand() {
    for &alg in Alg::ALL {
        let verifier = Verifier::with_key(&verifying(key(alg)), policy()).unwrap();
        let tokens: Vec<_> = (0..20)
            .map(|i| {
                (
                    format!("user-{i}"),
                    token(key(alg), &claims_with("sub", json!(format!("user-{i}")))),
                )
            })
            .collect();
        for _ in 0..3 {
            for (subject, token) in &tokens {
                let verified = accepted(&verifier, token, subject);
                assert_eq!(verified.subject().as_deref(), Some(subject.as_str()));
                assert!(verified.claims_json().contains(subject.as_str()));
                assert_eq!(verified.key_id(), key(alg).kid());
            }
        }
    }
}

/// CVE-2026-35030: the same header bytes with another tail is another token.
#[test]
fn row_44_a_known_header_vouches_for_nothing_else() {
    for &alg in Alg::ALL {
        let verifier = Verifier::with_key(&verifying(key(alg)), policy()).unwrap();
        let good = token(key(alg), &claims());
        for _ in 0..3 {
            accepted(&verifier, &good, "the header is known from here on");
        }
        let admin = claims_with("sub", json!("admin"));
        let (first, rest) = good.split_once('.').unwrap();
        let (_, tail) = rest.split_once('.').unwrap();
        let swapped = format!("{first}.{}.{tail}", crate::forge::b64(admin.to_string()));
        refused(
            verifier.verify(&swapped),
            ErrorKind::InvalidSignature,
            "another payload under a known header and tail",
        );
        refused(
            verifier.verify(token(other(alg), &admin)),
            ErrorKind::InvalidSignature,
            "a stranger under a known header",
        );
        refused(verifier.verify(resign(&good, b"")), ErrorKind::InvalidSignature, "no signature");
        let mut flipped = signature(&good);
        *flipped.last_mut().unwrap() ^= 0x80;
        refused(verifier.verify(resign(&good, &flipped)), ErrorKind::InvalidSignature, "one bit");
        refused(
            verifier.verify(good.replacen('e', "f", 1)),
            ErrorKind::MalformedToken,
            "nearly the known header",
        );
        accepted(&verifier, &good, "still");
    }
}

/// CVE-2026-35030's cousin: many headers, more than are remembered, each with its own verdict.
#[test]
fn row_44_more_headers_than_fit() {
    let (a, b) = (key(Alg::Hs256).with_kid("a").unwrap(), other(Alg::Hs256).with_kid("b").unwrap());
    let verifier = Verifier::new(&KeySet::new([a.clone(), b.clone()]).unwrap(), policy()).unwrap();
    for round in 0..3 {
        for i in 0..40 {
            let (own, stranger, kid) = if i % 2 == 0 { (&a, &b, "a") } else { (&b, &a, "b") };
            let header = header_and(Alg::Hs256, &format!(r#""kid":"{kid}","n":{i}"#));
            let payload = claims_with("sub", json!(format!("{i}"))).to_string();
            let verified = accepted(&verifier, &sign(own, &header, &payload), &header);
            assert_eq!(
                (verified.key_id(), verified.subject().as_deref()),
                (kid, Some(i.to_string().as_str())),
                "{round}"
            );
            refused(
                verifier.verify(sign(stranger, &header, &payload)),
                ErrorKind::InvalidSignature,
                "the other key of the set",
            );
        }
    }
}

/// fast-jwt 6.3.2: a token seen before is still held against the clock, with or without `iat`.
#[test]
fn row_45_time_is_checked_every_time() {
    for &alg in Alg::ALL {
        let clock = Arc::new(FixedClock::new(NOW));
        let verifier =
            Verifier::with_key(&verifying(key(alg)), policy().clock(clock.clone()).max_age(300))
                .unwrap();
        let no_iat =
            Verifier::with_key(&verifying(key(alg)), policy().clock(clock.clone())).unwrap();
        let (with, without) = (token(key(alg), &claims()), token(key(alg), &claims_without("iat")));
        let later = token(key(alg), &claims_with("nbf", json!(NOW + 5)));
        refused(no_iat.verify(&later), ErrorKind::NotYetValid, "not yet");
        for _ in 0..3 {
            accepted(&verifier, &with, "fresh");
            accepted(&no_iat, &without, "fresh");
        }
        clock.set(NOW + 5);
        accepted(&no_iat, &later, "its time has come");
        clock.set(NOW + 291);
        refused(verifier.verify(&with), ErrorKind::TooOld, "max age is counted anew");
        clock.set(NOW + 599);
        accepted(&no_iat, &without, "one second left");
        clock.set(NOW + 600);
        refused(no_iat.verify(&without), ErrorKind::Expired, "exp == now is expired, seen or not");
        clock.set(NOW - 100);
        refused(no_iat.verify(&with), ErrorKind::IssuedInFuture, "a clock put back");
    }
}

/// Another policy is another verifier: what one has accepted says nothing to the next.
#[test]
fn row_45_policies_do_not_share_memory() {
    for &alg in Alg::ALL {
        let typed = sign(key(alg), header_and(alg, r#""typ":"at+jwt""#), claims().to_string());
        let plain = sign(key(alg), header(alg), claims().to_string());
        let build = |policy: Policy| Verifier::with_key(&verifying(key(alg)), policy).unwrap();
        let (any, silent, expecting) =
            (build(policy().ignore_type()), build(policy()), build(policy().expect_type("at+jwt")));
        for _ in 0..2 {
            accepted(&any, &typed, "ignored");
            accepted(&any, &plain, "ignored");
            refused(silent.verify(&typed), ErrorKind::InvalidType, "silent");
            accepted(&silent, &plain, "silent");
            accepted(&expecting, &typed, "expected");
            refused(expecting.verify(&plain), ErrorKind::InvalidType, "expected");
        }
        let strict = build(Policy::new().clock(crate::fixtures::fixed_clock()));
        refused(strict.verify(&plain), ErrorKind::InvalidIssuer, "silence about the issuer");
    }
}

/// A verifier for several issuers keeps what it remembers of each apart.
#[test]
fn row_43_issuers_do_not_share_memory() {
    let (a, b) = (key(Alg::Es256), other(Alg::Es256));
    let set = |key: &gatekey::Key| KeySet::new([key.public().unwrap()]).unwrap();
    let rule = |name: &str, key| {
        gatekey::jwt::IssuerRule::new(name, &set(key)).expect_audience(crate::fixtures::AUDIENCE)
    };
    let policy = Policy::new().clock(crate::fixtures::fixed_clock());
    let verifier =
        Verifier::for_issuers([rule("https://a.example", a), rule("https://b.example", b)], policy)
            .unwrap();
    let from = |iss: &str, key| token(key, &claims_with("iss", json!(iss)));
    for _ in 0..3 {
        assert_eq!(
            accepted(&verifier, &from("https://a.example", a), "a").issuer().as_deref(),
            Some("https://a.example")
        );
        assert_eq!(
            accepted(&verifier, &from("https://b.example", b), "b").issuer().as_deref(),
            Some("https://b.example")
        );
        refused(
            verifier.verify(from("https://a.example", b)),
            ErrorKind::InvalidSignature,
            "b's key for a",
        );
        refused(
            verifier.verify(from("https://b.example", a)),
            ErrorKind::InvalidSignature,
            "a's key for b",
        );
    }
}
