//! `gatekey store migrate`, `check`, `stats` and `copy`, with a real PostgreSQL; and a copy while
//! programs use both stores.

use super::server::Server;
use super::{Desk, STORE, USAGE, member, rounds};
use gatekey::apikey::{ApiKeyOptions, Check, IssuedKey, KeySpec};
use gatekey::open::StoreOptions;
use gatekey::{ApiKeys, ErrorKind, Store};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn keys(url: &str, desk: &Desk) -> (Store, ApiKeys) {
    let options = StoreOptions::new().pepper_file(desk.0.join("keys.sqlite.pepper")).strict(true);
    let store = Store::open_with(url, options).unwrap();
    let keys = store.api_keys(ApiKeyOptions::new()).unwrap();
    (store, keys)
}

#[test]
fn a_store_is_made_copied_counted_and_checked() {
    let Some(server) = Server::shared("a_store_is_made_copied_counted_and_checked") else { return };
    let desk = Desk::new("operations");
    let (text, id) = desk.key("");
    let url = server.url();
    let told = desk.run(&format!("store migrate {url} --dry-run")).done();
    assert!(told.contains("would get"), "{told}");
    let told = desk.run(&format!("store migrate {url}")).done();
    assert!(told.contains("Made the tables") && !told.contains("Zx9"), "{told}");
    let told = desk.run(&format!("store migrate {url} --json")).done();
    assert_eq!(member(&told, "changed"), "false");

    let told = desk.run(&format!("store copy keys.sqlite {url}")).done();
    assert!(told.contains("Copied 1 API key,") && !told.contains("Zx9"), "{told}");
    let told = desk.run(&format!("store copy keys.sqlite {url} --json")).done();
    assert_eq!((member(&told, "api_keys"), member(&told, "problems")), ("0".into(), "[]".into()));
    let there = format!("--store {url} --pepper-file keys.sqlite.pepper");
    let verified = desk.verify(&text, &there.split(' ').collect::<Vec<_>>());
    assert_eq!(verified.code, 0, "{verified:?}");

    for store in ["keys.sqlite", &url] {
        let told = desk.run(&format!("store stats {store} --json")).done();
        assert_eq!(
            (member(&told, "active"), member(&told, "unreadable")),
            ("1".into(), "0".into())
        );
        let told = desk.run(&format!("store stats {store}")).done();
        assert!(told.contains("active API keys"), "{told}");
        let line = format!("store check {store} --pepper-file keys.sqlite.pepper");
        let told = desk.run(&line).done();
        assert!(told.contains("all of them well") && !told.contains("Zx9"), "{told}");
    }
    let told = desk.run(&format!("store check {url}")).failed(USAGE);
    assert!(told.contains("pepper"), "{told}");
    desk.run("store stats nowhere.sqlite").failed(STORE);
    desk.run("store copy keys.sqlite keys.sqlite").failed(USAGE);

    let (_, schema) = url.rsplit_once('=').unwrap();
    server.sql(&format!("UPDATE {schema}.key SET owner = 'mallory'"));
    let line = format!("store check {url} --pepper-file keys.sqlite.pepper");
    let told = desk.run(&line);
    assert_eq!(told.code, STORE, "{told:?}");
    assert!(told.out.starts_with(&format!("api_key {id}: ")), "{told:?}");
    let told = desk.run(&format!("{line} --json"));
    assert_eq!(told.code, STORE, "{told:?}");
    assert!(told.out.contains("\"what\":\"api_key\""), "{told:?}");
}

/// A key that was made, and whether its revocation was acknowledged, and by which side.
struct Made {
    key: IssuedKey,
    revoked: AtomicBool,
}

/// Programs verify and revoke on both sides while another one copies, again and again: no key that is
/// good is refused, and none that was revoked is good again.
#[test]
fn copies_under_load_refuse_no_key_and_lose_no_revocation() {
    let Some(server) = Server::shared("copies_under_load") else { return };
    let desk = Desk::new("copy-load");
    desk.key("");
    let (file, url) = (desk.0.join("keys.sqlite").display().to_string(), server.url());
    for (from, to) in [(file.clone(), url.clone()), (url, file)] {
        loaded(&desk, &from, &to, rounds::rounds(6));
    }
}

fn loaded(desk: &Desk, from: &str, to: &str, rounds: u32) {
    let (here_store, here) = keys(from, desk);
    let make = |_| Made {
        key: here.create(&KeySpec::new("acme")).unwrap(),
        revoked: AtomicBool::new(false),
    };
    let all: Vec<Made> = (0..400).map(make).collect();
    let line = format!("store copy {from} {to} --pepper-file keys.sqlite.pepper --json");
    desk.run(&line).done();
    let (there_store, there) = keys(to, desk);
    let (over, verified) = (AtomicBool::new(false), AtomicU64::new(0));
    let extra = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (side, of_keys, mine) in [("here", &here, 0), ("there", &there, 1)] {
            let (all, over, verified) = (&all, &over, &verified);
            // Good keys are good on both sides all the time; what this side has revoked is not.
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    for (at, made) in all.iter().enumerate() {
                        let is_revoked = made.revoked.load(Ordering::Acquire);
                        let answer = of_keys.verify(made.key.secret.expose(), &Check::new());
                        let is_mine = at % 4 == mine;
                        match answer {
                            Ok(_) => {
                                assert!(!(is_revoked && is_mine), "{side}: {at} is good again")
                            }
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::ApiKeyRevoked, "{side}: {at}");
                                assert!(at % 4 < 2, "{side}: {at}, which no one revoked");
                            }
                        }
                        verified.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            scope.spawn(move || {
                for (at, made) in all.iter().enumerate() {
                    if at % 4 == mine && !over.load(Ordering::Acquire) {
                        of_keys.revoke(&made.key.record.id, side).unwrap();
                        made.revoked.store(true, Ordering::Release);
                        std::thread::sleep(std::time::Duration::from_millis(10));
                    }
                }
            });
        }
        let (extra, over) = (&extra, &over);
        let here = &here;
        scope.spawn(move || {
            while !over.load(Ordering::Acquire) {
                extra.lock().unwrap().push(here.create(&KeySpec::new("new")).unwrap());
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        for _ in 0..rounds {
            let ran = desk.run(&line);
            if ran.code != 0 {
                over.store(true, Ordering::Release);
                panic!("{ran:?}");
            }
        }
        over.store(true, Ordering::Release);
    });
    // The last copy, when no one writes there any more.
    desk.run(&line).done();
    assert!(verified.load(Ordering::Relaxed) > 0);
    let revoked = all.iter().filter(|made| made.revoked.load(Ordering::Relaxed)).count();
    assert!(revoked > 2, "{revoked}");
    there.refresh().unwrap();
    for made in &all {
        let answer = there.verify(made.key.secret.expose(), &Check::new());
        assert_eq!(answer.is_err(), made.revoked.load(Ordering::Relaxed), "{answer:?}");
    }
    for key in extra.into_inner().unwrap() {
        there.verify(key.secret.expose(), &Check::new()).unwrap();
    }
    // And back: what was revoked there is revoked here.
    desk.run(&format!("store copy {to} {from} --pepper-file keys.sqlite.pepper")).done();
    here.refresh().unwrap();
    for made in &all {
        let answer = here.verify(made.key.secret.expose(), &Check::new());
        assert_eq!(answer.is_err(), made.revoked.load(Ordering::Relaxed), "{answer:?}");
    }
    here_store.close().unwrap();
    there_store.close().unwrap();
}
