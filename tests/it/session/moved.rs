//! Sessions and revocations in a file that is moved, replaced or stripped of its log while it is open.

use super::{Bench, bench_on};
use crate::apikey::Folder;
use gatekey::ErrorKind;
use gatekey::store::{Database, Mark, SqliteStore};
use std::path::Path;
use std::sync::Arc;

fn open(path: &Path) -> Bench {
    // Without a mark, which would refuse older copies at once.
    bench_on(Arc::new(SqliteStore::open_with(path, &Mark::None).unwrap()) as Arc<dyn Database>)
}

fn strip(path: &Path) {
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{ending}", path.display())).unwrap();
    }
}

#[test]
fn a_log_that_was_taken_away_loses_no_log_out() {
    let folder = Folder::new("sessions_log_taken");
    let path = folder.path("a.sqlite");
    let here = open(&path);
    let tokens = here.start("alice");
    rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    strip(&path);
    assert_eq!(here.sessions.end_all("alice").unwrap(), 1);
    let there = open(&path);
    let error = there.refresh(&tokens).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionEnded);
    assert_eq!(there.verify(&tokens).unwrap_err().kind(), ErrorKind::RevokedToken);
    assert!(there.sessions.revocations().seen_once("i", "t", super::NOW + 9).unwrap());
    assert!(!here.sessions.revocations().seen_once("i", "t", super::NOW + 9).unwrap(), "one file");
}

#[test]
fn a_file_that_is_gone_ends_no_session() {
    let folder = Folder::new("sessions_gone");
    let (path, aside) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
    let here = open(&path);
    let tokens = here.start("alice");
    std::fs::rename(&path, &aside).unwrap();
    for outcome in [
        here.sessions.end_all("alice").map(drop),
        here.refresh(&tokens).map(drop),
        here.sessions.revocations().revoke_subject("bob").map(drop),
        here.sessions.revocations().seen_once("i", "t", super::NOW + 9).map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    }
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(here.sessions.end_all("alice").unwrap(), 1);
}

/// What the file that was there has revoked stays revoked in this process, and what the other one has revoked is.
#[test]
fn another_file_under_the_name_revokes_what_it_has() {
    let folder = Folder::new("sessions_replaced");
    let (path, other) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
    let here = open(&path);
    let (alice, bob) = (here.start("alice"), here.start("bob"));
    let copy = rusqlite::Connection::open(&path).unwrap();
    copy.execute("VACUUM INTO ?", [other.to_str().unwrap()]).unwrap();
    drop(copy);
    {
        let there = open(&other);
        there.sessions.end_all("alice").unwrap();
        there.store.close().unwrap();
    }
    here.sessions.end_all("bob").unwrap();
    strip(&path);
    std::fs::rename(&other, &path).unwrap();
    here.clock.advance(1);
    for tokens in [&alice, &bob] {
        assert_eq!(here.verify(tokens).unwrap_err().kind(), ErrorKind::RevokedToken);
    }
}
