//! Documents that encoders have written otherwise than the RFCs ask, and that hold an honest key:
//! certificates with odd fields, scalars of another length, parameters left out.

use super::*;

/// One element of DER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7F => out.push(u8::try_from(short).unwrap()),
        len @ 0x80..=0xFF => out.extend_from_slice(&[0x81, u8::try_from(len).unwrap()]),
        len => {
            let len = u16::try_from(len).unwrap().to_be_bytes();
            out.extend_from_slice(&[&[0x82], &len[..]].concat());
        }
    }
    out.extend_from_slice(content);
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

const RSA_OID: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const SIGNED_WITH: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const NAME: &[u8] = b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x61";
const DATES: &[u8] = b"\x30\x1e\x17\x0d250101000000Z\x17\x0d350101000000Z";

/// A certificate around a key, with these fields; its signature is nonsense, which nobody checks.
fn certificate(serial: &[u8], dates: &[u8], extensions: &[u8], key: &[u8]) -> Vec<u8> {
    let version: &[u8] = b"\xa0\x03\x02\x01\x02";
    let fields =
        sequence(&[version, &tlv(2, serial), SIGNED_WITH, NAME, dates, NAME, key, extensions]);
    sequence(&[&fields, SIGNED_WITH, b"\x03\x02\x00\x01"])
}

#[test]
fn of_a_certificate_only_the_key_is_read() {
    let key = der("p256.spki");
    let expected = load("p256.spki", None).unwrap().thumbprint();
    let extension = |inside: &[u8]| tlv(0xA3, &sequence(&[&sequence(&[inside])]));
    let basic_constraints = |truth: u8| {
        extension(&[b"\x06\x03\x55\x1d\x13\x01\x01", &[truth][..], b"\x04\x02\x30\x00"].concat())
    };
    let long_oid = extension(&[&tlv(6, &[0x81; 60]), &b"\x04\x00"[..]].concat());
    let dates = |from: &[u8]| sequence(&[from, b"\x17\x0d350101000000Z"]);
    for (what, document) in [
        ("plain", certificate(b"\x01", DATES, b"", &key)),
        ("zero serial", certificate(b"\x00", DATES, b"", &key)),
        ("negative serial", certificate(b"\xff\x01", DATES, b"", &key)),
        ("padded serial", certificate(b"\x00\x00\x01", DATES, b"", &key)),
        ("serial of 26 bytes", certificate(&[7; 26], DATES, b"", &key)),
        ("no seconds", certificate(b"\x01", &dates(b"\x17\x0b2501010000Z"), b"", &key)),
        ("before 1970", certificate(b"\x01", &dates(b"\x17\x0d650101000000Z"), b"", &key)),
        ("1901", certificate(b"\x01", &dates(b"\x18\x0f19010101000000Z"), b"", &key)),
        ("offset", certificate(b"\x01", &dates(b"\x17\x112501010000+0100Z"), b"", &key)),
        ("TRUE = FF", certificate(b"\x01", DATES, &basic_constraints(0xFF), &key)),
        ("TRUE = 01", certificate(b"\x01", DATES, &basic_constraints(1), &key)),
        ("long OID", certificate(b"\x01", DATES, &long_oid, &key)),
        ("unique ids", certificate(b"\x01", DATES, b"\x81\x02\x00\x01", &key)),
    ] {
        let loaded = Key::from_der(&document, None);
        let loaded = loaded.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(loaded.thumbprint(), expected, "{what}");
        let text = pem("CERTIFICATE", &document);
        assert_eq!(Key::from_pem(text.as_bytes(), None).unwrap().thumbprint(), expected, "{what}");
    }
    // Not the shape of a certificate: no key is looked for elsewhere.
    let without_key = sequence(&[b"\x02\x01\x01", SIGNED_WITH, NAME, DATES, NAME]);
    let good = certificate(b"\x01", DATES, b"", &key);
    for document in [
        sequence(&[&without_key, SIGNED_WITH, b"\x03\x02\x00\x01"]),
        sequence(&[&sequence(&[&key]), SIGNED_WITH, b"\x03\x02\x00\x01"]),
        certificate(b"\x01", NAME, &key, NAME),
        // A second key behind the first, other fields there, and fields twice or in another order.
        certificate(b"\x01", DATES, &key, &key),
        certificate(b"\x01", DATES, b"\x05\x00", &key),
        certificate(b"\x01", DATES, b"\x84\x02\x00\x01", &key),
        certificate(b"\x01", DATES, b"\x82\x02\x00\x01\x81\x02\x00\x01", &key),
        certificate(b"\x01", DATES, b"\xa3\x02\x30\x00\xa3\x02\x30\x00", &key),
        certificate(b"\x01", b"\x04\x00", b"", &key),
        [&good[..], b"\0"].concat(),
        good[..good.len() - 4].to_vec(),
    ] {
        let text = pem("CERTIFICATE", &document);
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
    }
}

#[test]
fn rsa_identifiers_without_null_say_the_same() {
    let bare = tlv(0x30, RSA_OID);
    let public = sequence(&[&bare, &tlv(3, &[&[0], &der("rsa.pkcs1public")[..]].concat())]);
    let private = sequence(&[b"\x02\x01\x00", &bare, &tlv(4, &der("rsa.pkcs1"))]);
    let alg = Some(Alg::Rs256);
    let expected = load("rsa.spki", alg).unwrap().thumbprint();
    for document in [&public, &private, &certificate(b"\x01", DATES, b"", &public)] {
        assert_eq!(Key::from_der(document, alg).unwrap().thumbprint(), expected);
    }
    assert!(Key::from_der(&private, alg).unwrap().is_private());
    let wrong = sequence(&[RSA_OID, b"\x30\x00"]);
    let public = sequence(&[&wrong, &tlv(3, &[&[0], &der("rsa.pkcs1public")[..]].concat())]);
    refused(Key::from_der(&public, alg), ErrorKind::InvalidKey);
}

#[test]
fn the_salt_of_pss_parameters_is_a_minimum() {
    let sha256: &[u8] = b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00";
    let mgf1 = sequence(&[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08", sha256]);
    let key = |salt: &[u8]| {
        let parameters = sequence(&[&tlv(0xA0, sha256), &tlv(0xA1, &mgf1), salt]);
        let pss: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
        let identifier = sequence(&[pss, &parameters]);
        sequence(&[b"\x02\x01\x00", &identifier, &tlv(4, &der("rsa.pkcs1"))])
    };
    // 20 is what is meant where nothing is said.
    for salt in
        [&b""[..], b"\xa2\x03\x02\x01\x00", b"\xa2\x03\x02\x01\x1f", b"\xa2\x03\x02\x01\x20"]
    {
        let loaded = Key::from_der(&key(salt), None).unwrap();
        assert_eq!(loaded.alg(), Alg::Ps256);
        assert_works_with(&loaded, &loaded.public().unwrap());
        refused(Key::from_der(&key(salt), Some(Alg::Rs256)), ErrorKind::KeyUsage);
        refused(Key::from_der(&key(salt), Some(Alg::Ps512)), ErrorKind::KeyUsage);
    }
    for salt in [&b"\xa2\x03\x02\x01\x21"[..], b"\xa2\x03\x02\x01\x7f"] {
        refused(Key::from_der(&key(salt), None), ErrorKind::UnsupportedKey);
    }
}

/// A SEC1 document, and the PKCS#8 document around one without its curve.
fn scalar(curve: &[u8], octets: &[u8]) -> [Vec<u8>; 2] {
    let head: [&[u8]; 2] = [b"\x02\x01\x01", &tlv(4, octets)];
    let sec1 = sequence(&[head[0], head[1], &tlv(0xA0, curve)]);
    let ec: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    let pkcs8 = sequence(&[b"\x02\x01\x00", &sequence(&[ec, curve]), &tlv(4, &sequence(&head))]);
    [sec1, pkcs8]
}

#[test]
fn scalars_in_der_may_lack_their_zeros_or_have_one_too_many() {
    for (curve, alg, len) in [
        (&b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"[..], Alg::Es256, 32),
        (b"\x06\x05\x2b\x81\x04\x00\x22", Alg::Es384, 48),
        (b"\x06\x05\x2b\x81\x04\x00\x23", Alg::Es512, 66),
        (b"\x06\x05\x2b\x81\x04\x00\x0a", Alg::Es256k, 32),
    ] {
        let mut full = vec![0x11; len];
        full[..3].fill(0);
        let [expected, _] = scalar(curve, &full);
        let expected = Key::from_der(&expected, None).unwrap();
        assert_eq!(expected.alg(), alg);
        let longer = [&[0], &full[..]].concat();
        for octets in [&full[1..], &full[2..], &full[3..], &longer] {
            for document in scalar(curve, octets) {
                let key = Key::from_der(&document, None).unwrap();
                assert_eq!(key.thumbprint(), expected.thumbprint(), "{alg}, {}", octets.len());
                let (key, expected) = (key.to_private_jwk(), expected.to_private_jwk());
                assert_eq!(key.unwrap().expose(), expected.unwrap().expose());
            }
        }
        let odd = [&[1], &full[..]].concat();
        let two = [&[0, 0], &full[..]].concat();
        for octets in [&odd, &two, &full[5..], &full[..0], &vec![0; len], &vec![0xFF; len + 1]] {
            for document in scalar(curve, octets) {
                refused(Key::from_der(&document, None), ErrorKind::InvalidKey);
            }
        }
    }
}

#[test]
fn curves_that_are_spelled_out_are_named_in_every_container() {
    let field = sequence(&[b"\x06\x07\x2a\x86\x48\xce\x3d\x01\x01", b"\x02\x01\x17"]);
    for filler in [b"\x04\x01\x01".to_vec(), tlv(4, &[1; 90]), tlv(4, &[1; 200]), tlv(4, &[1; 300])]
    {
        let spelled_out = sequence(&[b"\x02\x01\x01", &field, &filler, b"\x02\x01\x01"]);
        let [sec1, pkcs8] = scalar(&spelled_out, &[7; 32]);
        for (document, label) in [(sec1, "EC PRIVATE KEY"), (pkcs8, "PRIVATE KEY")] {
            let error = Key::from_der(&document, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedKey, "{error}");
            assert!(error.message().contains("-param_enc named_curve"), "{error}");
            let error = Key::from_pem(pem(label, &document).as_bytes(), None).unwrap_err();
            assert!(error.message().contains("-param_enc named_curve"), "{error}");
        }
    }
}
