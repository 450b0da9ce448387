//! Rows that someone has altered or damaged in the store: sessions end all the same, by their ids alone.

use super::{Bench, bench, bench_on, refused};
use gatekey::ErrorKind;
use gatekey::session::{SessionEventFilter, SessionTokens};
use gatekey::store::{Database, MemoryStore, SessionWrite};
use std::sync::Arc;

/// Gives the row of a session this subject and the number before its next one.
fn alter(bench: &Bench, tokens: &SessionTokens, subject: &str) {
    let mut row = bench.store.session(tokens.family()).unwrap().unwrap();
    row.version += 1;
    subject.clone_into(&mut row.record.subject);
    let write = SessionWrite { update: vec![row], ..SessionWrite::default() };
    bench.store.write_sessions(&write).unwrap();
}

fn a_leaked_pepper_ends_what_it_can(store: Arc<dyn Database>) {
    let bench = bench_on(store);
    let all = ["a", "b", "c", "d", "e"].map(|subject| bench.start(subject));
    alter(&bench, &all[2], "root");
    let newer = bench.elsewhere(&[1, 2]);
    assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 5);
    for (at, tokens) in all.iter().enumerate() {
        assert!(newer.sessions.get(tokens.family()).unwrap().ended_at.is_some(), "{at}");
        refused(newer.verify(tokens), ErrorKind::RevokedToken, "its access token");
        let kind = if at == 2 { ErrorKind::StoreCorrupt } else { ErrorKind::SessionEnded };
        refused(newer.refresh(tokens).map(drop), kind, &at.to_string());
    }
    assert!(newer.sessions.get(all[2].family()).unwrap().altered, "the row is not made good");
    assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 0, "nothing is left");
}

/// Whatever pepper the altered row names: what it was made under, nobody knows.
fn a_leaked_pepper_ends_altered_rows(store: Arc<dyn Database>) {
    let bench = bench_on(store);
    let all = [1, 2, 3, 77].map(|pepper| (pepper, bench.start("alice")));
    let _others = bench.elsewhere(&[3]);
    let newer = bench.elsewhere(&[1, 2]);
    let good = newer.start("bob");
    for (pepper, tokens) in &all {
        let mut row = bench.store.session(tokens.family()).unwrap().unwrap();
        row.version += 1;
        (row.pepper, row.seal_pepper, row.previous_pepper) = (*pepper, *pepper, None);
        let write = SessionWrite { update: vec![row], ..SessionWrite::default() };
        bench.store.write_sessions(&write).unwrap();
    }
    let told = |outcome| refused(outcome, ErrorKind::WrongPepper, "not all peppers are at hand");
    told(newer.sessions.end_under_pepper(1));
    for (pepper, tokens) in &all {
        let record = newer.sessions.get(tokens.family()).unwrap();
        // Another process has the pepper 3, and the row may be its.
        assert_eq!(record.ended_at.is_none(), *pepper == 3, "{pepper}");
        assert!(record.altered, "{pepper}");
        assert!(newer.refresh(tokens).is_err(), "{pepper}");
        if *pepper != 3 {
            refused(newer.verify(tokens), ErrorKind::RevokedToken, &pepper.to_string());
        }
    }
    told(newer.sessions.end_under_pepper(1));
    assert!(newer.refresh(&good).is_ok());
}

/// Who can write to the store hides a session from the day of the leak, and means to give its row back afterwards.
fn hiding_a_row_keeps_no_session(store: impl Fn(usize) -> Arc<dyn Database>) {
    type Hide = fn(&mut gatekey::store::StoredSession);
    let hides: [(&str, Hide); 5] = [
        ("the newer pepper", |row| (row.pepper, row.seal_pepper) = (2, 2)),
        ("one that nobody has", |row| (row.pepper, row.seal_pepper) = (9, 9)),
        ("that it has expired", |row| (row.seal_pepper, row.record.expires_at) = (2, 0)),
        ("that it has ended", |row| (row.seal_pepper, row.record.ended_at) = (2, Some(1))),
        ("a seal of nothing", |row| (row.pepper, row.seal, row.seal_pepper) = (0, [0; 16], 0)),
    ];
    for (at, (what, hide)) in hides.into_iter().enumerate() {
        let bench = bench_on(store(at));
        let (hidden, other) = (bench.start("alice"), bench.start("bob"));
        let good = bench.store.session(hidden.family()).unwrap().unwrap();
        let put = |row| {
            let write = SessionWrite { end: vec![row], ..SessionWrite::default() };
            bench.store.write_sessions(&write).unwrap();
        };
        let mut row = good.clone();
        hide(&mut row);
        put(row);
        let newer = bench.elsewhere(&[1, 2]);
        let kept = newer.start("carol");
        assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 2, "{what}");
        assert_eq!(newer.sessions.end_under_pepper(1).unwrap(), 0, "{what}: nothing is left");
        for tokens in [&hidden, &other] {
            refused(newer.verify(tokens), ErrorKind::RevokedToken, what);
        }
        put(good);
        refused(newer.refresh(&hidden).map(drop), ErrorKind::SessionEnded, what);
        assert!(newer.refresh(&kept).is_ok(), "{what}");
    }
}

#[test]
fn hiding_a_row_keeps_no_session_in_memory() {
    hiding_a_row_keeps_no_session(|_| Arc::new(MemoryStore::new()));
}

/// A process that has a still newer pepper has refreshed a session: nobody else can tell that from an altered row.
#[test]
fn a_row_under_a_pepper_that_is_elsewhere_is_told_and_stays() {
    let bench = bench();
    let (old, refreshed) = (bench.start("alice"), bench.start("bob"));
    let newest = bench.elsewhere(&[1, 2, 3]);
    let refreshed = newest.refresh(&refreshed).unwrap();
    bench.clock.advance(61); // the token before is over
    let newer = bench.elsewhere(&[1, 2]);
    refused(newer.sessions.end_under_pepper(1), ErrorKind::WrongPepper, "not all are at hand");
    refused(newer.refresh(&old).map(drop), ErrorKind::SessionEnded, "all others are done");
    newest.sessions.revocations().refresh().unwrap();
    assert!(newest.verify(&refreshed).is_ok() && newest.refresh(&refreshed).is_ok());
    assert_eq!(newest.sessions.end_under_pepper(1).unwrap(), 0);
}

#[test]
fn a_leaked_pepper_ends_altered_rows_in_memory() {
    a_leaked_pepper_ends_altered_rows(Arc::new(MemoryStore::new()));
}

#[test]
fn a_leaked_pepper_ends_what_it_can_in_memory() {
    a_leaked_pepper_ends_what_it_can(Arc::new(MemoryStore::new()));
}

/// A change that was begun while the row was good does not make it live again.
#[test]
fn nothing_overtakes_the_end_of_a_row_that_is_not_believed() {
    let bench = bench();
    let tokens = bench.start("alice");
    let good = bench.store.session(tokens.family()).unwrap().unwrap();
    alter(&bench, &tokens, "root");
    assert!(bench.sessions.end_by_id(tokens.family(), None).unwrap());
    for version in [2, 3, 4, u64::MAX] {
        let row = gatekey::store::StoredSession { version, ..good.clone() };
        let write = SessionWrite { update: vec![row], ..SessionWrite::default() };
        refused(bench.store.write_sessions(&write), ErrorKind::StoreConflict, "overtaken");
    }
    let record = bench.sessions.get(tokens.family()).unwrap();
    assert!(record.altered && record.ended_at.is_some());
    assert_eq!(bench.sessions.events(&SessionEventFilter::default()).unwrap().records.len(), 2);
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::super::{peppers, signer, text};
    use super::*;
    use crate::apikey::Folder;
    use gatekey::Clock as _;
    use gatekey::session::SessionEnd;
    use gatekey::store::{RevocationKind, SqliteStore};

    fn sql(folder: &Folder, sql: &str) {
        let raw = rusqlite::Connection::open(folder.path("a.sqlite")).unwrap();
        assert_eq!(raw.execute(sql, []).unwrap(), 1, "{sql}");
    }

    fn open(folder: &Folder) -> Arc<dyn Database> {
        Arc::new(SqliteStore::open(folder.path("a.sqlite")).unwrap())
    }

    fn sessions_in(folder: &Folder) -> gatekey::Sessions {
        let options = gatekey::session::SessionOptions::new();
        gatekey::Sessions::open(open(folder), peppers(&[1]), Some(&signer()), options).unwrap()
    }

    /// What can stand in a row that nobody wrote there: the largest version, and columns that cannot be read.
    const DAMAGES: [&str; 6] = [
        "version = 9223372036854775807",
        "version = -1",
        "counter = -1",
        "seed = x'00'",
        "end = 'never'",
        "expires_at = 'soon'",
    ];

    type End = fn(&Bench, &SessionTokens) -> u64;

    fn ends() -> [(&'static str, End); 4] {
        [
            ("end_by_id", |bench, tokens| {
                bench.sessions.end_by_id(tokens.family(), None).unwrap().into()
            }),
            ("end_by_id of its subject", |bench, tokens| {
                bench.sessions.end_by_id(tokens.family(), Some("alice")).unwrap().into()
            }),
            ("end_all", |bench, _| bench.sessions.end_all("alice").unwrap() - 1),
            ("end_under_pepper", |bench, _| {
                bench.elsewhere(&[1, 2]).sessions.end_under_pepper(1).unwrap() - 2
            }),
        ]
    }

    #[test]
    fn a_damaged_row_ends_by_its_id_alone() {
        for damage in DAMAGES {
            for (how, end) in ends() {
                let what = format!("{damage}, {how}");
                let folder = Folder::new("sessions_damaged_ends");
                let bench = bench_on(open(&folder));
                let (bad, good, other) =
                    (bench.start("alice"), bench.start("alice"), bench.start("bob"));
                let family = bad.family();
                sql(&folder, &format!("UPDATE session SET {damage} WHERE family = '{family}'"));
                let stranger = bench.sessions.end_by_id(family, Some("bob"));
                refused(stranger, ErrorKind::SessionNotFound, &what);
                assert!(bench.verify(&bad).is_ok(), "{what}: nothing has ended");
                assert_eq!(end(&bench, &bad), 1, "{what}");
                bench.sessions.revocations().refresh().unwrap();
                refused(bench.verify(&bad), ErrorKind::RevokedToken, &what);
                let record = bench.sessions.get(family).unwrap();
                assert!(record.altered && record.end.is_some(), "{what}");
                assert!(bench.refresh(&bad).is_err(), "{what}");
                let all = !how.starts_with("end_by_id");
                assert_eq!(bench.refresh(&good).is_err(), all, "{what}");
                assert_eq!(bench.refresh(&other).is_err(), all && how != "end_all", "{what}");
                // Putting back what was damaged brings nothing back.
                sql(&folder, &format!("UPDATE session SET version = 1 WHERE family = '{family}'"));
                assert!(bench.refresh(&bad).is_err(), "{what}");
            }
        }
    }

    /// Who looks where they are logged in sees a session whose row cannot be read, and can end it.
    #[test]
    fn a_damaged_row_is_listed_and_ended_by_its_owner() {
        let dates = ["expires_at = -1", "ended_at = 'never'", "ended_at = -1", "last_seen_at = -1"];
        for damage in DAMAGES.into_iter().chain(dates) {
            let folder = Folder::new("sessions_damaged_listed");
            let bench = bench_on(open(&folder));
            let tokens = ["alice", "alice", "bob", "alice"].map(|subject| bench.start(subject));
            let bad = tokens[1].family();
            sql(&folder, &format!("UPDATE session SET {damage} WHERE family = '{bad}'"));
            let mut all = tokens.each_ref().map(|tokens| (tokens.family(), tokens.family() == bad));
            all.sort_unstable();
            for limit in [1, 2, 100] {
                let mut filter = gatekey::session::SessionFilter { limit, ..Default::default() };
                let mut found = Vec::new();
                loop {
                    let page = bench.sessions.find(&filter).unwrap();
                    found.extend(page.records.into_iter().map(|one| (one.family, one.altered)));
                    filter.cursor = page.cursor;
                    if filter.cursor.is_none() {
                        break;
                    }
                }
                let found: Vec<_> = found.iter().map(|(id, bad)| (id.as_str(), *bad)).collect();
                assert_eq!(found, all, "{damage}, {limit} at a time");
            }
            let listed = bench.sessions.list("alice").unwrap();
            assert_eq!(listed.len(), 3, "{damage}");
            let altered: Vec<_> = listed.iter().filter(|record| record.altered).collect();
            assert_eq!((altered.len(), altered[0].family.as_str()), (1, bad), "{damage}");
            assert_eq!(altered[0].subject, "alice", "{damage}");
            assert!(bench.sessions.end_by_id(&altered[0].family, Some("alice")).unwrap());
            refused(bench.verify(&tokens[1]), ErrorKind::RevokedToken, damage);
            assert_eq!(bench.sessions.list("alice").unwrap().len(), 2, "{damage}: it is over");
            bench.sessions.purge(bench.clock.now()).unwrap();
            let kept = bench.sessions.get(bad).unwrap();
            assert!(kept.altered && kept.ended_at.is_some(), "{damage}: it has just ended");
        }
    }

    /// A row that was given to another subject: nobody can go on with it, its access tokens are revoked with those of
    /// the subject that they name, and the one who finds it ends it.
    #[test]
    fn a_row_given_to_another_subject_opens_nothing() {
        let folder = Folder::new("sessions_other_subject");
        let bench = bench_on(open(&folder));
        let (bad, good) = (bench.start("alice"), bench.start("alice"));
        let family = bad.family();
        sql(&folder, &format!("UPDATE session SET subject = 'mallory' WHERE family = '{family}'"));
        refused(bench.refresh(&bad), ErrorKind::StoreCorrupt, "its seal is not good");
        assert!(bench.verify(&bad).is_ok());
        assert_eq!(bench.sessions.end_all("alice").unwrap(), 1, "the one that is known as hers");
        for tokens in [&bad, &good] {
            refused(bench.verify(tokens), ErrorKind::RevokedToken, "what she had");
        }
        let restarted = bench.elsewhere(&[1]);
        refused(restarted.verify(&bad), ErrorKind::RevokedToken, "after a restart");
        refused(restarted.refresh(&bad), ErrorKind::StoreCorrupt, "still");
        let listed = bench.sessions.list("mallory").unwrap();
        assert!(listed.len() == 1 && listed[0].altered && listed[0].family == family);
        sql(&folder, &format!("UPDATE session SET subject = 'alice' WHERE family = '{family}'"));
        assert!(
            bench.refresh(&bad).is_ok(),
            "given back, the row is what it was: it had not been ended"
        );
        sql(&folder, &format!("UPDATE session SET subject = 'mallory' WHERE family = '{family}'"));
        assert!(bench.sessions.end(text(&bad)).unwrap(), "its own token ends it");
        sql(&folder, &format!("UPDATE session SET subject = 'alice' WHERE family = '{family}'"));
        assert!(bench.refresh(&bad).is_err(), "for good");
    }

    #[test]
    fn an_acknowledged_restore_ends_damaged_rows() {
        for damage in DAMAGES {
            let folder = Folder::new("sessions_damaged_restore");
            let sessions = sessions_in(&folder);
            let [bad, good] = ["alice", "bob"].map(|subject| {
                sessions.start(subject, &gatekey::session::SessionSpec::default()).unwrap()
            });
            sessions.close().unwrap();
            let family = bad.family();
            sql(&folder, &format!("UPDATE session SET {damage} WHERE family = '{family}'"));
            let options = gatekey::backup::AcknowledgeOptions {
                revoke_before: good.session.created_at + 1,
                ..Default::default()
            };
            let url = format!("sqlite:///{}", folder.path("a.sqlite").display());
            let done = gatekey::backup::store_acknowledge_restore(
                &url,
                &gatekey::pepper::PepperSource::Given(peppers(&[1])),
                options,
            )
            .unwrap();
            assert_eq!(done.sessions, 2, "{damage}");
        }
    }

    #[test]
    fn a_subject_is_revoked_whatever_its_rows_say() {
        let folder = Folder::new("sessions_subject_first");
        let bench = bench_on(open(&folder));
        let tokens = bench.start("alice");
        sql(&folder, "UPDATE session SET version = 9223372036854775807");
        assert_eq!(bench.sessions.end_all("alice").unwrap(), 1);
        let kinds = bench.store.revocations(0, 10).unwrap().entries;
        assert!(kinds.iter().any(|entry| entry.kind == RevocationKind::SubjectSoFar));
        assert_eq!(
            bench.sessions.get(tokens.family()).unwrap().end,
            Some(SessionEnd::LogOutEverywhere)
        );
        assert!(bench.verify(&bench.start("alice")).is_ok(), "a later log-in is good");
    }

    #[test]
    fn the_token_of_a_row_with_the_largest_version_ends_it() {
        let folder = Folder::new("sessions_version_ends");
        let bench = bench_on(open(&folder));
        let tokens = bench.start("alice");
        sql(&folder, "UPDATE session SET version = 9223372036854775807");
        assert!(bench.sessions.end(text(&tokens)).unwrap());
        refused(bench.verify(&tokens), ErrorKind::RevokedToken, "its access token");
    }

    #[test]
    fn a_leaked_pepper_ends_what_it_can_in_sqlite() {
        let folder = Folder::new("sessions_leaked_altered");
        a_leaked_pepper_ends_what_it_can(open(&folder));
    }

    #[test]
    fn a_leaked_pepper_ends_altered_rows_in_sqlite() {
        let folder = Folder::new("sessions_leaked_other");
        a_leaked_pepper_ends_altered_rows(open(&folder));
    }

    #[test]
    fn an_event_that_cannot_be_read_hides_no_other() {
        let folder = Folder::new("session_events_damaged");
        let bench = bench_on(open(&folder));
        for subject in ["a", "b", "c", "d"] {
            bench.start(subject);
        }
        sql(&folder, "UPDATE session_event SET at = -1 WHERE seq = 2");
        for limit in [1, 2, 3, 100] {
            let mut filter = SessionEventFilter { limit, ..SessionEventFilter::default() };
            let mut subjects = Vec::new();
            loop {
                let page = bench.sessions.events(&filter).unwrap();
                subjects.extend(page.records.into_iter().map(|event| event.subject));
                filter.cursor = page.cursor;
                if filter.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(subjects, ["a", "c", "d"], "{limit} at a time");
        }
    }

    #[test]
    fn hiding_a_row_keeps_no_session_in_sqlite() {
        let folder = Folder::new("sessions_hidden");
        hiding_a_row_keeps_no_session(|at| {
            Arc::new(SqliteStore::open(folder.path(&format!("{at}.sqlite"))).unwrap())
        });
    }

    #[test]
    fn an_acknowledged_restore_ends_a_row_that_says_it_has_ended() {
        let folder = Folder::new("sessions_hidden_restore");
        let sessions = sessions_in(&folder);
        let tokens = sessions.start("alice", &gatekey::session::SessionSpec::default()).unwrap();
        sql(&folder, "UPDATE session SET ended_at = 1, end = 'logout'");
        let options = gatekey::backup::AcknowledgeOptions {
            revoke_before: tokens.session.created_at + 1,
            ..Default::default()
        };
        let url = format!("sqlite:///{}", folder.path("a.sqlite").display());
        let given = gatekey::pepper::PepperSource::Given(peppers(&[1]));
        let done = gatekey::backup::store_acknowledge_restore(&url, &given, options).unwrap();
        assert_eq!(done.sessions, 1);
    }
}
