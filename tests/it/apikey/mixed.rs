//! What copies by hand do to the files of a store: an older main file under the log of a newer one, files that are cut
//! short in place, and the whole set put back under a process that has it open.

use super::stores::Folder;
use super::{Bench, bench_on, refused, text};
use gatekey::apikey::{Check, IssuedKey};
use gatekey::keyring::KeyRingOptions;
use gatekey::revocations::RevocationOptions;
use gatekey::store::{Database, Mark, SqliteStore};
use gatekey::{ErrorKind, KeyRing, Peppers, Revocations, Secret};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SET: [&str; 4] = ["", "-wal", "-shm", ".mark"];

fn open(path: &Path) -> gatekey::Result<Bench> {
    Ok(bench_on(Arc::new(SqliteStore::open(path)?) as Arc<dyn Database>))
}

fn with(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// The files as they are now, for another folder: what a killed process leaves.
fn copy_set(path: &Path, to: &Path, endings: &[&str]) {
    for ending in endings {
        let _ = std::fs::remove_file(with(to, ending));
        if with(path, ending).exists() {
            std::fs::copy(with(path, ending), with(to, ending)).unwrap();
        }
    }
}

fn checkpoint(path: &Path, how: &str) {
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).unwrap();
}

/// Writes bytes into the file that is there, as `cp` does.
fn write_into(path: &Path, bytes: &[u8]) {
    std::thread::sleep(std::time::Duration::from_millis(20)); // a later moment for the file system, too
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

fn cut(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

fn kind(bench: &Bench, issued: &IssuedKey) -> Option<ErrorKind> {
    bench.clock.advance(1); // time to look
    bench.keys.verify(text(issued), &Check::new()).err().map(|error| error.kind())
}

fn revocations(path: &Path) -> Revocations {
    Revocations::open(Arc::new(SqliteStore::open(path).unwrap()), RevocationOptions::new()).unwrap()
}

/// A store with a revoked key that only the main file knows, and a log with later changes; and its main file from
/// before the revocation.
struct Mixed {
    _folder: Folder,
    path: PathBuf,
    here: Bench,
    leaked: IssuedKey,
    older: Vec<u8>,
}

impl Mixed {
    fn new(test: &str) -> Self {
        let folder = Folder::new(test);
        let path = folder.path("a.sqlite");
        let here = open(&path).unwrap();
        // Made by the clock of the system, which restores go by.
        let options = gatekey::apikey::ApiKeyOptions::new();
        let keys = gatekey::ApiKeys::open(here.store.clone(), super::pepper(&[1]), options);
        let leaked = keys.unwrap().create(&gatekey::apikey::KeySpec::new("acme")).unwrap();
        here.keys.refresh().unwrap();
        checkpoint(&path, "TRUNCATE");
        let older = std::fs::read(&path).unwrap();
        here.keys.revoke(&leaked.record.id, "leaked").unwrap();
        // The next change begins the log again.
        checkpoint(&path, "RESTART");
        revocations(&path).revoke_session("of no key").unwrap();
        Self { _folder: folder, path, here, leaked, older }
    }

    /// The files as after a kill, with this main file.
    fn killed(&self, name: &str, main: &[u8]) -> PathBuf {
        let to = self.path.with_file_name(name);
        copy_set(&self.path, &to, &["-wal", ".mark"]);
        std::fs::write(&to, main).unwrap();
        to
    }
}

fn every_opening(path: &Path) -> Vec<Option<ErrorKind>> {
    let url = format!("sqlite:///{}", path.display());
    let given = gatekey::pepper::PepperSource::Given(super::pepper(&[1]));
    let kind = |error: gatekey::Error| error.kind();
    vec![
        SqliteStore::open(path).err().map(kind),
        gatekey::open::open_revocations(&url, RevocationOptions::new()).err().map(kind),
        gatekey::open::open_key_ring(&url, &given, KeyRingOptions::new()).err().map(kind),
        gatekey::open::open_sessions(&url, &given, None, gatekey::session::SessionOptions::new())
            .err()
            .map(kind),
        SqliteStore::open_with(path, &Mark::None).err().map(kind),
    ]
}

#[test]
fn an_older_main_file_under_the_log_of_a_newer_one_is_refused() {
    let mixed = Mixed::new("mixed_killed");
    let whole = mixed.killed("whole.sqlite", &std::fs::read(&mixed.path).unwrap());
    let path = mixed.killed("b.sqlite", &mixed.older);
    let log = std::fs::read(with(&path, "-wal")).unwrap();
    for said in every_opening(&path) {
        assert_eq!(said, Some(ErrorKind::StoreRestored));
        assert_eq!(std::fs::read(&path).unwrap(), mixed.older, "it is left as it is");
        assert_eq!(std::fs::read(with(&path, "-wal")).unwrap(), log, "and so is the log");
    }
    assert_eq!(kind(&open(&whole).unwrap(), &mixed.leaked), Some(ErrorKind::ApiKeyRevoked));
}

#[test]
fn a_mixture_is_not_backed_up_and_can_be_acknowledged_or_restored_over() {
    use gatekey::backup::{AcknowledgeOptions, BackupOptions, RestoreOptions};
    let mixed = Mixed::new("mixed_backup");
    let backup = mixed.path.with_file_name("backup");
    let url = |path: &Path| format!("sqlite:///{}", path.display());
    let back_up = |from: &Path, to: &Path| {
        gatekey::backup::store_backup(&url(from), to, &BackupOptions::default(), &mut |_, _| Ok(()))
    };
    back_up(&mixed.path, &backup).unwrap();
    let path = mixed.killed("b.sqlite", &mixed.older);
    let said = back_up(&path, &mixed.path.with_file_name("none"));
    refused(said, ErrorKind::StoreRestored, "a backup of a mixture");
    // Restored over: what was there is kept as it was, and refused still.
    let report = gatekey::backup::store_restore(
        &backup,
        &url(&path),
        RestoreOptions::default(),
        &mut |_, _| Ok(()),
    );
    let aside = report.unwrap().replaced.unwrap();
    assert_eq!(std::fs::read(&aside).unwrap(), mixed.older);
    refused(SqliteStore::open_with(&aside, &Mark::None), ErrorKind::StoreRestored, "put aside");
    // Acknowledged: everything from before has ended, and the files are one.
    let path = mixed.killed("c.sqlite", &mixed.older);
    let given = gatekey::pepper::PepperSource::Given(super::pepper(&[1]));
    let now = gatekey::Clock::now(&gatekey::SystemClock) + 1;
    let options = AcknowledgeOptions { revoke_before: now, ..AcknowledgeOptions::default() };
    gatekey::backup::store_acknowledge_restore(&url(&path), &given, options).unwrap();
    assert_eq!(kind(&open(&path).unwrap(), &mixed.leaked), Some(ErrorKind::ApiKeyDisabled));
}

/// An acknowledge that does not come to its end accepts nothing: with a wrong pepper, and of a damaged mixture, whose files
/// stay as they are.
#[test]
fn a_failed_acknowledge_leaves_a_mixture_refused() {
    let mixed = Mixed::new("mixed_failed");
    let url = |path: &Path| format!("sqlite:///{}", path.display());
    let now = gatekey::Clock::now(&gatekey::SystemClock) + 1;
    let options = gatekey::backup::AcknowledgeOptions { revoke_before: now, ..Default::default() };
    let given = |number| gatekey::pepper::PepperSource::Given(super::pepper(&[number]));

    let path = mixed.killed("wrong.sqlite", &mixed.older);
    let said = gatekey::backup::store_acknowledge_restore(&url(&path), &given(2), options);
    refused(said, ErrorKind::WrongPepper, "another pepper");
    refused(SqliteStore::open(&path), ErrorKind::StoreRestored, "still");
    gatekey::backup::store_acknowledge_restore(&url(&path), &given(1), options).unwrap();
    assert_eq!(kind(&open(&path).unwrap(), &mixed.leaked), Some(ErrorKind::ApiKeyDisabled));

    let mut damaged = mixed.older.clone();
    damaged[4096..].fill(0xff); // of which the log has some pages only
    let path = mixed.killed("damaged.sqlite", &damaged);
    let log = std::fs::read(with(&path, "-wal")).unwrap();
    let said = gatekey::backup::store_acknowledge_restore(&url(&path), &given(1), options);
    refused(said, ErrorKind::StoreCorrupt, "a damaged mixture");
    assert!(std::fs::read(&path).unwrap() == damaged, "it is left as it is");
    assert!(std::fs::read(with(&path, "-wal")).unwrap() == log, "and so is the log");
    assert!(SqliteStore::open(&path).is_err(), "still");
}

/// A wrong pepper, and a file that is empty, change nothing: a store that was fine stays so.
#[test]
fn a_refused_acknowledge_changes_nothing() {
    let folder = Folder::new("acknowledge_refused");
    let path = folder.path("a.sqlite");
    let url = format!("sqlite:///{}", path.display());
    let here = open(&path).unwrap();
    let issued = here.create(|_| ());
    let options = gatekey::backup::AcknowledgeOptions { revoke_before: 1, ..Default::default() };
    let given = |number| gatekey::pepper::PepperSource::Given(super::pepper(&[number]));
    let wrong = Peppers::new(&[(1, Secret::new(vec![9; 32]))]).unwrap();
    let wrong = gatekey::pepper::PepperSource::Given(wrong);
    refused(
        gatekey::backup::store_acknowledge_restore(&url, &wrong, options),
        ErrorKind::WrongPepper,
        "another value of the pepper",
    );
    here.keys.refresh().unwrap();
    assert_eq!(kind(&here, &issued), None);
    assert_eq!(kind(&open(&path).unwrap(), &issued), None, "for everyone");
    let empty = folder.path("b.sqlite");
    std::fs::write(&empty, "").unwrap();
    let url = format!("sqlite:///{}", empty.display());
    refused(
        gatekey::backup::store_acknowledge_restore(&url, &given(1), options),
        ErrorKind::StoreUnavailable,
        "an empty file is no store",
    );
    assert_eq!(std::fs::read(&empty).unwrap(), b"", "it is left as it is");
}

/// The same under a process that has it open: no change is acknowledged, and nothing is good again.
#[test]
fn an_older_main_file_that_is_copied_over_the_open_one_takes_no_change() {
    for by_name in [false, true] {
        let mixed = Mixed::new("mixed_open");
        let other = open(&mixed.path).unwrap();
        if by_name {
            let beside = mixed.path.with_file_name("older");
            std::fs::write(&beside, &mixed.older).unwrap();
            std::fs::rename(beside, &mixed.path).unwrap();
        } else {
            write_into(&mixed.path, &mixed.older);
        }
        for bench in [&mixed.here, &other] {
            let made = bench.keys.create(&gatekey::apikey::KeySpec::new("acme"));
            refused(made.map(|_| ()), ErrorKind::StoreRestored, "a change");
            assert_eq!(kind(bench, &mixed.leaked), Some(ErrorKind::ApiKeyRevoked));
            refused(bench.keys.refresh(), ErrorKind::StoreRestored, "a look");
        }
        mixed.here.keys.close().unwrap();
        other.keys.close().unwrap();
        // Nobody has written the log into the older file.
        assert_eq!(std::fs::read(&mixed.path).unwrap(), mixed.older);
        refused(open(&mixed.path).map(drop), ErrorKind::StoreRestored, "opened anew");
    }
}

#[test]
fn files_that_are_cut_short_in_place_take_no_change() {
    for (ending, kept) in
        [("-wal", 0), ("-wal", 40), ("-wal", 5000), ("", 0), ("", 4096), ("", 20480)]
    {
        let mixed = Mixed::new("cut");
        cut(&with(&mixed.path, ending), kept);
        let what = format!("{ending} cut to {kept}");
        let made = mixed.here.keys.create(&gatekey::apikey::KeySpec::new("acme"));
        let error = made.map(|_| ()).unwrap_err();
        let kinds = [ErrorKind::StoreCorrupt, ErrorKind::StoreRestored];
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        let again = mixed.here.keys.revoke(&mixed.leaked.record.id, "").unwrap_err();
        assert!(again.is_unavailable() || kinds.contains(&again.kind()), "{what}: {again:?}");
        // From memory, until a look finds that what was revoked since cannot be read.
        let told = kind(&mixed.here, &mixed.leaked);
        assert!(
            matches!(told, Some(ErrorKind::ApiKeyRevoked | ErrorKind::StoreCorrupt)),
            "{what}: {told:?}"
        );
        drop(mixed.here);
        assert!(open(&mixed.path).is_err(), "{what}, opened anew");
    }
}

/// A log that another process has emptied in good order, by a checkpoint, is no damage.
#[test]
fn checkpoints_by_others_are_no_damage() {
    let folder = Folder::new("checkpoints");
    let path = folder.path("a.sqlite");
    let (here, there) = (open(&path).unwrap(), open(&path).unwrap());
    for how in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        for bench in [&here, &there] {
            for _ in 0..3 {
                bench.create(|_| ());
            }
            checkpoint(&path, how);
            let made = bench.create(|_| ());
            assert_eq!(kind(&here, &made), None, "{how}");
            assert_eq!(kind(&there, &made), None, "{how}");
        }
    }
    assert!(len(&with(&path, "-wal")) > 0);
}

#[test]
fn the_whole_set_put_back_under_an_open_store_is_refused() {
    let endings: [&[&str]; 2] = [&SET, &["", "-wal", ".mark"]];
    for (endings, by_name) in [(endings[0], true), (endings[1], true), (endings[1], false)] {
        let folder = Folder::new("whole_set");
        let (path, kept) = (folder.path("a.sqlite"), folder.path("kept.sqlite"));
        let here = open(&path).unwrap();
        let store = Arc::new(SqliteStore::open(&path).unwrap());
        let list = Revocations::open(store.clone(), RevocationOptions::new()).unwrap();
        let peppers = Peppers::new(&[(1, Secret::new((0..32).collect()))]).unwrap();
        let ring = KeyRing::open(store, Some(peppers), KeyRingOptions::new().max_stale(1)).unwrap();
        let leaked = here.create(|_| ());
        let removed = ring.active().unwrap().kid;
        copy_set(&path, &kept, &SET);
        here.keys.revoke(&leaked.record.id, "leaked").unwrap();
        list.revoke_session("s").unwrap();
        ring.remove(&removed).unwrap();
        for ending in endings {
            let bytes = std::fs::read(with(&kept, ending)).unwrap();
            if by_name {
                std::fs::rename(with(&kept, ending), with(&path, ending)).unwrap();
            } else {
                write_into(&with(&path, ending), &bytes);
            }
        }
        let what = format!("{endings:?} by name: {by_name}");
        let kinds = [ErrorKind::StoreRestored, ErrorKind::StoreCorrupt];
        for outcome in [
            here.keys.create(&gatekey::apikey::KeySpec::new("acme")).map(drop),
            list.revoke_session("t"),
            ring.rotate().map(drop),
            here.keys.refresh(),
            ring.refresh(),
        ] {
            let error = outcome.unwrap_err();
            assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        }
        assert_eq!(kind(&here, &leaked), Some(ErrorKind::ApiKeyRevoked), "{what}");
        here.clock.advance(31);
        let late = here.keys.verify(text(&leaked), &Check::new()).unwrap_err();
        assert!(late.is_unavailable(), "{what}: never good again by itself: {late:?}");
        assert!(kinds.contains(&late.kind()), "{what}: the cause, not that it is silent: {late:?}");
    }
}

/// A restore that someone has acknowledged is taken over by who has the store open, and its former self never again.
#[test]
fn an_acknowledged_restore_is_taken_over_and_what_was_before_is_not() {
    use gatekey::backup::{AcknowledgeOptions, BackupOptions, RestoreOptions};
    let folder = Folder::new("acknowledged_open");
    let (path, kept) = (folder.path("a.sqlite"), folder.path("kept.sqlite"));
    let backup = folder.path("backup");
    let url = format!("sqlite:///{}", path.display());
    let given = gatekey::pepper::PepperSource::Given(super::pepper(&[1]));
    let ring_of = || {
        let store = Arc::new(SqliteStore::open(&path).unwrap());
        KeyRing::open(store, Some(super::pepper(&[1])), KeyRingOptions::new()).unwrap()
    };
    let (here, ring) = (open(&path).unwrap(), ring_of());
    let issued = here.create(|_| ());
    let none = &mut |_, _| Ok(());
    gatekey::backup::store_backup(&url, &backup, &BackupOptions::default(), none).unwrap();
    for _ in 0..3 {
        ring.rotate().unwrap();
    }
    here.keys.revoke(&issued.record.id, "by mistake").unwrap();
    copy_set(&path, &kept, &SET);
    gatekey::backup::store_restore(&backup, &url, RestoreOptions { force: true }, none).unwrap();
    refused(here.keys.refresh(), ErrorKind::StoreRestored, "not acknowledged");
    let now = gatekey::Clock::now(&gatekey::SystemClock) + 1;
    let options =
        AcknowledgeOptions { revoke_before: now, keep_api_keys: true, ..Default::default() };
    gatekey::backup::store_acknowledge_restore(&url, &given, options).unwrap();
    here.keys.refresh().unwrap();
    assert_eq!(kind(&here, &issued), None, "as the backup has it");
    ring.refresh().unwrap();
    assert_eq!(ring.keys().unwrap(), ring_of().keys().unwrap(), "a ring of a lower number");
    here.create(|_| ());
    // What it was before has another name, and a greater number than this process has seen of the new one.
    for ending in SET {
        let _ = std::fs::remove_file(with(&path, ending));
    }
    copy_set(&kept, &path, &SET);
    refused(here.keys.refresh(), ErrorKind::StoreRestored, "its former self");
    refused(ring.rotate().map(drop), ErrorKind::StoreRestored, "its former self");
}
