//! Keys and thumbprints that RFCs print: RFC 7517 appendix A, RFC 7638 section 3.1, RFC 8037
//! appendix A, RFC 9964 appendix A, and RFC 7520 section 3 where the vectors are at hand.

use super::*;
use crate::base::{b64, json};
use crate::jwk::KeySet;

/// The member of a JWK Set at this place, as text.
fn member(name: &str, index: usize) -> String {
    let set = json::parse(fixture(name).as_bytes()).unwrap();
    set.member("keys").unwrap().elements().nth(index).unwrap().raw().to_owned()
}

#[test]
fn rfc_7517_appendix_a1_public_keys() {
    refused(jwk(&member("rfc7517.a1", 0)), ErrorKind::KeyUsage); // "use":"enc"
    let rsa = jwk(&member("rfc7517.a1", 1)).unwrap();
    assert_eq!((rsa.alg(), rsa.kid(), rsa.is_private()), (Alg::Rs256, "2011-04-29", false));
    assert_eq!(rsa.signature_len(), 256);
    let set = KeySet::from_jwks(fixture("rfc7517.a1").as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 1));
    assert_eq!(set.skipped()[0].reason().kind(), ErrorKind::KeyUsage);
}

#[test]
fn rfc_7517_appendix_a2_private_keys() {
    let ec = member("rfc7517.a2", 0);
    refused(jwk(&ec), ErrorKind::KeyUsage);
    let ec = jwk(&ec.replace(r#""use":"enc""#, r#""use":"sig""#)).unwrap();
    assert_eq!((ec.alg(), ec.kid(), ec.is_private()), (Alg::Es256, "1", true));
    assert_works_with(&ec, &ec.public().unwrap());
    let rsa = jwk(&member("rfc7517.a2", 1)).unwrap();
    assert!(rsa.may_sign());
    assert_works_with(&rsa, &jwk(&member("rfc7517.a1", 1)).unwrap());
}

#[test]
fn rfc_7517_appendix_a3_symmetric_keys() {
    refused(jwk(&member("rfc7517.a3", 0)), ErrorKind::UnsupportedKey); // A128KW
    let text = member("rfc7517.a3", 1);
    refused(jwk(&text), ErrorKind::AlgorithmRequired);
    let key = Key::from_jwk(text.as_bytes(), Some(Alg::Hs256)).unwrap();
    assert_eq!(key.kid(), "HMAC key used in JWS spec Appendix A.1 example");
    assert!(key.is_symmetric() && key.is_private());
    assert_works_with(&key, &key);
}

#[test]
fn rfc_7638_section_3_1_thumbprint() {
    let key = jwk(&member("rfc7517.a1", 1)).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn rfc_8037_appendix_a_ed25519() {
    let private = jwk(fixture("rfc8037.a1")).unwrap();
    let public = jwk(fixture("rfc8037.a2")).unwrap();
    assert_eq!((private.alg(), public.alg()), (Alg::EdDsa, Alg::EdDsa));
    assert_eq!(private.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(public.kid(), private.kid());
    // Appendix A.4 and A.5: the signature is deterministic.
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                    9g7sVvpAr_MuM0KAg";
    private.sign_with(input, |signature| assert_eq!(b64::encode(signature), expected)).unwrap();
    public.verify_signature(input, &b64::decode(expected.as_bytes()).unwrap()).unwrap();
}

#[test]
fn rfc_9964_appendix_a_ml_dsa() {
    // The keys of the appendix have the seed of 32 zeros; their `kid` is their thumbprint.
    for (alg, thumbprint) in [
        (Alg::MlDsa44, "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"),
        (Alg::MlDsa65, "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM"),
        (Alg::MlDsa87, fixture("mldsa87-zero.thumbprint")),
    ] {
        let arc = match alg {
            Alg::MlDsa44 => 0x11,
            Alg::MlDsa65 => 0x12,
            _ => 0x13,
        };
        let mut document =
            b"\x30\x34\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03".to_vec();
        document.extend([arc, 0x04, 0x22, 0x80, 0x20]);
        document.extend([0; 32]);
        let key = Key::from_der(&document, None).unwrap();
        assert_eq!((key.alg(), key.kid()), (alg, thumbprint));
        let private = key.to_private_jwk().unwrap();
        assert!(private.expose_str().ends_with(&format!(r#","priv":"{}"}}"#, "A".repeat(43))));
        assert_works_with(&key, &jwk(&key.to_jwk().unwrap()).unwrap());
    }
}

#[test]
fn rfc_7520_section_3_keys() {
    let folder = std::env::var_os("GATEKEY_VECTORS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        Into::into,
    );
    let folder = folder.join("rfc7520/jwk");
    if !folder.is_dir() {
        println!("skipped: no RFC 7520 vectors; set GATEKEY_VECTORS to a folder that has rfc7520/");
        return;
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let kid = "bilbo.baggins@hobbiton.example";
    let public = Key::from_jwk(&read("3_1.ec_public_key.json"), None).unwrap();
    let private = Key::from_jwk(&read("3_2.ec_private_key.json"), None).unwrap();
    assert_eq!((public.alg(), public.kid(), public.key_use()), (Alg::Es512, kid, Some("sig")));
    assert_works_with(&private, &public);
    for alg in [Alg::Rs256, Alg::Ps384] {
        let public = Key::from_jwk(&read("3_3.rsa_public_key.json"), Some(alg)).unwrap();
        let private = Key::from_jwk(&read("3_4.rsa_private_key.json"), Some(alg)).unwrap();
        assert_eq!(public.kid(), kid);
        assert_works_with(&private, &public);
    }
    refused(Key::from_jwk(&read("3_3.rsa_public_key.json"), None), ErrorKind::AlgorithmRequired);
    let secret = Key::from_jwk(&read("3_5.symmetric_key_mac_computation.json"), None).unwrap();
    assert_eq!(secret.alg(), Alg::Hs256);
    assert_works_with(&secret, &secret);
    let wrapping = read("3_6.symmetric_key_encryption.json");
    refused(Key::from_jwk(&wrapping, None), ErrorKind::KeyUsage);
}
