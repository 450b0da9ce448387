//! A store copied into another kind while both are in use: `gatekey::operations`.

use crate::apikey::Folder;
use crate::postgres::Server;
use gatekey::apikey::{ApiKeyOptions, Check, CreditSpec, IssuedKey, KeySpec};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::StoreOptions;
use gatekey::operations::{
    CopyOptions, CopyReport, store_check, store_copy, store_migrate, store_stats,
};
use gatekey::pepper::PepperSource;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{Database, KeyStatus, PostgresStore};
use gatekey::{
    Alg, ApiKeys, Clock as _, Error, ErrorKind, Key, Peppers, Secret, Sessions, Signer, Store,
    SystemClock,
};

fn peppers() -> Peppers {
    Peppers::new(&[(1, Secret::new(vec![7; 32]))]).unwrap()
}

fn open(url: &str) -> Store {
    Store::open_with(url, StoreOptions::new().pepper(peppers()).strict(true)).unwrap()
}

fn copy(from: &str, to: &str) -> CopyReport {
    let options = CopyOptions { pepper: PepperSource::Given(peppers()) };
    let mut heard = 0;
    let report = store_copy(from, to, &options, &mut |done, all| {
        assert!(done <= all && done >= heard);
        heard = done;
        Ok(())
    });
    report.unwrap()
}

fn nothing_new(report: &CopyReport) {
    assert_eq!(*report, CopyReport::default());
}

fn check(url: &str) -> Vec<(&'static str, String)> {
    let checked = store_check(url, &PepperSource::Given(peppers()), &mut |_| Ok(())).unwrap();
    checked.findings.into_iter().map(|finding| (finding.what, finding.name)).collect()
}

struct Side {
    store: Store,
    keys: ApiKeys,
    sessions: Sessions,
}

fn side(url: &str) -> Side {
    let store = open(url);
    let signer = Signer::builder(&Key::generate(Alg::Hs256).unwrap()).ttl(60);
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    let sessions =
        store.sessions(Some(&signer.build().unwrap()), SessionOptions::new().grace(0)).unwrap();
    Side { store, keys, sessions }
}

fn kind<T>(answer: Result<T, Error>) -> Option<ErrorKind> {
    answer.err().map(|error| error.kind())
}

/// From SQLite to PostgreSQL, and from PostgreSQL to SQLite.
#[test]
fn all_of_it_is_there_and_what_has_ended_stays_so() {
    let Some(server) = Server::shared("all_of_it_is_there_and_what_has_ended_stays_so") else {
        return;
    };
    let folder = Folder::new("copy_all");
    let file = |name: &str| folder.path(name).display().to_string();
    for (from, to) in [(file("a.sqlite"), server.url()), (server.url(), file("b.sqlite"))] {
        goes_over(&from, &to);
    }
}

fn goes_over(from: &str, to: &str) {
    let here = side(from);
    let make = |spec: &KeySpec| here.keys.create(spec).unwrap();
    let plain: Vec<_> = (0..1201).map(|_| make(&KeySpec::new("acme"))).collect();
    let credits = Some(CreditSpec { amount: 100, ..CreditSpec::default() });
    let dear = make(&KeySpec { credits, ..KeySpec::new("dear") });
    let idle = make(&KeySpec::new("idle"));
    here.keys.disable(&idle.record.id, "pause").unwrap();
    let leaked = make(&KeySpec::new("leaked"));
    here.keys.revoke(&leaked.record.id, "leaked").unwrap();
    for _ in 0..3 {
        here.keys.verify(plain[0].secret.expose(), &Check::new()).unwrap();
    }
    here.keys.flush().unwrap();
    let alice = here.sessions.start("alice", &SessionSpec::default()).unwrap();
    let bob = here.sessions.start("bob", &SessionSpec::default()).unwrap();
    here.sessions.end(bob.refresh_token.expose()).unwrap();
    let ring = here.store.key_ring("main", KeyRingOptions::new()).unwrap();
    ring.rotate().unwrap();
    let revocations = here.store.revocations(RevocationOptions::new()).unwrap();
    revocations.revoke_subject("mallory").unwrap();
    let until = SystemClock.now() + 1000;
    assert!(revocations.seen_once("issuer", "once", until).unwrap());

    let report = copy(from, to);
    assert_eq!(report.api_keys, 1204);
    assert_eq!((report.sessions, report.key_rings, report.seen_tokens), (2, 1, 1));
    assert!(report.revocations >= 2 && report.problems.is_empty(), "{report:?}");
    nothing_new(&copy(from, to));
    assert!(check(to).is_empty(), "{:?}", check(to));
    assert!(check(from).is_empty(), "{:?}", check(from));

    let there = side(to);
    for key in &plain {
        there.keys.verify(key.secret.expose(), &Check::new()).unwrap();
    }
    let record = there.keys.get(&plain[0].record.id).unwrap();
    assert_eq!(record.uses, 3, "what was used here counts there");
    assert_eq!(
        there.keys.get(&dear.record.id).unwrap().credits.map(|credits| credits.limit),
        Some(100)
    );
    let verify = |key: &IssuedKey| kind(there.keys.verify(key.secret.expose(), &Check::new()));
    assert_eq!(verify(&idle), Some(ErrorKind::ApiKeyDisabled));
    assert_eq!(verify(&leaked), Some(ErrorKind::ApiKeyRevoked));
    let kids = |ring: gatekey::KeyRing| {
        ring.keys().unwrap().into_iter().map(|key| key.kid).collect::<Vec<_>>()
    };
    assert_eq!(kids(there.store.key_ring("main", KeyRingOptions::new()).unwrap()), kids(ring));
    let seen = there.store.revocations(RevocationOptions::new()).unwrap();
    assert!(!seen.seen_once("issuer", "once", until).unwrap(), "it was used here");
    assert!(kind(there.sessions.refresh(bob.refresh_token.expose(), None)).is_some());
    let alice = there.sessions.refresh(alice.refresh_token.expose(), None).unwrap();

    // On this side after the copy, on the other, and on both.
    here.keys.revoke(&plain[1].record.id, "here").unwrap();
    there.keys.revoke(&plain[2].record.id, "there").unwrap();
    here.keys.revoke(&plain[3].record.id, "both").unwrap();
    there.keys.revoke(&plain[3].record.id, "both").unwrap();
    // Later there than here, and ended here.
    for _ in 0..3 {
        there.keys.disable(&plain[4].record.id, "").unwrap();
        there.keys.enable(&plain[4].record.id).unwrap();
    }
    here.keys.revoke(&plain[4].record.id, "long ago").unwrap();
    // Changed on both sides in the same version.
    here.keys.disable(&plain[5].record.id, "here").unwrap();
    there.keys.disable(&plain[5].record.id, "there").unwrap();
    // New here.
    let fresh = make(&KeySpec::new("fresh"));
    here.sessions.end_by_id(alice.family(), None).unwrap();
    let report = copy(from, to);
    assert_eq!(report.ended, 2, "{report:?}: plain[4] and the session of alice");
    assert_eq!(report.api_keys, 2, "{report:?}: plain[1] and the new one");
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].contains(&plain[5].record.id), "{report:?}");
    for key in &plain[1..5] {
        assert_eq!(verify(key), Some(ErrorKind::ApiKeyRevoked));
    }
    assert_eq!(verify(&plain[5]), Some(ErrorKind::ApiKeyDisabled));
    assert_eq!(verify(&fresh), None);
    assert!(kind(there.sessions.refresh(alice.refresh_token.expose(), None)).is_some());

    // Revoked there only: it stays so here as well once it was copied back.
    let back = copy(to, from);
    assert!(back.api_keys >= 1, "{back:?}");
    let status = |id: &str| here.keys.get(id).unwrap().status;
    assert_eq!(status(&plain[2].record.id), KeyStatus::Revoked);
    assert!(check(to).is_empty(), "{:?}", check(to));
    let stats = store_stats(to).unwrap();
    assert_eq!((stats.revoked, stats.disabled), (5, 2), "{stats:?}");
    assert_eq!((stats.unreadable, stats.key_rings), (0, 1), "{stats:?}");
    assert!(stats.bytes.unwrap() > 100_000 && stats.changes.unwrap() > 0, "{stats:?}");
    here.store.close().unwrap();
    there.store.close().unwrap();
}

#[test]
fn a_store_of_other_peppers_is_refused_and_nothing_is_written() {
    let Some(server) = Server::shared("a_store_of_other_peppers_is_refused") else { return };
    let folder = Folder::new("copy_peppers");
    let (from, to) = (folder.path("a.sqlite").display().to_string(), server.url());
    side(&from).keys.create(&KeySpec::new("acme")).unwrap();
    for (number, byte) in [(1, 8), (2, 8)] {
        let other = Peppers::new(&[(number, Secret::new(vec![byte; 32]))]).unwrap();
        let to = server.url();
        let store = Store::open_with(&to, StoreOptions::new().pepper(other)).unwrap();
        let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
        keys.create(&KeySpec::new("other")).unwrap();
        let options = CopyOptions { pepper: PepperSource::Given(peppers()) };
        let refused = store_copy(&from, &to, &options, &mut |_, _| Ok(()));
        assert_eq!(kind(refused), Some(ErrorKind::WrongPepper), "{number} {byte}");
        assert_eq!(store_stats(&to).unwrap().active, 1);
    }
    let options = CopyOptions { pepper: PepperSource::Given(peppers()) };
    for (from, to) in
        [(from.as_str(), from.as_str()), ("memory:", to.as_str()), (from.as_str(), "folder:rings")]
    {
        let refused = store_copy(from, to, &options, &mut |_, _| Ok(()));
        assert_eq!(kind(refused), Some(ErrorKind::InvalidArgument), "{from} {to}");
    }
    // One that stops has left what it had done, and goes on from there.
    let stopped = store_copy(&from, &to, &options, &mut |done, _| {
        if done > 0 { Err(ErrorKind::InvalidArgument.into()) } else { Ok(()) }
    });
    assert_eq!(kind(stopped), Some(ErrorKind::InvalidArgument));
    assert_eq!(copy(&from, &to).problems, Vec::<String>::new());
    assert_eq!(store_stats(&to).unwrap().active, 1);
}

/// What is removed where it was revoked is not good where it was copied to.
#[test]
fn a_key_that_was_removed_is_revoked_there() {
    let Some(server) = Server::shared("a_key_that_was_removed_is_revoked_there") else { return };
    let folder = Folder::new("copy_removed");
    let (from, to) = (folder.path("a.sqlite").display().to_string(), server.url());
    let here = side(&from);
    let gone = here.keys.create(&KeySpec::new("acme")).unwrap();
    copy(&from, &to);
    let there = side(&to);
    let own = there.keys.create(&KeySpec::new("made there")).unwrap();
    here.keys.revoke(&gone.record.id, "").unwrap();
    let database = rusqlite::Connection::open(folder.path("a.sqlite")).unwrap();
    here.store.close().unwrap();
    database.execute("DELETE FROM key", []).unwrap();
    drop(database);
    let report = copy(&from, &to);
    assert_eq!((report.ended, report.problems.len()), (1, 0), "{report:?}");
    let verify = |key: &IssuedKey| kind(there.keys.verify(key.secret.expose(), &Check::new()));
    assert_eq!((verify(&gone), verify(&own)), (Some(ErrorKind::ApiKeyRevoked), None));
}

#[test]
fn what_is_wrong_is_found() {
    let Some(server) = Server::shared("what_is_wrong_is_found") else { return };
    let url = server.url_of("check_wrong");
    let here = side(&url);
    let key = here.keys.create(&KeySpec::new("acme")).unwrap();
    let other = here.keys.create(&KeySpec::new("acme")).unwrap();
    let session = here.sessions.start("alice", &SessionSpec::default()).unwrap();
    here.store.key_ring("main", KeyRingOptions::new()).unwrap();
    assert!(check(&url).is_empty(), "{:?}", check(&url));
    let (id, other) = (&key.record.id, &other.record.id);
    let sql = |statement: String| server.sql(&statement);
    sql(format!("UPDATE check_wrong.key SET scopes = 'admin' WHERE id = '{id}'"));
    sql(format!("UPDATE check_wrong.key SET status = 'good' WHERE id = '{other}'"));
    sql("UPDATE check_wrong.session SET absolute_expires_at = 4000000000".to_owned());
    sql("UPDATE check_wrong.key_ring SET version = 7".to_owned());
    sql("UPDATE check_wrong.change SET content = '\\x00' WHERE number = 2".to_owned());
    let mut found = check(&url);
    found.sort_unstable();
    let mut expected = vec![
        ("api_key", id.clone()),
        ("api_key", other.clone()),
        ("feed", String::new()),
        ("key_ring", "main".to_owned()),
        ("session", session.family().to_owned()),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(store_stats(&url).unwrap().unreadable, 1);
    // It is copied as it is: refused there as well, and told.
    let folder = Folder::new("check_copied");
    let to = folder.path("b.sqlite").display().to_string();
    let report = copy(&url, &to);
    assert_eq!(report.problems.len(), 1, "{report:?}");
    let there = side(&to);
    let refused = there.keys.verify(key.secret.expose(), &Check::new());
    assert!(refused.is_err(), "an altered row became a good one");
}

#[test]
fn tables_are_made_and_are_not_made_twice() {
    let Some(server) = Server::shared("tables_are_made_and_are_not_made_twice") else { return };
    let folder = Folder::new("migrate");
    let file = folder.path("new.sqlite").display().to_string();
    // A path at which there is nothing is a wrong one.
    for dry_run in [true, false] {
        let refused = store_migrate(&file, dry_run).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StoreUnavailable);
        assert!(!std::path::Path::new(&file).exists());
    }
    Store::open(&file).unwrap().close().unwrap();
    let newest = store_migrate(&file, false).unwrap();
    assert_eq!(newest.before, Some(newest.after));
    let url = server.url();
    let planned = store_migrate(&url, true).unwrap();
    assert_eq!(planned.before, None, "{url}");
    assert_eq!(store_migrate(&url, true).unwrap(), planned, "a rehearsal made them");
    assert_eq!(store_migrate(&url, false).unwrap(), planned);
    let again = store_migrate(&url, false).unwrap();
    assert_eq!((again.before, again.after), (Some(planned.after), planned.after));
    let url: gatekey::store::PostgresUrl = url.parse().unwrap();
    let store = PostgresStore::open(&url).unwrap();
    assert_eq!((&store as &dyn Database).api_key_count().unwrap(), 0);
}
