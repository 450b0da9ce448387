//! Key sets: reading and writing JWKS, skipping, and exactly one key or a reason.

use crate::fixtures::{
    AUDIENCE, accepted, asymmetric, claims, key, other, policy, refused, row, silent_policy,
    verifying,
};
use crate::forge::{b64, header, header_and, sign, token};
use gatekey::jwt::IssuerRule;
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};
use serde_json::{Value, json};

fn public(alg: Alg, kid: &str) -> Key {
    key(alg).public().unwrap().with_kid(kid).unwrap()
}

fn strange(alg: Alg, kid: &str) -> Key {
    other(alg).public().unwrap().with_kid(kid).unwrap()
}

/// Other libraries refuse a set that has a `kid` twice.
#[test]
fn a_pair_and_its_public_half_are_published_once() {
    let pair = key(Alg::Es256).clone();
    let half = pair.public().unwrap();
    for keys in [[pair.clone(), half.clone()], [half, pair]] {
        let text = KeySet::new(keys).unwrap().to_jwks().unwrap();
        let members: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(members["keys"].as_array().unwrap().len(), 1, "{text}");
    }
}

#[test]
fn written_and_read() {
    let set = KeySet::new(asymmetric().map(|alg| key(alg).clone())).unwrap();
    assert_eq!((set.len(), set.is_empty(), set.skipped().len()), (15, false, 0));
    let text = set.to_jwks().unwrap();
    let members: Value = serde_json::from_str(&text).unwrap();
    assert!(
        members["keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|jwk| jwk.get("d").is_none() && jwk.get("priv").is_none())
    );
    let read = KeySet::from_jwks(text.as_bytes()).unwrap();
    assert!(
        read.iter()
            .zip(set.iter())
            .all(|(a, b)| a.kid() == b.kid() && a.alg() == b.alg() && !a.is_private())
    );
    let private = KeySet::from_jwks(set.to_private_jwks().unwrap().expose()).unwrap();
    assert!(private.len() == 15 && private.iter().all(Key::is_private));
    refused(read.to_private_jwks(), ErrorKind::KeyUsage, "public keys have no private form");
    let secrets = KeySet::new([key(Alg::Hs256).clone(), key(Alg::Hs512).clone()]).unwrap();
    refused(secrets.to_jwks(), ErrorKind::KeyUsage, "secrets are never published");
    assert_eq!(KeySet::from_jwks(secrets.to_private_jwks().unwrap().expose()).unwrap().len(), 2);
    assert!(
        !format!("{set:?}").contains(
            serde_json::from_str::<Value>(row("es256").jwk).unwrap()["d"].as_str().unwrap()
        )
    );
}

#[test]
fn unusable_members_are_skipped_and_counted() {
    let good: Value = serde_json::from_str(&public(Alg::Es256, "good").to_jwk().unwrap()).unwrap();
    let ec = |change: &[(&str, Value)]| {
        let mut jwk = good.clone();
        for (name, value) in change {
            jwk[name] = value.clone();
        }
        jwk
    };
    let unusable = [
        (json!({"kty": "XYZ"}), ErrorKind::UnsupportedKey),
        (json!({"kty": "OKP", "crv": "X25519", "x": b64([9; 32])}), ErrorKind::UnsupportedKey),
        (ec(&[("crv", json!("P-192"))]), ErrorKind::UnsupportedKey),
        (ec(&[("use", json!("enc"))]), ErrorKind::KeyUsage),
        (ec(&[("alg", json!("ECDH-ES"))]), ErrorKind::UnsupportedKey),
        (ec(&[("x", json!("!"))]), ErrorKind::InvalidKey),
        (ec(&[("kid", json!(""))]), ErrorKind::InvalidKey),
        (json!({"kty": "oct", "alg": "HS256", "k": "c2hvcnQ"}), ErrorKind::WeakKey),
        (json!({}), ErrorKind::InvalidKey),
    ];
    let keys: Vec<Value> = unusable
        .iter()
        .map(|(jwk, _)| jwk.clone())
        .chain([good.clone(), json!(7), json!(null)])
        .collect();
    let set = KeySet::from_jwks(json!({"keys": keys, "next": 1}).to_string().as_bytes()).unwrap();
    assert_eq!(
        (set.len(), set.skipped().len(), set.iter().next().unwrap().kid()),
        (1, unusable.len() + 2, "good")
    );
    for ((jwk, kind), skipped) in unusable.iter().zip(set.skipped()) {
        assert_eq!(skipped.reason().kind(), *kind, "{jwk}");
        let kid = jwk["kid"].as_str().filter(|kid| !kid.is_empty());
        assert_eq!(skipped.kid(), kid, "{jwk}");
    }
}

#[test]
fn texts_that_are_no_set() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[]}x"#,
        r#"{"keys":[],"keys":[]}"#,
        row("es256").jwk,
        r#"{"keys":[{"kty":"EC","kty":"EC"}]}"#,
        "\u{feff}{\"keys\":[]}",
    ] {
        refused(KeySet::from_jwks(text.as_bytes()), ErrorKind::InvalidKey, text);
    }
    assert!(KeySet::from_jwks(br#"{"keys":[]}"#).unwrap().is_empty());
    let many = |n: usize| json!({"keys": vec![json!({"kty": "XYZ"}); n]}).to_string();
    assert_eq!(KeySet::from_jwks(many(100).as_bytes()).unwrap().skipped().len(), 100);
    refused(KeySet::from_jwks(many(101).as_bytes()), ErrorKind::InvalidKey, "101 members");
    refused(
        KeySet::new((0..101).map(|_| key(Alg::Hs256).clone())),
        ErrorKind::InvalidArgument,
        "101 keys",
    );
}

#[test]
fn symmetric_and_asymmetric_do_not_mix() {
    for secret in [Alg::Hs256, Alg::Hs384, Alg::Hs512] {
        for alg in asymmetric() {
            refused(
                KeySet::new([key(secret).clone(), key(alg).clone()]),
                ErrorKind::MixedKeySet,
                alg.name(),
            );
            let text = format!(
                r#"{{"keys":[{},{}]}}"#,
                key(alg).to_jwk().unwrap(),
                row(&secret.name().to_lowercase()).jwk
            );
            refused(KeySet::from_jwks(text.as_bytes()), ErrorKind::MixedKeySet, alg.name());
        }
    }
}

#[test]
fn exactly_one_key_or_a_reason() {
    let set = KeySet::new([
        public(Alg::Es256, "a"),
        public(Alg::Es384, "b"),
        strange(Alg::Es256, "c"),
        public(Alg::Rs256, "twice"),
        strange(Alg::Rs256, "twice"),
        public(Alg::Ps256, "half"),
        public(Alg::EdDsa, "half"),
    ])
    .unwrap();
    let select = |kid, alg| set.select(kid, alg).map(|key| (key.kid(), key.alg()));
    assert_eq!(select(Some("a"), Alg::Es256).unwrap(), ("a", Alg::Es256));
    assert_eq!(
        select(Some("half"), Alg::Ps256).unwrap(),
        ("half", Alg::Ps256),
        "the algorithm tells them apart"
    );
    assert_eq!(
        select(Some("half"), Alg::Ed25519).unwrap(),
        ("half", Alg::EdDsa),
        "either name of Ed25519"
    );
    assert_eq!(select(None, Alg::Es384).unwrap(), ("b", Alg::Es384));
    for (kid, alg, kind) in [
        (Some("a"), Alg::Es384, ErrorKind::InvalidAlgorithm),
        (Some("A"), Alg::Es256, ErrorKind::KeyNotFound),
        (Some(""), Alg::Es256, ErrorKind::KeyNotFound),
        (Some("a "), Alg::Es256, ErrorKind::KeyNotFound),
        (Some("twice"), Alg::Rs256, ErrorKind::AmbiguousKey),
        (None, Alg::Es256, ErrorKind::AmbiguousKey),
        (None, Alg::Rs256, ErrorKind::AmbiguousKey),
        (None, Alg::Hs256, ErrorKind::InvalidAlgorithm),
        (Some("half"), Alg::Hs256, ErrorKind::InvalidAlgorithm),
    ] {
        refused(set.select(kid, alg), kind, &format!("{kid:?} {alg}"));
    }
    refused(
        KeySet::new([]).unwrap().select(None, Alg::Es256),
        ErrorKind::KeyNotFound,
        "an empty set",
    );
    assert_eq!(set.matching(Alg::Es256).map(Key::kid).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!((set.by_kid("b").unwrap().alg(), set.by_kid("nobody").is_err()), (Alg::Es384, true));
    let (_, asked) = crate::counting::count(|| {
        for kid in [Some("a"), Some("twice"), Some("nobody"), None] {
            let _ = set.select(kid, Alg::Es256).map(Key::alg);
        }
    });
    assert_eq!(asked.calls, 0, "selection allocates");
}

#[test]
fn keys_that_may_not_verify_do_not_count() {
    let signs = row("es256").jwk.replacen('{', r#"{"kid":"a","key_ops":["sign"],"#, 1);
    let signs = Key::from_jwk(signs.as_bytes(), None).unwrap();
    let set = KeySet::new([signs.clone(), strange(Alg::Es256, "b")]).unwrap();
    assert_eq!(
        set.select(Some("b"), Alg::Es256).unwrap().thumbprint(),
        other(Alg::Es256).thumbprint()
    );
    assert_eq!(set.select(None, Alg::Es256).unwrap().kid(), "b");
    // Of two keys of one name, a token may mean either.
    let shared = KeySet::new([signs.clone(), strange(Alg::Es256, "a")]).unwrap();
    let error = shared.select(Some("a"), Alg::Es256).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmbiguousKey);
    assert_eq!(set.matching(Alg::Es256).count(), 1);
    // The only key of an allowed algorithm may not verify: nothing is left, whatever else is there.
    let mixed = KeySet::new([signs.clone(), public(Alg::Rs256, "b")]).unwrap();
    let only = |alg| Verifier::new(&mixed, policy().algorithms([alg]));
    refused(only(Alg::Es256), ErrorKind::InvalidConfiguration, "the key of ES256 only signs");
    assert!(only(Alg::Rs256).is_ok());
    let alone = KeySet::new([signs]).unwrap();
    assert!(alone.select(Some("a"), Alg::Es256).is_err());
    refused(Verifier::new(&alone, policy()), ErrorKind::InvalidConfiguration, "nothing may verify");
}

#[test]
fn tokens_find_their_key() {
    let set = KeySet::new([
        public(Alg::Es256, "new"),
        strange(Alg::Es256, "old"),
        public(Alg::Rs256, "rsa"),
    ])
    .unwrap();
    let verifier = Verifier::new(&set, policy()).unwrap();
    let signed = |key: &Key, kid: &str| {
        sign(key, header_and(key.alg(), &format!(r#""kid":"{kid}""#)), claims().to_string())
    };
    for (signing, kid) in
        [(key(Alg::Es256), "new"), (other(Alg::Es256), "old"), (key(Alg::Rs256), "rsa")]
    {
        assert_eq!(accepted(&verifier, &signed(signing, kid), kid).key_id(), kid);
    }
    refused(
        verifier.verify(signed(key(Alg::Es256), "old")),
        ErrorKind::InvalidSignature,
        "another's name",
    );
    refused(
        verifier.verify(signed(key(Alg::Es256), "rsa")),
        ErrorKind::InvalidAlgorithm,
        "a key of another algorithm",
    );
    refused(
        verifier.verify(signed(key(Alg::Es256), "none")),
        ErrorKind::KeyNotFound,
        "an unknown name",
    );
    refused(
        verifier.verify(signed(key(Alg::Es384), "new")),
        ErrorKind::InvalidAlgorithm,
        "another algorithm",
    );
    refused(
        verifier.verify(token(key(Alg::Es256), &claims())),
        ErrorKind::AmbiguousKey,
        "no name, two candidates",
    );
    accepted(&verifier, &token(key(Alg::Rs256), &claims()), "no name, one candidate");
}

#[test]
fn without_a_name_at_most_four_and_only_if_asked() {
    let generated: Vec<Key> = (0..5).map(|_| Key::generate(Alg::Es256).unwrap()).collect();
    let set = |n: usize| KeySet::new(generated[..n].iter().map(verifying)).unwrap();
    for n in 1..=5 {
        let trying = Verifier::new(&set(n), policy().try_keys_without_kid()).unwrap();
        let strict = Verifier::new(&set(n), policy()).unwrap();
        for (i, signing) in generated[..n].iter().enumerate() {
            let token = sign(signing, header(Alg::Es256), claims().to_string());
            if n <= 4 {
                assert_eq!(accepted(&trying, &token, "tried").key_id(), generated[i].kid());
            } else {
                refused(trying.verify(&token), ErrorKind::AmbiguousKey, "five candidates");
            }
            if n > 1 {
                refused(strict.verify(&token), ErrorKind::AmbiguousKey, "not opted in");
            }
            let named = sign(
                signing,
                header_and(Alg::Es256, &format!(r#""kid":"{}""#, signing.kid())),
                claims().to_string(),
            );
            assert_eq!(accepted(&trying, &named, "named").key_id(), signing.kid());
        }
        if n <= 4 {
            let foreign = token(other(Alg::Es256), &claims());
            refused(trying.verify(foreign), ErrorKind::InvalidSignature, "none of them");
        }
        refused(
            trying.verify(token(key(Alg::Es384), &claims())),
            ErrorKind::InvalidAlgorithm,
            "another algorithm",
        );
    }
}

/// A key known only by its thumbprint takes any `kid`; one that was named takes no other name.
#[test]
fn kid_of_a_single_key() {
    let with_kid = |kid: &str| {
        sign(
            key(Alg::Es256),
            header_and(Alg::Es256, &format!(r#""kid":"{kid}""#)),
            claims().to_string(),
        )
    };
    let derived = Verifier::with_key(&verifying(key(Alg::Es256)), policy()).unwrap();
    let named = Verifier::with_key(&public(Alg::Es256, "main"), policy()).unwrap();
    for kid in ["anything", "main", key(Alg::Es256).kid()] {
        accepted(&derived, &with_kid(kid), kid);
    }
    accepted(&named, &with_kid("main"), "its name");
    accepted(&named, &token(key(Alg::Es256), &claims()), "no name");
    for kid in ["Main", "main2", "", key(Alg::Es256).kid()] {
        refused(named.verify(with_kid(kid)), ErrorKind::KeyNotFound, kid);
    }
}

/// A token whose key is in the set, but is not used, is told why: by every kind of verifier.
#[test]
fn a_token_of_a_key_that_is_not_used_is_told_why() {
    let good = verifying(key(Alg::Es256)).with_kid("good").unwrap().to_jwk().unwrap();
    let mut rsa: Value =
        serde_json::from_str(&public(Alg::Rs256, "rsa").to_jwk().unwrap()).unwrap();
    rsa.as_object_mut().unwrap().remove("alg");
    let text = format!(r#"{{"keys":[{good},{rsa}]}}"#);
    let set = KeySet::from_jwks(text.as_bytes()).unwrap();
    let signed = |alg: Alg, kid: &str| {
        sign(key(alg), header_and(alg, &format!(r#""kid":"{kid}""#)), claims().to_string())
    };
    let rule = IssuerRule::new(claims()["iss"].as_str().unwrap(), &set);
    for verifier in [
        Verifier::new(&set, policy()).unwrap(),
        Verifier::following(std::sync::Arc::new(set.clone()), policy()).unwrap(),
        Verifier::for_issuers([rule], silent_policy().expect_audience(AUDIENCE)).unwrap(),
    ] {
        let error = verifier.verify(signed(Alg::Rs256, "rsa")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnusableKey, "{error:?}");
        let (kid, reason) = error.unusable_key().unwrap();
        assert_eq!((kid, reason.kind()), ("rsa", ErrorKind::AlgorithmRequired));
        accepted(&verifier, &signed(Alg::Es256, "good"), "the other one");
    }
    // The policy leaves it out.
    let both = KeySet::from_jwks_with(text.as_bytes(), Some(Alg::Rs256)).unwrap();
    let verifier = Verifier::new(&both, policy().algorithms([Alg::Es256])).unwrap();
    let error = verifier.verify(signed(Alg::Rs256, "rsa")).unwrap_err();
    assert_eq!(error.unusable_key().unwrap().1.kind(), ErrorKind::InvalidAlgorithm);
    // Nothing else is there.
    let alone = KeySet::from_jwks(format!(r#"{{"keys":[{rsa}]}}"#).as_bytes()).unwrap();
    let error = Verifier::new(&alone, policy()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert_eq!(error.unusable_key().unwrap().1.kind(), ErrorKind::AlgorithmRequired);
}
