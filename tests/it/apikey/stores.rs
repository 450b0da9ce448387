//! Every store keeps the same promises: one suite, run against each; then what is SQLite's own.

use super::{NOW, refused};
#[cfg(feature = "sqlite")]
use super::{bench_on, pepper, text};
use gatekey::ErrorKind;
use gatekey::apikey::{AuditFilter, Credits, KeyFilter, KeyRecord};
#[cfg(feature = "sqlite")]
use gatekey::apikey::{Check, CreditSpec};
use gatekey::store::{
    Change, Database, Loaded, Lookup, MemoryStore, PepperCheck, Proof, StoredKey, Usage, Write,
};
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;
#[cfg(feature = "sqlite")]
use std::sync::Arc;

/// A folder of its own for a test, removed afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatekey-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn key(id: &str) -> StoredKey {
    let mut record = KeyRecord::default();
    record.id = id.into();
    record.owner = "acme".into();
    record.scopes = vec!["a".into(), "b".into()];
    record.cidrs = vec!["10.0.0.0/8".into(), "::/0".into()];
    record.created_at = NOW;
    record.expires_at = Some(NOW + 1);
    record.rate = Some(gatekey::apikey::Rate { burst: 1, period: 2 });
    record.meta = "{}".into();
    record.version = 1;
    let proof = Proof { scheme: 1, params: "a$b|c,d".into(), peppers: vec![1, 7], mac: [3; 32] };
    let mut key = StoredKey::new(record, proof);
    (key.seal, key.seal_pepper) = ([5; 16], 7);
    key
}

fn write(change: Change, action: &'static str) -> Write {
    Write { change, at: NOW, actor: "me".into(), action, detail: "d".into() }
}

fn insert(key: &StoredKey) -> Write {
    write(Change::Insert(Box::new(key.clone())), "create")
}

fn update(key: &StoredKey, set_credits: bool) -> Write {
    write(Change::Update { key: Box::new(key.clone()), set_credits }, "update")
}

fn delete(id: &str, version: u64) -> Write {
    write(Change::Delete { id: id.into(), version }, "purge")
}

fn loaded(store: &dyn Database) -> (Vec<StoredKey>, u64) {
    let mut keys = Vec::new();
    let seq = store
        .load_api_keys(&mut |loaded| match loaded {
            Loaded::Key(key) => keys.push(*key),
            other => panic!("{other:?}"),
        })
        .unwrap();
    keys.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    (keys, seq)
}

/// What every store must do.
fn conforms(store: &dyn Database) {
    assert_eq!(loaded(store), (vec![], 0));
    let mut full = key("AAAAAAAAAAAA");
    full.record.tenant = "t".into();
    full.record.credits = Some(Credits {
        remaining: 10,
        limit: 10,
        refill: 2,
        every: 60,
        refilled_at: NOW,
        set_in: 1,
    });
    full.previous = Some(gatekey::store::Previous { proof: key("x").proof, until: NOW + 9 });
    full.lookup = Some(Lookup { pepper: 1, tag: [8; 16] });
    (full.record.revoked_at, full.record.not_before) = (Some(1), Some(2));
    (full.record.rotated_at, full.record.overlap_until) = (Some(3), Some(4));
    full.record.status = gatekey::apikey::KeyStatus::Disabled;
    let plain = key("BBBBBBBBBBBB");
    assert_eq!(store.write_api_keys(&[insert(&full), insert(&plain)]).unwrap(), 2);
    assert_eq!(loaded(store), (vec![full.clone(), plain.clone()], 2));
    assert!(matches!(store.api_key_count().unwrap(), 0 | 2));
    assert_eq!(store.api_key("AAAAAAAAAAAA").unwrap(), Some(full.clone()));
    assert_eq!(store.api_key("nobody").unwrap(), None);

    // All or nothing, by version, by id and by look-up tag.
    let third = key("CCCCCCCCCCCC");
    let mut same_tag = key("DDDDDDDDDDDD");
    same_tag.lookup = full.lookup;
    for (writes, what) in [
        (vec![insert(&third), insert(&plain)], "an id twice"),
        (vec![insert(&third), insert(&third)], "an id twice in a batch"),
        (vec![insert(&third), insert(&same_tag)], "a tag twice"),
        (vec![insert(&third), update(&plain, false)], "a version that is not the next"),
        (vec![insert(&third), delete("BBBBBBBBBBBB", 2)], "a version that is not there"),
        (vec![insert(&third), delete("nobody", 1)], "nobody"),
    ] {
        refused(store.write_api_keys(&writes), ErrorKind::StoreConflict, what);
        assert_eq!(loaded(store).1, 2, "{what}: no audit row");
        assert_eq!(store.api_key("CCCCCCCCCCCC").unwrap(), None, "{what}: nothing of it");
    }

    // Counters are the store's; credits are, unless they are set.
    store.record_usage(&[Usage { id: "AAAAAAAAAAAA".into(), last_used_at: NOW, uses: 3 }]).unwrap();
    let back = [
        Usage { id: "AAAAAAAAAAAA".into(), last_used_at: NOW - 5, uses: 4 },
        Usage { id: "nobody".into(), last_used_at: NOW, uses: 1 },
    ];
    store.record_usage(&back).unwrap();
    let lease = store.lease_credits("AAAAAAAAAAAA", 1, 1, 4, NOW).unwrap();
    assert_eq!((lease.granted, lease.remaining, lease.refill_at), (4, 6, Some(NOW + 60)));
    let mut changed = full;
    (changed.record.version, changed.record.name) = (2, "new".into());
    changed.lookup = None;
    changed.previous = None;
    store.write_api_keys(&[update(&changed, false)]).unwrap();
    let read = store.api_key("AAAAAAAAAAAA").unwrap().unwrap();
    assert_eq!((read.record.uses, read.record.last_used_at), (7, Some(NOW)));
    assert_eq!(read.record.credits.unwrap().remaining, 6);
    assert_eq!(read.record.name, "new");
    assert!(read.lookup.is_none() && read.previous.is_none());

    // Credits: refilled by the interval, never beyond the limit, never below nothing.
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 7, 100, NOW + 59).unwrap().granted, 0);
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 6, 100, NOW + 59).unwrap().granted, 6);
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 1, 1, NOW + 59).unwrap().granted, 0);
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 1, 1, NOW + 61).unwrap().remaining, 1);
    assert_eq!(
        store.lease_credits("AAAAAAAAAAAA", 1, 0, 0, NOW).unwrap().remaining,
        1,
        "time goes back"
    );
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 0, 0, NOW + 60_000).unwrap().remaining, 10);
    store.lease_credits("AAAAAAAAAAAA", 1, 5, 5, NOW + 60_000).unwrap();
    store.return_credits("AAAAAAAAAAAA", 1, 3).unwrap();
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 0, 0, NOW + 60_000).unwrap().remaining, 8);
    store.return_credits("AAAAAAAAAAAA", 1, 300).unwrap();
    assert_eq!(store.lease_credits("AAAAAAAAAAAA", 1, 0, 0, NOW + 60_000).unwrap().remaining, 10);
    store.return_credits("nobody", 1, 1).unwrap();
    for id in ["nobody", "BBBBBBBBBBBB"] {
        refused(store.lease_credits(id, 1, 1, 1, NOW), ErrorKind::StoreConflict, id);
    }
    changed.record.version = 3;
    changed.record.credits = None;
    store.write_api_keys(&[update(&changed, true)]).unwrap();
    assert_eq!(store.api_key("AAAAAAAAAAAA").unwrap().unwrap().record.credits, None);

    // The feed: each key once, as it is now, in steps.
    let changes = store.api_key_changes(2, 100).unwrap();
    assert_eq!(
        (changes.seq, changes.more, changes.reload, changes.keys.len()),
        (4, false, false, 1)
    );
    assert!(matches!(&changes.keys[..], [Loaded::Key(key)] if key.record.version == 3));
    let stamp = store.stamp().unwrap();
    assert_eq!(store.stamp().unwrap(), stamp);
    store.write_api_keys(&[delete("BBBBBBBBBBBB", 1)]).unwrap();
    assert_ne!(store.stamp().unwrap(), stamp);
    let mut steps = Vec::new();
    let mut after = 0;
    loop {
        let changes = store.api_key_changes(after, 2).unwrap();
        steps.push(changes.keys.len());
        after = changes.seq;
        if !changes.more {
            break;
        }
    }
    assert_eq!((after, steps.len()), (5, 3));
    let last = store.api_key_changes(4, 10).unwrap();
    assert!(matches!(&last.keys[..], [Loaded::Removed(id)] if id == "BBBBBBBBBBBB"));
    assert_eq!(store.api_key_changes(5, 10).unwrap().keys.len(), 0);

    // The audit: gap-free, paged, filtered.
    let all = store.api_key_audit(&AuditFilter::default()).unwrap();
    assert_eq!(all.records.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(
        all.records.iter().map(|row| &*row.action).collect::<Vec<_>>(),
        ["create", "create", "update", "update", "purge"]
    );
    assert_eq!(
        (&*all.records[4].key_id, &*all.records[4].actor, all.cursor),
        ("BBBBBBBBBBBB", "me", None)
    );
    let page = store.api_key_audit(&AuditFilter { limit: 2, ..AuditFilter::default() }).unwrap();
    let next = store
        .api_key_audit(&AuditFilter { limit: 2, cursor: page.cursor, ..AuditFilter::default() })
        .unwrap();
    assert_eq!((page.records.len(), next.records[0].seq), (2, 3));
    let one = AuditFilter { key_id: Some("BBBBBBBBBBBB".into()), ..AuditFilter::default() };
    assert_eq!(store.api_key_audit(&one).unwrap().records.len(), 2);
    let tenant = KeyFilter { tenant: Some("t".into()), ..KeyFilter::default() };
    let found = store.api_keys(&tenant).unwrap().records;
    assert!(matches!(&found[0], Loaded::Key(key) if key.record.id == "AAAAAAAAAAAA"));

    // Peppers: the first word on each stands.
    let check = |pepper, check| PepperCheck { pepper, check: [check; 16], since: NOW };
    store.add_pepper_check(&check(2, 2)).unwrap();
    store.add_pepper_check(&check(1, 1)).unwrap();
    store.add_pepper_check(&check(2, 9)).unwrap();
    let known = store.pepper_checks().unwrap();
    assert_eq!(known.iter().map(|c| (c.pepper, c.check[0])).collect::<Vec<_>>(), [(1, 1), (2, 2)]);

    store.close().unwrap();
    store.close().unwrap();
    refused(store.api_key("AAAAAAAAAAAA"), ErrorKind::InvalidArgument, "closed");
    refused(store.write_api_keys(&[insert(&third)]), ErrorKind::InvalidArgument, "closed");
    refused(store.stamp(), ErrorKind::InvalidArgument, "closed");
}

#[test]
fn memory_conforms() {
    conforms(&MemoryStore::new());
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn postgres_conforms() {
    for place in crate::postgres::Place::each("postgres_conforms") {
        conforms(&place.store());
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use gatekey::apikey::KeySpec;
    use gatekey::store::SqliteStore;
    use gatekey::{Peppers, Secret};

    fn open(path: &Path) -> Arc<dyn Database> {
        Arc::new(SqliteStore::open(path).unwrap())
    }

    #[test]
    fn sqlite_conforms() {
        let folder = Folder::new("conforms");
        conforms(&SqliteStore::open(folder.path("a.sqlite")).unwrap());
    }

    #[test]
    fn what_was_written_is_there_after_reopening() {
        let folder = Folder::new("reopening");
        let path = folder.path("a.sqlite");
        let first = bench_on(open(&path));
        let (kept, revoked) = (first.create(|_| ()), first.create(|_| ()));
        let rotated = first.keys.rotate(&kept.record.id, 0).unwrap();
        first.keys.revoke(&revoked.record.id, "").unwrap();
        first.keys.close().unwrap();
        let second = bench_on(open(&path));
        assert!(second.keys.verify(text(&rotated), &Check::new()).is_ok());
        refused(
            second.keys.verify(text(&kept), &Check::new()),
            ErrorKind::BadApiKeySecret,
            "rotated",
        );
        refused(
            second.keys.verify(text(&revoked), &Check::new()),
            ErrorKind::ApiKeyRevoked,
            "revoked",
        );
    }

    /// Two handles on one file, as two processes have them.
    #[test]
    fn changes_elsewhere_are_seen_at_the_next_look() {
        let folder = Folder::new("elsewhere");
        let path = folder.path("a.sqlite");
        let (here, there) = (bench_on(open(&path)), bench_on(open(&path)));
        let issued = here.create(|_| ());
        assert!(
            there.keys.verify(text(&issued), &Check::new()).is_ok(),
            "new keys are seen at once"
        );
        here.keys.revoke(&issued.record.id, "").unwrap();
        there.clock.advance(1);
        refused(
            there.keys.verify(text(&issued), &Check::new()),
            ErrorKind::ApiKeyRevoked,
            "after a look",
        );
        let other = there.create(|_| ());
        there.keys.rotate(&other.record.id, 0).unwrap();
        here.clock.advance(1);
        refused(
            here.keys.verify(text(&other), &Check::new()),
            ErrorKind::BadApiKeySecret,
            "rotated",
        );
    }

    #[test]
    fn concurrent_changes_lose_nothing() {
        let folder = Folder::new("concurrent");
        let path = folder.path("a.sqlite");
        let benches = [bench_on(open(&path)), bench_on(open(&path))];
        let id = benches[0]
            .create(|s| s.credits = Some(CreditSpec { amount: 500, ..CreditSpec::default() }))
            .record
            .id;
        std::thread::scope(|scope| {
            for bench in &benches {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..10 {
                            bench.keys.rotate(&id, 60).unwrap();
                        }
                    });
                }
            }
        });
        let rows =
            benches[0].keys.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
        assert_eq!(benches[1].keys.get(&id).unwrap().version, 41);
        assert_eq!(
            rows.records.iter().map(|row| row.seq).collect::<Vec<_>>(),
            (1..=41).collect::<Vec<_>>()
        );
    }

    #[test]
    fn credits_are_never_granted_twice() {
        let folder = Folder::new("granted");
        let path = folder.path("a.sqlite");
        let benches = [bench_on(open(&path)), bench_on(open(&path))];
        let key = text(
            &benches[0]
                .create(|s| s.credits = Some(CreditSpec { amount: 400, ..CreditSpec::default() })),
        );
        let spend = |bench: &super::super::Bench| {
            (0..300).filter(|_| bench.keys.verify(&key, &Check::new()).is_ok()).count()
        };
        let spent: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let bench = &benches[n % 2];
                        move || spend(bench)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(spent, 400);
    }

    /// SQLite before 3.51.3 can lose a commit in a checkpoint.
    #[test]
    fn the_sqlite_that_runs_is_new_enough() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = Folder::new("other_files");
        let text = folder.path("text");
        std::fs::write(&text, "not a database, and longer than the header of one is".repeat(100))
            .unwrap();
        let before = std::fs::read(&text).unwrap();
        refused(SqliteStore::open(&text), ErrorKind::StoreCorrupt, "text");
        assert_eq!(std::fs::read(&text).unwrap(), before);
        let foreign = folder.path("foreign");
        let other = rusqlite::Connection::open(&foreign).unwrap();
        other.execute_batch("CREATE TABLE a (b); PRAGMA user_version = 1").unwrap();
        drop(other);
        let before = std::fs::read(&foreign).unwrap();
        refused(SqliteStore::open(&foreign), ErrorKind::StoreCorrupt, "another program's");
        assert_eq!(std::fs::read(&foreign).unwrap(), before);
        let newer = folder.path("newer");
        drop(open(&newer));
        rusqlite::Connection::open(&newer)
            .unwrap()
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        let error = refused(SqliteStore::open(&newer), ErrorKind::StoreCorrupt, "newer");
        assert!(error.message().contains("newer version"), "{error}");
        refused(
            SqliteStore::open(folder.path("no/folder")),
            ErrorKind::StoreUnavailable,
            "no folder",
        );
    }

    /// Whoever can write to the file, but has no pepper, can deny a key and nothing else.
    #[test]
    fn an_altered_row_denies_its_key_alone() {
        let folder = Folder::new("altered");
        let path = folder.path("a.sqlite");
        let issued: Vec<_> = {
            let bench = bench_on(open(&path));
            (0..12).map(|_| bench.create(|s| s.scopes = vec!["read".into()])).collect()
        };
        let raw = rusqlite::Connection::open(&path).unwrap();
        for (change, key) in [
            "scopes = 'admin'",
            "owner = 'mallory'",
            "expires_at = 9999999999",
            "tenant = 'x'",
            "mac = zeroblob(32)",
            "mac = x'00'",
            "status = 'nonsense'",
            "seal = zeroblob(16)",
            "proof = 'nonsense'",
            "version = -1",
            "cidrs = 'nonsense'",
        ]
        .into_iter()
        .zip(&issued)
        {
            let changed =
                raw.execute(&format!("UPDATE key SET {change} WHERE id = ?"), [&key.record.id]);
            assert_eq!(changed.unwrap(), 1, "{change}");
        }
        drop(raw);
        let bench = bench_on(open(&path));
        for key in &issued[..11] {
            refused(
                bench.keys.verify(text(key), &Check::new()),
                ErrorKind::StoreUnavailable,
                "altered",
            );
            refused(
                bench.keys.enable(&key.record.id),
                ErrorKind::StoreCorrupt,
                "and not to be built on",
            );
        }
        assert!(bench.keys.verify(text(&issued[11]), &Check::new()).is_ok());
    }

    #[test]
    fn no_secret_is_in_the_file() {
        let folder = Folder::new("no_secret");
        let path = folder.path("a.sqlite");
        let bench = bench_on(open(&path));
        let mut keys = Vec::new();
        for _ in 0..20 {
            let issued = bench.create(|_| ());
            keys.push(text(&issued));
            keys.push(text(&bench.keys.rotate(&issued.record.id, 60).unwrap()));
            assert!(bench.keys.verify(keys.last().unwrap(), &Check::new()).is_ok());
        }
        bench.keys.flush().unwrap();
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(folder.path("")).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        let holds = |text: &[u8]| memchr::memmem::find(&bytes, text).is_some();
        assert!(holds(&keys[0].as_bytes()[8..20]), "the id is there, so the search works");
        for key in &keys {
            assert!(!holds(&key.as_bytes()[21..51]) && !holds(&key.as_bytes()[21..33]));
        }
        assert!(!holds(&[1; 32]), "the pepper");
        let _ = pepper(&[1]);
    }

    #[test]
    fn a_file_of_each_released_schema_opens() {
        let folder = Folder::new("released");
        let newest = version_of_a_new_store();
        // The newest has a fixture once the next one comes: see `write_the_fixture`.
        for version in 1..=newest {
            let fixture = vectors().join(format!("v{version}.sqlite"));
            if version == newest && !fixture.exists() {
                continue;
            }
            let path = folder.path(&format!("v{version}.sqlite"));
            std::fs::copy(fixture, &path).unwrap();
            let before = rusqlite::Connection::open(&path).unwrap();
            assert_eq!(user_version(&before), version);
            drop(before);
            let bench = bench_on(open(&path));
            // Made by `write_the_fixture` below, with the pepper of these tests.
            let key = std::fs::read_to_string(vectors().join(format!("v{version}.key"))).unwrap();
            let grant = bench.keys.verify(key.trim(), &Check::new().scopes(&["read"])).unwrap();
            assert_eq!(
                (grant.owner(), grant.record().meta.as_str()),
                ("acme", r#"{"plan":"gold"}"#)
            );
            assert!(bench.create(|_| ()).record.version == 1, "and can be written to");
            assert_eq!(user_version(&rusqlite::Connection::open(&path).unwrap()), newest);
        }
    }

    /// Until version 2 a horizon was the `exp` of forgotten tokens, which a clock that ran away put months ahead: it
    /// becomes the time of issue, which is never later than now.
    #[test]
    fn a_horizon_of_version_2_refuses_no_fresh_token() {
        let now = i64::try_from(gatekey::Clock::now(&gatekey::SystemClock)).unwrap();
        for (until, issued) in
            [(now + 400 * 86_400, now - 600), (now - 86_400, now - 87_000), (60, 0)]
        {
            let folder = Folder::new("horizon");
            let path = folder.path("v2.sqlite");
            std::fs::copy(vectors().join("v2.sqlite"), &path).unwrap();
            let raw = rusqlite::Connection::open(&path).unwrap();
            raw.execute("DELETE FROM horizon", []).unwrap();
            raw.execute("INSERT INTO horizon VALUES ('revocation', ?)", [until]).unwrap();
            drop(raw);
            open(&path).close().unwrap();
            let raw = rusqlite::Connection::open(&path).unwrap();
            let mut rows = raw.prepare("SELECT of, until FROM horizon").unwrap();
            let rows: Vec<(String, i64)> = rows
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(rows.len(), 1, "{rows:?}");
            assert_eq!(rows[0].0, "issued");
            // The migration reads the clock after this test did.
            assert!((issued..issued + 120).contains(&rows[0].1), "{until}: {rows:?}, {issued}");
        }
    }

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store")
    }

    fn user_version(raw: &rusqlite::Connection) -> u32 {
        raw.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    fn version_of_a_new_store() -> u32 {
        let folder = Folder::new("newest");
        let path = folder.path("a.sqlite");
        drop(open(&path));
        user_version(&rusqlite::Connection::open(&path).unwrap())
    }

    /// What an older program meets when a newer one has migrated the file that it has open: the version is set higher,
    /// and a column that it reads is gone.
    #[test]
    fn a_newer_version_is_noticed_in_an_open_store() {
        let folder = Folder::new("newer_while_open");
        let path = folder.path("a.sqlite");
        let options = gatekey::revocations::RevocationOptions::new;
        let revocations = gatekey::Revocations::open(open(&path), options()).unwrap();
        let peppers = Peppers::new(&[(1, Secret::new((0..32).collect()))]).unwrap();
        let ring = gatekey::KeyRing::open(
            open(&path),
            Some(peppers),
            gatekey::keyring::KeyRingOptions::new(),
        )
        .unwrap();
        let bench = bench_on(open(&path));
        let issued = bench.create(|_| ());
        let raw = rusqlite::Connection::open(&path).unwrap();
        raw.execute_batch(
            "BEGIN; ALTER TABLE key RENAME COLUMN owner TO account;
             ALTER TABLE key_ring RENAME COLUMN text TO body; DROP TABLE audit;
             PRAGMA user_version = 99; COMMIT",
        )
        .unwrap();
        let id = &issued.record.id;
        let outcomes = [
            ("create", bench.keys.create(&KeySpec::new("acme")).map(drop)),
            ("revoke", bench.keys.revoke(id, "").map(drop)),
            ("get", bench.keys.get(id).map(drop)),
            ("list", bench.keys.list(&KeyFilter::default()).map(drop)),
            ("audit", bench.keys.audit(&AuditFilter::default()).map(drop)),
            ("refresh", bench.keys.refresh()),
            ("revoke a token", revocations.revoke_session("s")),
            ("rotate", ring.rotate().map(drop)),
            ("look at a ring", ring.refresh()),
        ];
        for (what, outcome) in outcomes {
            let error = refused(outcome, ErrorKind::StoreCorrupt, what);
            assert!(error.message().contains("update this program"), "{what}: {error}");
        }
        let error = refused(SqliteStore::open(&path), ErrorKind::StoreCorrupt, "opened anew");
        assert!(error.message().contains("newer version"), "{error}");
        assert_eq!(user_version(&raw), 99, "and it stays as it is");
    }

    /// Run by hand with `--ignored` when the schema has a new version, and again before that is released.
    #[test]
    #[ignore = "writes tests/vectors/store/"]
    fn write_the_fixture() {
        let (target, version) = (vectors(), version_of_a_new_store());
        std::fs::create_dir_all(&target).unwrap();
        let path = target.join(format!("v{version}.sqlite"));
        let _ = std::fs::remove_file(&path);
        let bench = bench_on(open(&path));
        let issued = bench.create(|s| {
            s.scopes = vec!["read".into()];
            s.meta = r#"{"plan":"gold"}"#.into();
            s.credits = Some(CreditSpec { amount: 1_000_000, refill: 10, every: 60, limit: None });
            s.cidrs = vec![];
        });
        std::fs::write(target.join(format!("v{version}.key")), text(&issued)).unwrap();
        bench.keys.close().unwrap();
    }
}
