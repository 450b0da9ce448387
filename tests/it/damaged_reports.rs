//! Damaged rows are named where an operator acts on the store, and keep no other row from what is to be done.

use crate::apikey::Folder;
use gatekey::apikey::{ApiKeyOptions, IssuedKey, KeySpec, PepperUse};
use gatekey::backup::{AcknowledgeOptions, Acknowledged, store_acknowledge_restore};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::open_api_keys;
use gatekey::pepper::PepperSource;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{MemoryStore, RingFolder, SqliteStore, StoredRing};
use gatekey::{
    Alg, ApiKeys, Clock as _, Error, ErrorKind, KeyRing, Peppers, Secret, Sessions, Signer,
    SystemClock, ToJson as _,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn peppers(numbers: &[u32]) -> Peppers {
    let secret = |n: u32| Secret::new(vec![u8::try_from(n).unwrap(); 32]);
    Peppers::new(&numbers.iter().map(|&n| (n, secret(n))).collect::<Vec<_>>()).unwrap()
}

fn given(numbers: &[u32]) -> PepperSource {
    PepperSource::Given(peppers(numbers))
}

struct Place(PathBuf);

impl Place {
    fn new(folder: &Folder, name: &str) -> Self {
        Self(folder.path(name))
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.0.display())
    }

    fn keys(&self, numbers: &[u32]) -> ApiKeys {
        open_api_keys(&self.url(), &given(numbers), ApiKeyOptions::new()).unwrap().keys
    }

    fn ring(&self, name: &str) -> Result<KeyRing, Error> {
        let store = Arc::new(SqliteStore::open(&self.0)?);
        let options = KeyRingOptions::new().name(name).alg(Alg::Hs256);
        KeyRing::open(store, Some(peppers(&[1])), options)
    }

    fn sql(&self, statement: &str) {
        let raw = rusqlite::Connection::open(&self.0).unwrap();
        assert_eq!(raw.execute(statement, []).unwrap(), 1, "{statement}");
    }

    fn acknowledge(&self, numbers: &[u32], keep: bool) -> Result<Acknowledged, Error> {
        let options = AcknowledgeOptions {
            revoke_before: SystemClock.now() + 1,
            keep_key_rings: keep,
            ..AcknowledgeOptions::default()
        };
        store_acknowledge_restore(&self.url(), &given(numbers), options)
    }
}

fn damaged(report: &[PepperUse]) -> (Vec<String>, [u64; 3]) {
    let mut of_none = report.iter().filter(|one| one.pepper == 0);
    let found =
        of_none.next().map(|one| (one.damaged.clone(), [one.keys, one.sessions, one.key_rings]));
    assert!(report.iter().all(|one| one.pepper == 0 || one.damaged.is_empty()), "{report:?}");
    found.unwrap_or_default()
}

fn id(key: &IssuedKey) -> &str {
    &key.record.id
}

#[test]
fn wrap_and_the_pepper_report_name_damaged_rows() {
    // Altered, unreadable, under a pepper that the store never had.
    for (at, damage) in
        ["owner = 'mallory'", "version = x'00'", "seal_pepper = 77"].iter().enumerate()
    {
        let folder = Folder::new(&format!("damaged-wrap-{at}"));
        let place = Place::new(&folder, "auth.sqlite");
        let keys = place.keys(&[1]);
        let made: Vec<_> = (0..4).map(|_| keys.create(&KeySpec::new("acme")).unwrap()).collect();
        let signer = Signer::builder(crate::fixtures::key(Alg::Hs256)).ttl(60).build().unwrap();
        let store = Arc::new(SqliteStore::open(&place.0).unwrap());
        let sessions =
            Sessions::open(store, peppers(&[1]), Some(&signer), SessionOptions::new()).unwrap();
        let [good, bad] = ["alice", "bob"]
            .map(|who| sessions.start(who, &SessionSpec::default()).unwrap().family().to_owned());
        place.ring("default").unwrap();
        place.ring("other").unwrap();
        assert_eq!(damaged(&keys.pepper_report().unwrap()), (Vec::new(), [0; 3]));
        let mut ids = [id(&made[1]), id(&made[2])];
        for id in ids {
            place.sql(&format!("UPDATE key SET {damage} WHERE id = '{id}'"));
        }
        place.sql(&format!("UPDATE session SET counter = counter + 1 WHERE family = '{bad}'"));
        place.sql("UPDATE key_ring SET name = 'Not A Name' WHERE name = 'other'");
        ids.sort_unstable();
        let newer = place.keys(&[1, 2]);
        let error = newer.wrap_peppers().unwrap_err();
        assert_eq!(
            error.kind(),
            if at == 2 { ErrorKind::WrongPepper } else { ErrorKind::StoreCorrupt }
        );
        assert!(error.api_key_id().is_some_and(|id| ids.contains(&id)), "{damage}: {error:?}");
        let report = newer.pepper_report().unwrap();
        let names: Vec<_> =
            ids.into_iter().chain([&*bad, "Not A Name"]).map(str::to_owned).collect();
        assert_eq!(damaged(&report), (names, [2, 1, 1]), "{damage}");
        assert!(report.to_json().contains("\"Not A Name\"]"), "{damage}");
        let two = report.iter().find(|one| one.pepper == 2).unwrap();
        assert_eq!(two.keys, 2, "{damage}: the others are wrapped");
        let one = report.iter().find(|one| one.pepper == 1).unwrap();
        assert_eq!((one.sessions, one.key_rings), (1, 1), "{damage}");
        // What was ended for it is over.
        assert!(sessions.end_by_id(&bad, None).unwrap() && sessions.get(&good).is_ok());
        assert_eq!(damaged(&newer.pepper_report().unwrap()).1, [2, 0, 1], "{damage}");
    }
}

/// The row of a ring that cannot be read at all.
#[test]
fn one_unreadable_ring_keeps_the_pepper_report_from_nothing() {
    let folder = Folder::new("damaged-ring-report");
    let place = Place::new(&folder, "auth.sqlite");
    place.ring("default").unwrap();
    place.ring("other").unwrap();
    place.sql("UPDATE key_ring SET version = 'x' WHERE name = 'other'");
    let report = place.keys(&[1]).pepper_report().unwrap();
    assert_eq!(damaged(&report), (vec!["other".to_owned()], [0, 0, 1]));
    assert!(report.iter().any(|one| one.pepper == 1 && one.key_rings == 1));
}

#[test]
fn in_memory_too() {
    let store = Arc::new(MemoryStore::new());
    let keys = ApiKeys::open(store.clone(), peppers(&[1]), ApiKeyOptions::new()).unwrap();
    for (name, pepper) in [("Not A Name", 1), ("strange", 77)] {
        let (name, text) = (name.to_owned(), Vec::new());
        gatekey::store::KeyRingStore::put_key_ring(
            &*store,
            &StoredRing { name, version: 1, pepper, text },
        )
        .unwrap();
    }
    let names = ["Not A Name", "strange"].map(str::to_owned).to_vec();
    assert_eq!(damaged(&keys.pepper_report().unwrap()), (names, [0, 0, 2]));
}

#[test]
fn a_damaged_ring_keeps_a_restored_store_from_nothing() {
    let damages = [
        ("name = 'Not A Name'", "Not A Name"),
        ("name = ''", ""),
        ("name = 'else'", "else"),
        ("text = x'00'", "bad"),
        ("version = version + 1", "bad"),
        ("version = 'x'", "bad"),
        ("pepper = 77", "bad"),
        ("pepper = 0", "bad"),
        ("name = x'64656661756c74'", "x'64656661756c74'"),
    ];
    for (at, (damage, name)) in damages.into_iter().enumerate() {
        for keep in [false, true] {
            let folder = Folder::new(&format!("damaged-acknowledge-{at}-{keep}"));
            let place = Place::new(&folder, "auth.sqlite");
            let keys = place.keys(&[1]);
            let key = keys.create(&KeySpec::new("acme")).unwrap();
            let before = place.ring("good").unwrap().active().unwrap();
            place.ring("bad").unwrap();
            keys.close().unwrap();
            drop(keys);
            place.sql(&format!("UPDATE key_ring SET {damage} WHERE name = 'bad'"));
            let done = place.acknowledge(&[1], keep).unwrap_or_else(|e| panic!("{damage}: {e:?}"));
            assert_eq!(done.damaged_key_rings, [name], "{damage}");
            assert_eq!((done.key_rings, done.api_keys), (u64::from(!keep), 1), "{damage}");
            assert!(done.to_json().contains(&format!("\"damaged_key_rings\":[\"{name}\"]")));
            let after = place.ring("good").unwrap().active().unwrap();
            assert_eq!(after.kid == before.kid, keep, "{damage}");
            let keys = place.keys(&[1]);
            assert_eq!(keys.get(id(&key)).unwrap().status.name(), "disabled", "{damage}");
            if name == "bad" {
                assert_eq!(place.ring("bad").unwrap_err().kind() as i32 / 1000, 6, "{damage}");
            }
        }
    }
}

/// What keeps everything from being ended is told before anything changes; a store that works goes on working.
#[test]
fn a_store_that_cannot_be_acknowledged_stays_as_it_was() {
    let damages = [
        ("INSERT INTO revocation VALUES (NULL, 99, '', 'x', 0, 9e18, 0)", "DELETE FROM revocation"),
        ("INSERT INTO revocation VALUES (NULL, 1, x'00', 'x', 0, 1, 0)", "DELETE FROM revocation"),
        ("INSERT INTO horizon VALUES ('issued', 'x')", "DELETE FROM horizon"),
        (
            "ALTER TABLE audit RENAME COLUMN detail TO x",
            "ALTER TABLE audit RENAME COLUMN x TO detail",
        ),
        (
            "ALTER TABLE session RENAME COLUMN claims TO x",
            "ALTER TABLE session RENAME COLUMN x TO claims",
        ),
        ("ALTER TABLE usage RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO usage"),
        (
            "ALTER TABLE revocation RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO revocation",
        ),
        ("ALTER TABLE audit RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO audit"),
        ("ALTER TABLE session RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO session"),
        (
            "ALTER TABLE session_event RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO session_event",
        ),
        ("ALTER TABLE key_ring RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO key_ring"),
    ];
    for (at, (damage, repair)) in damages.into_iter().enumerate() {
        for was_refused in [false, true] {
            let folder = Folder::new(&format!("damaged-stays-{at}-{was_refused}"));
            let place = Place::new(&folder, "auth.sqlite");
            let keys = place.keys(&[1]);
            let key = keys.create(&KeySpec::new("acme")).unwrap();
            let store = Arc::new(SqliteStore::open(&place.0).unwrap());
            let signer = Signer::builder(crate::fixtures::key(Alg::Hs256)).ttl(60).build().unwrap();
            let sessions =
                Sessions::open(store, peppers(&[1]), Some(&signer), SessionOptions::new()).unwrap();
            let session = sessions.start("alice", &SessionSpec::default()).unwrap();
            place.ring("default").unwrap();
            keys.close().unwrap();
            drop((keys, sessions));
            if was_refused {
                std::fs::remove_file(folder.path("auth.sqlite.mark")).unwrap();
            }
            let raw = rusqlite::Connection::open(&place.0).unwrap();
            raw.execute(damage, []).unwrap();
            let name = || {
                raw.query_row("SELECT id, marked FROM store", [], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, bool>(1)?))
                })
            };
            let before = name().unwrap();
            let error = place.acknowledge(&[1], false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreCorrupt, "{damage}: {error:?}");
            if damage.starts_with("ALTER") {
                let table = damage.split(' ').nth(2).unwrap();
                assert!(error.claim().unwrap().starts_with(&format!("{table}.")), "{error:?}");
                if table != "session" {
                    assert!(sessions_of(&place, session.family()).is_none(), "nothing has ended");
                }
            }
            if damage.starts_with("INSERT INTO revocation") {
                assert!(error.claim().unwrap().starts_with("seq = "), "{damage}: {error:?}");
                assert!(error.message().contains("revocation"), "{damage}: {error:?}");
            }
            if !was_refused {
                assert_eq!(name().unwrap(), before, "{damage}: {error:?}");
            }
            raw.execute(repair, []).unwrap();
            let opened = open_api_keys(&place.url(), &given(&[1]), ApiKeyOptions::new());
            let what = format!("{damage}, refused: {was_refused}");
            if was_refused {
                assert_eq!(opened.unwrap_err().kind(), ErrorKind::StoreRestored, "{what}");
            } else {
                opened.expect(&what).keys.get(id(&key)).expect(&what);
            }
            let done = place.acknowledge(&[1], false).expect(&what);
            assert_eq!(done.was_refused, was_refused, "{what}");
            assert!(sessions_of(&place, session.family()).is_some(), "{what}");
        }
    }
}

/// When a session has ended, by its row.
fn sessions_of(place: &Place, family: &str) -> Option<i64> {
    let raw = rusqlite::Connection::open(&place.0).unwrap();
    let read = "SELECT ended_at FROM session WHERE family = ?";
    raw.query_row(read, [family], |row| row.get(0)).unwrap()
}

/// What is in the store now was made before now, whatever a clock said then, or says.
#[test]
fn what_a_wrong_clock_has_dated_ends_with_all_the_rest() {
    const DAY: u64 = 86_400;
    let real = SystemClock.now();
    for (at, made_at) in [real - 400 * DAY, real - 8 * DAY, real, real + 3600, real + 40 * DAY]
        .into_iter()
        .enumerate()
    {
        let folder = Folder::new(&format!("acknowledge-dates-{at}"));
        let place = Place::new(&folder, "auth.sqlite");
        let clock = Arc::new(gatekey::clock::FixedClock::new(made_at));
        let store = Arc::new(SqliteStore::open(&place.0).unwrap());
        let options = ApiKeyOptions::new().clock(clock.clone());
        let keys = ApiKeys::open(store.clone(), peppers(&[1]), options).unwrap();
        let key = keys.create(&KeySpec::new("acme")).unwrap();
        let signer = Signer::builder(crate::fixtures::key(Alg::Hs256)).ttl(60).build().unwrap();
        let options = SessionOptions::new().clock(clock.clone());
        let sessions =
            Sessions::open(store.clone(), peppers(&[1]), Some(&signer), options).unwrap();
        let session = sessions.start("alice", &SessionSpec::default()).unwrap();
        let options = KeyRingOptions::new().alg(Alg::Hs256).clock(clock.clone());
        let before = KeyRing::open(store, Some(peppers(&[1])), options).unwrap().active().unwrap();
        drop((keys, sessions));
        let done = place.acknowledge(&[1], false).unwrap();
        assert_eq!((done.sessions, done.api_keys, done.key_rings), (1, 1, 1), "{made_at}");
        assert!(sessions_of(&place, session.family()).is_some(), "{made_at}");
        let status = place.keys(&[1]).get(id(&key)).unwrap().status;
        assert_eq!(status.name(), "disabled", "{made_at}");
        assert_ne!(place.ring("default").unwrap().active().unwrap().kid, before.kid, "{made_at}");
    }
}

/// A pepper under a number that the store has never had is not taken for one of its own.
#[test]
fn peppers_that_the_store_does_not_know_acknowledge_nothing() {
    let folder = Folder::new("acknowledge-strange");
    let place = Place::new(&folder, "auth.sqlite");
    let key = place.keys(&[1]).create(&KeySpec::new("acme")).unwrap();
    assert_eq!(place.acknowledge(&[9], false).unwrap_err().kind(), ErrorKind::WrongPepper);
    let known: i64 = rusqlite::Connection::open(&place.0)
        .unwrap()
        .query_row("SELECT count(*) FROM pepper", [], |row| row.get(0))
        .unwrap();
    assert_eq!(known, 1, "nor is it remembered");
    assert_eq!(place.keys(&[1]).get(id(&key)).unwrap().status.name(), "active");
    // One that was added since the backup comes with one that the store knows.
    assert_eq!(place.acknowledge(&[1, 9], false).unwrap().api_keys, 1);
}

/// A pepper that was not given is no damage.
#[test]
fn a_ring_under_a_pepper_that_is_not_given_is_not_taken_for_damaged() {
    let folder = Folder::new("damaged-elsewhere");
    let place = Place::new(&folder, "auth.sqlite");
    drop(place.keys(&[2]));
    place.ring("default").unwrap(); // under pepper 1
    drop(place.keys(&[1]));
    for keep in [false, true] {
        let refused = place.acknowledge(&[2], keep).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WrongPepper);
    }
    let done = place.acknowledge(&[1], false).unwrap();
    assert!(done.damaged_key_rings.is_empty() && done.key_rings == 1);
}

#[test]
fn a_damaged_ring_in_a_folder_keeps_the_others_from_nothing() {
    let folder = Folder::new("damaged-folder");
    let path = folder.path("rings");
    let ring = |name: &str| {
        let store = Arc::new(RingFolder::open(&path).unwrap());
        KeyRing::open(store, None, KeyRingOptions::new().name(name).alg(Alg::Hs256))
    };
    let before = ring("good").unwrap().active().unwrap();
    ring("bad").unwrap();
    let files = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let bad: Vec<_> = files
        .filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("bad"))
        .collect();
    bad.iter().for_each(|file| std::fs::write(file, "{}").unwrap());
    let acknowledge = |path: &Path, keep_key_rings| {
        let revoke_before = SystemClock.now() + 1;
        let options =
            AcknowledgeOptions { revoke_before, keep_key_rings, ..AcknowledgeOptions::default() };
        store_acknowledge_restore(
            &format!("folder:{}", path.display()),
            &PepperSource::Beside,
            options,
        )
        .unwrap()
    };
    for keep in [true, false] {
        let done = acknowledge(&path, keep);
        assert_eq!(
            (done.damaged_key_rings, done.key_rings),
            (vec!["bad".to_owned()], u64::from(!keep))
        );
    }
    assert_ne!(ring("good").unwrap().active().unwrap().kid, before.kid);
    assert_eq!(ring("bad").unwrap_err().kind(), ErrorKind::StoreCorrupt);
}
