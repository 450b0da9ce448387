//! What is no key, or no key at this door: every error names what was given and what to do.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Every door that the bytes may come to, with what the error must say.
#[track_caller]
fn named(bytes: &[u8], doors: &str, words: &[&str]) {
    let results = [
        ("pem", Key::from_pem(bytes, Some(Alg::Es256))),
        ("der", Key::from_der(bytes, Some(Alg::Es256))),
        ("jwk", Key::from_jwk(bytes, Some(Alg::Es256))),
    ];
    for (door, result) in results {
        if !doors.contains(door) {
            continue;
        }
        let error = result.unwrap_err();
        for word in words {
            assert!(error.message().contains(word), "{door}: {error}, without {word}");
        }
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::InvalidKey | ErrorKind::UnsupportedKey), "{error}");
    }
}

#[test]
fn the_wrong_door_is_named() {
    let text = fixture("p256.spki");
    let one_line = text.replace('\n', r"\n");
    for pem in [text, &one_line, &format!("\u{feff}{text}"), &format!("\"{one_line}\"")] {
        named(pem.as_bytes(), "der", &["This is PEM", "from_pem"]);
    }
    named(text.as_bytes(), "jwk", &["This is PEM", "from_pem"]);
    named(&der("p256.spki"), "pem jwk", &["This is DER", "from_der"]);
    named(&der("rsa.pkcs8"), "pem jwk", &["This is DER", "from_der"]);
    let key = load("p256.spki", None).unwrap();
    let jwk = key.to_jwk().unwrap();
    named(jwk.as_bytes(), "pem der", &["This is a JWK", "from_jwk"]);
    named(format!("\u{feff}\n{jwk}").as_bytes(), "pem der", &["This is a JWK", "from_jwk"]);
    named(format!("\u{feff}{jwk}").as_bytes(), "jwk", &["byte order mark", "without one"]);
    let set = crate::jwk::KeySet::new([key]).unwrap().to_jwks().unwrap();
    named(set.as_bytes(), "pem der jwk", &["This is a JWK Set", "from_jwks"]);
    named(br#"{"a":1}"#, "pem der", &["JSON"]);
}

#[test]
fn encodings_are_named() {
    let text = fixture("p256.pkcs8");
    for words in [STANDARD.encode(text), URL_SAFE_NO_PAD.encode(text)] {
        named(words.as_bytes(), "pem der jwk", &["PEM text in base64", "from_pem"]);
    }
    let lines = STANDARD.encode(text).as_bytes().chunks(76).map(<[u8]>::to_vec).collect::<Vec<_>>();
    named(&lines.join(&b'\n'), "pem der jwk", &["PEM text in base64"]);
    for name in ["rsa.spki", "p256.spki", "ed25519.pkcs8", "p256.certificate"] {
        for words in [STANDARD.encode(der(name)), URL_SAFE_NO_PAD.encode(der(name))] {
            named(words.as_bytes(), "pem der jwk", &["base64 of a key", "from_der"]);
        }
        let hex: String = der(name).iter().map(|byte| format!("{byte:02x}")).collect();
        named(hex.as_bytes(), "pem der jwk", &["hexadecimal", "from_der"]);
    }
    let jwk = load("p256.spki", None).unwrap().to_jwk().unwrap();
    named(STANDARD.encode(&jwk).as_bytes(), "pem der jwk", &["JSON in base64", "from_jwk"]);
    for text in [text, &jwk] {
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in
            [&little, &big, &[b"\xFF\xFE", &little[..]].concat(), &[b"\xFE\xFF", &big[..]].concat()]
        {
            named(bytes, "pem der jwk", &["UTF-16", "UTF-8"]);
        }
    }
}

#[test]
fn places_and_pages_are_named() {
    for path in [
        "key.pem",
        "/etc/ssl/private/key",
        "./key",
        "../keys/a",
        "~/.ssh/id_rsa",
        r"C:\keys\key.pem",
        "keys/signing.json",
        "server.CRT",
        "id_ed25519.pub",
        "file:///etc/key.pem",
    ] {
        named(path.as_bytes(), "pem der jwk", &["path of a file", "content"]);
        named(format!("{path}\n").as_bytes(), "pem der jwk", &["path of a file"]);
    }
    for url in ["https://example.com/jwks.json", "http://example.com/key.pem"] {
        named(url.as_bytes(), "pem der jwk", &["This is a URL", "content"]);
    }
    for page in ["<!DOCTYPE html><html>", "<?xml version='1.0'?>", "  <html>"] {
        named(page.as_bytes(), "pem der jwk", &["HTML or XML"]);
    }
    named(b"<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>", "pem der jwk", &[".NET", "PEM"]);
    named(b"eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "pem der jwk", &["token"]);
    named(b"PuTTY-User-Key-File-3: ssh-rsa\n", "pem der jwk", &["PuTTY", "puttygen"]);
    for nothing in ["", " \n", "\u{feff}"] {
        named(nothing.as_bytes(), "pem der jwk", &["Nothing was given"]);
    }
}

/// As `openssl pkcs12 -export -nokeys`, `openssl crl2pkcs7 -nocrl` and keytool begin.
#[test]
fn containers_are_named_with_the_command_that_opens_them() {
    let pkcs12 = b"\x30\x1a\x02\x01\x03\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x04\x00\x30\x04\x04\x02ab";
    named(pkcs12, "pem der jwk", &["PKCS#12", "openssl pkcs12 -in FILE -nodes"]);
    named(STANDARD.encode(pkcs12).as_bytes(), "pem der jwk", &["PKCS#12"]);
    let pkcs7 = b"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00";
    named(pkcs7, "pem der jwk", &["PKCS#7", "-print_certs"]);
    named(b"\xFE\xED\xFE\xED\0\0\0\x02\0\0\0\x01", "pem der jwk", &["Java key store", "keytool"]);
    named(b"\xCE\xCE\xCE\xCE\0\0\0\x02\0\0\0\x01", "pem der jwk", &["Java key store", "keytool"]);
    for (label, words) in [
        ("PKCS7", ["PKCS#7", "-print_certs"]),
        ("CERTIFICATE REQUEST", ["request", "openssl req"]),
        ("TRUSTED CERTIFICATE", ["TRUSTED", "openssl x509"]),
        ("DSA PRIVATE KEY", ["DSA", "EC or Ed25519"]),
        ("EC PARAMETERS", ["parameters", "without the key"]),
        ("PGP PRIVATE KEY BLOCK", ["OpenPGP", "openssl genpkey"]),
        ("X509 CRL", ["label", "openssl pkey"]),
    ] {
        let text = pem(label, &der("p256.spki"));
        named(text.as_bytes(), "pem", &words);
        named(format!("{text}{}", fixture("p256.pkcs8")).as_bytes(), "pem", &[]);
    }
}

#[test]
fn kinds_of_keys_that_do_not_sign_are_named() {
    named(fixture("ed448.spki").as_bytes(), "pem", &["Ed448", "Ed25519"]);
    named(fixture("x25519.spki").as_bytes(), "pem", &["X25519", "cannot sign"]);
    let dsa = b"\x30\x17\x30\x0f\x06\x07\x2a\x86\x48\xce\x38\x04\x01\x30\x04\x02\x02\x00\x81\x03\x04\x00\x02\x01\x05";
    named(dsa, "der", &["DSA"]);
    for (crv, word) in [("Ed448", "Ed448"), ("X25519", "cannot sign"), ("X448", "cannot sign")] {
        let text = format!(r#"{{"kty":"OKP","crv":"{crv}","x":"AAAA"}}"#);
        named(text.as_bytes(), "jwk", &[word, "Ed25519"]);
    }
    named(br#"{"kty":"oct-HSM","kid":"a"}"#, "jwk", &["HSM"]);
}

#[test]
fn members_of_a_jwk_are_named() {
    let text = Key::generate(Alg::Es256).unwrap().to_private_jwk().unwrap();
    let text = text.expose_str();
    let with = |name: &str, value: &str| {
        let value = format!("\"{name}\":{value}");
        let (before, after) = text.split_once(&format!("\"{name}\":\"")).unwrap();
        let (_, after) = after.split_once('"').unwrap();
        format!("{before}{value}{after}")
    };
    let claim = |text: &str| jwk(text).unwrap_err().claim().unwrap_or_default().to_owned();
    for name in ["kid", "alg", "x", "d", "crv", "kty"] {
        assert_eq!(claim(&with(name, "null")), name);
        assert_eq!(claim(&with(name, "7")), name);
    }
    for name in ["x", "y", "d"] {
        for (octets, word) in [
            (&[0; 33][..], "leading zero octet too many"),
            (&[1; 31], "octet too short"),
            (&[1; 33], "not exactly as long"),
            (&[1; 16], "not exactly as long"),
        ] {
            let bad = with(name, &format!("\"{}\"", URL_SAFE_NO_PAD.encode(octets)));
            assert_eq!(claim(&bad), name);
            assert!(jwk(&bad).unwrap_err().message().contains(word), "{word}");
        }
        assert_eq!(claim(&with(name, "\"AA=\"")), name);
    }
    let rsa = Key::generate(Alg::Rs256).unwrap().to_jwk().unwrap();
    for oth in ["null", "1", "{}"] {
        let error = jwk(&rsa.replace("\"n\":", &format!("\"oth\":{oth},\"n\":"))).unwrap_err();
        assert!(error.message().contains("`oth`") && error.message().contains("array"), "{error}");
    }
    let error =
        jwk(r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlgorithmRequired);
    assert!(error.message().contains("HS256"), "{error}");
}
