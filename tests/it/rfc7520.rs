//! RFC 7520 sections 3 and 4: the keys, and every compact serialization that is not JWE.

use crate::fixtures::refused;
use crate::forge::unb64;
use crate::vectors;
use gatekey::{Alg, ErrorKind, Key, Policy, Verifier};

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn section_3_keys() {
    let Some(public) = vectors::read("rfc7520/jwk/3_1.ec_public_key.json") else { return };
    let load = |file: &str, alg| {
        let jwk = vectors::read(&format!("rfc7520/jwk/{file}.json")).unwrap();
        Key::from_jwk(jwk.to_string().as_bytes(), alg)
    };
    let ec_public = Key::from_jwk(public.to_string().as_bytes(), None).unwrap();
    let ec_private = load("3_2.ec_private_key", None).unwrap();
    assert_eq!((ec_public.alg(), ec_public.is_private()), (Alg::Es512, false));
    assert_eq!((ec_private.alg(), ec_private.is_private()), (Alg::Es512, true));
    assert_eq!(ec_public.thumbprint(), ec_private.thumbprint());
    assert_eq!(ec_public.kid(), "bilbo.baggins@hobbiton.example");

    refused(load("3_3.rsa_public_key", None), ErrorKind::AlgorithmRequired, "RSA must be told");
    let rsa_public = load("3_3.rsa_public_key", Some(Alg::Rs256)).unwrap();
    let rsa_private = load("3_4.rsa_private_key", Some(Alg::Rs256)).unwrap();
    assert!(rsa_private.is_private() && !rsa_public.is_private());
    assert_eq!(rsa_public.thumbprint(), rsa_private.thumbprint());
    rsa_private
        .sign_with(b"m", |signature| rsa_public.verify_signature(b"m", signature))
        .unwrap()
        .unwrap();

    assert_eq!(load("3_5.symmetric_key_mac_computation", None).unwrap().alg(), Alg::Hs256);
    let kind = load("3_6.symmetric_key_encryption", None).unwrap_err().kind();
    assert!(
        matches!(kind, ErrorKind::KeyUsage | ErrorKind::UnsupportedAlgorithm),
        "an encryption key: {kind:?}"
    );
}

/// Sections 4.1 to 4.4, and RFC 8037's through the same collection.
#[test]
fn section_4_compact_serializations() {
    let mut seen = 0;
    for file in [
        "jws/4_1.rsa_v15_signature",
        "jws/4_2.rsa-pss_signature",
        "jws/4_3.ecdsa_signature",
        "jws/4_4.hmac-sha2_integrity_protection",
        "curve25519/jws",
    ] {
        let Some(example) = vectors::read(&format!("rfc7520/{file}.json")) else { return };
        let alg = Alg::from_name(text(&example["input"]["alg"])).unwrap();
        let jwk = example["input"]["key"].to_string();
        let key = Key::from_jwk(jwk.as_bytes(), Some(alg)).unwrap();
        let compact = text(&example["output"]["compact"]);
        let (input, signature) = compact.rsplit_once('.').unwrap();
        key.verify_signature(input.as_bytes(), &unb64(signature))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(input, text(&example["signing"]["sig-input"]), "{file}");
        let payload = unb64(input.split_once('.').unwrap().1);
        assert_eq!(payload, text(&example["input"]["payload"]).as_bytes(), "{file}");
        if example["reproducible"] == true {
            assert_eq!(crate::forge::sign_text(&key, input), compact, "{file}");
        }
        // A sentence by Gandalf is signed, but it is no set of claims.
        let verifier = Verifier::with_key(&key, Policy::new().ignore_type()).unwrap();
        refused(verifier.verify(compact), ErrorKind::MalformedToken, file);
        let mut flipped = unb64(signature);
        flipped[9] ^= 1;
        refused(
            verifier.verify(crate::forge::resign(compact, &flipped)),
            ErrorKind::InvalidSignature,
            file,
        );
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// Section 4.5 and RFC 7797: detached and unencoded payloads are not JWTs.
#[test]
fn detached_and_unencoded_payloads_are_refused() {
    for (file, kind) in [
        ("jws/4_5.signature_with_detached_content", ErrorKind::InvalidSignature),
        ("rfc7797/hmac-sha2_b64_false", ErrorKind::UnsupportedCritical),
    ] {
        let Some(example) = vectors::read(&format!("rfc7520/{file}.json")) else { return };
        let key = Key::from_jwk(example["input"]["key"].to_string().as_bytes(), None).unwrap();
        let verifier = Verifier::with_key(&key, Policy::new()).unwrap();
        refused(verifier.verify(text(&example["output"]["compact"])), kind, file);
    }
}

/// Sections 4.6 to 4.8 exist only as JSON, which a JWT verifier refuses.
#[test]
fn json_serializations_are_refused() {
    for file in [
        "jws/4_1.rsa_v15_signature",
        "jws/4_6.protecting_specific_header_fields",
        "jws/4_7.protecting_content_only",
        "jws/4_8.multiple_signatures",
    ] {
        let Some(example) = vectors::read(&format!("rfc7520/{file}.json")) else { return };
        for form in ["json", "json_flat"] {
            let json = &example["output"][form];
            if json.is_null() {
                continue;
            }
            let verifier =
                Verifier::with_key(crate::fixtures::key(Alg::Hs256), Policy::new()).unwrap();
            refused(verifier.verify(json.to_string()), ErrorKind::MalformedToken, file);
        }
    }
}
