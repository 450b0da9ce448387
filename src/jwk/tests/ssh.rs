//! OpenSSH's keys: private ones, lines of public ones, and RFC 4716.

use super::encrypted::{bytes, file};
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const TYPES: [(&str, Option<Alg>, Alg); 5] = [
    ("ed25519", None, Alg::EdDsa),
    ("ecdsa256", None, Alg::Es256),
    ("ecdsa384", None, Alg::Es384),
    ("ecdsa521", None, Alg::Es512),
    ("rsa2048", Some(Alg::Rs256), Alg::Rs256),
];

#[test]
fn the_three_files_of_ssh_keygen_hold_one_key() {
    for (name, alg, bound) in TYPES {
        let private = Key::from_pem(file(&format!("ssh.{name}")).as_bytes(), alg).unwrap();
        assert_eq!(private.alg(), bound);
        assert!(private.is_private());
        let line = file(&format!("ssh.{name}.pub"));
        let rfc4716 = file(&format!("ssh.{name}.rfc4716"));
        let (kind, rest) = line.split_once(' ').unwrap();
        let base64 = rest.split(' ').next().unwrap();
        for text in [
            line.to_owned(),
            line.trim_end().to_owned(),
            line.replace('\n', "\r\n"),
            format!("\u{feff}{line}"),
            format!("# my key\n\n  {line}\n"),
            format!("{kind} {base64}"),
            format!("{kind}\t {base64} a comment with words"),
            rfc4716.to_owned(),
            rfc4716.replace('\n', "\r\n"),
            format!("text before\n{rfc4716}"),
            rfc4716.replacen(
                "Comment:",
                "Subject: me\nx-long: one \\\n two \\\n three: 3\nComment:",
                1,
            ),
        ] {
            let public = Key::from_pem(text.as_bytes(), alg);
            let public = public.unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(public.thumbprint(), private.thumbprint(), "{text}");
            assert!(!public.is_private());
            assert_works_with(&private, &public);
        }
    }
    let ours = fixture("openssh.private");
    assert_eq!(Key::from_pem(ours.as_bytes(), None).unwrap().alg(), Alg::EdDsa);
    refused(Key::from_pem(file("ssh.rsa2048").as_bytes(), None), ErrorKind::AlgorithmRequired);
    refused(Key::from_pem(file("ssh.ed25519").as_bytes(), Some(Alg::Es256)), ErrorKind::InvalidKey);
}

/// A string of SSH: its length and its bytes.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn line(kind: &str, parts: &[&[u8]]) -> String {
    let blob: Vec<u8> = parts.iter().flat_map(|part| string(part)).collect();
    format!("{kind} {} me@host", STANDARD.encode(blob))
}

#[test]
fn lines_that_are_no_key_for_tokens_are_named() {
    for (text, words) in [
        (line("ssh-dss", &[b"ssh-dss", b"\x07"]), "DSA"),
        (
            line("sk-ssh-ed25519@openssh.com", &[b"sk-ssh-ed25519@openssh.com", b"x"]),
            "security key",
        ),
        (
            line("ssh-ed25519-cert-v01@openssh.com", &[b"ssh-ed25519-cert-v01@openssh.com"]),
            "certificate",
        ),
        (line("ssh-ed448", &[b"ssh-ed448", b"x"]), "type of the SSH key"),
    ] {
        let error = Key::from_pem(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedKey, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
    let (one, other) = (file("ssh.ed25519.pub"), file("ssh.ecdsa256.pub"));
    refused(Key::from_pem(format!("{one}\n{other}").as_bytes(), None), ErrorKind::InvalidKey);
    let (one, other) = (file("ssh.ed25519.rfc4716"), file("ssh.ecdsa256.rfc4716"));
    refused(Key::from_pem(format!("{one}\n{other}").as_bytes(), None), ErrorKind::InvalidKey);
}

#[test]
fn malformed_lines_are_refused() {
    let good = file("ssh.ed25519.pub");
    let point = [7; 32];
    for text in [
        "ssh-ed25519".to_owned(),
        "ssh-ed25519 ".to_owned(),
        "ssh-ed25519 AAAA".to_owned(),
        good.replacen("ssh-ed25519", "ssh-rsa", 1),
        good.replacen("AAAA", "AAA", 1),
        good.replacen("AAAA", "BAAA", 1),
        line("ssh-ed25519", &[b"ssh-ed25519", &point, b"more"]),
        line("ssh-ed25519", &[b"ssh-ed25519", &point[1..]]),
        line("ssh-rsa", &[b"ssh-rsa", b"\x03"]),
        line("ssh-rsa", &[b"ssh-rsa", b"\x00\x03", &[0x7F; 256]]),
        line("ssh-rsa", &[b"ssh-rsa", b"\x03", &[0xFF; 256]]),
        line("ssh-rsa", &[b"ssh-rsa", b"\x03", b""]),
        line("ecdsa-sha2-nistp256", &[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 97]]),
        line("ecdsa-sha2-nistp256", &[b"ecdsa-sha2-nistp256", b"nistp256", &[4; 64]]),
        line("ecdsa-sha2-nistp256", &[b"ecdsa-sha2-nistp256", b"", &[4; 65]]),
    ] {
        let result = Key::from_pem(text.as_bytes(), text.contains("rsa").then_some(Alg::Rs256));
        refused(result, ErrorKind::InvalidKey);
    }
}

#[test]
fn private_files_hold_one_key_whose_halves_belong_together() {
    let document = bytes(file("ssh.ed25519"));
    // The public key stands three times: outside, before the private key, and in it.
    let key = Key::from_pem(file("ssh.ed25519").as_bytes(), None).unwrap();
    let der = bytes(&key.to_pem().unwrap());
    let point = &der[der.len() - 32..];
    let places: Vec<_> =
        (0..document.len() - 31).filter(|&at| document[at..at + 32] == *point).collect();
    assert_eq!(places.len(), 3);
    for at in places {
        let mut mixed = document.clone();
        mixed[at] ^= 1;
        let text = pem("OPENSSH PRIVATE KEY", &mixed);
        refused(Key::from_pem(text.as_bytes(), None), ErrorKind::KeyPairMismatch);
    }
    let change = |find: &[u8], put: &[u8]| {
        let at = document.windows(find.len()).position(|window| window == find).unwrap();
        let mut changed = document.clone();
        changed.splice(at..at + find.len(), put.iter().copied()).for_each(drop);
        Key::from_pem(pem("OPENSSH PRIVATE KEY", &changed).as_bytes(), None)
    };
    refused(change(b"openssh-key-v1", b"openssh-key-v2"), ErrorKind::InvalidKey);
    refused(change(b"\0\0\0\x01\0\0\0\x33", b"\0\0\0\x02\0\0\0\x33"), ErrorKind::InvalidKey);
    refused(change(b"me@host\x01", b"me@host\x02"), ErrorKind::InvalidKey);
    refused(change(b"\0\0\0\x07me@host", b"\0\0\0\x08me@host"), ErrorKind::InvalidKey);
    refused(
        change(b"\0\0\0\x04none\0\0\0\x04none", b"\0\0\0\x04none\0\0\0\x06bcrypt"),
        ErrorKind::InvalidKey,
    );
    refused(Key::from_pem(pem("OPENSSH PRIVATE KEY", b"").as_bytes(), None), ErrorKind::InvalidKey);
    // A block of padding more than is needed, as the Python package cryptography writes it.
    let (mut padded, at) = (document.clone(), document.len() - 148);
    assert_eq!(padded[at..at + 4], [0, 0, 0, 144], "the length of the private section");
    padded[at + 3] += 8;
    padded.extend(7..15);
    let text = pem("OPENSSH PRIVATE KEY", &padded);
    assert_eq!(Key::from_pem(text.as_bytes(), None).unwrap().thumbprint(), key.thumbprint());
    *padded.last_mut().unwrap() = 15;
    let text = pem("OPENSSH PRIVATE KEY", &padded);
    refused(Key::from_pem(text.as_bytes(), None), ErrorKind::InvalidKey);
}

/// The line of an Ed25519 key.
fn line_of(key: &Key) -> String {
    let jwk = key.to_jwk().unwrap();
    let (_, x) = jwk.split_once("\"x\":\"").unwrap();
    let x = crate::base::b64::decode(&x.as_bytes()[..43]).unwrap();
    let blob = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &x].concat();
    format!("ssh-ed25519 {}", STANDARD.encode(blob))
}

#[test]
fn what_stands_beside_pem_is_the_same_key() {
    let key = load("ed25519.pkcs8", None).unwrap();
    let other = Key::generate(Alg::EdDsa).unwrap();
    let (own, others) = (line_of(&key), line_of(&other));
    assert_eq!(Key::from_pem(own.as_bytes(), None).unwrap().thumbprint(), key.thumbprint());
    for name in ["ed25519.pkcs8", "ed25519.spki", "ed25519.certificate"] {
        let pem = fixture(name);
        let jwk = other.to_jwk().unwrap();
        for (beside, refusal) in [
            (own.clone(), false),
            (format!("{own} me@host"), false),
            (key.to_jwk().unwrap(), false),
            (key.to_private_jwk().unwrap().expose_str().to_owned(), false),
            ("# my key, see AAAA".to_owned(), false),
            (others.clone(), true),
            (format!("{others} me@host"), true),
            (format!("no-pty {others}"), true),
            (format!("\"{others}\""), true),
            (format!("{own}\n{others}"), true),
            (own.replace("AAAAI", "AAAAA"), true),
            (jwk.clone(), true),
            (format!("{{\"keys\":[{jwk}]}}"), true),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), true),
        ] {
            for text in [format!("{pem}\n{beside}\n"), format!("{beside}\n{pem}")] {
                let read = Key::from_pem(text.as_bytes(), None);
                if refusal {
                    refused(read, ErrorKind::KeyPairMismatch);
                } else {
                    assert_eq!(read.unwrap().thumbprint(), key.thumbprint(), "{text}");
                }
            }
        }
    }
}
