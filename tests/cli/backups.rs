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
fn what_is_no_store_is_said_to_be_none() {
    let desk = Desk::new("no-backups");
    desk.write("text.sqlite", "this is not a store, but it is long enough to look like something");
    for line in ["store backup missing.sqlite a", "store backup text.sqlite a"] {
        desk.run(line).failed(STORE);
    }
    desk.run("store acknowledge-restore missing.sqlite --revoke-before now").failed(STORE);
    desk.run("store restore text.sqlite b").failed(STORE);
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
