//! Someone who can write to the database puts an old row back, with a seal that is good. A process that has seen a newer
//! one neither accepts the old one nor builds on it, however the key is found and whatever has become of it since.

use super::{Bench, Folder, NOW, bench, refused, text};
use gatekey::apikey::{Check, ImportRow, ImportScheme, KeySpec, KeyUpdate};
use gatekey::store::{Change, StoredKey, Write};
use gatekey::{ErrorKind, Secret};

fn write(bench: &Bench, change: Change) {
    let write =
        Write { change, at: NOW, actor: String::new(), action: "update", detail: String::new() };
    bench.store.write_api_keys(&[write]).unwrap();
}

/// Puts the row in the place of the one that is there; `noticed`: its absence is seen meanwhile.
fn put_back(bench: &Bench, row: &StoredKey, noticed: bool) {
    let id = row.record.id.clone();
    if let Some(now) = bench.store.api_key(&id).unwrap() {
        write(bench, Change::Delete { id, version: now.record.version });
    }
    if noticed {
        bench.keys.refresh().unwrap();
    }
    write(bench, Change::Insert(Box::new(row.clone())));
}

fn row(bench: &Bench, id: &str) -> StoredKey {
    bench.store.api_key(id).unwrap().unwrap()
}

const FOREIGN: &str = "legacy.SecretPartOfTheLegacyKey42";

fn import(bench: &Bench, text: &str) -> String {
    let credential = Secret::new(text.into());
    let row = ImportRow { spec: KeySpec::new("acme"), credential, lookup: None };
    let report = bench.keys.import(ImportScheme::Plaintext, &[row]).unwrap();
    report.ids.into_iter().next().unwrap()
}

fn rename(bench: &Bench, id: &str) {
    bench.keys.update(id, &KeyUpdate { name: Some("n".into()), ..Default::default() }).unwrap();
}

type End = fn(&Bench, &str);

/// What is done to the key after its row was copied; afterwards its first text is refused.
const ENDS: [(&str, End); 6] = [
    ("rotated", |bench, id| drop(bench.keys.rotate(id, 0).unwrap())),
    ("rotated twice", |bench, id| {
        bench.keys.rotate(id, 0).unwrap();
        bench.keys.rotate(id, 0).unwrap();
    }),
    ("revoked", |bench, id| drop(bench.keys.revoke(id, "leaked").unwrap())),
    ("rotated and revoked", |bench, id| {
        bench.keys.rotate(id, 0).unwrap();
        bench.keys.revoke(id, "leaked").unwrap();
    }),
    ("purged", |bench, id| {
        bench.keys.revoke(id, "leaked").unwrap();
        bench.clock.advance(10);
        assert_eq!(bench.keys.purge(NOW + 5).unwrap(), 1);
    }),
    ("expired", |bench, id| {
        let update = KeyUpdate { expires_at: Some(Some(NOW + 5)), ..Default::default() };
        bench.keys.update(id, &update).unwrap();
        bench.clock.advance(10);
    }),
];

fn in_memory() -> (Option<Folder>, Bench) {
    (None, bench())
}

/// Every end of every sort of key, on each store; `before` is what the one who writes to the database does first, and
/// `after` last.
fn each(
    make: fn() -> (Option<Folder>, Bench),
    noticed: bool,
    before: impl Fn(&Bench, &StoredKey),
    after: impl Fn(&Bench),
) {
    for is_foreign in [false, true] {
        for (how, end) in ENDS {
            let what = format!("foreign {is_foreign}, {how}, noticed {noticed}");
            let (_folder, bench) = make();
            let (id, text) = if is_foreign {
                (import(&bench, FOREIGN), FOREIGN.to_owned())
            } else {
                let key = bench.create(|_| ());
                (key.record.id.clone(), text(&key))
            };
            let other = bench.create(|_| ());
            let old = row(&bench, &id);
            assert!(bench.keys.verify(&text, &Check::new()).is_ok(), "{what}");
            end(&bench, &id);
            before(&bench, &old);
            put_back(&bench, &old, noticed);
            after(&bench);
            let keys = &bench.keys;
            refused(keys.rotate(&id, 0), ErrorKind::StoreCorrupt, &what);
            keys.refresh().unwrap();
            assert!(keys.verify(&text, &Check::new()).is_err(), "{what}: is good again");
            assert!(keys.get(&id).unwrap().altered, "{what}");
            let shown = keys.list(&gatekey::apikey::KeyFilter::default()).unwrap().records;
            assert_eq!(shown.iter().filter(|record| record.altered).count(), 1, "{what}");
            refused(keys.enable(&id), ErrorKind::StoreCorrupt, &what);
            keys.flush().unwrap();
            assert!(row(&bench, &id).seal == old.seal, "{what}: sealed again");
            assert!(keys.verify(super::text(&other), &Check::new()).is_ok(), "{what}");
        }
    }
}

#[test]
fn an_old_row_is_not_believed() {
    for noticed in [false, true] {
        each(in_memory, noticed, |_, _| (), |_| ());
    }
}

/// Rows that cannot be believed come first: what was seen is not forgotten over them.
#[test]
fn an_altered_row_makes_nobody_forget() {
    for noticed in [false, true] {
        let alter = |bench: &Bench, old: &StoredKey| {
            let mut altered = old.clone();
            "root".clone_into(&mut altered.record.owner);
            put_back(bench, &altered, noticed);
            bench.keys.refresh().unwrap();
        };
        each(in_memory, noticed, alter, |_| ());
    }
}

/// A key that was purged may be imported again, also by a clock that was put back; its row of before may not.
#[test]
fn a_key_that_is_imported_again_is_a_later_one() {
    for now in [NOW + 20, NOW - 1000] {
        let bench = bench();
        let key = bench.create(|_| ());
        let id = &key.record.id;
        let other = bench.reopen(&[1]).unwrap();
        (0..5).for_each(|_| rename(&bench, id));
        let old = row(&bench, id);
        bench.keys.revoke(id, "").unwrap();
        other.refresh().unwrap();
        bench.clock.advance(10);
        bench.keys.purge(NOW + 5).unwrap();
        other.refresh().unwrap();
        bench.clock.set(now);
        assert_eq!(&import(&bench, &text(&key)), id);
        for keys in [&bench.keys, &other] {
            keys.refresh().unwrap();
            assert!(keys.verify(text(&key), &Check::new()).is_ok(), "{now}");
            assert!(!keys.get(id).unwrap().altered, "{now}");
        }
        bench.keys.revoke(id, "").unwrap();
        other.refresh().unwrap();
        put_back(&bench, &old, false);
        for keys in [&bench.keys, &other] {
            keys.refresh().unwrap();
            let said = keys.verify(text(&key), &Check::new());
            refused(said, ErrorKind::ApiKeyRevoked, "the row of before, whose version is greater");
        }
    }
    // A key of another format gets another id.
    let bench = bench();
    let first = import(&bench, FOREIGN);
    let old = row(&bench, &first);
    bench.keys.revoke(&first, "").unwrap();
    bench.clock.advance(10);
    bench.keys.purge(NOW + 5).unwrap();
    let second = import(&bench, FOREIGN);
    assert!(first != second && bench.keys.verify(FOREIGN, &Check::new()).is_ok());
    write(&bench, Change::Delete { id: second, version: 1 });
    put_back(&bench, &old, false);
    bench.keys.refresh().unwrap();
    assert!(bench.keys.verify(FOREIGN, &Check::new()).is_err(), "the first one");
}

/// A row that is not believed does not say where its key is found, either.
#[test]
fn an_altered_row_moves_no_key() {
    let bench = bench();
    let key = bench.create(|_| ());
    let mut altered = row(&bench, &key.record.id);
    altered.lookup = Some(gatekey::store::Lookup { pepper: 1, tag: [9; 16] });
    put_back(&bench, &altered, false);
    bench.keys.refresh().unwrap();
    let denied = bench.keys.verify(text(&key), &Check::new());
    refused(denied, ErrorKind::StoreUnavailable, "denied where it was");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::super::{bench_on, pepper};
    use super::*;
    use gatekey::backup::{
        AcknowledgeOptions, BackupOptions, RestoreOptions, store_acknowledge_restore, store_backup,
        store_restore,
    };
    use gatekey::pepper::PepperSource;
    use gatekey::store::SqliteStore;
    use std::sync::Arc;

    fn on_disk() -> (Option<Folder>, Bench) {
        let folder = Folder::new("put_back");
        let bench = bench_on(Arc::new(SqliteStore::open(folder.path("a.sqlite")).unwrap()));
        (Some(folder), bench)
    }

    /// The feed is made shorter, so that everything is read again.
    fn read_whole(bench: &Bench) {
        let raw = rusqlite::Connection::open(bench.store.file().unwrap()).unwrap();
        assert!(raw.execute("DELETE FROM audit", []).unwrap() > 0);
        drop(raw);
        bench.keys.refresh().unwrap();
    }

    #[test]
    fn an_old_row_is_not_believed_when_everything_is_read_again() {
        for noticed in [false, true] {
            each(on_disk, noticed, |_, _| (), read_whole);
        }
    }

    /// A restore that someone has acknowledged makes old rows the right ones, also for a process that has seen newer ones.
    #[test]
    fn an_acknowledged_restore_is_taken_over() {
        let folder = Folder::new("put_back_restored");
        let url = format!("sqlite:///{}", folder.path("a.sqlite").display());
        let bench = bench_on(Arc::new(SqliteStore::open(folder.path("a.sqlite")).unwrap()));
        let id = import(&bench, FOREIGN);
        let (own, purged) = (bench.create(|_| ()), bench.create(|_| ()));
        let copy = folder.path("copy.sqlite");
        store_backup(&url, &copy, &BackupOptions::default(), &mut |_, _| Ok(())).unwrap();
        bench.keys.rotate(&id, 0).unwrap();
        rename(&bench, &own.record.id);
        bench.keys.revoke(&own.record.id, "").unwrap();
        bench.keys.revoke(&purged.record.id, "").unwrap();
        bench.clock.advance(10);
        bench.keys.purge(NOW + 5).unwrap();
        let options = RestoreOptions { force: true };
        store_restore(&copy, &url, options, &mut |_, _| Ok(())).unwrap();
        refused(bench.keys.refresh(), ErrorKind::StoreRestored, "nobody has acknowledged it");
        let given = PepperSource::Given(pepper(&[1]));
        store_acknowledge_restore(&url, &given, AcknowledgeOptions::default()).unwrap();
        bench.keys.refresh().unwrap();
        for key in [FOREIGN, &text(&own), &text(&purged)] {
            assert!(bench.keys.verify(key, &Check::new()).is_ok(), "{key}");
        }
        for id in [&id, &own.record.id, &purged.record.id] {
            assert!(!bench.keys.get(id).unwrap().altered);
            rename(&bench, id);
        }
        // And from now on what was seen since counts.
        let old = row(&bench, &id);
        bench.keys.rotate(&id, 0).unwrap();
        put_back(&bench, &old, true);
        bench.keys.refresh().unwrap();
        assert!(bench.keys.verify(FOREIGN, &Check::new()).is_err());
    }
}
