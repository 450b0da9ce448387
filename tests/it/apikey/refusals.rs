//! What a refusal tells the service: which key it was, if and only if the secret was proved; and, of an old secret in
//! its overlap, why the key is refused.

use super::{NOW, bench, refused, text};
use gatekey::apikey::{Check, CreditSpec, ImportRow, ImportScheme, IssuedKey, KeySpec, Rate};
use gatekey::{ApiKeys, ErrorKind, Secret};

type Spec = fn(&mut KeySpec);
type Prepare = fn(&ApiKeys, &IssuedKey);

#[test]
fn a_key_that_proved_itself_is_named_by_its_refusal() {
    let nothing: Prepare = |_, _| ();
    let ip = "192.0.2.1".parse().unwrap();
    let cases: [(ErrorKind, Spec, Check<'_>, Prepare); 10] = [
        (
            ErrorKind::ApiKeyDisabled,
            |_| (),
            Check::new(),
            |keys, key| {
                keys.disable(&key.record.id, "").unwrap();
            },
        ),
        (
            ErrorKind::ApiKeyRevoked,
            |_| (),
            Check::new(),
            |keys, key| {
                keys.revoke(&key.record.id, "").unwrap();
            },
        ),
        (ErrorKind::ApiKeyExpired, |s| s.expires_in = Some(10), Check::new(), nothing),
        (ErrorKind::ApiKeyNotYetValid, |s| s.not_before = Some(NOW + 90), Check::new(), nothing),
        (ErrorKind::ApiKeyAddress, |s| s.cidrs = vec!["10.0.0.0/8".into()], Check::new(), nothing),
        (
            ErrorKind::ApiKeyAddress,
            |s| s.cidrs = vec!["10.0.0.0/8".into()],
            Check::new().ip(ip),
            nothing,
        ),
        (ErrorKind::InsufficientScope, |_| (), Check::new().scopes(&["x"]), nothing),
        (ErrorKind::UnknownApiKey, |_| (), Check::new().tenant("other"), nothing),
        (
            ErrorKind::RateLimited,
            |s| s.rate = Some(Rate { burst: 1, period: 60 }),
            Check::new().cost(2),
            nothing,
        ),
        (
            ErrorKind::CreditsExhausted,
            |s| s.credits = Some(CreditSpec::default()),
            Check::new(),
            nothing,
        ),
    ];
    for (kind, spec, check, prepare) in cases {
        let bench = bench();
        let key = bench.create(spec);
        let id = key.record.id.clone();
        prepare(&bench.keys, &key);
        if kind == ErrorKind::ApiKeyExpired {
            bench.clock.advance(10);
        }
        let error = refused(bench.keys.verify(text(&key), &check), kind, kind.name());
        assert_eq!(error.api_key_id(), Some(&*id), "{kind:?} {check:?}");
        // Nobody who only knows the id learns that.
        let wrong = wrong_secret(&key);
        let error =
            refused(bench.keys.verify(wrong, &check), ErrorKind::BadApiKeySecret, kind.name());
        assert_eq!(error.api_key_id(), None, "{kind:?}");
    }
    let (bench, other) = (bench(), bench());
    for (text, kind) in [
        ("", ErrorKind::MissingCredentials),
        ("nonsense", ErrorKind::MalformedApiKey),
        (&*text(&other.create(|_| ())), ErrorKind::UnknownApiKey),
    ] {
        assert_eq!(refused(bench.keys.verify(text, &Check::new()), kind, text).api_key_id(), None);
    }
}

/// A key of the same id with another secret.
fn wrong_secret(key: &IssuedKey) -> String {
    let bench = bench();
    let row = ImportRow {
        spec: KeySpec::new("x"),
        credential: Secret::new(text(key).into_bytes()),
        lookup: None,
    };
    let ids = bench.keys.import(ImportScheme::Plaintext, &[row]).unwrap().ids;
    text(&bench.keys.rotate(&ids[0], 0).unwrap())
}

#[test]
fn an_imported_key_that_proved_itself_is_named_too() {
    let bench = bench();
    let mut spec = KeySpec::new("acme");
    spec.scopes = vec!["read".into()];
    let row = ImportRow {
        spec,
        credential: Secret::new(b"legacy.secret-part".to_vec()),
        lookup: Some("legacy".into()),
    };
    let ids = bench.keys.import(ImportScheme::Plaintext, &[row]).unwrap().ids;
    let check = Check::new().scopes(&["write"]);
    let error =
        refused(bench.keys.verify("legacy.secret-part", &check), ErrorKind::InsufficientScope, "");
    assert_eq!(error.api_key_id(), Some(&*ids[0]));
    let error =
        refused(bench.keys.verify("legacy.secret-wrong", &check), ErrorKind::BadApiKeySecret, "");
    assert_eq!(error.api_key_id(), None);
}

#[test]
fn an_old_secret_in_its_overlap_is_told_the_true_reason() {
    let cases: [(ErrorKind, Prepare); 3] = [
        (ErrorKind::ApiKeyRevoked, |keys, key| {
            keys.revoke(&key.record.id, "leaked").unwrap();
        }),
        (ErrorKind::ApiKeyDisabled, |keys, key| {
            keys.disable(&key.record.id, "").unwrap();
        }),
        (ErrorKind::ApiKeyExpired, |_, _| ()),
    ];
    for (kind, prepare) in cases {
        let bench = bench();
        let old = bench.create(|s| s.expires_in = Some(100));
        let new = bench.keys.rotate(&old.record.id, 600).unwrap();
        prepare(&bench.keys, &new);
        if kind == ErrorKind::ApiKeyExpired {
            bench.clock.advance(100);
        }
        let other = bench.reopen(&[1]).unwrap();
        for keys in [&bench.keys, &other] {
            for key in [&old, &new] {
                let error = refused(keys.verify(text(key), &Check::new()), kind, kind.name());
                assert_eq!(error.api_key_id(), Some(&*old.record.id));
            }
            refused(
                keys.verify(wrong_secret(&old), &Check::new()),
                ErrorKind::BadApiKeySecret,
                "neither of the two",
            );
        }
        bench.clock.advance(600);
        let other = bench.reopen(&[1]).unwrap();
        for keys in [&bench.keys, &other] {
            let error = refused(
                keys.verify(text(&old), &Check::new()),
                ErrorKind::BadApiKeySecret,
                "after the overlap",
            );
            assert_eq!(error.api_key_id(), None);
        }
    }
}
