//! Several processes on one PostgreSQL: killed, stopped, and with a server that is killed.

#[path = "../it/postgres/server.rs"]
#[expect(dead_code, reason = "the other test program uses all of it")]
pub(super) mod server;

use self::server::{PASSWORD, Server};
use super::rounds::rounds;
use super::{apikey, child, folder, nanos, say};
use gatekey::apikey::{Check, KeySpec};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) fn play(part: &str, folder: &Path) -> bool {
    match part {
        "postgres_node" => node(folder),
        _ => return false,
    }
    true
}

/// Says how each verification ended, and when it began, until it is killed.
fn node(folder: &Path) {
    let keys = apikey::open(folder);
    let secret = std::fs::read_to_string(folder.join("secret")).unwrap();
    loop {
        let begun = nanos();
        let said = match keys.verify(&secret, &Check::new()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        say(&format!("at {begun} {said}"));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A worker is killed in each round, and in every fourth the server before it.
#[test]
fn nothing_that_was_promised_is_lost_in_a_crash_of_postgres() {
    let Some(server) = Server::own("nothing_that_was_promised_is_lost_in_a_crash_of_postgres")
    else {
        return;
    };
    let folder = folder("postgres-crash");
    std::fs::write(folder.join("url"), server.url()).unwrap();
    let done = apikey::crash(&folder, rounds(20), |round| {
        if round % 4 == 3 {
            server.obey("stop");
            server.obey("start");
        }
    });
    eprintln!("{done}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Stopped for a moment and for longer, while the key it verifies is revoked elsewhere: the first
/// that it says then is not of before.
#[test]
fn a_node_that_was_stopped_looks_before_it_answers() {
    let Some(server) = Server::own("a_node_that_was_stopped_looks_before_it_answers") else {
        return;
    };
    let folder = folder("postgres-stopped");
    std::fs::write(folder.join("url"), server.url()).unwrap();
    assert!(!server.url().contains(PASSWORD), "it is written as a URL's");
    let keys = apikey::open(&folder);
    for time in [1600, 4000] {
        let issued = keys.create(&KeySpec::new("acme")).unwrap();
        std::fs::write(folder.join("secret"), issued.secret.expose_str()).unwrap();
        let mut child = child("postgres_node", &folder, Stdio::piped());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let signal = |name: &str| {
            let id = child.id().to_string();
            assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
        };
        let accepted = lines.by_ref().filter(|line| line.ends_with(" accepted")).take(20).count();
        assert_eq!(accepted, 20);
        signal("-STOP");
        keys.revoke(&issued.record.id, "").unwrap();
        let revoked = nanos();
        std::thread::sleep(Duration::from_millis(time));
        signal("-CONT");
        let mut seen = 0;
        for line in lines.by_ref() {
            let Some(rest) = line.strip_prefix("at ") else { continue };
            let (begun, said) = rest.split_once(' ').unwrap();
            if begun.parse::<u128>().unwrap() > revoked {
                assert_eq!(said, "ApiKeyRevoked", "after {time} ms");
                seen += 1;
            }
            if seen == 20 {
                break;
            }
        }
        assert_eq!(seen, 20);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
