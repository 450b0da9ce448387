//! `gatekey doctor postgresql://...`: each real fault is found, with a real server, and no password is
//! told.

use super::server::{PASSWORD, Server};
use super::{DONE, Desk, Ran, STORE, member};

/// The states and the messages of what was found about this.
fn found(ran: &Ran, check: &str) -> Vec<(String, String)> {
    for secret in [PASSWORD, "Zx9", "kQ%40"] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
    }
    let report = gatekey::json::parse(ran.out.trim().as_bytes()).unwrap();
    let all = report.member("findings").unwrap();
    let text = |one: &gatekey::json::Value<'_>, name: &str| {
        one.member(name).unwrap().as_str().unwrap().into_owned()
    };
    let of = all.elements().filter(|one| text(one, "check") == check);
    of.map(|one| (text(&one, "state"), text(&one, "message"))).collect()
}

#[track_caller]
fn says(ran: &Ran, check: &str, state: &str, word: &str) {
    let found = found(ran, check);
    let is_said = found.iter().any(|(known, said)| known == state && said.contains(word));
    assert!(is_said, "{check} {state} {word}: {ran:?}");
}

#[test]
fn a_server_is_looked_at() {
    let Some(server) = Server::own("a_server_is_looked_at") else { return };
    let desk = Desk::new("doctor_server");
    desk.key("");
    let url = server.url_of("looked");
    let doctor = |url: &str, more: &str| desk.run(&format!("doctor {url} --json{more}"));
    let with = " --pepper-file keys.sqlite.pepper";

    let ran = doctor(&url, with);
    assert_eq!(ran.code, STORE, "{ran:?}");
    says(&ran, "store", "fault", "gatekey store migrate");
    desk.run(&format!("store copy keys.sqlite {url}")).done();
    // As the tests have it, which need no disk.
    let ran = doctor(&url, with);
    assert_eq!((ran.code, member(&ran.out, "well")), (STORE, "false".into()), "{ran:?}");
    says(&ran, "settings", "fault", "fsync");
    server.sql("ALTER SYSTEM SET fsync = on");
    server.sql("SELECT pg_reload_conf()");
    let begun = std::time::Instant::now();
    let ran = loop {
        let ran = doctor(&url, with);
        if ran.code == DONE {
            break ran;
        }
        assert!(begun.elapsed().as_secs() < 60, "{ran:?}");
    };
    says(&ran, "store", "ok", "1 API key");
    says(&ran, "versions", "ok", "PostgreSQL 18");
    for check in ["clock", "notifications", "settings", "connections", "pepper", "tables"] {
        says(&ran, check, "ok", "");
    }
    says(&ran, "role", "note", "superuser");
    let words = desk.run(&format!("doctor {url}{with}")).done();
    assert!(words.contains("ok     notifications: they arrive"), "{words}");

    // A standby is to answer, and there is none.
    says(&doctor(&url, &format!("{with} --replica")), "replica", "fault", "standby");
    says(&doctor(&url, ""), "pepper", "note", "--pepper-file");
    desk.run("key create --owner o --store other.sqlite").done();
    let ran = doctor(&url, " --pepper-file other.sqlite.pepper");
    assert_eq!(ran.code, STORE, "{ran:?}");
    says(&ran, "pepper", "fault", "");
    // What listens is elsewhere, and not there.
    let feed = "postgresql%3A%2F%2Fpostgres%40127.0.0.1%3A1%2Fpostgres";
    says(&doctor(&format!("{url}&feed_url={feed}"), with), "notifications", "fault", "");

    // Roles with less.
    for role in ["looked_reads", "looked_blind"] {
        server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        server.sql(&format!("GRANT USAGE ON SCHEMA looked TO {role}"));
    }
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA looked TO looked_reads");
    server.sql("GRANT SELECT ON looked.store TO looked_blind");
    let of = |role: &str| url.replace("postgresql://postgres:", &format!("postgresql://{role}:"));
    let ran = doctor(&of("looked_reads"), with);
    assert_eq!(ran.code, DONE, "{ran:?}");
    says(&ran, "role", "note", "INSERT on key");
    let ran = doctor(&of("looked_blind"), with);
    assert_eq!(ran.code, STORE, "{ran:?}");
    says(&ran, "role", "fault", "SELECT on key");

    // A row that cannot be read, and a server that is gone.
    server.sql("UPDATE looked.key SET status = 'good'");
    let ran = doctor(&url, with);
    says(&ran, "tables", "fault", "store check");
    server.obey("stop");
    let ran = doctor(&url, with);
    assert_eq!(ran.code, STORE, "{ran:?}");
    says(&ran, "store", "fault", "");
}
