//! What comes before a revocation and what after it: by the number of the feed, which our access tokens say, or
//! else by the clock.

use super::{Bench, DAY, NOW, bench, bench_on, refused};
use crate::fixtures::key;
use gatekey::revocations::RevokeScope;
use gatekey::store::{Database, MemoryStore};
use gatekey::{Alg, Claims, ErrorKind, Policy, Signer, Verifier};
use std::sync::Arc;

type End = fn(&Bench);

/// Every way to revoke all that alice has now.
const WAYS: [(&str, End); 4] = [
    ("end_all", |b| assert!(b.sessions.end_all("alice").unwrap() > 0)),
    ("revoke_subject", |b| b.sessions.revocations().revoke_subject("alice").unwrap()),
    ("revoke_before, all", |b| {
        let next = gatekey::Clock::now(&*b.clock) + 1;
        b.sessions.revocations().revoke_before(next, RevokeScope::All).unwrap();
    }),
    ("revoke_before, subject", |b| {
        let next = gatekey::Clock::now(&*b.clock) + 1;
        b.sessions.revocations().revoke_before(next, RevokeScope::Subject("alice")).unwrap();
    }),
];

fn order_decides(store: &dyn Fn() -> Arc<dyn Database>) {
    for (way, end) in WAYS {
        // Whatever the clock does between the log-ins and the revocation.
        for (before, after) in [(0, 0), (2, 0), (0, 2), (30, 0), (5, 3)] {
            let context = format!("{way}, {before}, {after}");
            let bench = bench_on(store());
            bench.clock.set(NOW + before);
            let old = bench.start("alice");
            let refreshed = bench.refresh(&bench.start("alice")).unwrap();
            bench.clock.set(NOW + after);
            end(&bench);
            let young = bench.start("alice");
            bench.clock.set(NOW + before.max(after));
            for (tokens, what) in [(&old, "a log-in"), (&refreshed, "refreshed")] {
                refused(
                    bench.verify(tokens),
                    ErrorKind::RevokedToken,
                    &format!("{what}: {context}"),
                );
            }
            let verified = bench.verify(&young);
            assert!(verified.is_ok(), "{context}: {verified:?}");
            // Another process, and one that has begun since.
            for bench in [bench.elsewhere(&[1]), bench.elsewhere(&[1]).elsewhere(&[1])] {
                refused(bench.verify(&old), ErrorKind::RevokedToken, &context);
                assert!(bench.verify(&young).is_ok(), "{context}");
            }
            end(&bench);
            refused(bench.verify(&young), ErrorKind::RevokedToken, &context);
            assert!(bench.verify(&bench.start("alice")).is_ok(), "{context}: once more");
        }
    }
}

#[test]
fn the_order_decides_and_not_the_clock() {
    order_decides(&|| Arc::new(MemoryStore::new()));
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn the_order_decides_in_postgres_too() {
    for place in crate::postgres::Place::each("the_order_decides_in_postgres_too") {
        order_decides(&|| Arc::new(place.store()));
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn the_order_decides_in_sqlite_too() {
    let folder = crate::apikey::Folder::new("sessions_order");
    let count = std::cell::Cell::new(0);
    order_decides(&|| {
        count.set(count.get() + 1);
        let path = folder.path(&format!("{}.sqlite", count.get()));
        Arc::new(gatekey::store::SqliteStore::open(path).unwrap())
    });
    // Without a mark nobody would notice an older copy, whose numbers come again: by the clock, then.
    let unmarked = gatekey::store::SqliteStore::open_with(
        folder.path("u.sqlite"),
        &gatekey::store::Mark::None,
    );
    let bench = bench_on(Arc::new(unmarked.unwrap()));
    let tokens = bench.start("alice");
    assert!(bench.verify(&tokens).unwrap().claim("gkn").is_none());
    bench.sessions.end_all("alice").unwrap();
    refused(bench.verify(&bench.start("alice")), ErrorKind::RevokedToken, "the same second");
    bench.clock.advance(1);
    assert!(bench.verify(&bench.start("alice")).is_ok());
}

#[test]
fn others_tokens_go_by_the_clock_and_the_leeway() {
    for leeway in [0, 10, 600] {
        for (ahead, revoked) in [(0, true), (leeway, true), (leeway + 1, false)] {
            let bench = bench();
            let sign = |issued: u64| {
                let claims =
                    Claims::new().subject("alice").issued_at(i64::try_from(issued).unwrap());
                let signer = Signer::builder(key(Alg::Hs256)).issuer("https://auth.example");
                signer.clock(bench.clock.clone()).build().unwrap().sign(&claims).unwrap()
            };
            let list = Arc::new(bench.sessions.revocations().clone());
            let policy = Policy::new().expect_issuer("https://auth.example").leeway(leeway);
            let policy = policy.clock(bench.clock.clone()).revocations(list);
            let verifier = Verifier::with_key(key(Alg::Hs256), policy).unwrap();
            let token = sign(NOW + ahead);
            bench.sessions.revocations().revoke_subject("alice").unwrap();
            bench.clock.set(NOW + ahead);
            assert_eq!(verifier.verify(&token).is_err(), revoked, "{leeway}, {ahead}");

            // And of what is dated: before this time, or as much later as a clock may be ahead.
            bench.clock.set(NOW + 2000);
            let scope = RevokeScope::Subject("alice");
            bench.sessions.revocations().revoke_before(NOW + 1000, scope).unwrap();
            for (issued, revoked) in [(NOW + 999 + leeway, true), (NOW + 1000 + leeway, false)] {
                let verified = verifier.verify(sign(issued));
                assert_eq!(verified.is_err(), revoked, "{leeway}: {verified:?}");
            }
        }
    }
}

#[test]
fn a_date_in_the_past_means_nothing_that_came_after_the_call() {
    let bench = bench();
    let old = bench.start("alice");
    bench.clock.advance(100);
    let later = bench.start("alice");
    let scope = RevokeScope::Subject("alice");
    bench.sessions.revocations().revoke_before(NOW + 50, scope).unwrap();
    refused(bench.verify(&old), ErrorKind::RevokedToken, "before");
    assert!(bench.verify(&later).is_ok(), "issued after the time, although before the call");
    bench.clock.set(NOW + 40);
    let stepped = bench.start("alice");
    assert!(bench.verify(&stepped).is_ok(), "issued after the call, by a clock that stepped back");
    // A later date does not hide what was revoked by number, nor the other way round.
    bench.clock.set(NOW + 200);
    bench.sessions.revocations().revoke_subject("alice").unwrap();
    refused(bench.verify(&later), ErrorKind::RevokedToken, "what there was");
    let young = bench.start("alice");
    bench.sessions.revocations().revoke_before(NOW + 150, scope).unwrap();
    assert!(bench.verify(&young).is_ok(), "from after the first, not from before the date");
    refused(bench.verify(&later), ErrorKind::RevokedToken, "still");
}

#[test]
fn a_number_of_another_feed_counts_for_nothing() {
    let (one, other) = (bench(), bench());
    for _ in 0..5 {
        one.sessions.revocations().revoke_session("x").unwrap();
    }
    let foreign = one.start("alice");
    assert!(other.verify(&foreign).is_ok(), "the same key");
    other.sessions.revocations().revoke_subject("alice").unwrap();
    refused(
        other.verify(&foreign),
        ErrorKind::RevokedToken,
        "5 of one is not after 1 of the other",
    );
    let claims = |gkn: &str| Claims::new().subject("alice").claim_str("gkn", gkn);
    let own = other.start("alice");
    let own = other.verify(&own).unwrap();
    let own = own.claim("gkn").unwrap().as_str().unwrap().into_owned();
    let (feed, _) = own.split_once('.').unwrap();
    for gkn in
        ["", ".", "5", &format!("{feed}."), &format!("{feed}.x"), &format!("{feed}.+9"), feed]
    {
        let signer = Signer::builder(key(Alg::Hs256)).issuer("https://auth.example");
        let token = signer.clock(other.clock.clone()).build().unwrap().sign(&claims(gkn)).unwrap();
        refused(other.verifier.verify(token), ErrorKind::RevokedToken, gkn);
    }
    let spec = gatekey::session::SessionSpec { claims: claims(&own), ..Default::default() };
    refused(one.sessions.start("bob", &spec), ErrorKind::InvalidArgument, "the session says it");
}

#[test]
fn one_wrong_reading_of_the_clock_refuses_no_fresh_token_and_forgets_nothing() {
    for wrong in [2 * 3600, 40 * DAY, 400 * DAY] {
        let a = bench();
        let (b, alice) = (a.elsewhere(&[1]), a.start("alice"));
        let bob = a.start("bob");
        a.sessions.end_all("alice").unwrap();
        a.clock.set(NOW + wrong);
        refused(a.verify(&bob), ErrorKind::Expired, "by that clock it has");
        a.sessions.revocations().refresh().unwrap();
        assert!(a.sessions.revocations().seen_once("i", "1", NOW + wrong + 60).unwrap());
        a.clock.set(NOW + 1);
        let restarted = b.elsewhere(&[1]);
        for (bench, who) in [(&a, "a"), (&b, "b"), (&restarted, "a new one")] {
            bench.clock.set(NOW + 1);
            assert!(bench.verify(&bob).is_ok(), "{who}: from before it");
            assert!(bench.verify(&bench.start("bob")).is_ok(), "{who}: a fresh one");
            refused(bench.verify(&alice), ErrorKind::RevokedToken, who);
            let id = format!("once {who}");
            let revocations = bench.sessions.revocations();
            assert!(revocations.seen_once("i", &id, NOW + 61).unwrap(), "{who}: good for one use");
            assert!(!revocations.seen_once("i", &id, NOW + 61).unwrap(), "{who}: and no more");
        }
    }
}

#[test]
fn what_a_wrong_clock_was_told_to_forget_refuses_only_what_was_issued_before() {
    let bench = bench();
    let (alice, bob) = (bench.start("alice"), bench.start("bob"));
    bench.sessions.end_all("alice").unwrap();
    bench.sessions.revocations().revoke_session("another").unwrap();
    bench.sessions.revocations().revoke_token("i", "1", NOW + 900).unwrap();
    bench.clock.set(NOW + 40 * DAY);
    assert!(bench.sessions.revocations().purge().unwrap() >= 4);
    bench.clock.set(NOW + 1);
    for bench in [&bench.elsewhere(&[1]), &bench] {
        refused(bench.verify(&alice), ErrorKind::Expired, "nobody knows any more");
        refused(bench.verify(&bob), ErrorKind::Expired, "nor of this one");
        assert!(
            bench.verify(&bench.start("bob")).is_ok(),
            "{:?}",
            bench.verify(&bench.start("bob"))
        );
    }
}
