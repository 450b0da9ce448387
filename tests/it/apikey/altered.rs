//! Someone writes to the database and has no pepper: a key can be denied by it, and nothing else. Whatever the store
//! holds then, gatekey never makes it good.

use super::{Bench, Folder, bench_on, refused, text};
use gatekey::apikey::{Check, CreditSpec, ImportRow, ImportScheme, IssuedKey, KeyFilter, KeySpec};
use gatekey::store::SqliteStore;
use gatekey::{ApiKeys, ErrorKind, Secret, ToJson as _};
use std::path::PathBuf;
use std::sync::Arc;

struct Altered {
    bench: Bench,
    path: PathBuf,
    _folder: Folder,
}

fn sqlite(test: &str) -> Altered {
    let folder = Folder::new(test);
    let path = folder.path("a.sqlite");
    let bench = bench_on(Arc::new(SqliteStore::open(&path).unwrap()));
    Altered { bench, path, _folder: folder }
}

impl Altered {
    fn sql(&self, statement: &str, id: &str) {
        let raw = rusqlite::Connection::open(&self.path).unwrap();
        raw.execute(statement, [id]).unwrap();
    }

    /// What someone does to own another one's place.
    fn alter(&self, id: &str) {
        self.sql(
            "UPDATE key SET owner = 'root', tenant = 'bank', scopes = 'admin', expires_at = NULL WHERE id = ?",
            id,
        );
    }

    /// The key is nobody's but mallory's, here and in a process that starts now.
    fn check(&self, keys: &ApiKeys, key: &str, peppers: &[u32], what: &str) {
        let other = self.bench.reopen(peppers).unwrap();
        for (keys, who) in [(keys, "here"), (&other, "elsewhere")] {
            match keys.verify(key, &Check::new()) {
                Ok(grant) => {
                    assert_eq!((grant.owner(), grant.scopes()), ("mallory", ""), "{what}, {who}");
                }
                Err(error) => {
                    let kind = error.kind();
                    assert_eq!(kind, ErrorKind::StoreUnavailable, "{what}, {who}: {error}");
                }
            }
        }
        refused(other.verify(key, &Check::new()), ErrorKind::StoreUnavailable, what);
    }
}

fn mallory(bench: &Bench) -> IssuedKey {
    bench.create(|spec| {
        spec.owner = "mallory".into();
        spec.expires_in = Some(3600);
        spec.credits = Some(CreditSpec { amount: 100, ..CreditSpec::default() });
    })
}

/// The row is changed in the store while an upgrade of its proof, its use or its credits wait to be written.
#[test]
fn what_is_written_later_does_not_make_an_altered_row_good() {
    for what in ["upgrade", "usage", "close", "wrap", "update", "rotate", "revoke", "enable"] {
        let altered = sqlite(&format!("altered-{what}"));
        let own = mallory(&altered.bench);
        let other = altered.bench.create(|_| ());
        let peppers: &[u32] = if what == "usage" { &[1] } else { &[1, 2] };
        let keys = altered.bench.reopen(peppers).unwrap();
        assert!(keys.verify(text(&own), &Check::new()).is_ok());
        assert!(keys.verify(text(&other), &Check::new()).is_ok());
        altered.alter(&own.record.id);
        let id = &own.record.id;
        let update = gatekey::apikey::KeyUpdate { name: Some("n".into()), ..Default::default() };
        let outcome = match what {
            "upgrade" | "usage" => keys.flush(),
            "close" => keys.close(),
            "wrap" => keys.wrap_peppers().map(drop),
            "update" => keys.update(id, &update).map(drop),
            "rotate" => keys.rotate(id, 60).map(drop),
            "revoke" => keys.revoke(id, "").map(drop),
            _ => keys.enable(id).map(drop),
        };
        match what {
            "upgrade" | "usage" | "close" => outcome.unwrap(),
            _ => drop(refused(outcome, ErrorKind::StoreCorrupt, what)),
        }
        if what == "close" {
            let other = altered.bench.reopen(peppers).unwrap();
            refused(other.verify(text(&own), &Check::new()), ErrorKind::StoreUnavailable, what);
            continue;
        }
        altered.check(&keys, &text(&own), peppers, what);
        let other_good = altered.bench.reopen(peppers).unwrap().verify(text(&other), &Check::new());
        assert!(other_good.is_ok(), "{what}: the others are as they were");
        if what == "upgrade" || what == "wrap" {
            let uses = keys.pepper_report().unwrap();
            assert!(
                uses.iter().any(|one| one.pepper == 2 && one.keys == 1),
                "{what}: the other was"
            );
        }
    }
}

/// A key with a slow hash waits for its first use.
#[test]
fn the_first_use_of_an_imported_key_does_not_make_its_row_good() {
    let altered = sqlite("altered-imported");
    let hash = "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=";
    let row = ImportRow {
        spec: KeySpec::new("mallory"),
        credential: Secret::new(hash.into()),
        lookup: Some("abcd1234".into()),
    };
    let keys = &altered.bench.keys;
    let ids = keys.import(ImportScheme::Pbkdf2Sha256, &[row]).unwrap().ids;
    altered.alter(&ids[0]);
    let key = "abcd1234.SecretPartOfTheLegacyKey42";
    assert!(keys.verify(key, &Check::new()).is_ok(), "as it was read");
    keys.flush().unwrap();
    altered.check(keys, key, &[1], "imported");
}

#[test]
fn altered_rows_are_shown_as_such() {
    let altered = sqlite("altered-shown");
    let bench = &altered.bench;
    let (own, good, broken) = (mallory(bench), bench.create(|_| ()), bench.create(|_| ()));
    let flags = |keys: &ApiKeys| -> Vec<(String, bool)> {
        let page = keys.list(&KeyFilter::default()).unwrap();
        page.records.iter().map(|record| (record.id.clone(), record.altered)).collect()
    };
    assert!(flags(&bench.keys).iter().all(|(_, altered)| !altered));
    altered.alter(&own.record.id);
    altered
        .sql("UPDATE key SET status = 'nonsense', meta = char(27) WHERE id = ?", &broken.record.id);
    for keys in [&bench.keys, &bench.reopen(&[1]).unwrap()] {
        let mut wanted = vec![
            (own.record.id.clone(), true),
            (good.record.id.clone(), false),
            (broken.record.id.clone(), true),
        ];
        wanted.sort();
        assert_eq!(flags(keys), wanted);
        let record = keys.get(&own.record.id).unwrap();
        assert!(record.altered && record.to_json().contains("\"altered\":true"));
        assert!(!keys.get(&good.record.id).unwrap().altered);
        refused(keys.get(&broken.record.id), ErrorKind::StoreCorrupt, "cannot be read");
    }
}

/// A row that is no key at all denies no other.
#[test]
fn a_row_without_an_id_denies_nobody() {
    let altered = sqlite("altered-no-id");
    let (key, other) = (altered.bench.create(|_| ()), altered.bench.create(|_| ()));
    altered.sql("UPDATE key SET id = 'no id' WHERE id = ?", &other.record.id);
    let keys = altered.bench.reopen(&[1]).unwrap();
    assert!(keys.verify(text(&key), &Check::new()).is_ok());
    refused(keys.verify(text(&other), &Check::new()), ErrorKind::UnknownApiKey, "is gone");
    assert_eq!(keys.list(&KeyFilter::default()).unwrap().records.len(), 2);
}

/// A row of before, with a seal that is good, is put back: a process that knows better does not build on it.
#[test]
fn an_older_row_is_noticed_by_whoever_has_seen_a_newer_one() {
    let altered = sqlite("altered-older");
    let bench = &altered.bench;
    let key = bench.create(|_| ());
    let id = &key.record.id;
    altered.sql("CREATE TABLE kept AS SELECT * FROM key WHERE id = ?", id);
    bench.keys.revoke(id, "leaked").unwrap();
    altered.sql("DELETE FROM key WHERE id = ?", id);
    altered.sql("INSERT INTO key SELECT * FROM kept WHERE id = ?", id);
    let keys = &bench.keys;
    refused(keys.verify(text(&key), &Check::new()), ErrorKind::ApiKeyRevoked, "in memory");
    assert!(keys.get(id).unwrap().altered);
    assert!(keys.list(&KeyFilter::default()).unwrap().records[0].altered);
    refused(keys.rotate(id, 0), ErrorKind::StoreCorrupt, "not to be built on");
    keys.refresh().unwrap();
    refused(keys.verify(text(&key), &Check::new()), ErrorKind::ApiKeyRevoked, "still");
    // A key that was deleted and imported again is no older row.
    let again = bench.create(|_| ());
    bench
        .keys
        .update(
            &again.record.id,
            &gatekey::apikey::KeyUpdate { name: Some("n".into()), ..Default::default() },
        )
        .unwrap();
    let other = bench.reopen(&[1]).unwrap();
    bench.keys.revoke(&again.record.id, "").unwrap();
    bench.clock.advance(10);
    other.refresh().unwrap();
    bench.keys.purge(super::NOW + 5).unwrap();
    let row = ImportRow {
        spec: KeySpec::new("acme"),
        credential: Secret::new(text(&again).into()),
        lookup: None,
    };
    assert_eq!(bench.keys.import(ImportScheme::Plaintext, &[row]).unwrap().imported, 1);
    other.refresh().unwrap();
    assert!(other.verify(text(&again), &Check::new()).is_ok());
    assert!(!other.get(&again.record.id).unwrap().altered);
}

/// What is left of credits is not sealed; what they were given is.
#[test]
fn credits_are_never_more_than_the_limit() {
    let altered = sqlite("altered-credits");
    let key = altered
        .bench
        .create(|s| s.credits = Some(CreditSpec { amount: 3, ..CreditSpec::default() }));
    altered.sql("UPDATE credit SET remaining = 5000 WHERE key_id = ?", &key.record.id);
    let keys = altered.bench.reopen(&[1]).unwrap();
    assert_eq!(keys.get(&key.record.id).unwrap().credits.unwrap().remaining, 3);
    let good = (0..10).filter(|_| keys.verify(text(&key), &Check::new()).is_ok()).count();
    assert_eq!(good, 3);
    altered.sql("UPDATE credit SET most = 5000, remaining = 5000 WHERE key_id = ?", &key.record.id);
    let keys = altered.bench.reopen(&[1]).unwrap();
    refused(
        keys.verify(text(&key), &Check::new()),
        ErrorKind::StoreUnavailable,
        "the limit is sealed",
    );
}
