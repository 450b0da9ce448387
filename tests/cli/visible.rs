//! Whatever someone wrote into the store, the command line shows it, and it steers no terminal.

use super::{Desk, REFUSED, STORE};
use rusqlite::Connection;

/// Title of the window, bell, line ends, a C1 command, directions of text, text that is not seen.
const EVIL: &str = "x\u{1b}]0;pwned\u{7}\r\n\u{9b}2J\u{202e}\u{2066}\u{61c}\u{200b}\u{ad}\u{7f}y";

fn is_visible(text: &str) -> bool {
    let hidden = |c: char| c != '\n' && EVIL.contains(c) && !c.is_ascii_graphic();
    !text.contains(hidden)
}

#[test]
fn nothing_in_the_store_steers_the_terminal() {
    let desk = Desk::new("visible");
    let (key, id) = desk.key("");
    let (_, other) = desk.key("");
    let url = desk.0.join("keys.sqlite");
    let raw = Connection::open(&url).unwrap();
    let texts = "prefix = ?1, env = ?1, tenant = ?1, owner = ?1, name = ?1, scopes = ?1, reason = ?1, meta = ?1, \
                 created_by = ?1";
    raw.execute(&format!("UPDATE key SET {texts} WHERE id = ?2"), [EVIL, &id]).unwrap();
    raw.execute("UPDATE key SET status = ?1, id = ?1 WHERE id = ?2", [EVIL, &other]).unwrap();
    raw.execute("UPDATE audit SET actor = ?1, action = ?1, key_id = ?1, detail = ?1", [EVIL])
        .unwrap();
    raw.execute(
        "INSERT INTO session VALUES ('abcdefGHIJ01', ?1, ?1, ?1, 1, 1, 9999999999, 9999999999, 0, NULL, NULL, 1, \
         zeroblob(16), 1, 900, ?1, 1, zeroblob(16), 1, NULL, 0)",
        [EVIL],
    )
    .unwrap();
    raw.execute("INSERT INTO session_event VALUES (1, 1, ?1, ?1, ?1, ?1)", [EVIL]).unwrap();
    raw.execute("INSERT INTO revocation VALUES (1, 1, ?1, ?1, 0, 9999999999, 1)", [EVIL]).unwrap();
    drop(raw);
    for line in [
        "key list",
        &*format!("key show {id}"),
        "key audit",
        "session list",
        "session show abcdefGHIJ01",
        "session events",
        "pepper report",
    ] {
        for json in ["", " --json"] {
            let ran = desk.run(&format!("{line}{json}"));
            assert!(ran.code == 0, "{line}: {ran:?}");
            assert!(is_visible(&ran.out) && is_visible(&ran.err), "{line}{json}: {ran:?}");
            let shown =
                if line == "pepper report" && json.is_empty() { &ran.err } else { &ran.out };
            assert!(shown.contains("\\u001b]0;pwned\\u0007"), "{line}{json}: {ran:?}");
        }
    }
    assert!(desk.run("key list").done().contains("altered"));
    assert!(desk.run("session list").done().contains("altered"));
    let shown = desk.run(&format!("key show {id} --json")).done();
    assert!(shown.contains("\"altered\":true"), "{shown}");
    // What people are told of a mistake holds what they gave.
    for line in
        [&["key", "show", EVIL][..], &["key", "list", "--store", EVIL], &["keyring", "show", EVIL]]
    {
        let ran = desk.run_with(line, b"");
        assert!(ran.code != 0 && is_visible(&ran.err) && is_visible(&ran.out), "{line:?}: {ran:?}");
    }
    desk.verify(&key, &[]).failed(STORE);
}

#[test]
fn a_refusal_names_the_key_that_proved_itself() {
    let desk = Desk::new("named");
    let (key, id) = desk.key("");
    let refused = desk.verify(&key, &["--scope", "admin", "--json"]).failed(REFUSED);
    assert!(refused.contains(&format!("\"key_id\":\"{id}\"")), "{refused}");
    let unknown = desk.verify("nonsense", &["--json"]).failed(REFUSED);
    assert!(!unknown.contains(&id), "{unknown}");
}
