//! PEM and DER that must not load: mislabelled, encrypted, ambiguous, truncated, trailing, BER.

use super::*;

const LABELS: [&str; 6] = [
    "PUBLIC KEY",
    "PRIVATE KEY",
    "RSA PUBLIC KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "CERTIFICATE",
];

const DOCUMENTS: [(&str, &str, Option<Alg>); 12] = [
    ("rsa.spki", "PUBLIC KEY", Some(Alg::Rs256)),
    ("rsa.pkcs8", "PRIVATE KEY", Some(Alg::Rs256)),
    ("rsa.pkcs1public", "RSA PUBLIC KEY", Some(Alg::Rs256)),
    ("rsa.pkcs1", "RSA PRIVATE KEY", Some(Alg::Rs256)),
    ("rsa.certificate", "CERTIFICATE", Some(Alg::Rs256)),
    ("p256.spki", "PUBLIC KEY", None),
    ("p521.pkcs8", "PRIVATE KEY", None),
    ("p384.sec1", "EC PRIVATE KEY", None),
    ("secp256k1.certificate", "CERTIFICATE", None),
    ("ed25519.pkcs8", "PRIVATE KEY", None),
    ("ed25519.v2", "PRIVATE KEY", None),
    ("mldsa44.pkcs8", "PRIVATE KEY", None),
];

#[test]
fn a_label_must_match_its_content() {
    for (name, own, alg) in DOCUMENTS {
        for label in LABELS {
            let relabelled = pem(label, &der(name));
            let result = Key::from_pem(relabelled.as_bytes(), alg);
            if label == own {
                result.unwrap();
            } else {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidKey, "{name} as {label}");
            }
        }
    }
}

#[test]
fn labels_that_are_not_keys_are_refused() {
    for label in [
        "CERTIFICATE REQUEST",
        "DSA PRIVATE KEY",
        "PGP PUBLIC KEY BLOCK",
        "X509 CRL",
        "EC PARAMETERS",
        "ANY PRIVATE KEY",
        "public key",
    ] {
        let text = pem(label, &der("p256.spki"));
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::UnsupportedKey);
    }
}

#[test]
fn keys_of_the_old_encryption_are_refused_with_the_remedy() {
    let error = load("rsa.legacy-encrypted", Some(Alg::Rs256)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedKey);
    assert!(error.message().contains("pkcs8 -topk8"), "{error}");
}

#[test]
fn types_and_curves_that_are_not_implemented_are_refused() {
    for name in ["ed448.spki", "x25519.spki", "p224.spki", "p256.explicit"] {
        let kind = load(name, None).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::UnsupportedKey, "{name}");
    }
    refused(load("p256.hybrid", None), ErrorKind::InvalidKey);
}

#[test]
fn several_keys_are_ambiguous() {
    let two = |a: &str, b: &str| format!("{}\n{}", fixture(a), fixture(b));
    for text in [
        two("p256.spki", "p384.spki"),
        two("p256.spki", "p256.spki"),
        two("p256.pkcs8", "p256.pkcs8"),
        two("p256.spki", "p256.certificate"),
        two("p256.certificate", "p256.spki"),
        two("p256.sec1", "p256.with-parameters"),
    ] {
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
    }
}

#[test]
fn nothing_may_follow_a_document() {
    for (name, label, alg) in DOCUMENTS {
        let mut document = der(name);
        document.push(0);
        let text = pem(label, &document);
        refused(Key::from_pem(text.as_bytes(), alg), ErrorKind::InvalidKey);
        refused(Key::from_der(&document, alg), ErrorKind::InvalidKey);
    }
}

#[test]
fn every_truncation_is_refused() {
    for (name, _, alg) in DOCUMENTS {
        let document = der(name);
        for len in 0..document.len() {
            let kind = Key::from_der(&document[..len], alg).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidKey, "{name} cut to {len}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_makes_another_key() {
    // Never a panic, and never the same private key beside another public one. In certificates and
    // RSA moduli most bits are free, so those documents only show that nothing panics.
    for (name, _, alg) in DOCUMENTS {
        let document = der(name);
        let original = Key::from_der(&document, alg).unwrap();
        let step = if name.starts_with("rsa") { 29 } else { 1 };
        for bit in (0..8 * document.len()).step_by(step) {
            let mut flipped = document.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(key) = Key::from_der(&flipped, alg) else { continue };
            if key.is_private() && key.thumbprint() != original.thumbprint() {
                assert_works_with(&key, &key.public().unwrap());
            }
        }
    }
}

#[test]
fn public_keys_beside_private_ones_must_be_their_own() {
    refused(load("ed25519.v2-mismatch", None), ErrorKind::KeyPairMismatch);
    for name in ["p256", "p384", "p521", "secp256k1"] {
        let mut document = der(&format!("{name}.pkcs8"));
        // The document ends with the public point; another point of the curve in its place.
        let other = Key::generate(load(&format!("{name}.pkcs8"), None).unwrap().alg()).unwrap();
        let other = pem_rfc7468::decode_vec(other.to_pem().unwrap().as_bytes()).unwrap().1;
        let coordinates = load(&format!("{name}.spki"), None).unwrap().signature_len();
        let at = document.len() - coordinates;
        document[at..].copy_from_slice(&other[other.len() - coordinates..]);
        refused(Key::from_der(&document, None), ErrorKind::KeyPairMismatch);
        // And a point that is not on the curve.
        document[at..].fill(1);
        let kind = Key::from_der(&document, None).unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::InvalidKey | ErrorKind::KeyPairMismatch),
            "{name}: {kind:?}"
        );
    }
}

#[test]
fn compressed_points_that_do_not_exist_are_refused() {
    let mut document = der("p256.compressed");
    let at = document.len() - 32;
    let mut refusals = 0;
    for low in 0..16 {
        document[at..].fill(0);
        document[at + 31] = low;
        match Key::from_der(&document, None) {
            Ok(key) => assert_eq!(key.alg(), Alg::Es256),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidKey);
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0 && refusals < 16, "{refusals}");
}

#[test]
fn input_that_is_no_key_is_refused() {
    for text in ["", "x", "-----BEGIN PUBLIC KEY-----", "\0"] {
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
        refused(Key::from_der(text.as_bytes(), None), ErrorKind::InvalidKey);
    }
    let spki = fixture("p256.spki");
    for text in [
        spki.replace("END PUBLIC", "END PRIVATE"),
        spki.replace("-----BEGIN", "----BEGIN"),
        spki.replace("-----END", "=-----END"),
        spki.replacen('M', "*", 1),
        spki.replace("\n-----END PUBLIC KEY-----", ""),
    ] {
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
    }
    let huge = vec![b'A'; 64 * 1024 + 1];
    refused(Key::from_pem(&huge, None), ErrorKind::InvalidKey);
    refused(Key::from_der(&huge, None), ErrorKind::InvalidKey);
    refused(Key::from_secret(&huge, Alg::Hs256), ErrorKind::InvalidKey);
}

#[test]
fn wrong_parameters_are_refused() {
    // rsaEncryption with something else than NULL, Ed25519 with NULL, id-ecPublicKey without a
    // curve.
    let mut rsa = der("rsa.spki");
    let null = rsa.windows(2).position(|pair| pair == [5, 0]).unwrap();
    rsa[null] = 4; // an empty OCTET STRING instead
    refused(Key::from_der(&rsa, Some(Alg::Rs256)), ErrorKind::InvalidKey);
    let ed25519 = der("ed25519.spki");
    let mut with_null = vec![0x30, 0x2c, 0x30, 0x07];
    with_null.extend_from_slice(&ed25519[4..9]);
    with_null.extend_from_slice(&[5, 0]);
    with_null.extend_from_slice(&ed25519[9..]);
    refused(Key::from_der(&with_null, None), ErrorKind::InvalidKey);
    let ec = b"\x30\x0d\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x03\x00";
    refused(Key::from_der(ec, None), ErrorKind::InvalidKey);
}
