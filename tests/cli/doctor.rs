//! `gatekey doctor`: each real fault is found, in words and as JSON, and nothing is changed or told that is secret.

use crate::{DONE, Desk, INPUT, Ran, STORE, USAGE, member};
use std::fs::{Permissions, read, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// A store with a key, a session's tables and a key ring.
fn desk(name: &str) -> Desk {
    let desk = Desk::new(name);
    desk.run("key create --owner acme").done();
    desk.run("keyring new keys.sqlite").done();
    desk
}

/// The state and the message of each finding about this.
fn found(ran: &Ran, check: &str) -> Vec<(String, String)> {
    let report = gatekey::json::parse(ran.out.trim().as_bytes()).unwrap();
    let all = report.member("findings").unwrap();
    let text = |one: &gatekey::json::Value<'_>, name: &str| {
        one.member(name).unwrap().as_str().unwrap().into_owned()
    };
    let of = all.elements().filter(|one| text(one, "check") == check);
    of.map(|one| (text(&one, "state"), text(&one, "message"))).collect()
}

/// What is said of a store that has a fault, and only faults about these.
#[track_caller]
fn faulty(desk: &Desk, line: &str, check: &str, word: &str) {
    let names = || {
        let mut names = desk.names();
        names.sort_unstable();
        names
    };
    let before = names();
    let line = format!("doctor {line}");
    let ran = desk.run(&format!("{} --json", line.trim()));
    assert_eq!(ran.code, STORE, "{ran:?}");
    assert_eq!(member(&ran.out, "well"), "false", "{ran:?}");
    let faults: Vec<_> =
        found(&ran, check).into_iter().filter(|(state, _)| state == "fault").collect();
    assert!(faults.iter().any(|(_, said)| said.contains(word)), "{check}: {ran:?}");
    let words = desk.run(line.trim());
    assert_eq!(words.code, STORE, "{words:?}");
    assert!(
        words.out.lines().any(|said| said.starts_with("fault") && said.contains(word)),
        "{words:?}"
    );
    assert!(words.err.contains("fault"), "{words:?}");
    assert_eq!(names(), before, "it made or took away a file");
}

#[test]
fn a_store_in_order() {
    let desk = desk("doctor_well");
    let all =
        ["keys.sqlite", "keys.sqlite.pepper", "keys.sqlite.mark"].map(|name| desk.0.join(name));
    let before = all.each_ref().map(|file| read(file).unwrap());
    let ran = desk.run("doctor keys.sqlite --json");
    assert_eq!((ran.code, member(&ran.out, "well")), (DONE, "true".to_owned()), "{ran:?}");
    for check in
        ["permissions", "store", "integrity", "mark", "pepper", "versions", "log", "clock", "rings"]
    {
        let said = found(&ran, check);
        assert!(said.iter().all(|(state, _)| state == "ok") && said.len() == 1, "{check}: {ran:?}");
    }
    assert!(found(&ran, "store")[0].1.contains("1 API key"), "{ran:?}");
    let said = desk.run("doctor").done();
    assert!(said.lines().all(|line| line.starts_with("ok")), "{said}");
    assert!(said.contains(env!("CARGO_PKG_VERSION")) && said.contains("SQLite 3."), "{said}");
    // Nothing secret: neither the pepper nor a MAC, nor anything of a key.
    let pepper = String::from_utf8(before[1].clone()).unwrap();
    let secret = pepper.split_whitespace().last().unwrap();
    assert!(!ran.out.contains(secret) && !said.contains(secret));
    assert_eq!(all.each_ref().map(|file| read(file).unwrap()), before, "nothing was changed");
    // What will be is told, and is no fault.
    let soon = desk.run("key create --owner acme --expires-in 3d --json").done();
    let ran = desk.run("doctor --json");
    assert_eq!(ran.code, DONE, "{ran:?}");
    let notes = found(&ran, "expiring");
    assert!(notes[0].0 == "note" && notes[0].1.contains(&member(&soon, "record.id")), "{ran:?}");
    assert_eq!(found(&desk.run("doctor --expiring 1d --json"), "expiring")[0].0, "ok");
    write(desk.0.join("keys.sqlite.partial-1"), "x").unwrap();
    let left = found(&desk.run("doctor --json"), "leftovers");
    assert!(left[0].0 == "note" && left[0].1.contains("keys.sqlite.partial-1"), "{left:?}");
}

#[test]
fn wrong_modes() {
    let desk = desk("doctor_modes");
    let set = |name: &str, mode| {
        set_permissions(desk.0.join(name), Permissions::from_mode(mode)).unwrap();
    };
    for (name, mode, right) in [
        ("keys.sqlite", 0o604, 0o600),
        ("keys.sqlite", 0o602, 0o600),
        ("keys.sqlite.mark", 0o606, 0o600),
        ("keys.sqlite.pepper", 0o640, 0o600),
        ("", 0o777, 0o700),
    ] {
        set(name, mode);
        faulty(&desk, "", "permissions", if name.is_empty() { "0777" } else { name });
        set(name, right);
        assert_eq!(desk.run("doctor").code, DONE, "{name}");
    }
    set("keys.sqlite", 0o640);
    let ran = desk.run("doctor --json");
    assert_eq!((ran.code, found(&ran, "permissions")[0].0.as_str()), (DONE, "note"), "{ran:?}");
}

#[test]
fn wrong_peppers() {
    let desk = desk("doctor_peppers");
    let own = desk.0.join("keys.sqlite.pepper");
    let right = read(&own).unwrap();
    desk.write("other", &format!("1 {}\n", "ab".repeat(32)));
    set_permissions(desk.0.join("other"), Permissions::from_mode(0o600)).unwrap();
    faulty(&desk, "--pepper-file other", "pepper", "not the one");
    desk.write("another", &format!("7 {}\n", "cd".repeat(32)));
    set_permissions(desk.0.join("another"), Permissions::from_mode(0o600)).unwrap();
    faulty(&desk, "--pepper-file another", "pepper", "last used");
    faulty(&desk, "--pepper-file nowhere", "pepper", "not there");
    std::fs::remove_file(&own).unwrap();
    faulty(&desk, "", "pepper", "not there");
    assert!(!own.exists(), "none was made");
    write(&own, right).unwrap();
    set_permissions(&own, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(desk.run("doctor").code, DONE);
}

#[test]
fn stores_that_are_refused() {
    let desk = desk("doctor_refused");
    let (file, mark) = (desk.0.join("keys.sqlite"), desk.0.join("keys.sqlite.mark"));
    let raw = || rusqlite::Connection::open(&file).unwrap();
    // The mark is gone, and is not made again.
    let kept = read(&mark).unwrap();
    std::fs::remove_file(&mark).unwrap();
    faulty(&desk, "", "mark", "mark");
    write(&mark, &kept).unwrap();
    // An older copy.
    let old = read(&file).unwrap();
    desk.run("key create --owner beta").done();
    let new = read(&file).unwrap();
    write(&file, old).unwrap();
    faulty(&desk, "", "mark", "older");
    write(&file, new).unwrap();
    // The clock of who wrote it was ahead.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    raw().execute("UPDATE audit SET at = ? WHERE seq = 1", [now + 90_000]).unwrap();
    faulty(&desk, "", "clock", "behind");
    raw().execute("UPDATE audit SET at = ? WHERE seq = 1", [now]).unwrap();
    // A key ring whose row was altered.
    raw().execute("UPDATE key_ring SET text = x'00'", []).unwrap();
    faulty(&desk, "", "key_ring", "default");
    raw().execute("DELETE FROM key_ring", []).unwrap();
    assert_eq!(desk.run("doctor").code, DONE);
    // Tables.
    raw().execute("ALTER TABLE usage DROP COLUMN uses", []).unwrap();
    faulty(&desk, "", "tables", "usage.uses");
    raw().pragma_update(None, "user_version", 99).unwrap();
    faulty(&desk, "", "store", "newer version");
    // Not a store at all; and one that was lost.
    write(&file, "this is no database, whatever its name says").unwrap();
    faulty(&desk, "", "store", "");
    write(&file, "").unwrap();
    assert_eq!(desk.run("doctor").code, STORE);
    std::fs::remove_file(&file).unwrap();
    faulty(&desk, "", "mark", "");
}

#[test]
fn what_is_no_store() {
    let desk = Desk::new("doctor_none");
    let said = desk.run("doctor nothing.sqlite").failed(INPUT);
    assert!(said.contains("nothing.sqlite"), "{said}");
    std::fs::create_dir(desk.0.join("folder")).unwrap();
    assert!(desk.run("doctor folder").failed(INPUT).contains("folder"));
    desk.run("doctor folder:folder").failed(USAGE);
    desk.run("doctor memory:").failed(USAGE);
    desk.run("doctor postgresql://x").failed(USAGE);
    assert_eq!(desk.names(), ["folder"]);
    // A store of revocations alone needs no pepper.
    let url = format!("sqlite:///{}", desk.0.join("r.sqlite").display());
    let list =
        gatekey::open::open_revocations(&url, gatekey::revocations::RevocationOptions::new());
    list.unwrap().revoke_subject("alice").unwrap();
    let ran = desk.run("doctor r.sqlite --json");
    assert_eq!((ran.code, found(&ran, "pepper")[0].0.as_str()), (DONE, "ok"), "{ran:?}");
}
