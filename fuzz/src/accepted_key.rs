//! What must hold for every key that was accepted, from wherever it came.

use gatekey::{ErrorKind, Key};
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};

/// Round trips, agreement of the parts, redaction, and jsonwebtoken's opinion of the public part.
pub fn check(key: &Key) {
    let alg = Some(key.alg());
    let thumbprint = key.thumbprint();
    assert_eq!(thumbprint.len(), 43);
    assert!((1..=256).contains(&key.kid().len()));
    check_private(key);
    if key.is_symmetric() {
        assert_eq!(key.to_jwk().expect_err("a secret is never public").kind(), ErrorKind::KeyUsage);
        return;
    }
    let public = key.to_jwk().expect("a public key can be exported");
    let back = Key::from_jwk(public.as_bytes(), None).expect("an exported key can be imported");
    assert!(!back.is_private());
    assert_eq!(
        (back.thumbprint(), back.alg(), back.kid()),
        (thumbprint.clone(), key.alg(), key.kid())
    );
    assert_eq!(
        back.sign_with(b"message", |_| ()).expect_err("a public key cannot sign").kind(),
        ErrorKind::KeyUsage
    );
    if let Ok(pem) = key.to_pem() {
        let back = Key::from_pem(pem.as_bytes(), alg).expect("an exported PEM can be imported");
        assert_eq!(back.thumbprint(), thumbprint);
    }
    if key.alg().name().parse::<Algorithm>().is_ok() {
        let theirs: Jwk =
            serde_json::from_str(&public).expect("jsonwebtoken reads the exported key");
        assert!(DecodingKey::from_jwk(&theirs).is_ok(), "jsonwebtoken cannot use {public}");
    }
}

fn check_private(key: &Key) {
    if !key.is_private() {
        assert_eq!(
            key.to_private_jwk().expect_err("there is no private part").kind(),
            ErrorKind::KeyUsage
        );
        return;
    }
    let exported = key.to_private_jwk().expect("a private key can be exported");
    let back = Key::from_jwk(exported.expose(), None).expect("an exported key can be imported");
    assert_eq!((back.thumbprint(), back.is_private()), (key.thumbprint(), true));
    let shown = format!("{key:?}");
    let members: serde_json::Value = serde_json::from_slice(exported.expose()).expect("JSON");
    for name in ["d", "p", "q", "dp", "dq", "qi", "k", "priv"] {
        let Some(secret) = members[name].as_str() else { continue };
        assert!(secret.len() < 8 || !shown.contains(secret), "Debug shows {name}");
    }
    if !key.may_sign() {
        return;
    }
    let signature = key.sign_with(b"message", <[u8]>::to_vec).expect("a private key signs");
    if key.may_verify() {
        assert_eq!(signature.len(), key.signature_len());
        assert!(
            key.verify_signature(b"message", &signature).is_ok(),
            "its own signature is refused"
        );
        assert!(
            key.verify_signature(b"massage", &signature).is_err(),
            "a forged message is accepted"
        );
    }
}
