//! `Signer`: what it adds, what it refuses, and the two steps for a KMS.

use crate::fixtures::{
    AUDIENCE, ISSUER, NOW, accepted, asymmetric, fixed_clock, key, other, policy, refused, row,
    silent_policy, verifying,
};
use crate::forge::{signature, unb64};
use gatekey::jwt::{SignerBuilder, danger_decode_unverified};
use gatekey::random::{SecureRandom, SystemRandom};
use gatekey::{Alg, Claims, ErrorKind, Key, Signer, Verifier};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

fn signer(alg: Alg) -> SignerBuilder {
    Signer::builder(key(alg)).issuer(ISSUER).audience(AUDIENCE).clock(fixed_clock())
}

fn claims_of(token: &str) -> Value {
    serde_json::from_str(danger_decode_unverified(token).unwrap().claims_json()).unwrap()
}

fn header_of(token: &str) -> Value {
    serde_json::from_str(danger_decode_unverified(token).unwrap().header_json()).unwrap()
}

#[test]
fn what_it_adds_and_the_verifier_accepts() {
    for &alg in Alg::ALL {
        let signer = signer(alg).build().unwrap();
        let token = signer.sign(&Claims::new().subject("ada")).unwrap();
        let verifier = Verifier::with_key(&verifying(key(alg)), policy()).unwrap();
        let verified = accepted(&verifier, &token, alg.name());
        assert_eq!(verified.subject().as_deref(), Some("ada"));
        assert_eq!(
            (verified.issued_at(), verified.expires_at()),
            (Some(NOW as i64), Some(NOW as i64 + 900))
        );
        assert_eq!(
            header_of(&token),
            json!({"alg": alg.name(), "typ": "JWT", "kid": key(alg).thumbprint()})
        );
        let id = unb64(&verified.token_id().unwrap());
        assert_eq!(id.len(), 16, "128 random bits");
        assert_eq!(signer.key().thumbprint(), key(alg).thumbprint());
        refused(
            Verifier::with_key(&verifying(other(alg)), policy()).unwrap().verify(&token),
            ErrorKind::InvalidSignature,
            "another key",
        );
    }
}

#[test]
fn every_setting() {
    let sign = |builder: SignerBuilder| builder.build().unwrap().sign(&Claims::new()).unwrap();
    assert_eq!(
        claims_of(&sign(signer(Alg::Hs256).ttl(60).token_ids(false))),
        json!({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 60})
    );
    let two = sign(signer(Alg::Hs256).audience("second").token_ids(false));
    assert_eq!(claims_of(&two)["aud"], json!([AUDIENCE, "second"]));
    let bare = Signer::builder(key(Alg::Hs256))
        .no_ttl()
        .allow_missing_exp()
        .token_ids(false)
        .no_typ()
        .kid(false)
        .clock(fixed_clock());
    assert_eq!(
        (claims_of(&sign(bare.clone())), header_of(&sign(bare))),
        (json!({"iat": NOW}), json!({"alg": "HS256"}))
    );
    assert_eq!(header_of(&sign(signer(Alg::Hs256).typ("at+jwt")))["typ"], "at+jwt");
    let named = key(Alg::Hs256).with_kid("k \" 1").unwrap();
    assert_eq!(header_of(&sign(Signer::builder(&named)))["kid"], "k \" 1");
    let base = signer(Alg::Hs256);
    assert_ne!(sign(base.clone()), sign(base), "a builder can be used again; identifiers differ");
}

#[test]
fn the_claims_win_where_they_do_not_contradict() {
    let signer = signer(Alg::Hs256).build().unwrap();
    let own = r#"{"iat":5,"exp":6,"jti":"mine","iss":"https://issuer.example","aud":["https://api.example"],"nbf":4}"#;
    assert_eq!(
        claims_of(&signer.sign_json(own).unwrap()),
        serde_json::from_str::<Value>(own).unwrap()
    );
    for (wrong, claim) in [
        (r#"{"iss":"x"}"#, "iss"),
        (r#"{"aud":"x"}"#, "aud"),
        (r#"{"aud":["https://api.example","x"]}"#, "aud"),
        (r#"{"exp":"1"}"#, "exp"),
    ] {
        let error = signer.sign_json(wrong).unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidArgument, Some(claim)),
            "{wrong}"
        );
    }
    for wrong in ["", "[]", "{", r#"{"a":1,"a":1}"#, "null", "{}{}"] {
        refused(signer.sign_json(wrong), ErrorKind::InvalidArgument, wrong);
        refused(signer.prepare_json(wrong), ErrorKind::InvalidArgument, wrong);
    }
    let no_ttl = Signer::builder(key(Alg::Hs256)).no_ttl().build().unwrap();
    let error = no_ttl.sign(&Claims::new()).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidArgument, Some("exp")));
    assert_eq!(claims_of(&no_ttl.sign(&Claims::new().expires_at(9)).unwrap())["exp"], 9);
    for spaced in [" { } ", "{\n}", "{ \"a\" : 1 }\n"] {
        let token = signer.sign_json(spaced).unwrap();
        accepted(&Verifier::with_key(key(Alg::Hs256), policy()).unwrap(), &token, spaced);
    }
}

#[test]
fn builders_that_cannot_work() {
    let wrong = [
        ("empty issuer", Signer::builder(key(Alg::Hs256)).issuer("")),
        ("empty audience", Signer::builder(key(Alg::Hs256)).audience("")),
        ("empty type", Signer::builder(key(Alg::Hs256)).typ("")),
        ("no time to live", Signer::builder(key(Alg::Hs256)).ttl(0)),
        ("for ever", Signer::builder(key(Alg::Hs256)).ttl(u64::MAX)),
        ("both ways", Signer::builder(key(Alg::Hs256)).ttl(5).allow_missing_exp()),
    ];
    for (what, builder) in wrong {
        refused(builder.build(), ErrorKind::InvalidConfiguration, what);
    }
    let verify_only = row("hs256").jwk.replacen('{', r#"{"key_ops":["verify"],"#, 1);
    let verify_only = Key::from_jwk(verify_only.as_bytes(), None).unwrap();
    refused(Signer::builder(&verify_only).build(), ErrorKind::KeyUsage, "key_ops without sign");
    for now in [u64::MAX, 253_402_300_801] {
        let broken = signer(Alg::Hs256)
            .clock(Arc::new(gatekey::clock::FixedClock::new(now)))
            .build()
            .unwrap();
        refused(
            broken.sign(&Claims::new()),
            ErrorKind::InvalidConfiguration,
            "a clock out of range",
        );
    }
}

#[test]
fn token_identifiers_never_repeat() {
    let signer = signer(Alg::Hs256).build().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let signer = signer.clone();
            std::thread::spawn(move || -> Vec<String> {
                (0..5000)
                    .map(|_| {
                        claims_of(&signer.sign(&Claims::new()).unwrap())["jti"]
                            .as_str()
                            .unwrap()
                            .to_owned()
                    })
                    .collect()
            })
        })
        .collect();
    let all: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 20_000);
}

struct Broken;

impl SecureRandom for Broken {
    fn fill(&self, _out: &mut [u8]) -> gatekey::Result<()> {
        Err(ErrorKind::RandomUnavailable.into())
    }
}

#[test]
fn no_randomness_no_token() {
    let broken = signer(Alg::Hs256).random(Arc::new(Broken)).build().unwrap();
    let error = broken.sign(&Claims::new()).unwrap_err();
    assert!(error.kind() == ErrorKind::RandomUnavailable && error.is_unavailable());
    broken.sign(&Claims::new().token_id("given")).expect("no randomness is needed then");
    let working = signer(Alg::Hs256).random(Arc::new(SystemRandom)).build().unwrap();
    assert!(claims_of(&working.sign(&Claims::new()).unwrap())["jti"].is_string());
}

/// The KMS holds the private key; the service holds the public one.
#[test]
fn two_steps_with_a_public_key() {
    for alg in asymmetric() {
        let service = Signer::builder(&key(alg).public().unwrap())
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .clock(fixed_clock())
            .build()
            .unwrap();
        refused(service.sign(&Claims::new()), ErrorKind::KeyUsage, "a public key cannot sign");
        let unsigned = service.prepare(&Claims::new().subject("ada")).unwrap();
        let kms = |message: &[u8]| key(alg).sign_with(message, <[u8]>::to_vec).unwrap();
        let right = kms(unsigned.signing_input().as_bytes());
        let token = unsigned.attach(&right).unwrap();
        assert_eq!(token.rsplit_once('.').unwrap().0, unsigned.signing_input());
        assert_eq!(signature(&token), right);
        accepted(
            &Verifier::with_key(&key(alg).public().unwrap(), policy()).unwrap(),
            &token,
            alg.name(),
        );
        let mut flipped = right.clone();
        flipped[1] ^= 1;
        for wrong in [
            &flipped[..],
            b"",
            &right[1..],
            &kms(b"something else"),
            &other(alg).sign_with(unsigned.signing_input().as_bytes(), <[u8]>::to_vec).unwrap(),
        ] {
            refused(
                unsigned.attach(wrong),
                ErrorKind::InvalidSignature,
                &format!("{alg}: not this key's signature"),
            );
        }
        assert_eq!(unsigned.clone().attach(&right).unwrap(), token);
    }
}

#[test]
fn two_steps_with_a_secret() {
    let signer = signer(Alg::Hs384).token_ids(false).build().unwrap();
    let unsigned = signer.prepare_json(r#"{"sub":"ada"}"#).unwrap();
    let tag =
        key(Alg::Hs384).sign_with(unsigned.signing_input().as_bytes(), <[u8]>::to_vec).unwrap();
    assert_eq!(
        unsigned.attach(&tag).unwrap(),
        signer.sign_json(r#"{"sub":"ada"}"#).unwrap(),
        "HMAC is deterministic"
    );
    refused(unsigned.attach(&tag[..47]), ErrorKind::InvalidSignature, "a cut tag");
}

/// A signer checks what it attaches, even where the key's `key_ops` leaves verifying to others.
#[test]
fn two_steps_with_a_key_that_may_only_sign() {
    let mut jwk: Value =
        serde_json::from_slice(key(Alg::Es256).to_private_jwk().unwrap().expose()).unwrap();
    jwk.as_object_mut().unwrap().remove("use");
    jwk["key_ops"] = json!(["sign"]);
    let only_signs = Key::from_jwk(jwk.to_string().as_bytes(), None).unwrap();
    assert!(only_signs.may_sign() && !only_signs.may_verify());
    let unsigned = Signer::builder(&only_signs).build().unwrap().prepare(&Claims::new()).unwrap();
    let input = unsigned.signing_input().as_bytes();
    let right = only_signs.sign_with(input, <[u8]>::to_vec).unwrap();
    assert!(unsigned.attach(&right).is_ok());
    refused(unsigned.attach(&[1; 64]), ErrorKind::InvalidSignature, "not a signature");
    refused(only_signs.verify_signature(input, &right), ErrorKind::KeyUsage, "may only sign");
}

#[test]
fn long_claims_are_bounded() {
    let signer = signer(Alg::Hs256).build().unwrap();
    let of = |n: usize| format!(r#"{{"x":"{}"}}"#, "x".repeat(n));
    refused(signer.sign_json(of(1 << 20)), ErrorKind::InvalidArgument, "more than 1 MiB");
    let token = signer.sign_json(of(100_000)).unwrap();
    refused(
        Verifier::with_key(key(Alg::Hs256), policy()).unwrap().verify(&token),
        ErrorKind::TokenTooLarge,
        "the default",
    );
    let roomy = Verifier::with_key(key(Alg::Hs256), policy().max_token_bytes(200_000)).unwrap();
    assert_eq!(roomy.verify(&token).unwrap().claim("x").unwrap().as_str().unwrap().len(), 100_000);
    let tight = Verifier::with_key(
        key(Alg::Hs256),
        silent_policy().ignore_issuer().ignore_audience().max_header_bytes(10),
    )
    .unwrap();
    refused(
        tight.verify(signer.sign(&Claims::new()).unwrap()),
        ErrorKind::TokenTooLarge,
        "a header limit of 10",
    );
}

#[test]
fn members_of_the_header() {
    let hash = |len: usize| format!("\"{}\"", crate::forge::b64(vec![7; len]));
    let built = |name: &str, json: &str| signer(Alg::Hs256).header(name, json).build();
    let chain = r#"["MIIB","MIIC"]"#;
    for (name, json) in [
        ("x5t", hash(20).as_str()),
        ("x5t#S256", &hash(32)),
        ("x5c", chain),
        ("cty", r#""JWT""#),
        ("nonce", r#""n-\u00e9""#),
        ("https://a.example/kind", r#"{"a":[1,2.50,null]}"#),
        ("v", " 7 "),
    ] {
        let signer = built(name, json).unwrap();
        let token = signer.sign(&Claims::new()).unwrap();
        let wanted: Value = serde_json::from_str(json).unwrap();
        let header = header_of(&token);
        assert_eq!(header[name], wanted, "{name}");
        assert_eq!(header["alg"], "HS256");
        let verifier = Verifier::with_key(key(Alg::Hs256), policy()).unwrap();
        accepted(&verifier, &token, name);
        let prepared = signer.prepare(&Claims::new()).unwrap();
        assert!(prepared.signing_input().starts_with(token.split('.').next().unwrap()), "{name}");
    }
    // The last one counts.
    let twice = signer(Alg::Hs256).header("v", "1").header("w", "2").header("v", "3").build();
    let header = header_of(&twice.unwrap().sign(&Claims::new()).unwrap());
    assert_eq!((&header["v"], &header["w"]), (&json!(3), &json!(2)));
    let never = [
        "alg",
        "kid",
        "crit",
        "b64",
        "jwk",
        "jku",
        "x5u",
        "typ",
        "enc",
        "zip",
        "",
        "Alg",
        "KID",
        "cRit",
        " alg",
        "alg\0",
        "b64\u{200b}",
    ];
    let mut wrong: Vec<(&str, String)> = never.map(|name| (name, r#""x""#.to_owned())).into();
    wrong.extend([
        ("x5t", hash(32)),
        ("x5t", "\"AB:CD\"".to_owned()),
        ("x5t", "7".to_owned()),
        ("x5t#S256", hash(20)),
        ("x5c", "[]".to_owned()),
        ("x5c", "[7]".to_owned()),
        ("x5c", "\"MIIB\"".to_owned()),
        ("cty", "7".to_owned()),
        ("nonce", "null".to_owned()),
        ("v", "text".to_owned()),
        ("v", "1,\"alg\":\"none\"".to_owned()),
        ("v", r#"{"a":1,"a":2}"#.to_owned()),
        ("v", format!("\"{}\"", "x".repeat(48 * 1024))),
    ]);
    for (name, json) in wrong {
        let error = built(name, &json).unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidConfiguration, Some(name)),
            "{name} {json}"
        );
    }
}

#[test]
fn dates_in_milliseconds_are_refused() {
    let ms = NOW * 1000;
    for alg in [Alg::Hs256, Alg::Es256] {
        let signer = signer(alg).build().unwrap();
        for name in ["exp", "nbf", "iat", "auth_time", "updated_at"] {
            for date in
                [ms.to_string(), format!("{ms}.5"), "1e12".to_owned(), (ms * 1000).to_string()]
            {
                let text = format!(r#"{{"a":"b","{name}":{date}}}"#);
                for error in [
                    signer.sign_json(&text).unwrap_err(),
                    signer.prepare_json(&text).map(|_| ()).unwrap_err(),
                ] {
                    assert_eq!(
                        (error.kind(), error.claim()),
                        (ErrorKind::InvalidArgument, Some(name))
                    );
                    assert!(error.message().contains("milliseconds"), "{error}");
                }
            }
            // The year 9999, which means for ever to some, is no date in milliseconds.
            let text = format!(r#"{{"{name}":253402300799,"deep":{{"{name}":{ms}}}}}"#);
            assert!(signer.sign_json(&text).is_ok(), "{name}");
        }
        assert!(signer.sign_json(format!(r#"{{"other":{ms},"auth_time":"{ms}"}}"#)).is_ok());
    }
}
