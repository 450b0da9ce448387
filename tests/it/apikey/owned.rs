//! The keys of one owner: another's key, chosen by its public id, is one that does not exist.

use super::{bench, refused, text};
use gatekey::apikey::{AuditFilter, Check, KeyFilter, KeySpec, KeyStatus, KeyUpdate};
use gatekey::{ApiKeys, ErrorKind};

fn every_change(keys: &ApiKeys, id: &str) -> [(&'static str, Result<(), gatekey::Error>); 6] {
    let update = KeyUpdate { name: Some("mine".into()), ..KeyUpdate::default() };
    [
        ("get", keys.get(id).map(drop)),
        ("rotate", keys.rotate(id, 60).map(drop)),
        ("disable", keys.disable(id, "").map(drop)),
        ("enable", keys.enable(id).map(drop)),
        ("update", keys.update(id, &update).map(drop)),
        ("revoke", keys.revoke(id, "").map(drop)),
    ]
}

/// Row 749.
#[test]
fn another_owners_key_does_not_exist() {
    let bench = bench();
    let make = |owner: &str, tenant: &str| {
        bench.create(|spec| {
            spec.owner = owner.into();
            spec.tenant = tenant.into();
        })
    };
    let (mine, other, elsewhere) = (make("me", "t1"), make("you", "t1"), make("me", "t2"));
    let own = bench.keys.owned_by("me", "t1").unwrap();
    for key in [&other, &elsewhere] {
        for (call, outcome) in every_change(&own, &key.record.id) {
            let error = refused(outcome, ErrorKind::ApiKeyNotFound, call);
            let none = own.get("0123456789Ab").unwrap_err();
            assert_eq!(error.message(), none.message(), "{call}: as one that is not there");
        }
        assert_eq!(bench.keys.get(&key.record.id).unwrap(), key.record, "nothing has changed");
        assert!(bench.keys.verify(text(key), &Check::new()).is_ok());
    }
    for (call, outcome) in every_change(&own.acting_as("boss").unwrap(), &mine.record.id) {
        assert!(outcome.is_ok(), "{call}: {outcome:?}");
    }
    assert_eq!(own.get(&mine.record.id).unwrap().status, KeyStatus::Revoked);
    assert_eq!(own.get(&mine.record.id).unwrap().name, "mine");

    let listed = |filter: KeyFilter| {
        let page = own.list(&filter).unwrap();
        page.records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(KeyFilter::default()), std::slice::from_ref(&mine.record.id));
    let of_others = KeyFilter { owner: Some("you".into()), ..KeyFilter::default() };
    assert_eq!(listed(of_others), [mine.record.id], "whatever the filter says");
}

#[test]
fn keys_are_made_for_the_owner_and_stay_with_it() {
    let bench = bench();
    let own = bench.keys.owned_by("me", "").unwrap();
    let mine = own.create(&KeySpec::new("me")).unwrap();
    let other = own.create(&KeySpec::new("you"));
    assert_eq!(refused(other, ErrorKind::InvalidArgument, "another's").claim(), Some("owner"));
    let update = KeyUpdate { owner: Some("you".into()), ..KeyUpdate::default() };
    refused(own.update(&mine.record.id, &update), ErrorKind::InvalidArgument, "given away");
    assert_eq!(bench.keys.get(&mine.record.id).unwrap(), mine.record);
    assert!(own.verify(text(&mine), &Check::new()).is_ok());
}

#[test]
fn what_is_about_all_keys_is_refused() {
    let bench = bench();
    let own = bench.keys.owned_by("me", "").unwrap();
    for (call, outcome) in [
        ("audit", own.audit(&AuditFilter::default()).map(drop)),
        ("purge", own.purge(0).map(drop)),
        ("import", own.import(gatekey::apikey::ImportScheme::Plaintext, &[]).map(drop)),
        ("pepper_report", own.pepper_report().map(drop)),
        ("wrap_peppers", own.wrap_peppers().map(drop)),
    ] {
        refused(outcome, ErrorKind::InvalidArgument, call);
    }
    for (owner, tenant) in [("", ""), ("a\n", ""), ("me", "t\n")] {
        let handle = bench.keys.owned_by(owner, tenant).map(drop);
        refused(handle, ErrorKind::InvalidArgument, owner);
    }
}
