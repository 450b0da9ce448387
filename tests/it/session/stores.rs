//! Every store keeps the same promises about sessions, revocations and key rings: one suite, run against
//! each; then what is SQLite's own.

use super::{NOW, refused};
use gatekey::ErrorKind;
use gatekey::session::{
    SessionEnd, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord,
};
#[cfg(feature = "sqlite")]
use gatekey::store::RevocationStore as _;
use gatekey::store::{
    Backend as _, Database, KeyRingStore, MemoryStore, Revocation, RevocationKind, SessionStore,
    SessionWrite, StoredRing, StoredSession,
};

fn session(family: &str, subject: &str) -> StoredSession {
    let mut record = SessionRecord::default();
    record.family = family.into();
    record.subject = subject.into();
    record.client = "a client".into();
    record.meta = r#"{"a":1}"#.into();
    (record.created_at, record.last_seen_at) = (NOW, NOW + 1);
    (record.expires_at, record.absolute_expires_at) = (NOW + 10, NOW + 20);
    record.refreshes = 3;
    StoredSession {
        record,
        counter: u32::MAX,
        seed: [7; 16],
        pepper: 2,
        previous_pepper: Some(1),
        last_seen_ms: 999,
        access_ttl: 900,
        claims: "{}".into(),
        version: 1,
        seal: [5; 16],
        seal_pepper: 9,
    }
}

fn next(session: &StoredSession, change: impl FnOnce(&mut StoredSession)) -> StoredSession {
    let mut next = StoredSession { version: session.version + 1, ..session.clone() };
    change(&mut next);
    next
}

fn insert(sessions: &[StoredSession]) -> SessionWrite {
    SessionWrite { insert: sessions.to_vec(), ..SessionWrite::default() }
}

fn update(sessions: &[StoredSession]) -> SessionWrite {
    SessionWrite { update: sessions.to_vec(), ..SessionWrite::default() }
}

fn event(family: &str, action: &str, at: u64) -> SessionEvent {
    SessionEvent::new(0, at, family.into(), "alice".into(), action.into(), "detail".into())
}

fn revocation(kind: RevocationKind, value: &str, before: u64, until: u64) -> Revocation {
    let issuer = if kind == RevocationKind::Token { "iss" } else { "" };
    Revocation { kind, issuer: issuer.into(), value: value.into(), before, until, at: NOW }
}

fn found(store: &dyn Database, filter: &SessionFilter) -> Vec<String> {
    let sessions = store.sessions(filter).unwrap().records;
    sessions.into_iter().map(|session| session.record.family).collect()
}

/// What every store must do with sessions.
fn keeps_sessions(store: &dyn Database) {
    let all = SessionFilter::default();
    assert_eq!(found(store, &all), Vec::<String>::new());
    let (a, b, c) = (session("AAA", "alice"), session("BBB", "bob"), session("CCC", "alice"));
    let write = SessionWrite {
        events: vec![event("AAA", "start", NOW)],
        ..insert(std::slice::from_ref(&a))
    };
    store.write_sessions(&write).unwrap();
    store.write_sessions(&insert(&[b.clone(), c])).unwrap();
    assert_eq!(store.session("AAA").unwrap(), Some(a.clone()));
    assert_eq!(store.session("aaa").unwrap(), None);

    // All or nothing, by id and by version, with events and revocations.
    let d = session("DDD", "dave");
    let stale = StoredSession { version: 3, ..a.clone() };
    let unknown = StoredSession { version: 2, ..session("EEE", "eve") };
    let late = StoredSession { version: 2, ..session("FFF", "eve") };
    for (write, what) in [
        (insert(&[d.clone(), a.clone()]), "an id that is there"),
        (insert(&[d.clone(), late]), "a new one of a later version"),
        (SessionWrite { insert: vec![d.clone()], ..update(&[stale]) }, "not the next version"),
        (
            SessionWrite { insert: vec![d.clone()], ..update(std::slice::from_ref(&a)) },
            "the same version",
        ),
        (SessionWrite { insert: vec![d], ..update(&[unknown]) }, "nobody"),
    ] {
        let write = SessionWrite {
            events: vec![event("DDD", "start", NOW)],
            revocations: vec![revocation(RevocationKind::Session, "DDD", 0, NOW + 9)],
            ..write
        };
        refused(store.write_sessions(&write), ErrorKind::StoreConflict, what);
        assert_eq!(store.session("DDD").unwrap(), None, "{what}");
        assert_eq!(store.session_events(&Default::default()).unwrap().records.len(), 1, "{what}");
        assert_eq!(store.revocations(0, 10).unwrap().entries, [], "{what}");
    }

    let ended = next(&a, |session| {
        session.record.ended_at = Some(NOW + 2);
        session.record.end = Some(SessionEnd::Reuse);
        session.seal = [6; 16];
    });
    let moved = next(&b, |session| session.record.expires_at = NOW + 15);
    let write = SessionWrite {
        events: vec![event("AAA", "reuse", NOW + 2)],
        ..update(&[ended.clone(), moved])
    };
    store.write_sessions(&write).unwrap();
    assert_eq!(store.session("AAA").unwrap(), Some(ended));

    let of = |subject: &str| SessionFilter { subject: Some(subject.into()), ..all.clone() };
    let live = |at| SessionFilter { live_at: Some(at), ..all.clone() };
    assert_eq!(found(store, &all), ["AAA", "BBB", "CCC"]);
    assert_eq!(found(store, &of("alice")), ["AAA", "CCC"]);
    assert_eq!(found(store, &live(NOW)), ["BBB", "CCC"]);
    assert_eq!(found(store, &live(NOW + 9)), ["BBB", "CCC"]);
    assert_eq!(found(store, &live(NOW + 10)), ["BBB"], "expires_at is the first second after");
    let (mut filter, mut pages) = (SessionFilter { limit: 1, ..all.clone() }, Vec::new());
    loop {
        let page = store.sessions(&filter).unwrap();
        pages.extend(page.records.into_iter().map(|session| session.record.family));
        filter.cursor = page.cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["AAA", "BBB", "CCC"]);

    let events = |filter: SessionEventFilter| store.session_events(&filter).unwrap();
    let first = events(SessionEventFilter { limit: 1, ..Default::default() });
    assert_eq!((first.records[0].action.as_str(), first.records[0].at), ("start", NOW));
    let rest = events(SessionEventFilter { cursor: first.cursor, ..Default::default() });
    assert_eq!(rest.records.len(), 1);
    assert!(rest.cursor.is_none() && rest.records[0].seq > first.records[0].seq);
    let by = |family: Option<&str>, subject: Option<&str>| {
        let filter = SessionEventFilter {
            family: family.map(Into::into),
            subject: subject.map(Into::into),
            ..Default::default()
        };
        events(filter).records.len()
    };
    assert_eq!([by(Some("AAA"), None), by(Some("BBB"), None)], [2, 0]);
    assert_eq!([by(None, Some("alice")), by(None, Some("bob"))], [2, 0]);

    assert_eq!(
        store.purge_sessions(NOW + 2, NOW + 2).unwrap(),
        0,
        "ended at this time, not before"
    );
    assert_eq!(store.purge_sessions(NOW + 3, NOW + 3).unwrap(), 1);
    assert_eq!(found(store, &all), ["BBB", "CCC"]);
    assert_eq!(events(SessionEventFilter::default()).records.len(), 0);
    assert_eq!(store.purge_sessions(NOW + 11, NOW + 11).unwrap(), 1);
    assert_eq!(found(store, &all), ["BBB"]);
}

/// What every store must do with revocations.
fn keeps_revocations(store: &dyn Database, with_sessions: bool) {
    use RevocationKind::{All, Session, Subject, Token};
    let revoke = |entries: &[Revocation]| {
        if with_sessions {
            let write = SessionWrite { revocations: entries.to_vec(), ..SessionWrite::default() };
            store.write_sessions(&write).unwrap();
        } else {
            store.write_revocations(entries).unwrap();
        }
    };
    let start = store.revocations(0, 100).unwrap();
    assert_eq!((start.entries.len(), start.more, start.reload), (0, false, false));
    let stamp = store.stamp().unwrap();
    assert_eq!(store.stamp().unwrap(), stamp);
    let token = revocation(Token, "1", 0, NOW + 10);
    let subject = revocation(Subject, "alice", NOW, NOW + 20);
    revoke(&[token.clone(), subject.clone()]);
    assert_ne!(store.stamp().unwrap(), stamp);
    let first = store.revocations(start.seq, 1).unwrap();
    assert_eq!((first.entries.as_slice(), first.more), (&[token.clone()][..], true));
    let second = store.revocations(first.seq, 1).unwrap();
    assert_eq!(second.entries, [subject]);
    let mut last = second;
    while last.more {
        last = store.revocations(last.seq, 1).unwrap();
        assert_eq!(last.entries, []);
    }
    let nothing = store.revocations(last.seq, 100).unwrap();
    assert_eq!((nothing.entries.len(), nothing.seq, nothing.more), (0, last.seq, false));

    // Once more: later times stay, earlier ones change nothing, and either way it is told again.
    for (again, kept) in [
        (revocation(Subject, "alice", NOW + 5, NOW + 5), (NOW + 5, NOW + 20)),
        (revocation(Subject, "alice", NOW, NOW + 30), (NOW + 5, NOW + 30)),
    ] {
        revoke(&[again]);
        let told = store.revocations(last.seq, 100).unwrap();
        assert_eq!((told.entries[0].before, told.entries[0].until), kept);
        last = told;
    }
    let whole = store.revocations(0, 100).unwrap();
    assert_eq!(whole.entries.len(), 2, "one row each");
    revoke(&[revocation(All, "", NOW, u64::MAX), revocation(Session, "s", 0, NOW + 11)]);
    let far = store.revocations(whole.seq + 1_000_000, 100).unwrap();
    assert!(far.reload, "a feed that ends before the place is another one");

    assert_eq!(store.revocation_horizon().unwrap(), 0);
    assert_eq!(store.purge_revocations(NOW + 9, 0).unwrap(), 0);
    assert_eq!(store.purge_revocations(NOW + 11, 0).unwrap(), 2);
    let issued = store.revocation_horizon().unwrap();
    assert_eq!(issued, NOW + 1, "when the tokens of what was forgotten were issued");
    assert_eq!(store.purge_revocations(NOW + 12, 0).unwrap(), 0);
    assert_eq!(store.revocation_horizon().unwrap(), issued, "of what was forgotten");
    let left = store.revocations(0, 100).unwrap();
    assert_eq!(left.entries.iter().map(|entry| entry.kind).collect::<Vec<_>>(), [Subject, All]);
    assert!(left.entries[1].until > NOW + 1_000_000_000);
    // The places of what was forgotten are not given again.
    revoke(&[token]);
    assert_eq!(store.revocations(left.seq, 100).unwrap().entries.len(), 1);

    let once = |issuer: &str, id: &str, until: u64, now: u64| {
        store.remember_token(issuer, id, until, now).unwrap()
    };
    assert!(once("i", "1", NOW + 5, NOW));
    assert!(!once("i", "1", NOW + 50, NOW));
    assert!(once("i1", "", NOW + 5, NOW) && once("", "i1", NOW + 5, NOW));
    for n in 0..40 {
        assert!(once("i", &format!("later {n}"), NOW + 100, NOW + 6));
    }
    assert!(!once("i", "1", NOW + 5, NOW), "forgotten, and known to have been");
    assert!(once("i", "2", NOW + 6, NOW));
}

/// What every store must do with key rings.
fn keeps_rings(store: &dyn KeyRingStore) {
    let ring = |name: &str, version, text: &[u8]| StoredRing {
        name: name.into(),
        version,
        pepper: 3,
        text: text.to_vec(),
    };
    assert_eq!((store.key_ring("a").unwrap(), store.key_ring_version("a").unwrap()), (None, 0));
    for version in [0, 2] {
        refused(store.put_key_ring(&ring("a", version, b"x")), ErrorKind::StoreConflict, "not 1");
    }
    for (version, text) in [(1, &b"\x00\xff\n"[..]), (2, b""), (3, &[7; 100_000])] {
        store.put_key_ring(&ring("a", version, text)).unwrap();
        assert_eq!(store.key_ring("a").unwrap(), Some(ring("a", version, text)));
        assert_eq!(store.key_ring_version("a").unwrap(), version);
        refused(store.put_key_ring(&ring("a", version, b"x")), ErrorKind::StoreConflict, "again");
        refused(
            store.put_key_ring(&ring("a", version + 2, b"x")),
            ErrorKind::StoreConflict,
            "a gap",
        );
    }
    store.put_key_ring(&ring("a-b", 1, b"other")).unwrap();
    assert_eq!(store.key_ring_version("a").unwrap(), 3);
    assert_eq!(store.key_ring("a-b").unwrap(), Some(ring("a-b", 1, b"other")));
}

fn conforms(new: &dyn Fn() -> Box<dyn Database>) {
    keeps_sessions(&*new());
    keeps_revocations(&*new(), false);
    keeps_revocations(&*new(), true);
    keeps_rings(&*new());
}

#[test]
fn the_memory_store_conforms() {
    conforms(&|| Box::new(MemoryStore::new()));
    let store = MemoryStore::new();
    store.close().unwrap();
    refused(store.session("a"), ErrorKind::InvalidArgument, "closed");
    refused(store.key_ring("a"), ErrorKind::InvalidArgument, "closed");
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn the_postgres_store_conforms() {
    for place in crate::postgres::Place::each("the_postgres_store_conforms") {
        conforms(&|| Box::new(place.store()));
    }
}

#[test]
fn a_folder_conforms() {
    let folder = crate::apikey::Folder::new("ring_folder");
    keeps_rings(&gatekey::store::RingFolder::open(folder.path("rings")).unwrap());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::super::{bench_on, peppers, text};
    use super::*;
    use crate::apikey::Folder;
    use gatekey::KeyRing;
    use gatekey::keyring::KeyRingOptions;
    use gatekey::store::SqliteStore;
    use std::cell::Cell;
    use std::sync::Arc;

    #[test]
    fn the_sqlite_store_conforms() {
        let folder = Folder::new("sessions_conform");
        let count = Cell::new(0);
        conforms(&|| {
            count.set(count.get() + 1);
            let path = folder.path(&format!("{}.sqlite", count.get()));
            Box::new(SqliteStore::open(path).unwrap())
        });
    }

    #[test]
    fn two_handles_see_each_others_changes() {
        let folder = Folder::new("sessions_two");
        let path = folder.path("a.sqlite");
        let [one, two] = [(); 2].map(|()| SqliteStore::open(&path).unwrap());
        let seq = two.revocations(0, 10).unwrap().seq;
        let stamp = two.stamp().unwrap();
        let entry = revocation(RevocationKind::Session, "s", 0, NOW);
        let write = SessionWrite { revocations: vec![entry.clone()], ..Default::default() };
        one.write_sessions(&write).unwrap();
        assert_ne!(two.stamp().unwrap(), stamp);
        assert_eq!(two.revocations(seq, 10).unwrap().entries, [entry]);
    }

    #[test]
    fn nothing_usable_is_in_the_file() {
        let folder = Folder::new("sessions_secrets");
        let path = folder.path("a.sqlite");
        let store: Arc<dyn Database> = Arc::new(SqliteStore::open(&path).unwrap());
        let bench = bench_on(Arc::clone(&store));
        let ring = KeyRing::open(store, Some(peppers(&[1])), KeyRingOptions::new()).unwrap();
        ring.rotate().unwrap();
        let mut pairs = vec![bench.start("alice-in-clear")];
        for _ in 0..20 {
            pairs.push(bench.refresh(pairs.last().unwrap()).unwrap());
        }
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(folder.path("")).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        let holds = |text: &[u8]| memchr::memmem::find(&bytes, text).is_some();
        assert!(holds(b"alice-in-clear"), "so the search works");
        for pair in &pairs {
            let token = text(pair).as_bytes();
            assert!(!holds(&token[23..45]) && !holds(&token[23..31]), "a refresh token's MAC");
            assert!(!holds(&pair.access_token.expose()[40..60]), "an access token");
        }
        assert!(!holds(b"\"d\":") && !holds(b"jwk"), "a private key");
        assert!(!holds(&[1; 32]), "the pepper");
    }

    #[test]
    fn a_damaged_revocation_is_an_error_and_a_damaged_session_is_none() {
        let folder = Folder::new("sessions_damaged");
        let path = folder.path("a.sqlite");
        let bench = bench_on(Arc::new(SqliteStore::open(&path).unwrap()));
        let (good, bad) = (bench.start("alice"), bench.start("alice"));
        let raw = rusqlite::Connection::open(&path).unwrap();
        let damage = |sql: &str| assert_eq!(raw.execute(sql, []).unwrap(), 1);
        damage(&format!("UPDATE session SET counter = -1 WHERE family = '{}'", bad.family()));
        refused(bench.refresh(&bad), ErrorKind::StoreCorrupt, "its own row");
        let listed = bench.sessions.list("alice").unwrap();
        assert_eq!(listed.iter().filter(|record| record.altered).count(), 1);
        assert_eq!(listed.len(), 2);
        assert!(bench.refresh(&good).is_ok());
        bench.sessions.revocations().revoke_session("s").unwrap();
        damage("UPDATE revocation SET kind = 99");
        let opened = gatekey::Revocations::open(
            Arc::new(SqliteStore::open(&path).unwrap()),
            gatekey::revocations::RevocationOptions::new(),
        );
        refused(opened, ErrorKind::StoreCorrupt, "what it revokes must not become valid");
    }

    #[test]
    fn a_file_of_the_first_schema_takes_sessions() {
        let folder = Folder::new("sessions_v1");
        let path = folder.path("v1.sqlite");
        let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store");
        std::fs::copy(vectors.join("v1.sqlite"), &path).unwrap();
        let bench = bench_on(Arc::new(SqliteStore::open(&path).unwrap()));
        let tokens = bench.start("alice");
        assert!(bench.refresh(&tokens).is_ok());
        let other = bench_on(Arc::new(SqliteStore::open(&path).unwrap()));
        assert_eq!(other.sessions.list("alice").unwrap().len(), 1);
    }
}
