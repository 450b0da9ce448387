//! `gatekey::interop`: keys and key sets to and from `jsonwebtoken`, and what does not come in.

use crate::differential_jsonwebtoken::{shared, validation};
use crate::fixtures::{key, kind_of, refused};
use crate::forge::b64;
use gatekey::interop::{key_from_decoding, key_from_encoding};
use gatekey::{Alg, ErrorKind, Key, KeySet, Signer};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Value, json};

#[test]
fn the_algorithms_that_both_know() {
    assert_eq!(shared().count(), 12);
    for (alg, algorithm) in shared() {
        assert_eq!(Alg::try_from(algorithm).unwrap(), alg);
        assert_eq!(alg.name(), serde_json::to_value(algorithm).unwrap());
    }
    for alg in [Alg::Es512, Alg::Es256k, Alg::Ed25519, Alg::MlDsa44, Alg::MlDsa65, Alg::MlDsa87] {
        refused(Algorithm::try_from(alg), ErrorKind::UnsupportedAlgorithm, alg.name());
        assert_eq!(
            EncodingKey::try_from(key(alg)).err().unwrap().kind(),
            ErrorKind::UnsupportedAlgorithm
        );
        assert_eq!(
            DecodingKey::try_from(key(alg)).err().unwrap().kind(),
            ErrorKind::UnsupportedAlgorithm
        );
        assert_eq!(Jwk::try_from(key(alg)).err().unwrap().kind(), ErrorKind::UnsupportedAlgorithm);
    }
}

#[test]
fn keys_go_there_and_back() {
    for (alg, algorithm) in shared() {
        let own = key(alg);
        let encoding = EncodingKey::try_from(own).unwrap();
        let back = key_from_encoding(&encoding, alg).unwrap();
        assert_eq!((back.thumbprint(), back.is_private()), (own.thumbprint(), true), "{alg}");
        let decoding = DecodingKey::try_from(own).unwrap();
        assert_eq!(
            key_from_decoding(&decoding, alg).unwrap().thumbprint(),
            own.thumbprint(),
            "{alg}"
        );
        let wrong = if alg.is_symmetric() { Alg::Es256 } else { Alg::Hs256 };
        refused(key_from_encoding(&encoding, wrong), ErrorKind::InvalidAlgorithm, "another family");
        refused(key_from_decoding(&decoding, wrong), ErrorKind::InvalidAlgorithm, "another family");
        if alg.is_symmetric() {
            assert_eq!(Jwk::try_from(own).err().unwrap().kind(), ErrorKind::KeyUsage);
            let theirs = Jwk::from_encoding_key(&encoding, algorithm).unwrap();
            assert_eq!(Key::try_from(&theirs).unwrap().thumbprint(), own.thumbprint());
            continue;
        }
        refused(
            EncodingKey::try_from(&own.public().unwrap()).map(|_| ()),
            ErrorKind::KeyUsage,
            "a public key",
        );
        let jwk = Jwk::try_from(own).unwrap();
        assert_eq!(
            jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(),
            own.thumbprint(),
            "{alg}"
        );
        let read = Key::try_from(&jwk).unwrap();
        assert_eq!((read.kid(), read.alg(), read.is_private()), (own.kid(), alg, false));
        let from_jwk = DecodingKey::from_jwk(&jwk).unwrap();
        assert_eq!(
            key_from_decoding(&from_jwk, alg).unwrap().thumbprint(),
            own.thumbprint(),
            "{alg} by components"
        );
    }
    let set = KeySet::new(
        shared().filter(|(alg, _)| !alg.is_symmetric()).map(|(alg, _)| key(alg).clone()),
    )
    .unwrap();
    let there = JwkSet::try_from(&set).unwrap();
    assert_eq!((there.keys.len(), KeySet::try_from(&there).unwrap().len()), (9, 9));
    let newer = KeySet::new([key(Alg::Es256).clone(), key(Alg::MlDsa44).clone()]).unwrap();
    assert_eq!(JwkSet::try_from(&newer).unwrap_err().kind(), ErrorKind::UnsupportedAlgorithm);
}

/// What jsonwebtoken loads without a look, gatekey refuses on the way in.
#[test]
fn weak_keys_do_not_come_in() {
    refused(
        key_from_encoding(&EncodingKey::from_secret(b""), Alg::Hs256),
        ErrorKind::WeakKey,
        "empty",
    );
    refused(
        key_from_decoding(&DecodingKey::from_secret(b"short"), Alg::Hs256),
        ErrorKind::WeakKey,
        "short",
    );
    let pem = key(Alg::Rs256).to_pem().unwrap();
    refused(
        key_from_decoding(&DecodingKey::from_secret(pem.as_bytes()), Alg::Hs256),
        ErrorKind::SecretLooksLikeKey,
        "PEM",
    );
    for (garbage, alg) in [
        (DecodingKey::from_rsa_der(b"garbage"), Alg::Rs256),
        (DecodingKey::from_ec_der(b"garbage"), Alg::Es256),
        (DecodingKey::from_ec_der(b"\x04garbage"), Alg::Es256),
        (DecodingKey::from_ec_der(b""), Alg::Es256),
        (DecodingKey::from_ed_der(b"garbage"), Alg::EdDsa),
        (DecodingKey::from_rsa_raw_components(b"", b""), Alg::Ps256),
    ] {
        assert!(kind_of(key_from_decoding(&garbage, alg), "garbage").is_misuse());
    }
    let encryption = json!({"kty": "EC", "use": "enc", "alg": "ES256", "crv": "P-256", "x": b64([0; 32]), "y": b64([0; 32])});
    let encryption: Jwk = serde_json::from_value(encryption).unwrap();
    refused(Key::try_from(&encryption), ErrorKind::KeyUsage, "use: enc");
}

/// The doc test's road, with the fixed keys: a JWKS of ours that a service on jsonwebtoken consumes.
#[test]
fn a_published_set_is_consumed_there() {
    let set = KeySet::new([key(Alg::Es256).clone(), key(Alg::Rs256).clone()]).unwrap();
    let published: JwkSet = serde_json::from_str(&set.to_jwks().unwrap()).unwrap();
    for alg in [Alg::Es256, Alg::Rs256] {
        let token = Signer::builder(key(alg)).issuer("us").audience("me").build().unwrap();
        let token = token.sign_json(r#"{"sub":"ada"}"#).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let found = DecodingKey::from_jwk(published.find(&kid).unwrap()).unwrap();
        let validation = validation(Algorithm::try_from(alg).unwrap());
        assert_eq!(
            jsonwebtoken::decode::<Value>(&token, &found, &validation).unwrap().claims["sub"],
            "ada"
        );
    }
}
