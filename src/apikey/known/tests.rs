//! What is remembered is bounded.

use super::*;
use crate::apikey::{ApiKeyOptions, KeySpec};
use crate::store::{ApiKeyStore as _, Change, MemoryStore, Write};
use crate::{ApiKeys, Peppers};
use std::sync::Arc;

fn sizes(known: &Known) -> [usize; 3] {
    let table = brief(&known.0);
    [table.foreign.len(), table.gone.len(), table.order.len()]
}

fn seen(version: u64) -> Seen {
    Seen { created_at: 7, version, revoked: false }
}

#[test]
fn as_many_as_may_be_are_remembered_and_the_first_go_first() {
    let known = Known::default();
    (0..10).for_each(|id| known.is_gone(id, seen(1), 3));
    // One that comes and goes drives out no other.
    (0..1000).for_each(|version| known.is_gone(8, seen(version), 3));
    known.is_gone(8, seen(5), 3);
    known.is_gone(100, Seen::NOTHING, 3);
    assert_eq!(sizes(&known), [0, 3, 3]);
    let table = brief(&known.0);
    assert_eq!(
        [7, 8, 9].map(|id| table.gone.get(&id).copied()),
        [1, 999, 1].map(|v| Some(seen(v)))
    );
}

#[test]
fn nothing_is_remembered_of_rows_that_are_not_believed() {
    let peppers = Peppers::new(&[(1, crate::Secret::new(vec![7; 32]))]).unwrap();
    let store = Arc::new(MemoryStore::new());
    let keys = ApiKeys::open(store.clone(), peppers, ApiKeyOptions::new()).unwrap();
    let key = keys.create(&KeySpec::new("acme")).unwrap();
    let good = store.api_key(&key.record.id).unwrap().unwrap();
    let write = |change| {
        let (actor, detail) = (String::new(), String::new());
        store.write_api_keys(&[Write { change, at: 1, actor, action: "x", detail }]).unwrap();
        keys.refresh().unwrap();
    };
    for n in 0..20u8 {
        let mut row = good.clone();
        row.record.id = format!("AAAAAAAAAA{n:02}");
        row.lookup = Some(crate::store::Lookup { pepper: 1, tag: [n; 16] });
        write(Change::Insert(Box::new(row.clone())));
        assert_eq!(sizes(&keys.inner.feed.known), [1, 0, 0]);
        write(Change::Delete { id: row.record.id, version: 1 });
    }
    assert_eq!(sizes(&keys.inner.feed.known), [0, 0, 0]);
    write(Change::Delete { id: good.record.id, version: 1 });
    assert_eq!(sizes(&keys.inner.feed.known), [0, 1, 1], "one that was good is");
    // As a load does that finds nothing.
    keys.inner.reload().unwrap();
    assert_eq!(keys.inner.mirror.slots().filter(|slot| slot.whole_profile().is_some()).count(), 0);
}

/// A child has new locks, and nothing of what they guarded.
#[test]
fn what_was_seen_outlives_a_fork() {
    let peppers = Peppers::new(&[(1, crate::Secret::new(vec![7; 32]))]).unwrap();
    let store = Arc::new(MemoryStore::new());
    let keys = ApiKeys::open(store.clone(), peppers, ApiKeyOptions::new()).unwrap();
    let row = crate::apikey::ImportRow {
        spec: KeySpec::new("acme"),
        credential: crate::Secret::new(b"legacy.SecretPartOfTheLegacyKey42".to_vec()),
        lookup: None,
    };
    let ids = keys.import(crate::apikey::ImportScheme::Plaintext, &[row]).unwrap().ids;
    let id = ids.first().unwrap();
    let old = store.api_key(id).unwrap().unwrap();
    keys.revoke(id, "").unwrap();
    let change = |change| {
        let (actor, detail) = (String::new(), String::new());
        store.write_api_keys(&[Write { change, at: 1, actor, action: "x", detail }]).unwrap();
    };
    change(Change::Delete { id: id.clone(), version: 2 });
    keys.refresh().unwrap();
    change(Change::Insert(Box::new(old)));
    let own = keys.inner.own();
    **own.writer.lock() = crate::apikey::feed::Writer::default();
    keys.refresh().unwrap();
    assert!(keys.get(id).unwrap().altered);
    assert_eq!(sizes(&keys.inner.feed.known), [0, 1, 1]);
}
