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
        ("X509 CRL", ["revoked certificates", "key itself"]),
        ("ATTRIBUTE CERTIFICATE", ["label", "openssl pkey"]),
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
            (&[1; 33], "not as long"),
            (&[1; 16], "not as long"),
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

const SSH: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

#[test]
fn keys_that_something_happened_to_are_named() {
    let hex: String = der("p256.spki").iter().map(|byte| format!("{byte:02x}")).collect();
    let colons: String =
        der("p256.spki").iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let base64 = STANDARD.encode(der("p256.spki"));
    let jwk = load("p256.spki", None).unwrap().to_jwk().unwrap();
    for (text, words) in [
        (format!("{SSH}\\n"), "backslashes"),
        (SSH.replace("E5AAAA", "E5AAAA\n"), "another line"),
        (format!("\"{SSH}\""), "before the SSH key"),
        (format!("no-pty,command=\"x\" {SSH}"), "before the SSH key"),
        (format!("github.com {SSH}"), "before the SSH key"),
        (SSH.replace("ssh-ed25519 ", ""), "without its type"),
        (format!("0x{hex}"), "hexadecimal"),
        (colons, "hexadecimal"),
        (format!("\"{base64}\""), "quotation marks"),
        (format!("'{jwk}'"), "quotation marks"),
        (format!("{jwk:?}"), "quotation marks"),
        (format!("[{jwk}]"), "array of JWKs"),
        (format!("data:application/x-pem-file;base64,{base64}"), "data: URL"),
        ("${KEY}".to_owned(), "placeholder"),
        ("{{ .Values.key }}".to_owned(), "placeholder"),
        ("arn:aws:kms:eu:1:key/x".to_owned(), "secret in a store"),
        ("vault:secret/data/x".to_owned(), "secret in a store"),
        ("s3://b/k".to_owned(), "secret in a store"),
    ] {
        named(text.as_bytes(), "pem", &[words]);
    }
    named(format!("[{jwk}]").as_bytes(), "jwk", &["array of JWKs"]);
    named(b"\x1f\x8b\x08\x00", "pem der jwk", &["gzip"]);
}

#[test]
fn what_stands_in_a_block_is_named() {
    let text = fixture("rsa.pkcs8");
    let lines = |separator: &str| text.replace('\n', separator);
    let quoted: Vec<_> = text.lines().map(|line| format!("\"{line}\\n\"")).collect();
    for (text, words) in [
        (lines("%0A"), "escapes of URLs"),
        (lines("&#10;"), "HTML"),
        (lines("<br>"), "HTML"),
        (lines("\u{a0}\n"), "not ASCII"),
        (lines("\u{200b}\n"), "not ASCII"),
        (quoted.join("\n"), "quotation marks"),
        (
            "-----BEGIN PRIVATE KEY-----\n${KEY}\n-----END PRIVATE KEY-----".to_owned(),
            "placeholder",
        ),
        (text.replace('+', "-").replace("/", "_").replace("_____", "/////"), "base64url"),
    ] {
        named(text.as_bytes(), "pem", &[words]);
    }
}

#[test]
fn requests_and_lists_in_binary_are_named() {
    let key = der("p256.spki");
    let tlv = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        let mut out = vec![tag, u8::try_from(content.len()).unwrap_or(0)];
        if content.len() > 127 {
            out = vec![tag, 0x82, (content.len() >> 8) as u8, (content.len() & 0xFF) as u8];
        }
        out.extend(content);
        out
    };
    let (name, alg, bits) = (b"\x30\x00", b"\x30\x03\x06\x01\x2a", b"\x03\x02\x00\x00");
    let request = tlv(0x30, &[b"\x02\x01\x00", name, &key, b"\xa0\x00"]);
    named(&tlv(0x30, &[&request, alg, bits]), "der", &["request for a certificate", "openssl req"]);
    let time = b"\x17\x0d200101000000Z";
    for version in [&b""[..], b"\x02\x01\x01"] {
        let list = tlv(0x30, &[version, alg, name, time, time]);
        named(&tlv(0x30, &[&list, alg, bits]), "der", &["revoked certificates"]);
    }
}

#[test]
fn the_algorithms_of_a_key_are_named() {
    let error = load("rsa-pss-any.spki", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlgorithmRequired);
    assert!(error.message().contains("PS256") && !error.message().contains("RS256"), "{error}");
    let rsa = load("rsa-pss-256.spki", Some(Alg::Rs256)).unwrap_err();
    assert!(rsa.to_string().contains("PS256"), "{rsa}");
    let jwk = Key::generate(Alg::Rs384).unwrap().to_jwk().unwrap();
    let error = Key::from_jwk(jwk.as_bytes(), Some(Alg::Rs256)).unwrap_err();
    assert!(error.to_string().contains("RS384"), "{error}");
}
