//! Backups on the command line: made, put back, refused and accepted.

use super::{DONE, Desk, INPUT, REFUSED, STORE, USAGE, member};

#[test]
fn a_store_is_backed_up_restored_and_accepted() {
    let desk = Desk::new("backups");
    let (leaked, id) = desk.key("");
    let told = desk.run("store backup keys.sqlite copy.sqlite --pepper-to copy.pepper");
    assert!(told.err.is_empty(), "{told:?}");
    let told = told.done();
    assert!(told.contains("1 API key and 0 sessions") && told.contains("copy.pepper"), "{told}");
    assert_eq!(desk.read("copy.pepper"), desk.read("keys.sqlite.pepper"));
    desk.run("store backup keys.sqlite copy.sqlite").failed(USAGE);
    desk.run(&format!("key revoke {id}")).done();

    let restored = desk.run("store restore copy.sqlite keys.sqlite");
    assert_eq!(restored.code, DONE, "{restored:?}");
    assert!(restored.err.contains("acknowledge-restore") && restored.err.contains(".replaced-"));
    for command in ["key list", "session list", "revoke status"] {
        let refused = desk.run(command).failed(STORE);
        assert!(refused.contains("acknowledge-restore"), "{refused}");
    }
    let refused = desk.verify(&leaked, &["--json"]).failed(STORE);
    assert_eq!(member(&refused, "error.name"), "StoreRestored");
    desk.run("store acknowledge-restore keys.sqlite").failed(USAGE);
    desk.run("store acknowledge-restore keys.sqlite --revoke-before 2999-01-01").failed(USAGE);
    let done = desk.run("store acknowledge-restore keys.sqlite --revoke-before now --json").done();
    assert_eq!(member(&done, "api_keys"), "1");
    assert_eq!(desk.verify(&leaked, &[]).code, REFUSED);
    assert!(desk.run("key list").done().contains(&id));
    let report = desk.run("store backup sqlite:///keys.sqlite?mark=none c2.sqlite --json").done();
    assert_eq!(member(&report, "api_keys"), "1");
    let report = desk.run("store restore c2.sqlite new.sqlite --json").done();
    assert_eq!(
        (member(&report, "must_acknowledge").as_str(), report.contains("null")),
        ("true", true)
    );
    let done = desk.run("store acknowledge-restore new.sqlite --revoke-before 0").done();
    assert!(done.contains("accepted"), "{done}");
}

#[test]
fn an_older_store_makes_no_backup() {
    let desk = Desk::new("older-backup");
    let (_, id) = desk.key("");
    desk.run("store backup keys.sqlite older").done();
    desk.run(&format!("key revoke {id}")).done();
    let healthy = desk.run("store acknowledge-restore keys.sqlite --revoke-before 0");
    assert!(healthy.err.contains("Nothing was refused"), "{healthy:?}");
    healthy.done();
    desk.run("store restore older keys.sqlite").done();
    let refused = desk.run("store backup keys.sqlite newer").failed(STORE);
    assert!(refused.contains("acknowledge-restore"), "{refused}");
    assert!(!desk.names().contains(&"newer".to_owned()));
    let accepted = desk.run("store acknowledge-restore keys.sqlite --revoke-before now");
    assert!(!accepted.err.contains("Nothing was refused"), "{accepted:?}");
    desk.run("store backup keys.sqlite newer").done();
}

#[test]
fn a_folder_of_key_rings_is_accepted_too() {
    let desk = Desk::new("ring-backups");
    let made = desk.run("keyring new folder:keys --json").done();
    let keys = gatekey::json::parse(made.trim().as_bytes()).unwrap();
    let kid = member(keys.elements().next().unwrap().raw(), "kid");
    let renamed =
        |from: &str, to: &str| std::fs::rename(desk.0.join(from), desk.0.join(to)).unwrap();
    renamed("keys", "moved");
    for command in [
        "show folder:keys",
        "new folder:keys",
        "jwks folder:keys",
        "rotate folder:moved",
        "show folder:moved",
    ] {
        let refused = desk.run(&format!("keyring {command}")).failed(STORE);
        assert!(refused.contains("<folder>.mark"), "{command}: {refused}");
    }
    assert!(!desk.names().contains(&"keys".to_owned()));
    let accepted =
        desk.run("store acknowledge-restore folder:moved --revoke-before 0 --json").done();
    assert_eq!(member(&accepted, "was_refused"), "true");
    assert!(desk.run("keyring show folder:moved").done().contains(&kid));
    let healthy = desk.run("store acknowledge-restore folder:moved --revoke-before now");
    assert!(healthy.err.contains("Nothing was refused"), "{healthy:?}");
    assert!(!desk.run("keyring show folder:moved").done().contains(&kid));
    // With its mark elsewhere.
    desk.run("keyring new folder:there?mark=elsewhere").done();
    desk.run("keyring rotate folder:there?mark=elsewhere").done();
    desk.run("keyring show folder:there").failed(STORE);
    std::fs::remove_file(desk.0.join("elsewhere")).unwrap();
    desk.run("keyring show folder:there?mark=elsewhere").failed(STORE);
    desk.run("store acknowledge-restore folder:there?mark=elsewhere --revoke-before 0").done();
    desk.run("keyring show folder:there?mark=elsewhere").done();
    for line in ["store backup moved to", "store restore moved keys.sqlite"] {
        assert!(desk.run(line).failed(USAGE).contains("cp -a"), "{line}");
    }
    for line in ["store backup folder:moved to", "store restore a folder:moved"] {
        assert!(desk.run(line).failed(USAGE).contains("holds key rings only"), "{line}");
    }
    // A store that is lost is said to be lost.
    desk.key("");
    std::fs::remove_file(desk.0.join("keys.sqlite")).unwrap();
    for line in ["key list", "session list", "keyring show sqlite:///keys.sqlite"] {
        assert!(desk.run(line).failed(STORE).contains("its mark is still there"), "{line}");
    }
    // A folder is no file.
    let refused = desk.run("keyring show moved").failed(INPUT);
    assert!(refused.contains("folder:moved"), "{refused}");
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let desk = Desk::new("no-backups");
    desk.write("text.sqlite", "this is not a store, but it is long enough to look like something");
    for line in ["store backup missing.sqlite a", "store backup text.sqlite a"] {
        desk.run(line).failed(STORE);
    }
    desk.run("store acknowledge-restore missing.sqlite --revoke-before now").failed(STORE);
    desk.run("store restore text.sqlite b").failed(STORE);
    for (line, said) in [
        ("store restore nothere b", "There is no backup at this path"),
        ("store backup nothere b", "There is no store at this path"),
    ] {
        assert!(desk.run(line).failed(STORE).contains(said), "{line}");
    }
    assert!(desk.run("store backup text.sqlite .").failed(USAGE).contains("a folder where"));
    desk.run("store backup memory: a").failed(USAGE);
    assert_eq!(desk.names(), ["text.sqlite"]);
    // A copy of the main file alone, as `cp` makes it, is no empty store.
    desk.key("");
    desk.write("ignored", "");
    std::fs::copy(desk.0.join("keys.sqlite"), desk.0.join("cp.sqlite")).unwrap();
    let refused = desk.run("session list --store cp.sqlite").failed(STORE);
    assert!(refused.contains("mark"), "{refused}");
    desk.run("session list --store nothing.sqlite").failed(INPUT);
}

/// They are named, and stop nothing else.
#[test]
fn damaged_rows_are_named() {
    let desk = Desk::new("damaged-rows");
    let (_, altered) = desk.key("");
    let (_, unreadable) = desk.key("");
    let (good, _) = desk.key("");
    desk.run("keyring new sqlite:///keys.sqlite").done();
    let raw = rusqlite::Connection::open(desk.0.join("keys.sqlite")).unwrap();
    raw.execute("UPDATE key SET owner = 'mallory' WHERE id = ?", [&altered]).unwrap();
    raw.execute("UPDATE key SET version = x'00' WHERE id = ?", [&unreadable]).unwrap();
    raw.execute("UPDATE key_ring SET name = 'Not A Name'", []).unwrap();
    drop(raw);
    desk.run("pepper add").done();
    let wrapped = desk.run("pepper wrap");
    assert_eq!(wrapped.code, STORE, "{wrapped:?}");
    for told in [&wrapped.err, &desk.run("pepper report").err] {
        let names = |name: &str| told.contains(name);
        assert!(names(&altered) && names(&unreadable) && names("Not A Name"), "{told}");
        assert!(names("2 API keys") && names("1 key ring"), "{told}");
    }
    let report = desk.run("pepper report --json").done();
    assert!(report.starts_with("[{\"pepper\":0,") && report.contains(&altered), "{report}");
    desk.verify(&good, &[]).done();
    let done = desk.run("store acknowledge-restore keys.sqlite --revoke-before now");
    assert!(done.code == DONE && done.err.contains("Not A Name"), "{done:?}");
}
