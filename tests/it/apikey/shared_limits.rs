//! The table of rates that processes share: where it is, what becomes of it when it is deleted, damaged, full
//! or another user's, and that no store counts in the table of another. Two handles on one store stand for
//! two processes: they share nothing but the file.

use super::{Folder, NOW, pepper, refused};
use gatekey::apikey::{ApiKeyOptions, Check, IssuedKey, KeySpec, KeyUpdate, Rate};
use gatekey::clock::FixedClock;
use gatekey::store::{Limits, MemoryStore, SqliteStore};
use gatekey::{ApiKeys, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// The first of a table: what it is, the version, and the binary logarithm of the number of entries.
pub(super) fn header(version: u32, size: u32) -> Vec<u8> {
    let mut header = b"gatekey limits\r\n".to_vec();
    header.extend(version.to_ne_bytes());
    header.extend(size.to_ne_bytes());
    header.resize(65_536, 0);
    header
}

fn options(limits: Limits) -> ApiKeyOptions {
    ApiKeyOptions::new().clock(Arc::new(FixedClock::new(NOW))).limits(limits)
}

pub(super) fn open(path: &Path, limits: Limits) -> Result<ApiKeys, gatekey::Error> {
    ApiKeys::open(Arc::new(SqliteStore::open(path)?), pepper(&[1]), options(limits))
}

pub(super) fn create(keys: &ApiKeys, burst: u32) -> IssuedKey {
    let mut spec = KeySpec::new("acme");
    spec.rate = Some(Rate { burst, period: 3600 });
    keys.create(&spec).unwrap()
}

pub(super) fn passes(keys: &ApiKeys, issued: &IssuedKey) -> usize {
    let is_ok = || keys.verify(issued.secret.expose(), &Check::new()).is_ok();
    (0..1000).take_while(|_| is_ok()).count()
}

#[test]
fn handles_share_a_limit_beside_the_store() {
    let folder = Folder::new("limits-beside");
    let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
    let (here, there) =
        (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
    let (free, issued) = (here.create(&KeySpec::new("acme")).unwrap(), create(&here, 10));
    here.verify(free.secret.expose(), &Check::new()).unwrap();
    assert!(!table.exists(), "nothing is counted yet");
    for _ in 0..4 {
        here.verify(issued.secret.expose(), &Check::new()).unwrap();
    }
    let metadata = std::fs::metadata(&table).unwrap();
    assert_eq!((metadata.mode() & 0o777, metadata.len()), (0o600, 65_536 + 32_768 * 16));
    assert_eq!(passes(&there, &issued), 6);
    assert_eq!(passes(&here, &issued), 0);
    here.check_limits().unwrap();
    // The rate of a key is changed for all, once.
    let set = |rate: Option<Rate>| {
        let update = KeyUpdate { rate: Some(rate), ..KeyUpdate::default() };
        here.update(&issued.record.id, &update).unwrap();
        there.refresh().unwrap();
    };
    set(Some(Rate { burst: 100, period: 60 }));
    assert_eq!(passes(&there, &issued) + passes(&here, &issued), 90);
    set(Some(Rate { burst: 5, period: 3600 }));
    assert_eq!(passes(&there, &issued) + passes(&here, &issued), 0);
    // So is it after a restart.
    drop((here, there));
    let again = open(&store, Limits::Beside).unwrap();
    assert_eq!(passes(&again, &issued), 0);
}

#[test]
fn a_rate_changed_while_nobody_ran_counts_what_was_used() {
    let folder = Folder::new("limits-changed");
    let store = folder.path("a.sqlite");
    let keys = open(&store, Limits::Beside).unwrap();
    let issued = create(&keys, 10);
    assert_eq!(passes(&keys, &issued), 10);
    drop(keys);
    // This one has no table, as the command line.
    let rate = Some(Some(Rate { burst: 1000, period: 60 }));
    let update = KeyUpdate { rate, ..KeyUpdate::default() };
    open(&store, Limits::Off).unwrap().update(&issued.record.id, &update).unwrap();
    let left = passes(&open(&store, Limits::Beside).unwrap(), &issued);
    assert!((989..=990).contains(&left), "{left}");
}

#[test]
fn credits_and_rates_are_taken_together() {
    let folder = Folder::new("limits-credits");
    let store = folder.path("a.sqlite");
    let (here, there) =
        (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
    let mut spec = KeySpec::new("acme");
    spec.rate = Some(Rate { burst: 10, period: 3600 });
    spec.credits = Some(gatekey::apikey::CreditSpec { amount: 100, ..Default::default() });
    let issued = here.create(&spec).unwrap();
    there.refresh().unwrap();
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (10, 0));
    here.close().unwrap();
    let left = there.get(&issued.record.id).unwrap().credits.unwrap().remaining;
    assert_eq!(left, 90, "what the rate refused took no credit");
}

#[test]
fn stores_do_not_mix() {
    let folder = Folder::new("limits-apart");
    let (one, two) = (folder.path("a.sqlite"), folder.path("b.sqlite"));
    let keys = open(&one, Limits::Off).unwrap();
    let issued = create(&keys, 3);
    keys.close().unwrap();
    drop(keys);
    for ending in ["", ".mark"] {
        // The same ids.
        std::fs::copy(format!("{}{ending}", one.display()), format!("{}{ending}", two.display()))
            .unwrap();
    }
    let named = || Limits::Folder(folder.path("limits"));
    for limits in [Limits::Beside, named()] {
        let (one, two) = (open(&one, limits.clone()).unwrap(), open(&two, limits).unwrap());
        assert_eq!((passes(&one, &issued), passes(&two, &issued)), (3, 3));
    }
    assert_eq!(std::fs::read_dir(folder.path("limits")).unwrap().count(), 2);
    // A link to a store is that store.
    let link = folder.path("link.sqlite");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    for limits in [Limits::Beside, named()] {
        assert_eq!(passes(&open(&link, limits).unwrap(), &issued), 0);
    }
}

#[test]
fn who_has_no_table_counts_alone_and_says_so() {
    let folder = Folder::new("limits-off");
    let store = folder.path("a.sqlite");
    let (here, there) = (open(&store, Limits::Off).unwrap(), open(&store, Limits::Off).unwrap());
    let issued = create(&here, 3);
    there.refresh().unwrap();
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 3));
    refused(here.check_limits(), ErrorKind::InvalidConfiguration, "off");
    assert!(!folder.path("a.sqlite.limits").exists());
    let memory = Arc::new(MemoryStore::new());
    let open = |limits| ApiKeys::open(memory.clone(), pepper(&[1]), options(limits));
    let (here, there) = (open(Limits::Beside).unwrap(), open(Limits::Beside).unwrap());
    let issued = create(&here, 3);
    there.refresh().unwrap();
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 3));
    refused(here.check_limits(), ErrorKind::InvalidConfiguration, "nothing beside it");
    let named = || Limits::Folder(folder.path("named"));
    let (here, there) = (open(named()).unwrap(), open(named()).unwrap());
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 0));
    here.check_limits().unwrap();
    std::fs::write(folder.path("file"), "").unwrap();
    refused(open(Limits::Folder(folder.path("file"))), ErrorKind::InvalidArgument, "a file");
    let deep = Limits::Folder(folder.path("no/such/folder"));
    refused(open(deep), ErrorKind::StoreUnavailable, "no folder above it");
}

#[test]
fn a_table_that_is_no_good_is_replaced_or_refused() {
    let folder = Folder::new("limits-damaged");
    let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
    let aside = folder.path("a.sqlite.limits.damaged");
    let keys = open(&store, Limits::Beside).unwrap();
    let issued = create(&keys, 3);
    assert_eq!(passes(&keys, &issued), 3);
    let whole = std::fs::read(&table).unwrap();
    drop(keys);
    let long = [&whole[..], b"x"].concat();
    let garbage = vec![0xa5; whole.len()];
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("one byte", b"x"),
        ("garbage", &garbage),
        ("cut off", &whole[..whole.len() - 1]),
        ("the header alone", &whole[..65_536]),
        ("too long", &long),
        ("no entries", &header(1, 0)),
        ("too many entries", &header(1, 63)),
        ("an older version", &header(0, 15)),
    ] {
        std::fs::write(&table, bytes).unwrap();
        let (here, there) =
            (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
        assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 0), "{what}");
        here.check_limits().unwrap();
        assert_eq!(std::fs::read(&aside).unwrap(), bytes, "{what} is kept");
        assert_eq!(std::fs::metadata(&table).unwrap().len(), whole.len() as u64, "{what}");
    }
    // Good in its header, garbage in its entries: nobody is locked out, and nobody has no limit.
    std::fs::write(&table, [&header(1, 15)[..], &vec![0xa5; 32_768 * 16]].concat()).unwrap();
    let (here, there) =
        (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 0));
    drop((here, there));
    // Refused, left as it is, and each counts for itself.
    let refuses = |kind, what| {
        let before = std::fs::symlink_metadata(&table).unwrap().len();
        let (here, there) =
            (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
        assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 3), "{what}");
        refused(here.check_limits(), kind, what);
        assert_eq!(std::fs::symlink_metadata(&table).unwrap().len(), before, "{what}");
        here
    };
    std::fs::write(&table, header(2, 15)).unwrap();
    refuses(ErrorKind::StoreCorrupt, "a newer version");
    std::fs::write(&table, &whole).unwrap();
    std::fs::set_permissions(&table, std::fs::Permissions::from_mode(0o644)).unwrap();
    let waiting = refuses(ErrorKind::InvalidConfiguration, "open to others");
    // Put right, it is used, without a restart; what this process knows of stays used.
    std::fs::set_permissions(&table, std::fs::Permissions::from_mode(0o600)).unwrap();
    waiting.check_limits().unwrap();
    assert_eq!(passes(&waiting, &issued), 0);
    drop(waiting);
    std::fs::rename(&table, folder.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(folder.path("elsewhere"), &table).unwrap();
    refuses(ErrorKind::InvalidConfiguration, "a link");
    std::fs::remove_file(&table).unwrap();
    std::fs::write(&table, &whole).unwrap();
    std::fs::set_permissions(&table, std::fs::Permissions::from_mode(0o600)).unwrap();
    if std::os::unix::fs::chown(&table, Some(65_534), None).is_ok() {
        refuses(ErrorKind::InvalidConfiguration, "another user's");
    } else {
        eprintln!("skipped: only the superuser can give a file away");
    }
}

#[test]
fn a_table_that_is_deleted_is_made_anew_and_forgets_nothing_that_is_known() {
    let folder = Folder::new("limits-deleted");
    let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
    let (here, there) =
        (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
    let issued = create(&here, 10);
    there.refresh().unwrap();
    for keys in [&here, &there] {
        keys.verify(issued.secret.expose(), &Check::new().cost(4)).unwrap();
    }
    std::fs::remove_file(&table).unwrap();
    there.check_limits().unwrap();
    assert_eq!(passes(&there, &issued), 2, "what was used is known in memory");
    here.check_limits().unwrap();
    assert_eq!(passes(&here, &issued), 0, "both are in the new one");
}

#[test]
fn a_full_table_leaves_no_key_without_a_limit() {
    let folder = Folder::new("limits-full");
    let (store, table) = (folder.path("a.sqlite"), folder.path("a.sqlite.limits"));
    std::fs::write(&table, [header(1, 4), vec![0; 16 * 16]].concat()).unwrap();
    std::fs::set_permissions(&table, std::fs::Permissions::from_mode(0o600)).unwrap();
    let clock = Arc::new(FixedClock::new(NOW));
    let open = || {
        let store = SqliteStore::open(&store).unwrap();
        let options = ApiKeyOptions::new().clock(clock.clone());
        ApiKeys::open(Arc::new(store), pepper(&[1]), options).unwrap()
    };
    let (here, there) = (open(), open());
    let issued: Vec<IssuedKey> = (0..20).map(|_| create(&here, 2)).collect();
    there.refresh().unwrap();
    let both = |issued| (passes(&here, issued), passes(&there, issued));
    for (place, issued) in issued.iter().enumerate() {
        let expected = if place < 16 { (2, 0) } else { (2, 2) };
        assert_eq!(both(issued), expected, "{place}");
    }
    refused(here.check_limits(), ErrorKind::StoreFull, "20 keys in 16 places");
    // What has drained makes room.
    clock.advance(3600);
    for issued in issued.iter().skip(4) {
        assert_eq!(both(issued), (2, 0));
    }
    // Deleted, it is made larger.
    std::fs::remove_file(&table).unwrap();
    here.check_limits().unwrap();
    there.check_limits().unwrap();
    clock.advance(3600);
    for issued in &issued {
        assert_eq!(both(issued), (2, 0));
    }
    here.check_limits().unwrap();
}

/// A clock that steps back makes a key wait for a period at most, one that steps ahead forgives.
#[test]
fn clocks_that_step_lock_nobody_out() {
    let folder = Folder::new("limits-clocks");
    let store = folder.path("a.sqlite");
    let clock = Arc::new(FixedClock::new(NOW));
    let open = || {
        let store = SqliteStore::open(&store).unwrap();
        let options = ApiKeyOptions::new().clock(clock.clone());
        ApiKeys::open(Arc::new(store), pepper(&[1]), options).unwrap()
    };
    let (here, there) = (open(), open());
    let issued = create(&here, 3);
    there.refresh().unwrap();
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (3, 0));
    clock.set(NOW - 10_000_000);
    assert_eq!((passes(&here, &issued), passes(&there, &issued)), (0, 0), "just used");
    clock.advance(3600);
    assert_eq!((passes(&there, &issued), passes(&here, &issued)), (3, 0));
    clock.set(NOW + 10_000_000);
    assert_eq!((passes(&there, &issued), passes(&here, &issued)), (3, 0));
}

/// The rate is the key's, whatever text it is found by.
#[test]
fn a_rotated_key_keeps_what_it_has_used() {
    let folder = Folder::new("limits-rotated");
    let store = folder.path("a.sqlite");
    let (here, there) =
        (open(&store, Limits::Beside).unwrap(), open(&store, Limits::Beside).unwrap());
    let issued = create(&here, 5);
    here.verify(issued.secret.expose(), &Check::new().cost(3)).unwrap();
    let rotated = here.rotate(&issued.record.id, 0).unwrap();
    there.refresh().unwrap();
    assert_eq!((passes(&there, &rotated), passes(&here, &rotated)), (2, 0));
}
