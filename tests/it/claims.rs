//! `Claims`, `Verified` and `danger_decode_unverified`: what goes in comes out, exactly.

use crate::fixtures::{
    AUDIENCE, ISSUER, NOW, accepted, fixed_clock, key, refused, silent_policy, verifier,
};
use crate::forge::{b64, header, sign, token};
use gatekey::jwt::danger_decode_unverified;
use gatekey::{Alg, Claims, ErrorKind, Policy, Signer, Verifier};
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn built_member_by_member() {
    let claims = Claims::new()
        .issuer("i")
        .subject("s")
        .audience("a")
        .token_id("t")
        .expires_at(3)
        .not_before(-2)
        .issued_at(1)
        .claim_str("text", "\"quoted\" \\ \n \u{1F600} \0")
        .claim_i64("min", i64::MIN)
        .claim_bool("yes", true)
        .claim_json("deep", r#" {"a":[1.50,{"b":null}]} "#)
        .unwrap();
    assert_eq!(
        read(&claims.to_json()),
        json!({"iss": "i", "sub": "s", "aud": "a", "jti": "t", "exp": 3, "nbf": -2, "iat": 1,
            "text": "\"quoted\" \\ \n \u{1F600} \0", "min": i64::MIN, "yes": true, "deep": {"a": [1.5, {"b": null}]}})
    );
    assert!(claims.to_json().contains("1.50"), "a JSON value keeps its text");
    assert_eq!(Claims::new().to_json(), "{}");
    assert_eq!(
        Claims::default().subject("a").subject("b").to_json(),
        r#"{"sub":"b"}"#,
        "the later one counts"
    );
    assert_eq!(
        read(&Claims::new().audience("a").audience("b").audience("c").to_json()),
        json!({"aud": ["a", "b", "c"]})
    );
    assert_eq!(read(&Claims::new().claim_str("a\"b", "").to_json()), json!({"a\"b": ""}));
}

#[test]
fn taken_from_json() {
    let text =
        r#"{"sub":"ada","n":123456789012345678901234567890,"f":1.10,"u":"é😀","o":{"a":[{}]}}"#;
    assert_eq!(Claims::from_json(text.as_bytes()).unwrap().to_json(), text);
    let spaced = Claims::from_json(b" { } ").unwrap();
    assert_eq!(spaced.to_json(), "{ }");
    assert_eq!(spaced.subject("ada").to_json(), r#"{"sub":"ada"}"#);
    let spaced = Claims::from_json(b"{ \"a\" : 1 }\n").unwrap();
    assert_eq!(spaced.clone().claim_i64("b", 2).to_json(), r#"{ "a" : 1,"b":2}"#);
    assert_eq!(spaced.claim_i64("a", 2).to_json(), r#"{"a":2}"#);
    for wrong in [
        "",
        "[]",
        "null",
        "\"x\"",
        "{",
        "{}x",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        "\u{feff}{}",
        r#"{"x":"\ud800"}"#,
        r#"{"x":NaN}"#,
        r#"{"x":1e999}"#,
        &format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33)),
    ] {
        refused(Claims::from_json(wrong.as_bytes()), ErrorKind::InvalidArgument, wrong);
    }
    refused(Claims::from_json(b"{\"x\":\"\xff\"}"), ErrorKind::InvalidArgument, "not UTF-8");
    for wrong in
        [r#"{"exp":"1"}"#, r#"{"aud":[]}"#, r#"{"iss":7}"#, r#"{"sub":null}"#, r#"{"nbf":1e300}"#]
    {
        refused(Claims::from_json(wrong.as_bytes()), ErrorKind::InvalidArgument, wrong);
    }
    for wrong in ["", "{", "1 2", "nul", "'a'", "\"\u{1}\""] {
        refused(Claims::new().claim_json("x", wrong), ErrorKind::InvalidArgument, wrong);
    }
}

#[test]
fn values_survive_exactly() {
    let text = r#"{"big":123456789012345678901234567890123456789,"neg":-98765432109876543210,"f":0.1,"e":1e-7,"E":1.0E+2,"z":-0,"u":"é😀\u0041\/","deep":[[[{"a":[true,false,null]}]]],"":"empty name","whole":9007199254740992,"exp":999999999999}"#;
    for &alg in Alg::ALL {
        let signer =
            Signer::builder(key(alg)).token_ids(false).clock(fixed_clock()).build().unwrap();
        let verifier =
            Verifier::with_key(&crate::fixtures::verifying(key(alg)), silent_policy()).unwrap();
        let verified = accepted(&verifier, &signer.sign_json(text).unwrap(), "exotic values");
        let body = text.strip_suffix('}').unwrap();
        assert_eq!(verified.claims_json(), format!(r#"{body},"iat":{NOW}}}"#), "{alg}");
        assert_eq!(verified.claim("big").unwrap().raw(), "123456789012345678901234567890123456789");
        assert_eq!(verified.claim("u").unwrap().as_str().unwrap(), "é😀A/");
        assert_eq!(verified.claim("E").unwrap().as_f64(), Some(100.0));
        assert_eq!(verified.claim("").unwrap().as_str().unwrap(), "empty name");
        assert!(verified.claim("missing").is_none());
    }
}

#[test]
fn verified_reads_every_registered_claim() {
    let all = json!({"iss": ISSUER, "aud": [AUDIENCE, "b"], "sub": "ada \u{1F600}", "jti": "j", "iat": NOW - 1, "nbf": NOW - 2, "exp": NOW + 3});
    for &alg in Alg::ALL {
        let key = key(alg);
        let verified = accepted(&verifier(alg), &token(key, &all), "all claims");
        assert_eq!(
            (verified.issuer().as_deref(), verified.subject().as_deref()),
            (Some(ISSUER), Some("ada \u{1F600}"))
        );
        assert_eq!(
            (verified.token_id().as_deref(), verified.audience()),
            (Some("j"), vec![AUDIENCE.into(), "b".into()])
        );
        let dates = (verified.issued_at(), verified.not_before(), verified.expires_at());
        assert_eq!(dates, (Some(NOW as i64 - 1), Some(NOW as i64 - 2), Some(NOW as i64 + 3)));
        assert_eq!(
            (verified.alg(), verified.key_id(), verified.header_json()),
            (alg, key.kid(), header(alg))
        );
        assert_eq!(read(verified.claims_json()), all);
        assert_eq!(verified.claims().members().count(), 7);
    }
    let bare = Verifier::with_key(key(Alg::Hs256), Policy::new().allow_missing_exp()).unwrap();
    let verified =
        accepted(&bare, &sign(key(Alg::Hs256), header(Alg::Hs256), " {\n} "), "no claims");
    assert_eq!((verified.issuer(), verified.subject(), verified.token_id()), (None, None, None));
    assert!(verified.audience().is_empty() && verified.claims().members().count() == 0);
    assert_eq!(
        (verified.issued_at(), verified.not_before(), verified.expires_at()),
        (None, None, None)
    );
    assert_eq!(verified.claims_json().trim(), "{\n}");
}

#[test]
fn fractional_dates_round_against_the_holder() {
    let claims = r#"{"exp":1795000010.9,"nbf":1794999990.1,"iat":1794999990.9}"#;
    let verifier = Verifier::with_key(key(Alg::Hs256), silent_policy()).unwrap();
    let verified =
        accepted(&verifier, &sign(key(Alg::Hs256), header(Alg::Hs256), claims), "fractions");
    assert_eq!(
        (verified.expires_at(), verified.not_before()),
        (Some(1_795_000_010), Some(1_794_999_991))
    );
    assert_eq!(verified.issued_at(), Some(1_794_999_990));
}

#[test]
fn inspection_without_verification() {
    let stranger = token(crate::fixtures::other(Alg::Rs256), &json!({"a": 1}));
    let seen = danger_decode_unverified(&stranger).unwrap();
    assert_eq!((seen.header_json(), seen.claims_json()), (r#"{"alg":"RS256"}"#, r#"{"a":1}"#));
    assert!(!format!("{seen:?}").contains("RS256"), "not for the log by accident");
    for wrong in [
        "",
        "a.b.c",
        "e30.e30",
        "e30.e30.A",
        "e30.e30..",
        "e30.W10.",
        "W10.e30.",
        "e30=.e30.",
        "e30.e31.",
    ] {
        refused(danger_decode_unverified(wrong), ErrorKind::MalformedToken, wrong);
    }
    assert_eq!(danger_decode_unverified("e30.e30.").unwrap().claims_json(), "{}");
    // A number that would keep its reader busy.
    for (digits, fits) in [(4300, true), (4301, false), (100_000, false)] {
        let number = "9".repeat(digits);
        for json in [
            format!(r#"{{"n":{number}}}"#),
            format!(r#"{{"a":[{{"n":-{number}}}]}}"#),
            format!(r#"{{"n":0.{number}}}"#),
        ] {
            let fits = fits && !json.contains("0.") || digits < 4300;
            for token in [format!("e30.{}.", b64(&json)), format!("{}.e30.", b64(&json))] {
                let seen = danger_decode_unverified(token).map(|_| ()).map_err(|e| e.kind());
                let wanted = if fits { Ok(()) } else { Err(ErrorKind::MalformedToken) };
                assert_eq!(seen, wanted, "{digits}");
            }
        }
    }
}
