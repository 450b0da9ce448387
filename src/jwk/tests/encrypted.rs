//! Private keys under a passphrase: PKCS#8 and OpenSSH's format, with the right passphrase, a wrong
//! one and none.

use super::*;
use crate::jwk::KeyOptions;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PASSPHRASE: &str = "correct horse";

/// Which key each file holds.
const FILES: [(&str, &str); 27] = [
    ("pkcs8.pbkdf2-hmacWithSHA1", "p256.pkcs8"),
    ("pkcs8.pbkdf2-hmacWithSHA256", "p256.pkcs8"),
    ("pkcs8.pbkdf2-hmacWithSHA384", "p256.pkcs8"),
    ("pkcs8.pbkdf2-hmacWithSHA512", "p256.pkcs8"),
    ("pkcs8.aes-128-cbc", "ed25519.pkcs8"),
    ("pkcs8.aes-192-cbc", "ed25519.pkcs8"),
    ("pkcs8.rsa-as-openssl-does", "rsa.pkcs8"),
    ("pkcs8.scrypt", "p256.pkcs8"),
    ("pkcs8.aes-128-gcm", "p256.pkcs8"),
    ("pkcs8.aes-192-gcm", "p256.pkcs8"),
    ("pkcs8.aes-256-gcm", "p256.pkcs8"),
    ("ssh.ed25519.encrypted", "ssh.ed25519"),
    ("ssh.ecdsa256.encrypted", "ssh.ecdsa256"),
    ("ssh.ecdsa384.encrypted", "ssh.ecdsa384"),
    ("ssh.ecdsa521.encrypted", "ssh.ecdsa521"),
    ("ssh.rsa2048.encrypted", "ssh.rsa2048"),
    ("ssh.ed25519.encrypted.aes128-ctr", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes192-ctr", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes128-cbc", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes192-cbc", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes256-cbc", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes128-gcm@openssh.com", "ssh.ed25519"),
    ("ssh.ed25519.encrypted.aes256-gcm@openssh.com", "ssh.ed25519"),
    // The same keys, not encrypted: the passphrase is not looked at.
    ("p256.pkcs8", "p256.pkcs8"),
    ("ssh.ecdsa521", "ecdsa521.same"),
    ("ssh.rsa2048", "rsa2048.same"),
    ("ssh.ed25519", "ssh.ed25519"),
];

/// An entry of `encrypted_keys.txt`.
pub(super) fn file(name: &str) -> &'static str {
    let entries = include_str!("../../../tests/vectors/encrypted_keys.txt").split("\n== ").skip(1);
    let mut entries = entries.filter_map(|entry| entry.split_once('\n'));
    entries.find(|(entry, _)| *entry == name).unwrap_or_else(|| panic!("no file {name}")).1
}

/// What the base64 of a text holds, whatever the width of its lines.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).unwrap()
}

fn is_encrypted(text: &str) -> bool {
    let none = STANDARD.encode("openssh-key-v1\0\0\0\0\x04none");
    !text.contains("BEGIN PRIVATE") && !text.replace('\n', "").contains(&none[..28])
}

fn options(name: &str) -> KeyOptions {
    let options = KeyOptions::new();
    if name.contains("rsa") { options.alg(Alg::Rs256) } else { options }
}

fn open(name: &str, text: &[u8], passphrase: &str) -> Result<Key> {
    options(name).passphrase(passphrase).from_pem(text)
}

#[test]
fn every_form_opens_with_its_passphrase_alone() {
    for (name, same) in FILES {
        let text = file(name);
        let expected = options(name).from_pem(file(same).as_bytes()).unwrap();
        let key = open(name, text.as_bytes(), PASSPHRASE);
        let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            key.to_private_jwk().unwrap().expose(),
            expected.to_private_jwk().unwrap().expose()
        );
        assert_works_with(&key, &expected.public().unwrap());
        for (what, text) in texts::written(text) {
            let key = open(name, text.as_bytes(), PASSPHRASE);
            assert_eq!(key.unwrap().thumbprint(), expected.thumbprint(), "{name}, {what}");
        }
        if !is_encrypted(text) {
            continue;
        }
        refused(options(name).from_pem(text.as_bytes()), ErrorKind::PassphraseRequired);
        refused(open(name, text.as_bytes(), ""), ErrorKind::PassphraseRequired);
        for wrong in
            ["correct hors", "correct horse ", "correct horse\n", "Correct horse", "\0", "é"]
        {
            refused(open(name, text.as_bytes(), wrong), ErrorKind::WrongPassphrase);
        }
        refused(open(name, text.as_bytes(), &"x".repeat(1025)), ErrorKind::InvalidArgument);
    }
}

#[test]
fn encrypted_pkcs8_is_read_as_der_too() {
    for (name, _) in FILES.iter().filter(|(name, _)| name.starts_with("pkcs8.")) {
        let der = bytes(file(name));
        let key = options(name).passphrase(PASSPHRASE).from_der(&der).unwrap();
        assert!(key.is_private());
        refused(options(name).from_der(&der), ErrorKind::PassphraseRequired);
    }
}

#[test]
fn the_passphrase_is_shown_nowhere() {
    let options = KeyOptions::new().passphrase(PASSPHRASE);
    assert!(!format!("{options:?}").contains("horse"), "{options:?}");
    let error = open("", file("pkcs8.scrypt").as_bytes(), "wrong horse").unwrap_err();
    assert!(!format!("{error:?}").contains("horse"), "{error:?}");
}

#[test]
fn old_and_unknown_encryption_is_named_with_the_command_that_renews_it() {
    for (name, words) in [
        ("refused.des3", "openssl pkcs8 -topk8 -v2 aes-256-cbc"),
        ("refused.pbe-sha1-3des", "openssl pkcs8 -topk8 -v2 aes-256-cbc"),
        ("refused.sha224", "openssl pkcs8 -topk8"),
        ("ssh.ed25519.encrypted.chacha20-poly1305@openssh.com", "ssh-keygen -p -Z aes256-ctr"),
        ("ssh.ed25519.encrypted.3des-cbc", "ssh-keygen -p -Z aes256-ctr"),
    ] {
        for result in [
            open(name, file(name).as_bytes(), PASSPHRASE),
            Key::from_pem(file(name).as_bytes(), None),
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedKey, "{name}: {error}");
            assert!(error.message().contains(words), "{name}: {error}");
        }
    }
}

#[test]
fn costs_are_bounded_before_they_are_paid() {
    let error = open("", file("costly.pbkdf2").as_bytes(), PASSPHRASE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedKey);
    assert!(error.to_string().contains("10,000,000") && error.to_string().contains("10000001"));
    // N stands in the file as 02 01 10; what is written in its place cannot be paid.
    let mut scrypt = bytes(file("pkcs8.scrypt"));
    let at = scrypt.windows(6).position(|six| six == b"\x02\x01\x10\x02\x01\x08").unwrap();
    scrypt.splice(at..at + 6, *b"\x02\x01\x10\x02\x01\x7f").for_each(drop);
    let read = |der: &[u8]| KeyOptions::new().passphrase(PASSPHRASE).from_der(der);
    refused(read(&scrypt), ErrorKind::WrongPassphrase);
    scrypt.splice(at + 2..at + 3, *b"\x03").for_each(drop);
    refused(read(&scrypt), ErrorKind::InvalidKey);
    // Rounds stand behind the salt of 16 bytes in OpenSSH's files.
    let text = file("ssh.ed25519.encrypted");
    let der = bytes(text);
    let at = der.windows(8).position(|eight| eight == b"\0\0\0\x18\0\0\0\x10").unwrap() + 24;
    for (rounds, kind) in [
        (0u32, ErrorKind::InvalidKey),
        (1, ErrorKind::WrongPassphrase),
        (1001, ErrorKind::UnsupportedKey),
        (u32::MAX, ErrorKind::UnsupportedKey),
    ] {
        let mut der = der.clone();
        der[at..at + 4].copy_from_slice(&rounds.to_be_bytes());
        let text = pem("OPENSSH PRIVATE KEY", &der);
        refused(open("", text.as_bytes(), PASSPHRASE), kind);
    }
}

#[test]
fn a_certificate_may_stand_beside_an_encrypted_key() {
    let other = fixture("p256.certificate");
    let text = format!("{}{other}", file("pkcs8.scrypt"));
    refused(open("", text.as_bytes(), PASSPHRASE), ErrorKind::KeyPairMismatch);
    refused(Key::from_pem(text.as_bytes(), None), ErrorKind::PassphraseRequired);
    let public = open("", file("pkcs8.scrypt").as_bytes(), PASSPHRASE).unwrap().to_pem().unwrap();
    let text = format!("{public}{}", file("pkcs8.scrypt"));
    assert!(open("", text.as_bytes(), PASSPHRASE).unwrap().is_private());
}

/// Changes of an encrypted file never panic, cost little, and never make another key where the file
/// holds its public half, too, inside or beside it.
#[test]
fn changed_files_make_no_other_key() {
    for name in [
        "pkcs8.scrypt",
        "pkcs8.aes-256-gcm",
        "ssh.ed25519.encrypted",
        "ssh.ecdsa256",
        "ssh.rsa2048",
    ] {
        let expected = open(name, file(name).as_bytes(), PASSPHRASE).unwrap();
        let der = bytes(file(name));
        let label =
            if name.starts_with("ssh") { "OPENSSH PRIVATE KEY" } else { "ENCRYPTED PRIVATE KEY" };
        let step = 8 * der.len() / 200;
        // More rounds of bcrypt are slow, and tried above.
        let rounds = der.windows(8).position(|eight| eight == b"\0\0\0\x18\0\0\0\x10");
        let is_cost =
            |at: usize| rounds.is_some_and(|start| (start + 24..start + 28).contains(&at));
        for bit in (0..8 * der.len()).step_by(step.max(1) | 1) {
            if is_cost(bit / 8) {
                continue;
            }
            let mut changed = der.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(key) = open(name, pem(label, &changed).as_bytes(), PASSPHRASE) {
                assert_eq!(key.thumbprint(), expected.thumbprint(), "{name}, bit {bit}");
            }
        }
        for len in (0..der.len()).step_by(7) {
            assert!(
                open(name, pem(label, &der[..len]).as_bytes(), PASSPHRASE).is_err(),
                "{name}, {len}"
            );
        }
    }
}
