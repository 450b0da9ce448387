//! Verification: the order of the checks, one reason each, and what a refusal leaves alone.

use super::{NOW, bench, refused, text};
use gatekey::apikey::{Check, CreditSpec, KeyUpdate, Rate};
use gatekey::{Error, ErrorKind};

#[test]
fn every_reason_of_refusal() {
    let bench = bench();
    let free = bench.create(|_| ());
    let ip = "192.0.2.1".parse().unwrap();
    let cases = [
        (
            bench.create(|s| s.not_before = Some(NOW + 10)),
            Check::new(),
            ErrorKind::ApiKeyNotYetValid,
        ),
        (
            bench.create(|s| s.cidrs = vec!["10.0.0.0/8".into()]),
            Check::new().ip(ip),
            ErrorKind::ApiKeyAddress,
        ),
        (
            bench.create(|s| s.cidrs = vec!["10.0.0.0/8".into()]),
            Check::new(),
            ErrorKind::ApiKeyAddress,
        ),
        (
            bench.create(|s| s.scopes = vec!["read".into()]),
            Check::new().scopes(&["read", "write"]),
            ErrorKind::InsufficientScope,
        ),
        (bench.create(|_| ()), Check::new().scopes(&["read"]), ErrorKind::InsufficientScope),
        (
            bench.create(|s| s.scopes = vec!["reader".into()]),
            Check::new().scopes(&["read"]),
            ErrorKind::InsufficientScope,
        ),
        (
            bench.create(|s| s.scopes = vec!["read".into()]),
            Check::new().scopes(&[""]),
            ErrorKind::InvalidArgument,
        ),
        (bench.create(|_| ()), Check::new().scopes(&[""]), ErrorKind::InvalidArgument),
        (
            bench.create(|s| s.scopes = vec!["read".into(), "write".into()]),
            Check::new().scopes(&["read write"]),
            ErrorKind::InvalidArgument,
        ),
        (
            bench.create(|s| s.rate = Some(Rate { burst: 1, period: 60 })),
            Check::new().cost(2),
            ErrorKind::RateLimited,
        ),
        (
            bench.create(|s| s.credits = Some(CreditSpec::default())),
            Check::new(),
            ErrorKind::CreditsExhausted,
        ),
        (
            bench.create(|s| s.tenant = "t1".into()),
            Check::new().tenant("t2"),
            ErrorKind::UnknownApiKey,
        ),
        (bench.create(|_| ()), Check::new().tenant("t"), ErrorKind::UnknownApiKey),
    ];
    for (issued, check, kind) in cases {
        refused(bench.keys.verify(text(&issued), &check), kind, &format!("{kind:?} {check:?}"));
    }
    for (change, kind) in [(true, ErrorKind::ApiKeyDisabled), (false, ErrorKind::ApiKeyRevoked)] {
        let issued = bench.create(|_| ());
        let id = &issued.record.id;
        if change {
            bench.keys.disable(id, "why").unwrap()
        } else {
            bench.keys.revoke(id, "why").unwrap()
        };
        refused(bench.keys.verify(text(&issued), &Check::new()), kind, "status");
    }
    let expiring = bench.create(|s| s.expires_in = Some(10));
    bench.clock.advance(9);
    assert!(bench.keys.verify(text(&expiring), &Check::new()).is_ok());
    bench.clock.advance(1);
    refused(
        bench.keys.verify(text(&expiring), &Check::new()),
        ErrorKind::ApiKeyExpired,
        "exp == now",
    );
    assert!(bench.keys.verify(text(&free), &Check::new()).is_ok());
}

#[test]
fn the_caller_learns_no_more_than_that_the_key_is_not_valid() {
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    let other = text(&bench.create(|_| ()));
    // The id of one with the secret of the other is found out by the checksum first.
    let crossed = format!("{}{}", &key[..20], &other[20..]);
    let messages: Vec<String> =
        [ErrorKind::MalformedApiKey, ErrorKind::UnknownApiKey, ErrorKind::BadApiKeySecret]
            .map(|kind| Error::from(kind).to_string())
            .to_vec();
    assert!(messages.windows(2).all(|pair| pair[0] == pair[1]), "{messages:?}");
    let error =
        refused(bench.keys.verify(&crossed, &Check::new()), ErrorKind::MalformedApiKey, "crossed");
    assert_eq!(error.public_message(), messages[0]);
    assert!(!format!("{error:?}{error}").contains(&key[20..]), "{error:?}");
}

/// A key that fails several checks at once is refused for the first.
#[test]
fn the_checks_have_an_order() {
    let bench = bench();
    let issued = bench.create(|s| {
        s.expires_in = Some(10);
        s.tenant = "t1".into();
        s.cidrs = vec!["10.0.0.0/8".into()];
        s.rate = Some(Rate { burst: 1, period: 60 });
        s.credits = Some(CreditSpec { amount: 0, ..CreditSpec::default() });
    });
    let (key, id) = (text(&issued), &issued.record.id);
    let wrong_ip = "192.0.2.1".parse().unwrap();
    let all_wrong = Check::new().tenant("t2").ip(wrong_ip).scopes(&["x"]).cost(2);
    bench.keys.disable(id, "").unwrap();
    bench.clock.advance(10);
    let mut seen = Vec::new();
    let mut see = |check: &Check<'_>| seen.push(bench.keys.verify(&key, check).unwrap_err().kind());
    see(&all_wrong);
    bench.keys.enable(id).unwrap();
    see(&all_wrong);
    let later = KeyUpdate { expires_at: Some(None), ..KeyUpdate::default() };
    bench.keys.update(id, &later).unwrap();
    see(&all_wrong);
    see(&all_wrong.tenant("t1"));
    let right_ip = "10.1.2.3".parse().unwrap();
    see(&all_wrong.tenant("t1").ip(right_ip));
    see(&all_wrong.tenant("t1").ip(right_ip).scopes(&[]));
    see(&all_wrong.tenant("t1").ip(right_ip).scopes(&[]).cost(1));
    assert_eq!(
        seen,
        [
            ErrorKind::ApiKeyDisabled,
            ErrorKind::ApiKeyExpired,
            ErrorKind::UnknownApiKey,
            ErrorKind::ApiKeyAddress,
            ErrorKind::InsufficientScope,
            ErrorKind::RateLimited,
            ErrorKind::CreditsExhausted,
        ]
    );
}

#[test]
fn nothing_is_consumed_by_a_refusal() {
    let bench = bench();
    let issued = bench.create(|s| {
        s.rate = Some(Rate { burst: 3, period: 60 });
        s.credits = Some(CreditSpec { amount: 2, ..CreditSpec::default() });
        s.scopes = vec!["read".into()];
    });
    let key = text(&issued);
    for _ in 0..10 {
        refused(
            bench.keys.verify(&key, &Check::new().scopes(&["write"])),
            ErrorKind::InsufficientScope,
            "scope",
        );
        refused(bench.keys.verify(&key, &Check::new().cost(4)), ErrorKind::RateLimited, "cost");
        refused(
            bench.keys.verify(&key, &Check::new().cost(3)),
            ErrorKind::CreditsExhausted,
            "credits",
        );
        assert!(bench.keys.verify(&key, &Check::new().cost(0)).is_ok());
    }
    assert!(bench.keys.verify(&key, &Check::new().cost(2)).is_ok());
    let error =
        refused(bench.keys.verify(&key, &Check::new()), ErrorKind::CreditsExhausted, "spent");
    assert_eq!(error.retry_after(), None, "nothing refills");
}

#[test]
fn a_key_cannot_be_carried_into_another_environment() {
    let bench = bench();
    let live = bench.create(|_| ());
    let options = gatekey::apikey::ApiKeyOptions::new().env("test").clock(bench.clock.clone());
    let test = gatekey::ApiKeys::open(bench.store.clone(), super::pepper(&[1]), options).unwrap();
    refused(test.verify(text(&live), &Check::new()), ErrorKind::UnknownApiKey, "live key in test");
    let own = test.create(&gatekey::apikey::KeySpec::new("acme")).unwrap();
    assert!(test.verify(text(&own), &Check::new()).is_ok());
    refused(
        bench.keys.verify(text(&own), &Check::new()),
        ErrorKind::UnknownApiKey,
        "test key in live",
    );
}

#[test]
fn the_grant_tells_whose_key_it_is() {
    let bench = bench();
    let issued = bench.create(|s| {
        s.owner = "Ærø & co".into();
        s.name = "CI".into();
        s.tenant = "north".into();
        s.scopes = vec!["write".into(), "read".into(), "read".into()];
        s.meta = r#"{"plan": "gold"}"#.into();
        s.expires_in = Some(3600);
    });
    let check = Check::new().scopes(&["read", "write"]).tenant("north");
    let grant = bench.keys.verify(text(&issued), &check).unwrap();
    assert_eq!(
        (grant.owner(), grant.tenant(), grant.scopes()),
        ("Ærø & co", "north", "read write")
    );
    assert_eq!(grant.expires_at(), Some(NOW + 3600));
    let mut record = grant.record();
    assert_eq!(record.meta, r#"{"plan": "gold"}"#);
    assert_eq!((record.created_at, record.version, record.uses), (NOW, 1, 1));
    (record.uses, record.last_used_at) = (0, None);
    assert_eq!(record, issued.record);
    assert!(!format!("{grant:?} {:?} {issued:?}", bench.keys).contains(&text(&issued)[21..]));
}

#[test]
fn addresses_are_compared_as_what_they_are() {
    let bench = bench();
    let key = text(&bench.create(|s| {
        s.cidrs = vec!["10.0.0.0/8".into(), "2001:db8::/32".into(), "192.0.2.7".into()];
    }));
    for (ip, good) in [
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("9.255.255.255", false),
        ("::ffff:10.1.1.1", true),
        ("::ffff:11.1.1.1", false),
        ("::10.1.1.1", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("::ffff:c000:207", true),
    ] {
        let check = Check::new().ip(ip.parse().unwrap());
        assert_eq!(bench.keys.verify(&key, &check).is_ok(), good, "{ip}");
    }
    let v6_written_v4 = text(&bench.create(|s| s.cidrs = vec!["::ffff:10.0.0.0/104".into()]));
    let check = Check::new().ip("10.9.9.9".parse().unwrap());
    assert!(bench.keys.verify(v6_written_v4, &check).is_ok());
    let all = text(&bench.create(|s| s.cidrs = vec!["0.0.0.0/0".into()]));
    assert!(bench.keys.verify(&all, &check).is_ok());
    refused(
        bench.keys.verify(&all, &Check::new().ip("::1".parse().unwrap())),
        ErrorKind::ApiKeyAddress,
        "v6",
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn an_unreachable_store_is_bridged_for_a_while_and_no_longer() {
    let folder = super::Folder::new("bridged");
    let lost = |name: &str, at: &dyn Fn(&super::Bench)| {
        let path = folder.path(name);
        let mark = &gatekey::store::Mark::None;
        let store = gatekey::store::SqliteStore::open_with(&path, mark).unwrap();
        let bench = super::bench_on(std::sync::Arc::new(store));
        at(&bench);
        std::fs::rename(&path, folder.path("moved")).unwrap();
        bench
    };
    let key = std::cell::OnceCell::new();
    let bench = lost("a.sqlite", &|bench| key.set(text(&bench.create(|_| ()))).unwrap());
    let key = key.get().unwrap();
    assert!(bench.keys.verify(key, &Check::new()).is_ok());
    bench.clock.advance(30);
    assert!(bench.keys.verify(key, &Check::new()).is_ok(), "within max_stale");
    bench.clock.advance(1);
    let error =
        refused(bench.keys.verify(key, &Check::new()), ErrorKind::StoreUnavailable, "beyond");
    assert!(error.is_unavailable() && error.kind().http_status() == 503);
    refused(
        bench.keys.create(&gatekey::apikey::KeySpec::new("a")),
        ErrorKind::StoreUnavailable,
        "create",
    );
    // What is not in memory cannot be told from what came a moment ago.
    let fresh = lost("b.sqlite", &|_| ());
    let stranger = text(&super::bench().create(|_| ()));
    refused(fresh.keys.verify(&stranger, &Check::new()), ErrorKind::StoreUnavailable, "unknown id");
    // What was closed is the program's mistake, and bridged no longer than that.
    let closed = super::bench();
    closed.store.close().unwrap();
    refused(closed.keys.verify(&stranger, &Check::new()), ErrorKind::InvalidArgument, "closed");
    closed.clock.advance(31);
    refused(closed.keys.verify(&stranger, &Check::new()), ErrorKind::InvalidArgument, "later");
}

#[test]
fn strict_mode_never_bridges() {
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    let options = gatekey::apikey::ApiKeyOptions::new().strict(true).clock(bench.clock.clone());
    let strict = gatekey::ApiKeys::open(bench.store.clone(), super::pepper(&[1]), options).unwrap();
    assert!(strict.verify(&key, &Check::new()).is_ok());
    // No time passes between the revocation elsewhere and the next look.
    bench.keys.revoke(&key[8..20], "").unwrap();
    refused(strict.verify(&key, &Check::new()), ErrorKind::ApiKeyRevoked, "at once");
    bench.store.close().unwrap();
    refused(strict.verify(&key, &Check::new()), ErrorKind::InvalidArgument, "strict");
}

#[test]
fn closed_keys_verify_nothing() {
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    bench.keys.close().unwrap();
    bench.keys.close().unwrap();
    refused(bench.keys.verify(&key, &Check::new()), ErrorKind::InvalidArgument, "closed");
}
