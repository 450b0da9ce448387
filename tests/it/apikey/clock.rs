//! A clock that cannot be right (milliseconds for seconds, a callback that failed): every call that needs the time
//! is refused, as those of sessions are, and changes nothing.

use super::{Bench, NOW, bench, pepper, refused, text};
use gatekey::apikey::{
    ApiKeyOptions, AuditFilter, Check, ImportRow, ImportScheme, KeyFilter, KeySpec, KeyUpdate,
};
use gatekey::clock::FixedClock;
use gatekey::{ApiKeys, Error, ErrorKind, Secret};
use std::sync::Arc;

/// A second into the year 10000, the year 33658, now in milliseconds, -1 as an unsigned number.
const ABSURD: [u64; 4] = [253_402_300_801, 1_000_000_000_000, NOW * 1000, u64::MAX];

type Call = fn(&ApiKeys, &[String; 2]) -> Result<(), Error>;

/// Every call that needs the time; of a live key and a disabled one.
const CALLS: [(&str, Call); 14] = [
    ("create", |keys, _| keys.create(&KeySpec::new("late")).map(drop)),
    ("create for a while", |keys, _| {
        let mut spec = KeySpec::new("late");
        spec.expires_in = Some(60);
        keys.create(&spec).map(drop)
    }),
    ("rotate", |keys, [id, _]| keys.rotate(id, 60).map(drop)),
    ("rotate at once", |keys, [id, _]| keys.rotate(id, 0).map(drop)),
    ("revoke", |keys, [id, _]| keys.revoke(id, "").map(drop)),
    ("disable", |keys, [id, _]| keys.disable(id, "").map(drop)),
    ("enable", |keys, [_, id]| keys.enable(id).map(drop)),
    ("update", |keys, [id, _]| {
        let name = Some("other".to_owned());
        keys.update(id, &KeyUpdate { name, ..KeyUpdate::default() }).map(drop)
    }),
    ("import", |keys, _| {
        let row = ImportRow {
            spec: KeySpec::new("old"),
            credential: Secret::from("a text of another system".to_owned()),
            lookup: None,
        };
        keys.import(ImportScheme::Plaintext, &[row]).map(drop)
    }),
    ("purge", |keys, _| keys.purge(NOW + 40 * 86_400).map(drop)),
    ("wrap_peppers", |keys, _| keys.wrap_peppers().map(drop)),
    ("flush", |keys, _| keys.flush()),
    ("refresh", |keys, _| keys.refresh()),
    ("pepper_report", |keys, _| keys.pepper_report().map(drop)),
];

fn everything(bench: &Bench) -> String {
    let keys = bench.keys.list(&KeyFilter::default()).unwrap().records;
    let audit = bench.keys.audit(&AuditFilter::default()).unwrap().records;
    format!("{keys:?} {audit:?}")
}

fn an_absurd_clock_is_not_believed(bench: &Bench) {
    let kept = bench.create(|_| ());
    let short = bench.create(|spec| spec.expires_in = Some(3600));
    let limited =
        bench.create(|spec| spec.rate = Some(gatekey::apikey::parse_rate("2/60s").unwrap()));
    let disabled = bench.create(|_| ());
    bench.keys.disable(&disabled.record.id, "").unwrap();
    let rotated = bench.keys.rotate(&kept.record.id, 60).unwrap();
    let secrets = [&rotated, &short, &limited].map(text);
    for secret in &secrets {
        bench.keys.verify(secret, &Check::new()).unwrap();
    }
    bench.keys.flush().unwrap();
    // Proofs under a newer pepper wait to be written.
    let newer = bench.reopen(&[1, 2]).unwrap();
    newer.verify(&secrets[0], &Check::new()).unwrap();
    let ids = [&kept, &disabled].map(|key| key.record.id.clone());
    let before = everything(bench);
    for absurd in ABSURD {
        bench.clock.set(absurd);
        for keys in [&bench.keys, &newer] {
            for (what, call) in CALLS {
                let what = format!("{what} at {absurd}");
                let error = refused(call(keys, &ids), ErrorKind::InvalidConfiguration, &what);
                assert!(error.to_string().contains("clock"), "{what}: {error}");
            }
            for secret in secrets.iter().chain([&text(&kept)]) {
                let outcome = keys.verify(secret, &Check::new());
                refused(outcome, ErrorKind::InvalidConfiguration, "verify");
            }
            let stranger = text(&rotated).replace(&ids[0], &ids[1]);
            keys.verify(stranger, &Check::new()).unwrap_err();
        }
        refused(bench.reopen(&[1]), ErrorKind::InvalidConfiguration, "open");
        refused(bench.reopen(&[1, 3]), ErrorKind::InvalidConfiguration, "open, another pepper");
        assert_eq!(everything(bench), before, "{absurd}");
    }
    bench.clock.set(NOW + 1);
    let peppers = bench.keys.pepper_report().unwrap();
    assert!(peppers.iter().all(|used| used.pepper < 3), "the pepper was not made known");
    bench.keys.verify(&secrets[2], &Check::new()).expect("nothing was taken from its rate");
    refused(bench.keys.verify(&secrets[2], &Check::new()), ErrorKind::RateLimited, "as before");
    newer.flush().unwrap();
    assert!(everything(bench).contains("pepper.upgrade"), "what waited still waits");
    // The last second that is believed: everything has expired, nothing is absurd.
    bench.clock.set(ABSURD[0] - 1);
    refused(bench.keys.verify(&secrets[1], &Check::new()), ErrorKind::ApiKeyExpired, "9999");
}

#[test]
fn an_absurd_clock_is_not_believed_in_memory() {
    an_absurd_clock_is_not_believed(&bench());
}

#[cfg(feature = "sqlite")]
#[test]
fn an_absurd_clock_is_not_believed_in_sqlite() {
    let folder = super::Folder::new("keys_absurd_clock");
    let store = gatekey::store::SqliteStore::open(folder.path("a.sqlite")).unwrap();
    an_absurd_clock_is_not_believed(&super::bench_on(Arc::new(store)));
}

/// What was leased goes back although the flush before it is refused.
#[test]
fn leases_go_back_although_the_clock_is_absurd() {
    let bench = bench();
    let credits =
        gatekey::apikey::CreditSpec { amount: 1000, ..gatekey::apikey::CreditSpec::default() };
    let key = bench.create(|spec| spec.credits = Some(credits));
    let other = bench.reopen(&[1, 2]).unwrap();
    other.verify(text(&key), &Check::new()).unwrap();
    bench.clock.set(u64::MAX);
    refused(other.close(), ErrorKind::InvalidConfiguration, "an upgrade could not be dated");
    let left = bench.keys.get(&key.record.id).unwrap().credits.unwrap();
    assert_eq!(left.remaining, 999);
}

/// A key that no clock has dated yet lives no longer than a right one says.
#[test]
fn a_store_is_not_opened_by_an_absurd_clock() {
    for absurd in ABSURD {
        let options = ApiKeyOptions::new().clock(Arc::new(FixedClock::new(absurd)));
        let store = Arc::new(gatekey::store::MemoryStore::new());
        let opened = ApiKeys::open(store.clone(), pepper(&[1]), options);
        refused(opened.map(drop), ErrorKind::InvalidConfiguration, "open");
        assert!(gatekey::store::Backend::pepper_checks(&*store).unwrap().is_empty(), "{absurd}");
    }
}
