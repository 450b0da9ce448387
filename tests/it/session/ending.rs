//! How sessions end: by a secret, by a public name, by a pepper that has leaked; and when a grace does.

use super::{NOW, bench, bench_on, bench_with, options, peppers, refused, signer, text};
use gatekey::session::{SessionEnd, SessionFilter, SessionOptions, SessionSpec};
use gatekey::store::{Database, MemoryStore};
use gatekey::{Clock, Error, ErrorKind, Sessions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn a_public_id_is_no_refresh_token() {
    let bench = bench();
    let tokens = bench.start("alice");
    let id = tokens.family();
    for text in [id.to_owned(), format!("gkr_{id}"), String::new()] {
        refused(bench.sessions.end(&text), ErrorKind::InvalidRefreshToken, &text);
    }
    for subject in ["bob", "", "alice "] {
        let other = bench.sessions.end_by_id(id, Some(subject));
        refused(other, ErrorKind::SessionNotFound, "another subject's");
    }
    let token = bench.sessions.end_by_id(text(&tokens), None);
    refused(token, ErrorKind::SessionNotFound, "a refresh token is no id");
    assert!(bench.verify(&tokens).is_ok(), "nothing has ended");
    let tokens = bench.refresh(&tokens).unwrap();

    assert!(bench.sessions.end_by_id(id, Some("alice")).unwrap());
    assert!(!bench.sessions.end_by_id(id, Some("alice")).unwrap(), "it has ended before");
    assert!(!bench.sessions.end_by_id(id, None).unwrap(), "it has ended before");
    refused(bench.sessions.end_by_id(id, Some("bob")), ErrorKind::SessionNotFound, "still not his");
    refused(bench.refresh(&tokens), ErrorKind::SessionEnded, "ended");
    refused(bench.verify(&tokens), ErrorKind::RevokedToken, "and its access token");
}

fn a_leaked_pepper_ends_what_needs_it(store: Arc<dyn Database>) {
    let old = bench_on(store);
    let [stays, old_one, over, recent] = ["stays", "old", "over", "recent"].map(|s| old.start(s));
    old.sessions.end(over.refresh_token.expose()).unwrap();
    let newer = old.elsewhere(&[1, 2]);
    let stays = newer.refresh(&stays).unwrap();
    newer.clock.advance(SessionOptions::MAX_GRACE + 1);
    let recent = newer.refresh(&recent).unwrap();

    let needing = || {
        let options = gatekey::apikey::ApiKeyOptions::new().clock(newer.clock.clone());
        let keys = gatekey::ApiKeys::open(newer.store.clone(), peppers(&[1, 2]), options).unwrap();
        let report = keys.pepper_report().unwrap();
        report.iter().map(|one| (one.pepper, one.sessions)).collect::<Vec<_>>()
    };
    assert_eq!(
        needing(),
        [(1, 3), (2, 2)],
        "its token, the one before, the seal of one that is over"
    );
    let active = newer.sessions.end_under_pepper(2);
    refused(active, ErrorKind::InvalidArgument, "the newest one");
    refused(newer.sessions.end_under_pepper(7), ErrorKind::WrongPepper, "not at hand");
    assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 2);
    assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 0, "nothing is left");
    assert_eq!(needing()[0], (1, 0));
    refused(newer.refresh(&old_one), ErrorKind::SessionEnded, "under the old pepper");
    refused(newer.verify(&old_one), ErrorKind::RevokedToken, "and its access token");
    refused(
        newer.refresh(&recent),
        ErrorKind::SessionEnded,
        "the token before is under the old pepper",
    );
    let record = newer.sessions.get(over.family()).unwrap();
    assert_eq!(record.end, Some(SessionEnd::LogOut));
    assert_eq!(record.ended_at, Some(NOW), "what was over is as it was");

    // Nobody needs the old one any more.
    let rows = newer.store.sessions(&SessionFilter::default()).unwrap().records;
    assert!(rows.len() == 4 && rows.iter().all(|row| row.seal_pepper == 2));
    let only_new = newer.elsewhere(&[2]);
    assert!(only_new.refresh(&stays).is_ok());
}

#[test]
fn a_leaked_pepper_ends_what_needs_it_in_memory() {
    a_leaked_pepper_ends_what_needs_it(Arc::new(MemoryStore::new()));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_leaked_pepper_ends_what_needs_it_in_sqlite() {
    let folder = crate::apikey::Folder::new("sessions_under_pepper");
    let store = gatekey::store::SqliteStore::open(folder.path("a.sqlite")).unwrap();
    a_leaked_pepper_ends_what_needs_it(Arc::new(store));
}

#[test]
fn no_grace_is_none() {
    let bench = bench_with(Arc::new(MemoryStore::new()), |options| options.grace(0));
    let first = bench.start("alice");
    let second = bench.refresh(&first).unwrap();
    refused(bench.refresh(&first), ErrorKind::TokenReuse, "in the same second");
    refused(bench.refresh(&second), ErrorKind::TokenReuse, "ended");
}

/// A clock that knows milliseconds.
struct Millis(AtomicU64);

impl Clock for Millis {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst) / 1000
    }

    fn now_nanos(&self) -> u64 {
        self.0.load(Ordering::SeqCst) * 1_000_000
    }
}

#[test]
fn a_grace_ends_to_the_millisecond() {
    for (after, is_good) in [(0, true), (1499, true), (1500, true), (1501, false), (2400, false)] {
        let clock = Arc::new(Millis(AtomicU64::new(NOW * 1000 + 900)));
        let options = SessionOptions::new().clock(clock.clone()).grace_ms(1500);
        let store = Arc::new(MemoryStore::new());
        let sessions = Sessions::open(store, peppers(&[1]), Some(&signer()), options).unwrap();
        let first = sessions.start("alice", &SessionSpec::default()).unwrap();
        sessions.refresh(first.refresh_token.expose(), None).unwrap();
        clock.0.fetch_add(after, Ordering::SeqCst);
        let again = sessions.refresh(first.refresh_token.expose(), None);
        assert_eq!(again.is_ok(), is_good, "{after} ms");
    }
    let clock = Arc::new(gatekey::clock::FixedClock::new(NOW));
    let long = options(&clock).grace_ms(60_001);
    let opened = Sessions::open(Arc::new(MemoryStore::new()), peppers(&[1]), None, long);
    refused(opened, ErrorKind::InvalidArgument, "longer than a minute");
}

#[test]
fn a_clock_that_has_failed_starts_and_ends_nothing() {
    for reading in [u64::MAX, NOW * 1000, 253_402_300_801] {
        let bench = bench();
        let tokens = bench.start("alice");
        bench.clock.set(reading);
        let sessions = &bench.sessions;
        let spec = SessionSpec::default();
        let family = tokens.family();
        let calls: [(&str, Result<(), Error>); 9] = [
            ("start", sessions.start("alice", &spec).map(drop)),
            ("refresh", bench.refresh(&tokens).map(drop)),
            ("end", sessions.end(text(&tokens)).map(drop)),
            ("end_by_id", sessions.end_by_id(family, None).map(drop)),
            ("end_all", sessions.end_all("alice").map(drop)),
            ("revoke", sessions.revocations().revoke_subject("alice")),
            ("purge", sessions.purge(NOW).map(drop)),
            ("forget", sessions.revocations().purge().map(drop)),
            ("verify", bench.verify(&tokens).map(drop)),
        ];
        for (call, outcome) in calls {
            let error = refused(outcome, ErrorKind::InvalidConfiguration, call);
            assert!(error.message().contains("clock"), "{call}: {error}");
        }
        bench.clock.set(NOW + 1);
        assert!(bench.verify(&tokens).is_ok(), "{reading}: as if nothing had been");
        assert!(bench.refresh(&tokens).is_ok());
    }
}
