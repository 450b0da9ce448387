//! Changes to keys: what each does, what it refuses, and what the audit says of it.

use super::{Bench, NOW, bench, refused, text};
use gatekey::apikey::{
    AuditFilter, Check, CreditSpec, KeyFilter, KeySpec, KeyStatus, KeyUpdate, Rate,
};
use gatekey::{ApiKeys, ErrorKind};

fn works(bench: &Bench, key: &str) -> bool {
    bench.keys.verify(key, &Check::new()).is_ok()
}

#[test]
fn rotation_keeps_the_id_and_overlaps() {
    let bench = bench();
    let first = bench.create(|s| s.scopes = vec!["read".into()]);
    let id = &first.record.id;
    let second = bench.keys.rotate(id, 60).unwrap();
    assert_eq!(second.record.id, *id);
    assert_eq!(
        (second.record.rotated_at, second.record.overlap_until),
        (Some(NOW), Some(NOW + 60))
    );
    assert_eq!(second.record.scopes, ["read"]);
    assert_ne!(text(&first), text(&second));
    assert!(works(&bench, &text(&first)) && works(&bench, &text(&second)));
    bench.clock.advance(59);
    assert!(works(&bench, &text(&first)));
    bench.clock.advance(1);
    refused(
        bench.keys.verify(text(&first), &Check::new()),
        ErrorKind::BadApiKeySecret,
        "overlap is over",
    );
    assert!(works(&bench, &text(&second)));
    // Only the last one before is kept, and an overlap of 0 ends it at once.
    let third = bench.keys.rotate(id, 60).unwrap();
    let fourth = bench.keys.rotate(id, 60).unwrap();
    refused(
        bench.keys.verify(text(&second), &Check::new()),
        ErrorKind::BadApiKeySecret,
        "two before",
    );
    assert!(works(&bench, &text(&third)));
    let fifth = bench.keys.rotate(id, 0).unwrap();
    refused(
        bench.keys.verify(text(&fourth), &Check::new()),
        ErrorKind::BadApiKeySecret,
        "no overlap",
    );
    assert!(works(&bench, &text(&fifth)) && fifth.record.overlap_until.is_none());
    refused(bench.keys.rotate(id, 90 * 86_400 + 1), ErrorKind::InvalidArgument, "too long");
    assert!(works(&bench, &text(&fifth)), "a refused rotation changes nothing");
}

#[test]
fn a_revoked_key_stays_revoked() {
    let bench = bench();
    let issued = bench.create(|_| ());
    let id = &issued.record.id;
    let rotated = bench.keys.rotate(id, 600).unwrap();
    let record = bench.keys.revoke(id, "leaked").unwrap();
    assert_eq!(
        (record.status, record.revoked_at, &*record.reason),
        (KeyStatus::Revoked, Some(NOW), "leaked")
    );
    for key in [text(&issued), text(&rotated)] {
        let error = bench.keys.verify(key, &Check::new()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ApiKeyRevoked | ErrorKind::BadApiKeySecret),
            "{error:?}"
        );
    }
    refused(bench.keys.enable(id), ErrorKind::InvalidArgument, "enable");
    refused(bench.keys.disable(id, ""), ErrorKind::InvalidArgument, "disable");
    refused(bench.keys.rotate(id, 0), ErrorKind::InvalidArgument, "rotate");
    let update = KeyUpdate { name: Some("x".into()), ..KeyUpdate::default() };
    refused(bench.keys.update(id, &update), ErrorKind::InvalidArgument, "update");
    assert_eq!(bench.keys.revoke(id, "again").unwrap(), record, "revoking twice changes nothing");
}

#[test]
fn disabling_can_be_undone() {
    let bench = bench();
    let issued = bench.create(|_| ());
    let (key, id) = (text(&issued), &issued.record.id);
    assert_eq!(bench.keys.disable(id, "unpaid").unwrap().reason, "unpaid");
    assert!(!works(&bench, &key));
    assert_eq!(bench.keys.enable(id).unwrap().status, KeyStatus::Active);
    assert!(works(&bench, &key));
}

#[test]
fn unknown_ids_are_told() {
    let bench = bench();
    for id in ["", "AAAAAAAAAAAA", "AAAAAAAAAAA", "AAAAAAAAAAAA1", "'; DROP TABLE", "AAAAAAAAAAA\0"]
    {
        refused(bench.keys.get(id), ErrorKind::ApiKeyNotFound, id);
        refused(bench.keys.rotate(id, 0), ErrorKind::ApiKeyNotFound, id);
        refused(bench.keys.revoke(id, ""), ErrorKind::ApiKeyNotFound, id);
        refused(bench.keys.enable(id), ErrorKind::ApiKeyNotFound, id);
        let update = KeyUpdate { name: Some("x".into()), ..KeyUpdate::default() };
        refused(bench.keys.update(id, &update), ErrorKind::ApiKeyNotFound, id);
    }
    assert_eq!(bench.keys.audit(&AuditFilter::default()).unwrap().records, []);
}

/// What makes a specification unacceptable.
type Mistake = fn(&mut KeySpec);

#[test]
fn a_key_is_revoked_whatever_the_reason() {
    let bench = bench();
    for (given, kept) in
        [("a\ntrace\u{1b}", "a trace".to_owned()), (&*"\u{e9}".repeat(400), "\u{e9}".repeat(250))]
    {
        let issued = bench.create(|_| ());
        let off = bench.keys.disable(&issued.record.id, given).unwrap();
        let record = bench.keys.revoke(&issued.record.id, given).unwrap();
        assert_eq!((off.reason, record.reason), (kept.clone(), kept));
        refused(bench.keys.verify(text(&issued), &Check::new()), ErrorKind::ApiKeyRevoked, given);
    }
}

#[test]
fn a_key_ends_at_a_date() {
    let bench = bench();
    let issued = bench.create(|spec| spec.expires_at = Some(NOW + 60));
    assert_eq!(issued.record.expires_at, Some(NOW + 60));
    assert_eq!(
        bench.keys.verify(text(&issued), &Check::new()).unwrap().expires_at(),
        Some(NOW + 60)
    );
}

#[test]
fn mistakes_in_a_specification_make_no_key() {
    let bench = bench();
    let mistakes: [(&str, Mistake); 27] = [
        ("no owner", |s| s.owner.clear()),
        ("long owner", |s| s.owner = "x".repeat(256)),
        ("control character", |s| s.owner = "a\nb".into()),
        ("long name", |s| s.name = "x".repeat(256)),
        ("long tenant", |s| s.tenant = "x".repeat(128)),
        ("empty scope", |s| s.scopes = vec![String::new()]),
        ("scope with a space", |s| s.scopes = vec!["a b".into()]),
        ("scope with a quote", |s| s.scopes = vec!["a\"".into()]),
        ("scope of other letters", |s| s.scopes = vec!["é".into()]),
        ("many scopes", |s| s.scopes = (0..65).map(|n| n.to_string()).collect()),
        ("never valid", |s| (s.not_before, s.expires_in) = (Some(NOW + 60), Some(60))),
        ("no time", |s| s.expires_in = Some(0)),
        ("end of time", |s| s.expires_in = Some(u64::MAX)),
        ("two ends", |s| (s.expires_in, s.expires_at) = (Some(60), Some(NOW + 60))),
        ("ended", |s| s.expires_at = Some(NOW)),
        ("the first second", |s| s.expires_at = Some(0)),
        ("an end in milliseconds", |s| s.expires_at = Some((NOW + 60) * 1000)),
        ("a beginning in milliseconds", |s| s.not_before = Some(NOW * 1000)),
        ("beyond the calendar", |s| s.expires_in = Some(300_000_000_000)),
        ("revoked", |s| s.revoked = true),
        ("no rate", |s| s.rate = Some(Rate { burst: 0, period: 1 })),
        ("long period", |s| s.rate = Some(Rate { burst: 1, period: u32::MAX })),
        ("half a refill", |s| {
            s.credits = Some(CreditSpec { amount: 1, refill: 1, ..CreditSpec::default() })
        }),
        ("network", |s| s.cidrs = vec!["10.1.2.3/8".into()]),
        ("many networks", |s| s.cidrs = vec!["10.0.0.0/8".into(); 65]),
        ("metadata", |s| s.meta = "[1]".into()),
        ("long metadata", |s| s.meta = format!("{{\"a\":\"{}\"}}", "x".repeat(4096))),
    ];
    for (what, mistake) in mistakes {
        let mut spec = KeySpec::new("acme");
        mistake(&mut spec);
        refused(bench.keys.create(&spec), ErrorKind::InvalidArgument, what);
    }
    for cidr in [
        "",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0/8",
        "::/129",
        "localhost",
        "1.2.3.4:80",
        "fe80::1%eth0",
        "::ffff:10.0.0.0/95",
    ] {
        let mut spec = KeySpec::new("acme");
        spec.cidrs = vec![cidr.into()];
        refused(bench.keys.create(&spec), ErrorKind::InvalidArgument, cidr);
    }
    assert_eq!(bench.keys.list(&KeyFilter::default()).unwrap().records, []);
    assert_eq!(bench.keys.audit(&AuditFilter::default()).unwrap().records, []);
    refused(bench.keys.acting_as("a\0"), ErrorKind::InvalidArgument, "actor");
    let id = bench.create(|_| ()).record.id;
    refused(
        bench.keys.update(&id, &KeyUpdate::default()),
        ErrorKind::InvalidArgument,
        "nothing to do",
    );
    let wrong =
        KeyUpdate { name: Some("ok".into()), meta: Some("{".into()), ..KeyUpdate::default() };
    let error = refused(bench.keys.update(&id, &wrong), ErrorKind::InvalidArgument, "half of it");
    assert_eq!((error.claim(), error.place()), (Some("meta"), Some((1, 2))), "{error}");
    assert!(error.to_string().ends_with("(`meta`, line 1, column 2)"), "{error}");
    let error = bench.keys.get(&"A".repeat(12)).unwrap_err();
    assert_eq!((error.kind(), error.kind().http_status()), (ErrorKind::ApiKeyNotFound, 404));
    assert_eq!(bench.keys.get(&id).unwrap().name, "");
}

#[test]
fn updates_take_hold_at_once() {
    let bench = bench();
    let issued = bench.create(|s| s.scopes = vec!["read".into()]);
    let (key, id) = (text(&issued), &issued.record.id);
    let update = KeyUpdate {
        owner: Some("globex".into()),
        name: Some("CI".into()),
        scopes: Some(vec!["write".into()]),
        not_before: Some(Some(NOW - 5)),
        expires_at: Some(Some(NOW + 5)),
        rate: Some(Some(Rate { burst: 2, period: 60 })),
        credits: Some(Some(CreditSpec { amount: 7, ..CreditSpec::default() })),
        cidrs: Some(vec!["10.0.0.0/8".into()]),
        meta: Some("{}".into()),
    };
    let record = bench.keys.update(id, &update).unwrap();
    assert_eq!((&*record.owner, &*record.name, record.version), ("globex", "CI", 2));
    let check = Check::new().ip("10.0.0.1".parse().unwrap()).scopes(&["write"]);
    assert!(bench.keys.verify(&key, &check).is_ok());
    assert_eq!(bench.keys.get(id).unwrap().credits.unwrap().remaining, 6);
    refused(
        bench.keys.verify(&key, &check.scopes(&["read"])),
        ErrorKind::InsufficientScope,
        "scope",
    );
    let none = KeyUpdate {
        not_before: Some(None),
        expires_at: Some(None),
        rate: Some(None),
        credits: Some(None),
        cidrs: Some(Vec::new()),
        ..KeyUpdate::default()
    };
    let record = bench.keys.update(id, &none).unwrap();
    assert_eq!((record.rate, record.credits, record.expires_at), (None, None, None));
    bench.clock.advance(100);
    for _ in 0..10 {
        assert!(works(&bench, &key));
    }
    let rows = bench.keys.audit(&AuditFilter::default()).unwrap().records;
    assert_eq!(rows[2].detail, "cidrs not_before expires_at rate credits");
}

#[test]
fn the_audit_tells_who_did_what() {
    let bench = bench();
    let boss = bench.keys.acting_as("boss@example").unwrap();
    let issued = boss.create(&KeySpec::new("acme")).unwrap();
    let id = &issued.record.id;
    assert_eq!(issued.record.created_by, "boss@example");
    bench.clock.advance(5);
    boss.rotate(id, 30).unwrap();
    bench.keys.disable(id, "unpaid").unwrap();
    bench.keys.enable(id).unwrap();
    boss.revoke(id, "leaked").unwrap();
    let page = bench
        .keys
        .audit(&AuditFilter { key_id: Some(id.clone()), ..AuditFilter::default() })
        .unwrap();
    let rows: Vec<_> = page
        .records
        .iter()
        .map(|row| (row.seq, row.at - NOW, &*row.actor, &*row.action, &*row.detail))
        .collect();
    assert_eq!(
        rows,
        [
            (1, 0, "boss@example", "create", ""),
            (2, 5, "boss@example", "rotate", "overlap 30 s"),
            (3, 5, "", "disable", "unpaid"),
            (4, 5, "", "enable", ""),
            (5, 5, "boss@example", "revoke", "leaked"),
        ]
    );
    let secret = &text(&issued)[21..];
    assert!(!format!("{page:?}").contains(secret));
    refused(
        bench.keys.audit(&AuditFilter { cursor: Some("x".into()), ..AuditFilter::default() }),
        ErrorKind::InvalidArgument,
        "cursor",
    );
}

/// Every page, and all of them together.
fn all_ids(keys: &ApiKeys, mut filter: KeyFilter) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = keys.list(&filter).unwrap();
        pages.push(page.records.into_iter().map(|record| record.id).collect());
        match page.cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => return pages,
        }
    }
}

#[test]
fn lists_come_in_pages() {
    let bench = bench();
    let mut ids: Vec<String> = (0..25)
        .map(|n| {
            bench
                .create(|s| (s.owner, s.tenant) = (format!("o{}", n % 2), format!("t{}", n % 5)))
                .record
                .id
        })
        .collect();
    ids.sort();
    let pages = all_ids(&bench.keys, KeyFilter { limit: 10, ..KeyFilter::default() });
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(pages.concat(), ids);
    let filter = |owner: Option<&str>, tenant: Option<&str>| KeyFilter {
        owner: owner.map(Into::into),
        tenant: tenant.map(Into::into),
        ..KeyFilter::default()
    };
    assert_eq!(all_ids(&bench.keys, filter(Some("o0"), None)).concat().len(), 13);
    assert_eq!(all_ids(&bench.keys, filter(None, Some("t4"))).concat().len(), 5);
    assert_eq!(all_ids(&bench.keys, filter(Some("o1"), Some("t4"))).concat().len(), 2);
    assert_eq!(all_ids(&bench.keys, filter(Some("nobody"), None)).concat().len(), 0);
    assert_eq!(all_ids(&bench.keys, KeyFilter { limit: 25, ..KeyFilter::default() }).len(), 1);
}

#[test]
fn only_what_has_ended_is_purged() {
    let bench = bench();
    let expired = bench.create(|s| s.expires_in = Some(10));
    let revoked = bench.create(|_| ());
    let alive = bench.create(|s| s.expires_in = Some(1000));
    let forever = bench.create(|_| ());
    bench.keys.revoke(&revoked.record.id, "").unwrap();
    bench.clock.advance(20);
    refused(bench.keys.purge(NOW + 21), ErrorKind::InvalidArgument, "the future");
    assert_eq!(bench.keys.purge(NOW).unwrap(), 0);
    assert_eq!(bench.keys.purge(NOW + 20).unwrap(), 2);
    for gone in [&expired, &revoked] {
        refused(bench.keys.get(&gone.record.id), ErrorKind::ApiKeyNotFound, "purged");
        refused(bench.keys.verify(text(gone), &Check::new()), ErrorKind::UnknownApiKey, "purged");
    }
    assert!(works(&bench, &text(&alive)) && works(&bench, &text(&forever)));
    let rows = bench.keys.audit(&AuditFilter::default()).unwrap().records;
    assert_eq!(rows.iter().filter(|row| row.action == "purge").count(), 2);
}

#[test]
fn use_is_counted_and_flushed() {
    let bench = bench();
    let issued = bench.create(|_| ());
    let (key, id) = (text(&issued), &issued.record.id);
    bench.clock.advance(7);
    for _ in 0..5 {
        assert!(works(&bench, &key));
    }
    assert_eq!(bench.keys.get(id).unwrap().uses, 0, "not written yet");
    bench.keys.flush().unwrap();
    let record = bench.keys.get(id).unwrap();
    assert_eq!((record.uses, record.last_used_at), (5, Some(NOW + 7)));
    assert!(works(&bench, &key));
    bench.keys.flush().unwrap();
    bench.keys.flush().unwrap();
    assert_eq!(bench.keys.get(id).unwrap().uses, 6);
}

#[test]
fn a_look_is_made_whatever_the_clock_says() {
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    let elsewhere = bench.reopen(&[1]).unwrap();
    let issued = bench.keys.list(&KeyFilter::default()).unwrap().records;
    bench.keys.revoke(&issued[0].id, "").unwrap();
    assert!(elsewhere.verify(&key, &Check::new()).is_ok(), "the clock stands still");
    elsewhere.refresh().unwrap();
    refused(elsewhere.verify(&key, &Check::new()), ErrorKind::ApiKeyRevoked, "after the look");
}
