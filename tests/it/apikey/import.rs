//! Keys of other systems: the values below were made with Python's hashlib, bcrypt, argon2-cffi,
//! Django and passlib.

use super::{bench, refused, text};
use gatekey::apikey::{Check, ImportRow, ImportScheme, KeyFilter, KeySpec};
use gatekey::store::Loaded;
use gatekey::{ErrorKind, Secret};

const KEY: &str = "abcd1234.SecretPartOfTheLegacyKey42";
const SHA256: &str = "f53887b41c32347d2a38a0370bdb6bc2be053591adbd910d52992d8749adc5aa";
const SHA256_OF_PART: &str = "16f0d25ac7a6b7bade3cc5fa5527a9b40498198a3c76928f49c69cad151f951e";
const SHA512: &str = "7819fcc75ee1abf92636eb292ab0de0d7fb45b4a8c1e4cd67851ce7ae52d76e0ac3daa2291d7e191ff51e6edb07d87b11b2c1db6fddbb72d2bd6fcbd6de8ed67";
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuQiPmdsxUh1zEvgyI4K1CmfhVBzUiUNO";
const ARGON2: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$F3v0QQ1hm5nTVXm9H7P06AoPZm0+Q0S0yojN5JYXXXk";
const PBKDF2: &str = "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=";
const BCRYPT_SHA256: &str =
    "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuSMXYS/R5H8IEKGjLhAX1potFBlK.VYy";
const PASSLIB: &str =
    "$pbkdf2-sha256$1000$c2FsdHlzYWx0$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8";

fn row(credential: &str, lookup: Option<&str>) -> ImportRow {
    ImportRow {
        spec: KeySpec::new("acme"),
        credential: Secret::new(credential.as_bytes().to_vec()),
        lookup: lookup.map(Into::into),
    }
}

#[test]
fn every_scheme_is_verified_and_upgraded() {
    let drf = format!("sha512$${SHA512}");
    let django_argon2 = format!("argon2{ARGON2}");
    for (scheme, credential, lookup) in [
        (ImportScheme::Plaintext, KEY, None),
        (ImportScheme::Plaintext, KEY, Some("abcd1234")),
        (ImportScheme::Sha256Hex, SHA256, None),
        (ImportScheme::Sha256Hex, &*SHA256.to_uppercase(), None),
        (ImportScheme::Sha256Hex, SHA256, Some("abcd1234")),
        (ImportScheme::Sha256Hex, SHA256_OF_PART, Some("abcd1234")),
        (ImportScheme::Sha256Base64, "9TiHtBwyNH0qOKA3C9trwr4FNZGtvZENUpkth0mtxao=", None),
        (ImportScheme::Sha256Base64, "9TiHtBwyNH0qOKA3C9trwr4FNZGtvZENUpkth0mtxao", None),
        (ImportScheme::Sha512Hex, SHA512, None),
        (ImportScheme::DrfApiKey, &*drf, Some("abcd1234")),
        (ImportScheme::DrfApiKey, &*drf, None),
        (ImportScheme::DrfApiKey, PBKDF2, Some("abcd1234")),
        (ImportScheme::Bcrypt, BCRYPT, Some("abcd1234")),
        (ImportScheme::Bcrypt, BCRYPT_SHA256, Some("abcd1234")),
        (ImportScheme::Argon2, ARGON2, Some("abcd1234")),
        (ImportScheme::Argon2, &*django_argon2, Some("abcd1234")),
        (ImportScheme::Pbkdf2Sha256, PBKDF2, Some("abcd1234")),
        (ImportScheme::Pbkdf2Sha256, PASSLIB, Some("abcd1234")),
    ] {
        let what = format!("{} {credential} {lookup:?}", scheme.name());
        let bench = bench();
        let report = bench.keys.import(scheme, &[row(credential, lookup)]).unwrap();
        assert_eq!((report.imported, &report.rejected[..]), (1, &[][..]), "{what}");
        assert_eq!(ImportScheme::from_name(scheme.name()).unwrap(), scheme);
        for wrong in [
            "abcd1234.SecretPartOfTheLegacyKey43",
            "abcd1234.",
            "abcd1234",
            "SecretPartOfTheLegacyKey42",
            "abcd1235.SecretPartOfTheLegacyKey42",
        ] {
            let error = bench.keys.verify(wrong, &Check::new()).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::MalformedApiKey | ErrorKind::BadApiKeySecret),
                "{what}: {wrong}: {error:?}"
            );
        }
        let id = bench.keys.verify(KEY, &Check::new()).expect(&what).key_id().to_owned();
        assert_eq!(report.ids, std::slice::from_ref(&id), "{what}");
        let slow = !matches!(stored(&bench).scheme, 16 | 17);
        bench.keys.flush().unwrap();
        assert_eq!(
            stored(&bench).scheme,
            if slow { 16 } else { stored(&bench).scheme },
            "{what}: upgraded"
        );
        assert!(stored(&bench).params.is_empty(), "{what}");
        assert!(bench.keys.verify(KEY, &Check::new()).is_ok(), "{what}: after the upgrade");
        assert!(bench.keys.verify("abcd1234.SecretPartOfTheLegacyKey43", &Check::new()).is_err());
        // The key may get a text of ours.
        refused(bench.keys.rotate(&id, 60), ErrorKind::InvalidArgument, &what);
        let own = bench.keys.rotate(&id, 0).unwrap();
        assert_eq!(bench.keys.verify(text(&own), &Check::new()).expect(&what).key_id(), id);
        assert!(bench.keys.verify(KEY, &Check::new()).is_err(), "{what}: the old text is over");
    }
}

fn stored(bench: &super::Bench) -> gatekey::store::Proof {
    let mut proof = None;
    bench
        .store
        .load_api_keys(&mut |loaded| {
            if let Loaded::Key(key) = loaded {
                proof = Some(key.proof)
            }
        })
        .unwrap();
    proof.unwrap()
}

#[test]
fn no_digest_is_kept_without_a_pepper() {
    for (scheme, credential, lookup) in [
        (ImportScheme::Sha256Hex, SHA256, None),
        (ImportScheme::Argon2, ARGON2, Some("abcd1234")),
        (ImportScheme::Bcrypt, BCRYPT, Some("abcd1234")),
    ] {
        let bench = bench();
        bench.keys.import(scheme, &[row(credential, lookup)]).unwrap();
        let proof = stored(&bench);
        let tail = credential.rsplit('$').next().unwrap();
        assert!(!proof.params.contains(&tail[tail.len() - 10..]), "{}", proof.params);
        let hex: String = proof.mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_ne!(hex, SHA256);
    }
}

#[test]
fn what_has_ended_elsewhere_has_ended_here() {
    let bench = bench();
    let keys =
        ["legacy-key-of-one-owner-1", "legacy-key-of-one-owner-2", "legacy-key-of-one-owner-3"];
    let mut rows = keys.map(|key| row(key, None));
    rows[0].spec.revoked = true;
    rows[1].spec.expires_at = Some(super::NOW - 1);
    rows[2].spec.expires_at = Some(super::NOW + 60);
    let report = bench.keys.import(ImportScheme::Plaintext, &rows).unwrap();
    assert_eq!(report.imported, 3);
    refused(bench.keys.verify(keys[0], &Check::new()), ErrorKind::ApiKeyRevoked, "revoked");
    refused(bench.keys.verify(keys[1], &Check::new()), ErrorKind::ApiKeyExpired, "expired");
    let last = bench.keys.verify(keys[2], &Check::new()).unwrap();
    assert_eq!(last.expires_at(), Some(super::NOW + 60));
    let record = bench.keys.get(&report.ids[0]).unwrap();
    assert_eq!((record.status.name(), record.revoked_at), ("revoked", Some(super::NOW)));
    refused(bench.keys.enable(&report.ids[0]), ErrorKind::InvalidArgument, "for good");
}

#[test]
fn one_bad_row_imports_nothing() {
    let bench = bench();
    for (scheme, credential, lookup) in [
        (ImportScheme::Plaintext, "short", None),
        (ImportScheme::Plaintext, &*"x".repeat(513), None),
        (ImportScheme::Sha256Hex, &SHA256[1..], None),
        (ImportScheme::Sha256Hex, &*SHA256.replace('f', "g"), None),
        (ImportScheme::Sha256Base64, SHA256, None),
        (ImportScheme::Sha512Hex, SHA256, None),
        (ImportScheme::DrfApiKey, SHA512, None),
        (ImportScheme::Bcrypt, BCRYPT, None),
        (ImportScheme::Bcrypt, &*BCRYPT.replace("$04$", "$17$"), Some("a")),
        (ImportScheme::Bcrypt, &*BCRYPT.replace("$2b$", "$3b$"), Some("a")),
        (ImportScheme::Bcrypt, &BCRYPT[..50], Some("a")),
        (ImportScheme::Argon2, ARGON2, None),
        (ImportScheme::Argon2, &*ARGON2.replace("m=64", "m=262145"), Some("a")),
        (ImportScheme::Argon2, &*ARGON2.replace("t=1", "t=17"), Some("a")),
        (ImportScheme::Argon2, &*ARGON2.replace("v=19", "v=16"), Some("a")),
        (ImportScheme::Argon2, &*ARGON2.replace("argon2id", "argon2x"), Some("a")),
        (ImportScheme::Pbkdf2Sha256, &*PBKDF2.replace("$1000$", "$10000001$"), Some("a")),
        (ImportScheme::Pbkdf2Sha256, &*PBKDF2.replace("$1000$", "$0$"), Some("a")),
        (ImportScheme::Pbkdf2Sha256, "", Some("a")),
        (ImportScheme::Sha256Hex, SHA256, Some("")),
        (ImportScheme::Sha256Hex, SHA256, Some("a b")),
        (ImportScheme::Sha256Hex, SHA256, Some("a.b.c.d.e.f.g")),
    ] {
        let what = format!("{} {credential} {lookup:?}", scheme.name());
        let good = row(credential_of(scheme), Some("good"));
        let report = bench.keys.import(scheme, &[good, row(credential, lookup)]).unwrap();
        assert_eq!((report.imported, report.rejected.len()), (0, 1), "{what}");
        let (at, error) = &report.rejected[0];
        assert_eq!((*at, error.kind()), (1, ErrorKind::InvalidArgument), "{what}");
        assert!(
            credential.len() < 20 || !error.to_string().contains(credential),
            "{what}: {error}"
        );
    }
    assert_eq!(bench.keys.list(&KeyFilter::default()).unwrap().records, []);
    refused(ImportScheme::from_name("md5"), ErrorKind::InvalidArgument, "md5");
}

fn credential_of(scheme: ImportScheme) -> &'static str {
    match scheme {
        ImportScheme::Plaintext => KEY,
        ImportScheme::Sha256Hex => SHA256_OF_PART,
        ImportScheme::Sha256Base64 => "9TiHtBwyNH0qOKA3C9trwr4FNZGtvZENUpkth0mtxao=",
        ImportScheme::Bcrypt => BCRYPT,
        ImportScheme::Argon2 => ARGON2,
        _ if scheme == ImportScheme::Sha512Hex => SHA512,
        _ => PBKDF2,
    }
}

#[test]
fn importing_again_reports_what_is_there() {
    let bench = bench();
    let rows: Vec<_> = (0..700).map(|n| row(&format!("legacy-key-number-{n}"), None)).collect();
    let report = bench.keys.import(ImportScheme::Plaintext, &rows[..600]).unwrap();
    assert_eq!(report.imported, 600);
    let report = bench.keys.import(ImportScheme::Plaintext, &rows).unwrap();
    assert_eq!((report.imported, report.rejected.len()), (100, 600));
    assert!(report.rejected.iter().all(|(_, error)| error.kind() == ErrorKind::StoreConflict));
    for n in [0, 599, 699] {
        assert!(bench.keys.verify(format!("legacy-key-number-{n}"), &Check::new()).is_ok());
    }
    let twice = [row("the-same-key", None), row("the-same-key", None)];
    let report = bench.keys.import(ImportScheme::Plaintext, &twice).unwrap();
    assert_eq!((report.imported, report.rejected[0].0), (0, 1));
}

#[test]
fn a_key_of_another_gatekey_stays_what_it_is() {
    let (old, new) = (bench(), bench());
    let issued = old.create(|_| ());
    let report = new.keys.import(ImportScheme::Plaintext, &[row(&text(&issued), None)]).unwrap();
    assert_eq!(report.ids, std::slice::from_ref(&issued.record.id));
    assert_eq!(new.keys.verify(text(&issued), &Check::new()).unwrap().key_id(), issued.record.id);
}

/// bcrypt reads 72 bytes; a longer key would pass with any ending.
#[test]
fn bcrypt_does_not_ignore_what_it_cannot_read() {
    let bench = bench();
    bench.keys.import(ImportScheme::Bcrypt, &[row(BCRYPT, Some("abcd1234"))]).unwrap();
    let long = format!("abcd1234.{}", "x".repeat(80));
    refused(bench.keys.verify(&long, &Check::new()), ErrorKind::BadApiKeySecret, "long");
    refused(
        bench.keys.verify(format!("{KEY}\0"), &Check::new()),
        ErrorKind::BadApiKeySecret,
        "NUL",
    );
}

#[test]
fn progress_grows_to_the_number_of_rows() {
    let bench = bench();
    let rows: Vec<_> = (0..1234).map(|n| row(&format!("legacy-key-{n:04}"), None)).collect();
    let mut seen = Vec::new();
    let mut import = |rows: &[ImportRow]| {
        bench.keys.import_with(ImportScheme::Plaintext, rows, &mut |done| seen.push(done))
    };
    assert_eq!(import(&rows).unwrap().imported, 1234);
    // Again: every row is done, by being rejected.
    assert_eq!(import(&rows).unwrap().rejected.len(), 1234);
    // Nothing is done at all if a row is not acceptable.
    assert_eq!(import(&[row("short", None)]).unwrap().imported, 0);
    assert_eq!(seen, [500, 1000, 1234, 500, 1000, 1234, 1]);
}
