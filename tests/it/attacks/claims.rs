//! Rows 38-42: claims of the wrong type, half-matching claims, and what is reported first.

use crate::fixtures::{
    AUDIENCE, ISSUER, NOW, accepted, claims, claims_with, claims_without, key, other, policy,
    refused, silent_policy, verifier, verifying,
};
use crate::forge::{header, resign, sign, signature, token};
use gatekey::{Alg, ErrorKind, Verifier};
use serde_json::json;

/// CVE-2020-26160: an audience of the wrong type must not switch the check off.
#[test]
fn row_38_audience_types() {
    let other = "https://other.example";
    let wrong_type = [
        json!([]),
        json!(null),
        json!(42),
        json!({}),
        json!({"0": AUDIENCE}),
        json!([AUDIENCE, 7]),
        json!([[AUDIENCE]]),
        json!([null]),
        json!([AUDIENCE, null]),
        json!(true),
        json!([{}]),
        json!(1.5),
    ];
    let wrong_value = [
        json!(""),
        json!([""]),
        json!([other]),
        json!([other, ""]),
        json!(format!("{AUDIENCE} ")),
        json!(format!("{AUDIENCE},{other}")),
        json!(AUDIENCE.to_uppercase()),
        json!(&AUDIENCE[..AUDIENCE.len() - 1]),
        json!(format!("{AUDIENCE}/")),
        json!("*"),
        json!(format!("{AUDIENCE}\0")),
    ];
    for &alg in Alg::ALL {
        let expecting = verifier(alg);
        let silent =
            Verifier::with_key(&verifying(key(alg)), silent_policy().expect_issuer(ISSUER))
                .unwrap();
        let ignoring = Verifier::with_key(
            &verifying(key(alg)),
            silent_policy().expect_issuer(ISSUER).ignore_audience(),
        )
        .unwrap();
        for aud in &wrong_type {
            let token = token(key(alg), &claims_with("aud", aud.clone()));
            for verifier in [&expecting, &silent, &ignoring] {
                let error = verifier.verify(&token).unwrap_err();
                assert_eq!(
                    (error.kind(), error.claim()),
                    (ErrorKind::InvalidClaim, Some("aud")),
                    "{alg} {aud}"
                );
            }
        }
        for aud in &wrong_value {
            let token = token(key(alg), &claims_with("aud", aud.clone()));
            let error = expecting.verify(&token).unwrap_err();
            assert_eq!(
                (error.kind(), error.claim()),
                (ErrorKind::InvalidAudience, Some("aud")),
                "{alg} {aud}"
            );
            refused(silent.verify(&token), ErrorKind::InvalidAudience, "silence forbids");
            accepted(&ignoring, &token, "ignored");
        }
        for aud in [
            json!(AUDIENCE),
            json!([AUDIENCE]),
            json!([other, AUDIENCE]),
            json!([AUDIENCE, other]),
            json!(["", AUDIENCE]),
        ] {
            accepted(
                &expecting,
                &token(key(alg), &claims_with("aud", aud.clone())),
                &aud.to_string(),
            );
        }
        let without = token(key(alg), &claims_without("aud"));
        let error = expecting.verify(&without).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::MissingClaim, Some("aud")));
        accepted(&silent, &without, "silence accepts absence");
    }
}

/// CVE-2026-25537: a malformed registered claim is not an absent one.
#[test]
fn row_39_malformed_is_not_absent() {
    let not_a_date = [
        json!("1795000000"),
        json!(null),
        json!(true),
        json!([NOW]),
        json!({"at": NOW}),
        json!(""),
    ];
    let not_a_string = [
        json!(null),
        json!(7),
        json!(true),
        json!(["ada"]),
        json!({"a": 1}),
        json!(-1),
        json!(1e300),
    ];
    for &alg in Alg::ALL {
        let lenient = silent_policy().ignore_issuer().ignore_audience().allow_missing_exp();
        for verifier in [verifier(alg), Verifier::with_key(&verifying(key(alg)), lenient).unwrap()]
        {
            let check = |claim: &str, value: &serde_json::Value| {
                let error = verifier
                    .verify(token(key(alg), &claims_with(claim, value.clone())))
                    .unwrap_err();
                assert_eq!(
                    (error.kind(), error.claim()),
                    (ErrorKind::InvalidClaim, Some(claim)),
                    "{alg} {claim} {value}"
                );
            };
            for claim in ["exp", "nbf", "iat"] {
                not_a_date.iter().for_each(|value| check(claim, value));
                check(claim, &json!(1e300));
                check(claim, &json!(-1e300));
            }
            for claim in ["iss", "sub", "jti"] {
                not_a_string.iter().for_each(|value| check(claim, value));
            }
        }
        let verifier = verifier(alg);
        refused(
            verifier.verify(token(key(alg), &claims_with("exp", json!(-1)))),
            ErrorKind::Expired,
            "exp before 1970",
        );
        accepted(&verifier, &token(key(alg), &claims_with("nbf", json!(-1))), "nbf before 1970");
        accepted(&verifier, &token(key(alg), &claims_with("iat", json!(-5))), "iat before 1970");
    }
}

/// CVE-2026-44459; jose, fast-jwt, authlib and PyJWT today: dates that are not numbers of seconds.
#[test]
fn row_40_dates_that_are_not_finite_or_not_numbers() {
    let text = |claim: &str, value: &str| {
        let fixed = claims_without(claim).to_string();
        format!(r#"{}"{claim}":{value}}}"#, fixed.replacen('}', ",", 1))
    };
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let verify = |claim: &str, value: &str| {
            verifier.verify(sign(key(alg), header(alg), text(claim, value)))
        };
        for claim in ["exp", "nbf", "iat"] {
            for value in [
                "NaN",
                "Infinity",
                "-Infinity",
                "1e999",
                "-1e999",
                "0x7fffffff",
                "01",
                "+1",
                "1.",
                ".5",
                "1_000",
                "179500000O",
            ] {
                refused(
                    verify(claim, value),
                    ErrorKind::MalformedToken,
                    &format!("{alg} {claim} {value}"),
                );
            }
            for value in [
                "9007199254740993",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "-9223372036854775808",
                "18446744073709551616",
                "1e300",
                "-1e300",
                "1e16",
                "99999999999999999999999999",
                "\"1795000001\"",
                "true",
            ] {
                refused(
                    verify(claim, value),
                    ErrorKind::InvalidClaim,
                    &format!("{alg} {claim} {value}"),
                );
            }
        }
        for value in
            ["-0", "0", "-0.0", "1e-9", "1794999999.9", "1795000000.5", "1795e6", "1795000000"]
        {
            refused(verify("exp", value), ErrorKind::Expired, value);
        }
        for value in [
            "1795000001",
            "1795000001.0",
            "1.795000001e9",
            "17950000010e-1",
            "9007199254740992",
            "9007199254740992.0",
        ] {
            verify("exp", value).unwrap_or_else(|error| panic!("{value}: {error}"));
        }
        for value in ["1795000000.5", "1795000001", "1.795000001e9"] {
            refused(verify("nbf", value), ErrorKind::NotYetValid, value);
        }
        for value in ["1795000000", "1795000000.0", "-0", "1e-9", "1795e6"] {
            verify("nbf", value).unwrap_or_else(|error| panic!("{value}: {error}"));
        }
        refused(verify("iat", "1795000001"), ErrorKind::IssuedInFuture, "iat");
    }
}

/// CVE-2024-53861, CVE-2025-30144: an issuer is compared whole, and is one string.
#[test]
fn row_41_issuer_is_one_string_compared_whole() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        for iss in [
            &ISSUER[1..],
            &ISSUER[..ISSUER.len() - 1],
            "issuer",
            "",
            "https://",
            "https://issuer.example/",
            " https://issuer.example",
            "https://issuer.example ",
            "HTTPS://ISSUER.EXAMPLE",
            "https://issuer.example.evil",
            "https://issuer%2eexample",
            "https://issuer.example\0",
            "https://issuerxexample",
            "^https://issuer.example$",
            ".*",
            "https://issuer.example,https://evil",
        ] {
            let error =
                verifier.verify(token(key(alg), &claims_with("iss", json!(iss)))).unwrap_err();
            assert_eq!(
                (error.kind(), error.claim()),
                (ErrorKind::InvalidIssuer, Some("iss")),
                "{alg} {iss:?}"
            );
        }
        for iss in [
            json!([ISSUER]),
            json!([ISSUER, "https://evil.example"]),
            json!({"0": ISSUER}),
            json!([]),
        ] {
            refused(
                verifier.verify(token(key(alg), &claims_with("iss", iss.clone()))),
                ErrorKind::InvalidClaim,
                &iss.to_string(),
            );
        }
        refused(
            verifier.verify(token(key(alg), &claims_without("iss"))),
            ErrorKind::MissingClaim,
            "no issuer",
        );
        let escaped = claims().to_string().replace("https://issuer", r"https:\/\/\u0069ssuer");
        accepted(
            &verifier,
            &sign(key(alg), header(alg), escaped),
            "the same string written with escapes",
        );
        // Two issuers may be expected; a token still names exactly one.
        let two = Verifier::with_key(
            &verifying(key(alg)),
            policy().expect_issuer("https://second.example"),
        )
        .unwrap();
        accepted(
            &two,
            &token(key(alg), &claims_with("iss", json!("https://second.example"))),
            "the second",
        );
        for iss in [
            "https://issuer.examplehttps://second.example",
            "https://issuer.example\nhttps://second.example",
        ] {
            refused(
                two.verify(token(key(alg), &claims_with("iss", json!(iss)))),
                ErrorKind::InvalidIssuer,
                iss,
            );
        }
    }
}

/// CVE-2024-51744: a bad signature is reported as that, whatever else is wrong.
#[test]
fn row_42_a_bad_signature_wins() {
    let bad_claims = [
        claims_with("exp", json!(1)),
        claims_with("nbf", json!(NOW + 99)),
        claims_with("iat", json!(NOW + 99)),
        claims_with("iss", json!("x")),
        claims_with("aud", json!("x")),
        claims_with("aud", json!(7)),
        claims_without("exp"),
        json!({}),
    ];
    let bad_payloads = ["", "null", "[]", "{", "{\"a\":1,\"a\":1}", "\u{feff}{}", "not json"];
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let payloads = bad_claims
            .iter()
            .map(ToString::to_string)
            .chain(bad_payloads.iter().map(ToString::to_string));
        for payload in payloads {
            for header in [header(alg), crate::forge::header_and(alg, r#""typ":"other""#)] {
                let own = sign(key(alg), &header, &payload);
                let mut flipped = signature(&own);
                flipped[0] ^= 1;
                for token in
                    [resign(&own, &flipped), resign(&own, b""), sign(other(alg), &header, &payload)]
                {
                    let error = verifier.verify(token).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidSignature, "{alg} {payload:?}");
                    assert_eq!(error.claim(), None, "a bad signature says nothing about claims");
                }
                assert_ne!(
                    verifier.verify(own).unwrap_err().kind(),
                    ErrorKind::InvalidSignature,
                    "{alg} {payload:?}"
                );
            }
        }
    }
}
