//! Every format that is read, and every format that is written and read again.

use super::*;
use crate::base::json;

/// A fixture's name and the algorithm to load it with, `None` where the key implies it.
const PAIRS: [(&str, Option<Alg>, Alg); 9] = [
    ("rsa", Some(Alg::Rs256), Alg::Rs256),
    ("rsa-e3", Some(Alg::Ps512), Alg::Ps512),
    ("p256", None, Alg::Es256),
    ("p384", None, Alg::Es384),
    ("p521", None, Alg::Es512),
    ("secp256k1", None, Alg::Es256k),
    ("ed25519", None, Alg::EdDsa),
    ("mldsa44", None, Alg::MlDsa44),
    ("mldsa65", None, Alg::MlDsa65),
];

#[test]
fn every_container_of_one_pair_holds_the_same_key() {
    for (name, alg, bound) in PAIRS {
        let private = load(&format!("{name}.pkcs8"), alg).unwrap();
        assert_eq!(private.alg(), bound);
        assert!(private.is_private() && private.may_sign() && private.may_verify());
        for container in ["spki", "certificate", "compressed", "pkcs1", "pkcs1public", "sec1", "v2"]
        {
            let has = match container {
                "spki" => true,
                "certificate" => !name.starts_with("mldsa") && name != "rsa-e3",
                "compressed" | "sec1" => name.starts_with('p') || name == "secp256k1",
                "v2" => name == "ed25519",
                _ => name == "rsa",
            };
            if !has {
                continue;
            }
            let entry = format!("{name}.{container}");
            let key = load(&entry, alg).unwrap();
            assert_eq!(key.thumbprint(), private.thumbprint(), "{entry}");
            assert_eq!(key.is_private(), matches!(container, "pkcs1" | "sec1" | "v2"), "{entry}");
            assert_works_with(&private, &key);
            if key.is_private() {
                assert_works_with(&key, &private);
            }
            let same = Key::from_der(&der(&entry), alg).unwrap();
            assert_eq!(same.thumbprint(), key.thumbprint(), "{entry}");
            assert_eq!(same.is_private(), key.is_private(), "{entry}");
        }
    }
}

#[test]
fn thumbprints_agree_with_jwcrypto_and_cryptography() {
    for (name, alg) in [
        ("rsa", Some(Alg::Ps256)),
        ("p256", None),
        ("p384", None),
        ("p521", None),
        ("secp256k1", None),
        ("ed25519", None),
        ("mldsa44", None),
        ("mldsa65", None),
        ("mldsa87", None),
    ] {
        let key = load(&format!("{name}.spki"), alg).unwrap();
        let expected = fixture(&format!("{name}.thumbprint"));
        assert_eq!(key.thumbprint(), expected, "{name}");
        assert_eq!(key.kid(), expected);
        assert!(!key.has_explicit_kid());
        let uri = format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{expected}");
        assert_eq!(key.thumbprint_uri(), uri);
    }
}

#[test]
fn keys_that_jwcrypto_wrote_are_those_that_openssl_wrote() {
    for (name, alg) in [
        ("rsa", Some(Alg::Rs384)),
        ("p256", None),
        ("p384", None),
        ("p521", None),
        ("secp256k1", None),
        ("ed25519", None),
    ] {
        let key = Key::from_jwk(fixture(&format!("{name}.jwk")).as_bytes(), alg).unwrap();
        let same = load(&format!("{name}.pkcs8"), alg).unwrap();
        // The numbers agree to the last octet; only the names differ.
        let written = same.with_kid(key.kid()).unwrap().to_private_jwk().unwrap();
        let expected = key.with_kid(key.kid()).unwrap().to_private_jwk().unwrap();
        assert_eq!(written.expose_str(), expected.expose_str(), "{name}");
    }
}

#[test]
fn every_algorithm_and_form_survives_a_round_trip() {
    for &alg in Alg::ALL {
        let key = Key::generate(alg).unwrap();
        assert_eq!(key.alg(), alg);
        assert_eq!(key.kid(), key.thumbprint());
        assert_works_with(&key, &key);

        let private_jwk = key.to_private_jwk().unwrap();
        let again = Key::from_jwk(private_jwk.expose(), None).unwrap();
        assert_eq!(again.alg(), alg);
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.key_use(), Some("sig"));
        assert_eq!(again.to_private_jwk().unwrap().expose_str(), private_jwk.expose_str());
        assert_works_with(&again, &key);
        json::validate(private_jwk.expose()).unwrap();

        if alg.is_symmetric() {
            for kind in [
                key.to_jwk().err(),
                key.to_pem().err(),
                key.to_private_pem().err(),
                key.public().err(),
            ] {
                assert_eq!(kind.map(|error| error.kind()), Some(ErrorKind::KeyUsage));
            }
            continue;
        }

        let public = key.public().unwrap();
        assert!(!public.is_private() && !public.may_sign() && public.may_verify());
        assert_eq!(public.kid(), key.kid());
        assert_eq!(public.thumbprint(), key.thumbprint());
        assert_eq!(public.to_jwk().unwrap(), key.to_jwk().unwrap());
        assert_eq!(public.to_pem().unwrap(), key.to_pem().unwrap());
        assert_eq!(public.public().unwrap().to_jwk().unwrap(), key.to_jwk().unwrap());
        assert_works_with(&key, &public);
        refused(public.sign_with(b"", |_| ()), ErrorKind::KeyUsage);
        refused(public.to_private_jwk(), ErrorKind::KeyUsage);
        refused(public.to_private_pem(), ErrorKind::KeyUsage);

        let public_jwk = Key::from_jwk(key.to_jwk().unwrap().as_bytes(), None).unwrap();
        assert_eq!(public_jwk.to_jwk().unwrap(), key.to_jwk().unwrap());
        assert_works_with(&key, &public_jwk);

        let private_pem = key.to_private_pem().unwrap();
        let again = Key::from_pem(private_pem.expose(), Some(alg)).unwrap();
        assert_eq!(again.to_private_jwk().unwrap().expose_str(), private_jwk.expose_str());
        assert_eq!(again.to_private_pem().unwrap().expose_str(), private_pem.expose_str());
        let again = Key::from_pem(key.to_pem().unwrap().as_bytes(), Some(alg)).unwrap();
        assert_eq!(again.to_jwk().unwrap(), key.to_jwk().unwrap());
    }
}

#[test]
fn openssl_and_gatekey_write_the_same_documents() {
    for (name, alg, _) in PAIRS {
        let key = load(&format!("{name}.pkcs8"), alg).unwrap();
        assert_eq!(key.to_pem().unwrap().trim_end(), fixture(&format!("{name}.spki")), "{name}");
        let own = key.to_private_pem().unwrap();
        assert_eq!(own.expose_str().trim_end(), fixture(&format!("{name}.pkcs8")), "{name}");
    }
}

#[test]
fn members_stand_in_the_order_of_the_rfcs() {
    let key = load("p256.pkcs8", None).unwrap().with_kid("a \"name\"").unwrap();
    let text = key.to_jwk().unwrap();
    let names: Vec<_> = json::parse(text.as_bytes())
        .unwrap()
        .members()
        .map(|(name, _)| name.decode().into_owned())
        .collect();
    assert_eq!(names, ["kty", "use", "alg", "kid", "crv", "x", "y"]);
    assert!(text.starts_with(r#"{"kty":"EC","use":"sig","alg":"ES256","kid":"a \"name\"","#));
    assert_eq!(jwk(&text).unwrap().kid(), "a \"name\"");
    let rsa = load("rsa.pkcs8", Some(Alg::Rs256)).unwrap().to_private_jwk().unwrap();
    let names: Vec<_> = json::parse(rsa.expose())
        .unwrap()
        .members()
        .map(|(name, _)| name.decode().into_owned())
        .collect();
    let expected = ["kty", "use", "alg", "kid", "n", "e", "d", "p", "q", "dp", "dq", "qi"];
    assert_eq!(names, expected);
}

#[test]
fn restricted_rsa_keys_keep_their_restriction() {
    let private = load("rsa-pss-256.pkcs8", None).unwrap();
    assert_eq!(private.alg(), Alg::Ps256);
    let public = load("rsa-pss-256.spki", Some(Alg::Ps256)).unwrap();
    assert_works_with(&private, &public);
    refused(load("rsa-pss-256.pkcs8", Some(Alg::Ps384)), ErrorKind::KeyUsage);
    refused(load("rsa-pss-256.spki", Some(Alg::Rs256)), ErrorKind::KeyUsage);
    refused(load("rsa-pss-any.spki", None), ErrorKind::AlgorithmRequired);
    refused(load("rsa-pss-any.spki", Some(Alg::Rs256)), ErrorKind::KeyUsage);
    assert_eq!(load("rsa-pss-any.spki", Some(Alg::Ps512)).unwrap().alg(), Alg::Ps512);
    refused(load("rsa-pss-odd.spki", Some(Alg::Ps256)), ErrorKind::UnsupportedKey);
}

#[test]
fn files_of_several_blocks_with_one_meaning_are_read() {
    let first = load("p256.certificate", None).unwrap();
    let chain = load("chain.certificate", None).unwrap();
    assert_eq!(chain.thumbprint(), first.thumbprint());
    let key = load("p256.with-parameters", None).unwrap();
    assert_eq!(key.thumbprint(), first.thumbprint());
    assert!(key.is_private());
    refused(load("p384.with-wrong-parameters", None), ErrorKind::InvalidKey);
}

#[test]
fn text_before_the_block_and_other_line_widths_and_endings_are_read() {
    let text = fixture("ed25519.spki");
    let expected = load("ed25519.spki", None).unwrap().thumbprint();
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    for variant in [
        format!("Bag Attributes: none\nsubject=x\n{text}\n\n  \n"),
        text.replace('\n', "\r\n"),
        format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----"),
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----",
            &base64[..40],
            &base64[40..]
        ),
    ] {
        let key = Key::from_pem(variant.as_bytes(), None).unwrap();
        assert_eq!(key.thumbprint(), expected, "{variant}");
    }
}

#[test]
fn ml_dsa_keys_are_seeds() {
    let seed = load("mldsa44.pkcs8", None).unwrap();
    let both = load("mldsa44.both", None).unwrap();
    let public = load("mldsa44.spki", None).unwrap();
    assert_eq!(both.to_private_jwk().unwrap().expose(), seed.to_private_jwk().unwrap().expose());
    assert_works_with(&both, &public);
    refused(load("mldsa44.both-mismatch", None), ErrorKind::KeyPairMismatch);
    refused(load("mldsa44.expanded", None), ErrorKind::UnsupportedKey);
}
