//! HMAC secrets: too short, without entropy, or really a key of another kind in some disguise.

use super::*;
use crate::base::b64;
use crate::base::random::SecureRandom as _;
use crate::crypto::random::SystemRandom;
use crate::jwk::KeyOptions;
use crate::jwk::KeySet;
use crate::jwk::disguise;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HS: [(Alg, usize); 3] = [(Alg::Hs256, 32), (Alg::Hs384, 48), (Alg::Hs512, 64)];

fn random(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    SystemRandom.fill(&mut out).unwrap();
    out
}

#[test]
fn secrets_are_as_long_as_the_hash() {
    for (alg, least) in HS {
        for len in [least, least + 1, 128, 64 * 1024] {
            assert!(Key::from_secret(&random(len), alg).is_ok());
        }
        let weak = KeyOptions::new().alg(alg).danger_allow_weak();
        for len in 1..least {
            let secret = random(len);
            refused(Key::from_secret(&secret, alg), ErrorKind::WeakKey);
            let text = format!(r#"{{"kty":"oct","alg":"{alg}","k":"{}"}}"#, b64::encode(&secret));
            refused(jwk(&text), ErrorKind::WeakKey);
            let key = weak.from_secret(&secret).unwrap();
            assert_works_with(&key, &weak.from_jwk(text.as_bytes()).unwrap());
        }
    }
}

#[test]
fn empty_secrets_are_never_accepted() {
    for (alg, _) in HS {
        refused(Key::from_secret(b"", alg), ErrorKind::WeakKey);
        let weak = KeyOptions::new().alg(alg).danger_allow_weak();
        refused(weak.from_secret(b""), ErrorKind::WeakKey);
        refused(weak.from_jwk(br#"{"kty":"oct","k":""}"#), ErrorKind::WeakKey);
        let huge = format!(r#"{{"kty":"oct","k":"{}"}}"#, b64::encode(&random(64 * 1024 + 1)));
        refused(weak.from_jwk(huge.as_bytes()), ErrorKind::InvalidKey);
    }
}

#[test]
fn one_byte_repeated_is_no_secret() {
    for byte in [0, b'a', 0xFF] {
        refused(Key::from_secret(&[byte; 64], Alg::Hs256), ErrorKind::WeakKey);
    }
}

#[test]
fn secrets_are_for_symmetric_algorithms_and_those_for_secrets() {
    for &alg in Alg::ALL.iter().filter(|alg| !alg.is_symmetric()) {
        refused(Key::from_secret(&random(64), alg), ErrorKind::InvalidArgument);
    }
    for (alg, _) in HS {
        for name in ["rsa.spki", "p256.pkcs8", "ed25519.spki"] {
            refused(load(name, Some(alg)), ErrorKind::InvalidKey);
        }
    }
}

/// Keys that an attacker may know, in the forms they are passed around in.
fn exposed() -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for name in [
        "rsa.spki",
        "rsa.pkcs1public",
        "rsa.pkcs8",
        "rsa.pkcs1",
        "rsa.certificate",
        "rsa.encrypted",
        "rsa-pss-256.spki",
        "p256.spki",
        "p256.compressed",
        "p384.sec1",
        "p521.certificate",
        "secp256k1.spki",
        "secp256k1.pkcs8",
        "ed25519.spki",
        "ed25519.pkcs8",
        "ed448.spki",
        "x25519.spki",
        "mldsa44.spki",
        "mldsa65.pkcs8",
        "mldsa87.spki",
        "openssh.private",
    ] {
        let text = fixture(name).to_owned();
        if name != "openssh.private" {
            out.push((format!("{name} DER"), der(name)));
        }
        out.push((format!("{name} CRLF"), text.replace('\n', "\r\n").into_bytes()));
        out.push((format!("{name} one line"), text.replace('\n', "\\n").into_bytes()));
        out.push((format!("{name} LF at the end"), format!("{text}\n").into_bytes()));
        out.push((name.to_owned(), text.into_bytes()));
    }
    let rsa = Key::from_pem(fixture("rsa.spki").as_bytes(), Some(Alg::Rs256)).unwrap();
    for key in [rsa, Key::generate(Alg::Es256).unwrap(), Key::generate(Alg::EdDsa).unwrap()] {
        let jwk = key.to_jwk().unwrap();
        out.push((format!("{} JWK", key.alg()), jwk.clone().into_bytes()));
        out.push((format!("{} JWK array", key.alg()), format!("[{jwk}]").into_bytes()));
        out.push((format!("{} pretty", key.alg()), jwk.replace(':', " : ").into_bytes()));
        out.push((format!("{} Python", key.alg()), jwk.replace('"', "'").into_bytes()));
        out.push((format!("{} in a string", key.alg()), format!("{jwk:?}").into_bytes()));
        let escaped = jwk.replace("kty", r"\u006bty");
        let with = |members: &str| escaped.replacen('{', &format!("{{{members},"), 1);
        for text in [
            escaped.clone(),
            jwk.replace("kty", r"k\u0074\u0079"),
            // What is the same without what is not printable ASCII, and what is too deep then.
            with("\"\u{e9}\":1,\"\u{fc}\":2"),
            with(r#""a b":1,"ab":2"#),
            with(&format!("\"x\":{}\"\u{e9}\"{}", "[".repeat(25), "]".repeat(25))),
            with(r#""x":"\\","y":"%","z":"&quot;""#),
            format!("\"{escaped}\""),
            format!("\"{}\"", escaped.replace('\\', r"\\").replace('"', r#"\""#)),
            jwk.replace('"', "&quot;"),
        ] {
            out.push((format!("{} escaped: {text}", key.alg()), text.into_bytes()));
        }
        let set = KeySet::new([key]).unwrap().to_jwks().unwrap();
        out.push(("JWKS".to_owned(), set.into_bytes()));
    }
    for ssh in [
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 me@host",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0v me@host",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY= x",
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t x",
        "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20 x",
        "ssh-dss AAAAB3NzaC1kc3MAAACBAP1 x",
        "no-pty,command=\"x\" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7",
        "AAAAC3NzaC1lZDI1NTE5AAAAIJ0vAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQAB\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
        "<RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
    ] {
        out.push((ssh.to_owned(), ssh.as_bytes().to_vec()));
    }
    out
}

/// The same bytes behind every disguise.
fn disguises(key: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let wrap = |text: &str, eol: &str| {
        text.as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect::<Vec<_>>()
            .join(eol)
    };
    let standard = STANDARD.encode(key);
    let url = b64::encode(key);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let colons = key.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let mut out = vec![
        ("itself", key.to_vec()),
        ("base64", standard.clone().into_bytes()),
        ("base64 in lines", wrap(&standard, "\n").into_bytes()),
        ("base64 in CRLF lines", wrap(&standard, "\r\n").into_bytes()),
        ("base64 with escaped lines", wrap(&standard, "\\n").into_bytes()),
        ("base64url", url.clone().into_bytes()),
        ("base64 after a name", format!("base64:{standard}").into_bytes()),
        ("base64 after a word", format!("key-{url}").into_bytes()),
        ("base64 twice", STANDARD.encode(&standard).into_bytes()),
        ("base64url of lines", b64::encode(wrap(&standard, "\n").as_bytes()).into_bytes()),
        ("JSON string of base64", format!("\"{standard}\"").into_bytes()),
        ("JSON object of base64url", format!(r#"{{"secret":"{url}"}}"#).into_bytes()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("hex with colons", colons.into_bytes()),
        ("base64 of hex", STANDARD.encode(&hex).into_bytes()),
    ];
    let mut nested = standard.clone();
    (0..3).for_each(|_| nested = STANDARD.encode(&nested));
    out.push(("base64 four times", nested.into_bytes()));
    for (what, text) in [
        ("in quotes", format!("\"{hex}\"")),
        ("after 0x", format!("0x{hex}")),
        ("after 0X", format!("0X{}", hex.to_uppercase())),
        ("after a name", format!("key={hex}")),
        ("after a word of its digits", format!("private: {hex}")),
        ("before a sign", format!("{hex};")),
        ("before a word", format!("{hex} # abcde")),
        ("in JSON", format!(r#"{{"secret":"{hex}"}}"#)),
        ("in quoted lines", wrap(&hex, "\"\n\"")),
        ("in strings that are added", wrap(&hex, "\" +\n  \"")),
    ] {
        out.push((what, text.into_bytes()));
    }
    for (what, before, between) in [
        ("hex with commas", "", ","),
        ("hex with dashes", "", "-"),
        ("hex with spaces", "", " "),
        ("hex of C", "0x", ", "),
        ("hex of escapes", "\\x", ""),
        ("hex of two escapes", "\\\\x", ""),
        ("hex of URLs", "%", ""),
        ("hex of URLs twice", "%25", ""),
        ("hex of JSON", "\\u00", ""),
        ("hex in brackets", "<0x", ">"),
    ] {
        let bytes = key.iter().map(|byte| format!("{before}{byte:02x}"));
        out.push((what, bytes.collect::<Vec<_>>().join(between).into_bytes()));
    }
    let short = key.iter().map(|byte| format!("0x{byte:x}")).collect::<Vec<_>>().join(", ");
    out.push(("hex of C without zeros", format!("{{ {short} }}").into_bytes()));
    let octal: String = key.iter().map(|byte| format!("\\{byte:03o}")).collect();
    out.push(("octal escapes", octal.into_bytes()));
    let html: String = key.iter().map(|byte| format!("&#{byte};")).collect();
    out.push(("HTML", html.into_bytes()));
    out.push(("Python", format!("b'{}'", key.escape_ascii()).into_bytes()));
    for separator in [
        "\\\n",
        "\\n",
        "\\r\\n",
        "\\\\n",
        "\\u000a",
        "&#10;",
        "%0A",
        "|",
        ";",
        ",",
        "\"\n\"",
        "\" +\n  \"",
        "\\n\" +\n  \"",
        "\",\"",
        "<br>",
        "\u{a0}\n",
        "\u{200b}\n",
    ] {
        out.push(("base64 in pieces", format!("\"{}\"", wrap(&standard, separator)).into_bytes()));
    }
    if key.is_ascii() {
        let text = std::str::from_utf8(key).unwrap();
        for prefix in [
            "\u{feff}",
            " ",
            "\n\n",
            "\t",
            "\u{200b}",
            "\u{2060}",
            "# comment\n",
            "x",
            "\0",
            "\u{85}",
        ] {
            out.push(("prefix", format!("{prefix}{text}").into_bytes()));
        }
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        out.push(("UTF-16LE with BOM", [&[0xFF, 0xFE], &little[..]].concat()));
        out.push(("UTF-16BE with BOM", [&[0xFE, 0xFF], &big[..]].concat()));
        out.push(("base64 of UTF-16", STANDARD.encode(&little).into_bytes()));
        out.push(("UTF-16LE", little));
        out.push(("UTF-16BE", big));
        let utf32 = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        out.push(("UTF-32LE", utf32));
        let spread = text.chars().flat_map(|c| [c, '\u{200b}']).collect::<String>();
        out.push(("zero-width spaces between", spread.into_bytes()));
    }
    out
}

#[test]
fn keys_in_every_disguise_are_refused_even_under_danger() {
    for (name, key) in exposed() {
        for (disguise, secret) in disguises(&key) {
            let options = KeyOptions::new().alg(Alg::Hs256).danger_allow_weak();
            let kind = options.from_secret(&secret).err().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::SecretLooksLikeKey), "{name} as {disguise}");
        }
        for (alg, _) in HS {
            refused(Key::from_secret(&key, alg), ErrorKind::SecretLooksLikeKey);
            let text = format!(r#"{{"kty":"oct","alg":"{alg}","k":"{}"}}"#, b64::encode(&key));
            refused(jwk(&text), ErrorKind::SecretLooksLikeKey);
            let set = KeySet::from_jwks(format!(r#"{{"keys":[{text}]}}"#).as_bytes()).unwrap();
            assert_eq!(set.skipped()[0].reason().kind(), ErrorKind::SecretLooksLikeKey);
        }
    }
}

/// What loading a secret costs, as the number of texts that are searched: itself, and what its runs
/// decode to.
#[test]
fn ordinary_secrets_cost_one_look_at_each_of_their_encodings() {
    let looks = |secret: &[u8]| {
        let before = disguise::LOOKS.get();
        disguise::refuse_keys(secret).unwrap();
        disguise::LOOKS.get() - before
    };
    for _ in 0..1000 {
        let secret = random(32);
        assert_eq!(looks(&secret), 1);
        assert_eq!(looks(b64::encode(&secret).as_bytes()), 5);
        assert_eq!(
            looks(
                format!("base64:{}", STANDARD.encode(&secret).replace(['+', '/'], "x")).as_bytes()
            ),
            5
        );
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(looks(hex.as_bytes()), 6);
    }
    // What is made to cost the most is bounded.
    for unit in ["YWFh", "30", "\\u0030", "%30", "MDAw", "0x30,", "AAAAAAAAAAAAAAAAAAAAAAAA."] {
        let long = unit.repeat(64 * 1024 / unit.len());
        assert!(looks(long.as_bytes()) < 20_000, "{unit}");
    }
}

#[test]
fn random_secrets_are_never_refused() {
    let check = |secret: &[u8]| {
        let outcome = disguise::refuse_keys(secret);
        assert!(outcome.is_ok(), "{secret:?}");
    };
    for round in 0..100_000usize {
        let secret = random(32 + round % 97);
        match round % 5 {
            0 => check(&secret),
            1 => check(b64::encode(&secret).as_bytes()),
            2 => check(STANDARD.encode(&secret).as_bytes()),
            3 => check(secret.iter().map(|b| format!("{b:02x}")).collect::<String>().as_bytes()),
            _ => check(&secret.iter().map(|byte| b' ' + byte % 95).collect::<Vec<_>>()),
        }
    }
    for text in [
        "correct horse battery staple correct horse",
        r#"{"secret":"hVb2Q0bZ1mJt8Wq4xUeYcN7rLk3sPdGf"}"#,
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d-9b1deb4d-3b7d-4bad",
        "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        r"50%ofC:\news\x41\u0041&amp;correct horse battery staple",
    ] {
        check(text.as_bytes());
    }
}

/// Every form that the readers take, in every way that a text of it comes in.
#[test]
fn whatever_is_read_as_a_key_is_no_secret() {
    let mut forms: Vec<Vec<u8>> = Vec::new();
    let files = include_str!("../../../tests/vectors/encrypted_keys.txt").split("\n== ").skip(1);
    for text in files.map(|entry| entry.split_once('\n').unwrap().1) {
        forms.push(text.as_bytes().to_vec());
        let text = text.trim_end();
        if let Ok((_, der)) = pem_rfc7468::decode_vec(text.as_bytes()) {
            forms.push(der);
            forms.push(
                text.lines().filter(|line| !line.starts_with('-')).collect::<String>().into(),
            );
        }
    }
    for name in ["p256.pkcs8", "rsa.certificate", "p384.sec1", "ed25519.spki", "mldsa44.pkcs8"] {
        forms.extend(texts::written(fixture(name)).into_iter().map(|(_, text)| text.into()));
    }
    for alg in [Alg::Rs256, Alg::Es256k] {
        let text = Key::generate(alg).unwrap().to_private_jwk().unwrap();
        let text = text.expose_str();
        forms.push(text.replace("\"n\":\"", "\"n\":\"AA").into());
        forms.push(text.replace("RSA", "RSA-HSM").replace("secp256k1", "P-256K").into());
    }
    for form in forms {
        let units: Vec<u16> = String::from_utf8_lossy(&form).encode_utf16().collect();
        let utf16: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let is_text = form.is_ascii();
        for secret in
            [&form, &STANDARD.encode(&form).into_bytes(), if is_text { &utf16 } else { &form }]
        {
            let options = KeyOptions::new().alg(Alg::Hs256).danger_allow_weak();
            let kind = options.from_secret(secret).err().map(|error| error.kind());
            let shown = String::from_utf8_lossy(&form);
            assert_eq!(kind, Some(ErrorKind::SecretLooksLikeKey), "{shown}");
            let text = format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, b64::encode(secret));
            refused(jwk(&text), ErrorKind::SecretLooksLikeKey);
        }
    }
}

#[test]
fn the_place_of_a_secret_is_no_secret() {
    for place in [
        "/etc/keys/x.key",
        "/run/secrets/jwt_hs256_signing_secret",
        "/etc/gatekey/keys/hmacsecretofproduction",
        "./keys/production/hmac-secret-of-2026.key",
        "../keys/production/hmac-secret-of-2026.key",
        "~/keys/production/hmac-secret-of-2026.key",
        r"C:\keys\production\hmac-secret-of-2026.key",
        "file:///etc/keys/production/hmac.key",
        "https://vault.example.com/v1/secret/data/jwt",
        "s3://bucket/keys/production/hmac-secret-of-2026",
    ] {
        for text in [place.to_owned(), format!("{place}\n")] {
            let options = KeyOptions::new().alg(Alg::Hs256).danger_allow_weak();
            let error = options.from_secret(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidKey, "{text}");
            assert!(error.message().contains("content"), "{error}");
            let text =
                format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, b64::encode(text.as_bytes()));
            refused(jwk(&text), ErrorKind::InvalidKey);
        }
    }
    for secret in [
        "/hVb2Q0bZ1mJt8Wq4xUeYcN7rLk3sPdGfhVb2Q0bZ1m=",
        "/hVb2Q0bZ1mJt/8Wq4xUeYcN7r/Lk3sPdGfhVb2Q0bZ1",
        "./#hVb2Q0bZ1mJt8Wq4xUeYcN7rLk3sPdGf",
        "hVb2Q0bZ1m://Jt8Wq4xUeYcN7rLk3sPdGf",
        "correct horse battery staple correct horse",
    ] {
        Key::from_secret(secret.as_bytes(), Alg::Hs256).unwrap();
    }
}
