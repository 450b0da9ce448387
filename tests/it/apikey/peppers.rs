//! Peppers: what they keep safe, and how they change.

use super::{bench, pepper, refused, text};
use gatekey::apikey::Check;
#[cfg(feature = "sqlite")]
use gatekey::apikey::KeyFilter;
#[cfg(feature = "sqlite")]
use gatekey::open::open_api_keys;
use gatekey::pepper::read_peppers;
#[cfg(feature = "sqlite")]
use gatekey::pepper::{PepperSource, add_pepper, read_pepper_file};
use gatekey::store::Loaded;
use gatekey::{ErrorKind, Peppers, Secret};

fn uses(keys: &gatekey::ApiKeys) -> Vec<(u32, u64)> {
    keys.pepper_report().unwrap().iter().map(|one| (one.pepper, one.keys)).collect()
}

#[test]
fn a_new_pepper_takes_over_as_keys_are_used() {
    let bench = bench();
    let (used, idle) = (bench.create(|_| ()), bench.create(|_| ()));
    let keys = bench.reopen(&[1, 2]).unwrap();
    assert_eq!(uses(&keys), [(1, 2), (2, 0)]);
    keys.verify(text(&used), &Check::new()).unwrap();
    keys.flush().unwrap();
    assert_eq!(uses(&keys), [(1, 1), (2, 1)]);
    assert!(
        keys.verify(text(&used), &Check::new()).is_ok()
            && keys.verify(text(&idle), &Check::new()).is_ok()
    );
    keys.flush().unwrap();
    assert_eq!(uses(&keys), [(1, 0), (2, 2)]);
    // Now the old one may go.
    let keys = bench.reopen(&[2]).unwrap();
    assert!(keys.verify(text(&idle), &Check::new()).is_ok());
    let rows = keys.audit(&gatekey::apikey::AuditFilter::default()).unwrap().records;
    assert_eq!(rows.iter().filter(|row| row.action == "pepper.upgrade").count(), 2);
}

#[test]
fn a_leaked_pepper_is_wrapped_at_once() {
    let bench = bench();
    let first = bench.create(|_| ());
    let rotated = bench.keys.rotate(&first.record.id, 600).unwrap();
    let other = bench.create(|_| ());
    let keys = bench.reopen(&[1, 2]).unwrap();
    let before = macs(&bench);
    assert_eq!(keys.wrap_peppers().unwrap(), 2);
    assert_eq!(keys.wrap_peppers().unwrap(), 0);
    let after = macs(&bench);
    assert!(before.iter().all(|mac| !after.contains(mac)), "every MAC has changed");
    assert_eq!(uses(&keys), [(1, 2), (2, 2)], "the old one is still needed, though not secret");
    refused(bench.reopen(&[2]), ErrorKind::WrongPepper, "without the old one");
    refused(bench.reopen(&[1]), ErrorKind::WrongPepper, "without the new one");
    for key in [&first, &rotated, &other] {
        assert!(keys.verify(text(key), &Check::new()).is_ok(), "wrapped");
    }
    // Use collapses the chain.
    keys.verify(text(&other), &Check::new()).unwrap();
    keys.flush().unwrap();
    assert!(keys.verify(text(&other), &Check::new()).is_ok());
    assert_eq!(uses(&keys), [(1, 1), (2, 2)], "the overlapping secret still needs the old one");
}

/// The current secret was used under the new pepper, so that only the one of before the rotation is under the old one.
#[test]
fn the_secret_of_before_a_rotation_is_wrapped_until_its_overlap_ends() {
    let bench = bench();
    let first = bench.create(|_| ());
    let id = &first.record.id;
    let second = bench.keys.rotate(id, 600).unwrap();
    let keys = bench.reopen(&[1, 2]).unwrap();
    keys.verify(text(&second), &Check::new()).unwrap();
    keys.flush().unwrap();
    let row = |what: &str| bench.store.api_key(id).unwrap().expect(what);
    let upgraded = row("upgraded");
    assert_eq!((&*upgraded.proof.peppers, upgraded.seal_pepper), (&[2][..], 2));
    assert_eq!(uses(&keys), [(1, 1), (2, 1)], "the secret of before needs the old one");

    assert_eq!(keys.wrap_peppers().unwrap(), 1);
    let wrapped = row("wrapped").previous.unwrap().proof;
    assert_eq!(wrapped.peppers, [1, 2]);
    assert!(upgraded.previous.is_some_and(|previous| previous.proof.mac != wrapped.mac));
    assert_eq!(keys.wrap_peppers().unwrap(), 0, "once");
    assert_eq!(uses(&keys), [(1, 1), (2, 1)], "still needed, though not secret");
    refused(bench.reopen(&[2]), ErrorKind::WrongPepper, "still needed");
    for key in [&first, &second] {
        assert!(keys.verify(text(key), &Check::new()).is_ok(), "both go on");
    }

    bench.clock.advance(600);
    assert_eq!(uses(&keys), [(1, 0), (2, 1)], "the overlap is over");
    let without = bench.reopen(&[2]).unwrap();
    assert!(without.verify(text(&second), &Check::new()).is_ok());
    refused(without.verify(text(&first), &Check::new()), ErrorKind::BadApiKeySecret, "over");
    assert_eq!(without.wrap_peppers().unwrap(), 1, "what is over is dropped");
    assert!(row("dropped").previous.is_none());
    assert_eq!(without.wrap_peppers().unwrap(), 0);
    assert!(without.verify(text(&second), &Check::new()).is_ok());
}

fn macs(bench: &super::Bench) -> Vec<[u8; 32]> {
    let mut macs = Vec::new();
    bench
        .store
        .load_api_keys(&mut |loaded| {
            if let Loaded::Key(key) = loaded {
                macs.push(key.proof.mac);
                macs.extend(key.previous.map(|previous| previous.proof.mac));
            }
        })
        .unwrap();
    macs
}

#[test]
fn the_wrong_pepper_is_found_out_at_once() {
    let bench = bench();
    let options = || gatekey::apikey::ApiKeyOptions::new();
    let other = Peppers::new(&[(1, Secret::new(vec![9; 32]))]).unwrap();
    let opened = gatekey::ApiKeys::open(bench.store.clone(), other.clone(), options());
    refused(opened, ErrorKind::WrongPepper, "an empty store knows its pepper, too");
    bench.create(|_| ());
    refused(
        gatekey::ApiKeys::open(bench.store.clone(), other, options()),
        ErrorKind::WrongPepper,
        "value",
    );
    refused(bench.reopen(&[2]), ErrorKind::WrongPepper, "missing");
    assert!(bench.reopen(&[1]).is_ok());
}

#[test]
fn peppers_are_checked() {
    let secret = |n: u8| Secret::new(vec![n; 32]);
    for (peppers, what) in [
        (vec![], "none"),
        (vec![(0, secret(1))], "number 0"),
        (vec![(1, secret(1)), (1, secret(2))], "same number"),
        (vec![(1, secret(1)), (2, secret(1))], "same bytes"),
        (vec![(1, Secret::new(vec![1; 15]))], "short"),
        ((1..=17).map(|n| (n, secret(u8::try_from(n).unwrap()))).collect(), "many"),
    ] {
        refused(Peppers::new(&peppers), ErrorKind::InvalidArgument, what);
    }
    let peppers = pepper(&[3, 1, 2]);
    assert_eq!((peppers.active(), peppers.ids().collect::<Vec<_>>()), (2, vec![3, 1, 2]));
    assert_eq!(format!("{peppers:?}"), "Peppers([3, 1, 2])");
    for wrong in [
        "",
        "# only a comment",
        "1",
        "x 00",
        "1 00",
        "1 zz",
        &format!("1 {}", "0".repeat(63)),
        &format!("1 {}", "é".repeat(32)),
    ] {
        refused(read_peppers(wrong), ErrorKind::InvalidArgument, wrong);
    }
    let read = read_peppers(&format!("# a\n\n 4 {}\r\n", "0f".repeat(32))).unwrap();
    assert_eq!(read.active(), 4);
}

#[cfg(feature = "sqlite")]
#[test]
fn the_pepper_file_is_made_once_and_kept_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = super::stores::Folder::new("pepper_file");
    let url = format!("sqlite:///{}", folder.path("keys.sqlite").display());
    let file = folder.path("keys.sqlite.pepper");
    let open = || open_api_keys(&url, &PepperSource::Beside, gatekey::apikey::ApiKeyOptions::new());
    let first = open().unwrap();
    assert_eq!(first.new_pepper_file.as_deref(), Some(&*file));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = text(&first.keys.create(&gatekey::apikey::KeySpec::new("acme")).unwrap());
    first.keys.close().unwrap();
    let second = open().unwrap();
    assert_eq!(second.new_pepper_file, None);
    assert!(second.keys.verify(&key, &Check::new()).is_ok());
    assert_eq!(add_pepper(&file).unwrap(), 2);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read_pepper_file(&file).unwrap().ids().collect::<Vec<_>>(), [1, 2]);
    assert!(open().unwrap().keys.verify(&key, &Check::new()).is_ok());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    refused(open(), ErrorKind::InvalidConfiguration, "others may read it");
    std::fs::remove_file(&file).unwrap();
    refused(open(), ErrorKind::WrongPepper, "lost: not made anew for keys that need the old one");
    assert!(!file.exists());
    assert_eq!(second.keys.list(&KeyFilter::default()).unwrap().records.len(), 1);
}
