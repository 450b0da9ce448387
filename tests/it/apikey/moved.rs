//! A file that is moved, deleted, replaced or stripped of its log while a store has it open.

use super::stores::Folder;
use super::{Bench, bench_on, refused, text};
use gatekey::ErrorKind;
use gatekey::apikey::{Check, IssuedKey};
use gatekey::store::{Database, Mark, SqliteStore};
use std::path::Path;
use std::sync::Arc;

fn open(path: &Path) -> Bench {
    // Without a mark, which would refuse older copies at once.
    bench_on(Arc::new(SqliteStore::open_with(path, &Mark::None).unwrap()) as Arc<dyn Database>)
}

/// A copy as `gatekey store backup` would make it, of the file as it is now.
fn copy(path: &Path, to: &Path) {
    let from = rusqlite::Connection::open(path).unwrap();
    from.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
}

/// What closing the file in another SQLite of the same process does to the open one: its log is gone, by its name.
fn strip(path: &Path) {
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{ending}", path.display())).unwrap();
    }
}

fn kind(bench: &Bench, issued: &IssuedKey) -> Option<ErrorKind> {
    bench.clock.advance(1); // time to look
    bench.keys.verify(text(issued), &Check::new()).err().map(|error| error.kind())
}

#[test]
fn a_log_that_was_taken_away_loses_no_revocation() {
    for look_first in [false, true] {
        let folder = Folder::new("log_taken");
        let path = folder.path("a.sqlite");
        let here = open(&path);
        let issued = here.create(|_| ());
        // The log is written into the file, and gone.
        rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        strip(&path);
        if look_first {
            assert_eq!(kind(&here, &issued), None);
        }
        here.keys.revoke(&issued.record.id, "leaked").unwrap();
        assert_eq!(kind(&here, &issued), Some(ErrorKind::ApiKeyRevoked));
        // Not closed: as after a SIGKILL.
        let there = open(&path);
        assert_eq!(kind(&there, &issued), Some(ErrorKind::ApiKeyRevoked), "{look_first}");
        let second = there.create(|_| ());
        assert_eq!(kind(&here, &second), None, "both have the same file");
    }
}

#[test]
fn a_file_that_is_gone_takes_no_change() {
    let folder = Folder::new("gone");
    let (path, aside) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
    for deleted in [false, true] {
        let here = open(&path);
        let issued = here.create(|_| ());
        if deleted {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::rename(&path, &aside).unwrap();
        }
        let said = refused(
            here.keys.revoke(&issued.record.id, ""),
            ErrorKind::StoreUnavailable,
            "a change to a file that is gone",
        );
        assert!(said.to_string().contains("moved or deleted"), "{said}");
        refused(
            here.keys.create(&gatekey::apikey::KeySpec::new("acme")).map(|_| ()),
            ErrorKind::StoreUnavailable,
            "create",
        );
        assert!(!path.exists(), "nothing new is made in its place");
        // What is known is good for a while, and not for ever.
        assert_eq!(kind(&here, &issued), None);
        here.clock.advance(31);
        assert_eq!(kind(&here, &issued), Some(ErrorKind::StoreUnavailable));
        if deleted {
            continue;
        }
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!(kind(&here, &issued), None, "put back");
        here.keys.revoke(&issued.record.id, "").unwrap();
        assert_eq!(kind(&open(&path), &issued), Some(ErrorKind::ApiKeyRevoked));
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
    }
}

/// Another file under the name is read from its beginning, whatever its numbers are: the one that was there had more
/// changes, as many, or fewer.
#[test]
fn another_file_under_the_name_is_read_whole() {
    for (here_more, there_more) in [(5, 0), (0, 5), (2, 2)] {
        let folder = Folder::new("replaced");
        let (path, other) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
        let here = open(&path);
        let (kept, mine) = (here.create(|_| ()), here.create(|_| ()));
        copy(&path, &other);
        for _ in 0..here_more {
            here.create(|_| ());
        }
        let late = here.create(|_| ());
        {
            let there = open(&other);
            there.keys.revoke(&mine.record.id, "").unwrap();
            for _ in 0..there_more {
                there.create(|_| ());
            }
            there.keys.close().unwrap();
        }
        strip(&path);
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(kind(&here, &kept), None);
        assert_eq!(kind(&here, &mine), Some(ErrorKind::ApiKeyRevoked), "{here_more} {there_more}");
        assert_eq!(
            kind(&here, &late),
            Some(ErrorKind::UnknownApiKey),
            "only the other file had it: {here_more} {there_more}"
        );
        // From now on it is the file of all.
        let elsewhere = open(&path);
        let made = elsewhere.create(|_| ());
        assert_eq!(kind(&here, &made), None);
        here.keys.revoke(&kept.record.id, "").unwrap();
        assert_eq!(kind(&elsewhere, &kept), Some(ErrorKind::ApiKeyRevoked));
    }
}

#[test]
fn an_empty_file_is_no_store() {
    let folder = Folder::new("emptied");
    let path = folder.path("a.sqlite");
    let here = open(&path);
    let issued = here.create(|_| ());
    strip(&path);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    refused(here.keys.revoke(&issued.record.id, ""), ErrorKind::StoreCorrupt, "an empty file");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "it is left as it is");
}

/// With a mark, an older copy that is put in the place of the open file is refused until someone acknowledges it.
#[test]
fn an_older_copy_is_refused_while_the_store_is_open() {
    let folder = Folder::new("older_copy");
    let (path, other) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
    let here = bench_on(Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>);
    let issued = here.create(|_| ());
    copy(&path, &other);
    here.keys.revoke(&issued.record.id, "leaked").unwrap();
    strip(&path);
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(kind(&here, &issued), Some(ErrorKind::ApiKeyRevoked), "what is known stays known");
    refused(here.keys.revoke(&issued.record.id, ""), ErrorKind::StoreRestored, "a change");
    here.clock.advance(31);
    let late = here.keys.verify(text(&issued), &Check::new()).unwrap_err();
    assert!(late.is_unavailable(), "never good again by itself: {late:?}");
    refused(SqliteStore::open(&path), ErrorKind::StoreRestored, "opened anew");
}

/// SQLite's own backup call writes an older copy into the open file: no name and no file is another one then.
#[test]
fn an_older_copy_that_is_written_into_the_file_is_refused() {
    for strict in [false, true] {
        let folder = Folder::new("written_into");
        let (path, other) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
        let here = bench_on(Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>);
        let issued = here.create(|_| ());
        copy(&path, &other);
        here.keys.revoke(&issued.record.id, "leaked").unwrap();
        let options =
            gatekey::apikey::ApiKeyOptions::new().clock(here.clock.clone()).strict(strict);
        let store = Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>;
        let watching = gatekey::ApiKeys::open(store, super::pepper(&[1]), options).unwrap();
        let (old, mut live) = (
            rusqlite::Connection::open(&other).unwrap(),
            rusqlite::Connection::open(&path).unwrap(),
        );
        rusqlite::backup::Backup::new(&old, &mut live)
            .unwrap()
            .run_to_completion(100, std::time::Duration::ZERO, None)
            .unwrap();
        drop((old, live));
        here.clock.advance(1);
        let said = watching.verify(text(&issued), &Check::new()).unwrap_err().kind();
        let wanted = if strict { ErrorKind::StoreRestored } else { ErrorKind::ApiKeyRevoked };
        assert_eq!(said, wanted, "what is known stays known");
        refused(watching.refresh(), ErrorKind::StoreRestored, "a look");
        here.clock.advance(31);
        let late = watching.verify(text(&issued), &Check::new()).unwrap_err();
        assert!(late.is_unavailable(), "{late:?}");
    }
}

/// The files of a store, as someone puts them back: by name, or written over.
fn put_back(files: &[String; 4], old: &[Vec<u8>; 4], by_name: bool) {
    for (file, old) in files.iter().zip(old) {
        if by_name {
            std::fs::write(format!("{file}.old"), old).unwrap();
            std::fs::rename(format!("{file}.old"), file).unwrap();
        } else {
            std::fs::write(file, old).unwrap();
        }
    }
}

fn acknowledge(path: &Path) {
    let given = gatekey::pepper::PepperSource::Given(super::pepper(&[1]));
    let options = gatekey::backup::AcknowledgeOptions { revoke_before: 0, ..Default::default() };
    let url = format!("sqlite:///{}", path.display());
    gatekey::backup::store_acknowledge_restore(&url, &given, options).unwrap();
}

/// Files that were put back with their mark are refused by who had them open, for good: another process that starts on
/// them could change them until their number has caught up.
#[test]
fn who_has_found_it_older_never_goes_on_with_it() {
    for (name, by_name) in [("by_name", true), ("written_over", false)] {
        let folder = Folder::new(name);
        let path = folder.path("a.sqlite");
        let files = ["", "-wal", "-shm", ".mark"].map(|end| format!("{}{end}", path.display()));
        let here = bench_on(Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>);
        let issued = here.create(|_| ());
        let old = files.each_ref().map(|file| std::fs::read(file).unwrap());
        for _ in 0..5 {
            here.create(|_| ());
        }
        here.keys.revoke(&issued.record.id, "leaked").unwrap();
        put_back(&files, &old, by_name);
        let there = bench_on(Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>);
        there.create(|_| ());
        let said = here.keys.refresh().unwrap_err().kind();
        assert!([ErrorKind::StoreRestored, ErrorKind::StoreCorrupt].contains(&said), "{said:?}");
        let spec = gatekey::apikey::KeySpec::new("acme");
        refused(there.keys.create(&spec), ErrorKind::StoreRestored, name);
        refused(SqliteStore::open(&path), ErrorKind::StoreRestored, "the mark says it to others");

        // Someone goes on all the same, and puts the mark back, too.
        let live = rusqlite::Connection::open(&path).unwrap();
        live.execute("UPDATE store SET seq = seq + 100", []).unwrap();
        drop(live);
        std::fs::remove_file(&files[3]).unwrap();
        refused(here.keys.refresh(), ErrorKind::StoreRestored, name);
        refused(here.keys.revoke(&issued.record.id, ""), ErrorKind::StoreRestored, name);
        refused(there.keys.refresh(), ErrorKind::StoreRestored, name);

        acknowledge(&path);
        here.keys.refresh().unwrap();
        assert_eq!(kind(&here, &issued), None, "{name}: the store was accepted as it is");
        here.keys.revoke(&issued.record.id, "leaked").unwrap();
        assert_eq!(kind(&here, &issued), Some(ErrorKind::ApiKeyRevoked));
    }
}

/// A store that was accepted under another name is read whole, also where its file is the same one: what was made after
/// the copy is not there any more.
#[test]
fn what_the_accepted_store_does_not_have_is_not_known_any_more() {
    for (name, by_name) in [("accepted_by_name", true), ("accepted_written_over", false)] {
        let folder = Folder::new(name);
        let path = folder.path("a.sqlite");
        let files = ["", "-wal", "-shm", ".mark"].map(|end| format!("{}{end}", path.display()));
        let here = bench_on(Arc::new(SqliteStore::open(&path).unwrap()) as Arc<dyn Database>);
        let kept = here.create(|_| ());
        let old = files.each_ref().map(|file| std::fs::read(file).unwrap());
        let late = here.create(|_| ());
        put_back(&files, &old, by_name);
        acknowledge(&path);
        here.keys.refresh().unwrap();
        assert_eq!(kind(&here, &late), Some(ErrorKind::UnknownApiKey), "{name}");
        assert_eq!(kind(&here, &kept), None, "{name}");
    }
}
