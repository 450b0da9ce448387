//! The mark of a store whose processes are killed: what a call has promised moves it, and it is never ahead of
//! the store.

use super::rounds::rounds;
use super::{Dice, child, folder};
use gatekey::ErrorKind;
use gatekey::store::{Backend as _, Mark, SqliteStore};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// What a child does in this part.
pub(super) fn play(part: &str, folder: &Path) -> bool {
    match part {
        "checkpointer" => checkpoint_until_killed(&folder.join("sessions.sqlite")),
        "looker" => look_until_killed(&folder.join("sessions.sqlite")),
        _ => return false,
    }
    true
}

/// Writes the log into the main file in every way there is, all the time.
fn checkpoint_until_killed(path: &Path) {
    let raw = rusqlite::Connection::open(path).unwrap();
    for how in ["PASSIVE", "RESTART", "FULL", "PASSIVE", "TRUNCATE"].iter().cycle() {
        // Busy at times, as any other.
        let _ = raw.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()));
        super::say("! checkpoint");
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Opens the store and looks, all the time: nothing that others do in good order is taken for damage.
fn look_until_killed(path: &Path) {
    loop {
        let store = SqliteStore::open(path).unwrap();
        gatekey::store::KeyRingStore::key_ring_version(&store, "none").unwrap();
        store.close().unwrap();
        super::say("! look");
    }
}

#[test]
fn after_a_crash_the_store_opens_and_every_older_copy_is_refused() {
    let folder = folder("mark_crash");
    let (path, older) = (folder.join("sessions.sqlite"), folder.join("older.sqlite"));
    let mark = Mark::At(folder.join("sessions.sqlite.mark"));
    SqliteStore::open(&path).unwrap().close().unwrap();
    let (mut dice, mut calls) = (Dice(7), 0);
    for round in 0..rounds(20) {
        std::fs::copy(&path, &older).unwrap();
        let part = format!("session_worker:{}", 1000 + round);
        let mut workers: Vec<_> =
            (0..2).map(|n| child(&format!("{part}{n}"), &folder, Stdio::piped())).collect();
        let mut said = workers.iter_mut().map(begun).collect::<Vec<_>>();
        std::thread::sleep(Duration::from_micros(200 + dice.roll(20_000)));
        let mut returned = 0;
        for worker in &mut workers {
            worker.kill().unwrap();
        }
        for (worker, lines) in workers.iter_mut().zip(&mut said) {
            worker.wait().unwrap();
            let mut rest = String::new();
            lines.read_to_string(&mut rest).unwrap();
            returned += rest.lines().filter(|line| line.starts_with('!')).count();
        }
        calls += returned;
        // Nobody is locked out, and the mark is brought to where the store is.
        SqliteStore::open(&path).unwrap().close().unwrap();
        if returned > 0 {
            let error = SqliteStore::open_with(&older, &mark).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreRestored, "round {round}: {error}");
        }
    }
    assert!(calls > 0, "the workers were killed before they had done anything");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Waits until a child has said that it is at work.
fn begun(worker: &mut Child) -> BufReader<std::process::ChildStdout> {
    let mut lines = BufReader::new(worker.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with(['?', '!']) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the worker ended by itself");
    }
    lines
}

/// All that is in a store.
fn content(path: &Path) -> Vec<String> {
    let raw = rusqlite::Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in ["session", "session_event", "revocation", "seen_token", "store"] {
        let mut select = raw.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let columns = select.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            let value = |at| row.get::<_, rusqlite::types::Value>(at).map(|v| format!("{v:?}"));
            (0..columns).map(value).collect::<rusqlite::Result<Vec<_>>>()
        };
        for row in select.query_map([], text).unwrap() {
            rows.push(format!("{table} {}", row.unwrap().join(" ")));
        }
    }
    rows
}

/// Workers, checkpoints of every kind, and openings, all killed at any moment. Nobody is refused, then or later, and
/// neither is a copy of the whole set. An older main file under the log is, unless the log has all that it lacks.
#[test]
fn a_kill_is_never_taken_for_an_older_copy_and_an_older_copy_always_is() {
    let folder = folder("mixed_crash");
    let path = folder.join("sessions.sqlite");
    let (moved, mixed) = (folder.join("moved.sqlite"), folder.join("mixed.sqlite"));
    SqliteStore::open(&path).unwrap().close().unwrap();
    let (mut dice, mut refused, mut same) = (Dice(11), 0, 0);
    for round in 0..rounds(20) {
        let older = std::fs::read(&path).unwrap();
        let parts = [&*format!("session_worker:{}", 2000 + round), "looker", "checkpointer"];
        let mut workers: Vec<_> =
            parts.iter().map(|part| child(part, &folder, Stdio::piped())).collect();
        let said = workers.iter_mut().map(begun).collect::<Vec<_>>();
        // What they say is read, so that they never wait for us.
        let said: Vec<_> = said
            .into_iter()
            .map(|mut lines| std::thread::spawn(move || lines.read_to_string(&mut String::new())))
            .collect();
        std::thread::sleep(Duration::from_micros(2000 + dice.roll(40_000)));
        workers.iter_mut().for_each(|worker| worker.kill().unwrap());
        for (part, worker) in parts.iter().zip(&mut workers) {
            let status = worker.wait().unwrap();
            assert_eq!(status.code(), None, "round {round}: {part} ended by itself");
        }
        said.into_iter().for_each(|lines| drop(lines.join().unwrap()));
        for ending in ["-wal", ".mark"] {
            for to in [&moved, &mixed] {
                let to = format!("{}{ending}", to.display());
                let _ = std::fs::remove_file(&to);
                let _ = std::fs::copy(format!("{}{ending}", path.display()), &to);
            }
        }
        std::fs::copy(&path, &moved).unwrap();
        std::fs::write(&mixed, older).unwrap();
        SqliteStore::open(&moved).unwrap().close().unwrap();
        SqliteStore::open(&path).unwrap().close().unwrap();
        match SqliteStore::open(&mixed).and_then(|store| store.close()) {
            Ok(()) => {
                same += 1;
                assert_eq!(content(&mixed), content(&path), "round {round}");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::StoreRestored, "round {round}: {error}");
            }
        }
        for name in ["moved.sqlite", "mixed.sqlite"] {
            for ending in ["", "-wal", "-shm", ".mark"] {
                let _ = std::fs::remove_file(folder.join(format!("{name}{ending}")));
            }
        }
    }
    eprintln!("{refused} mixtures were refused, {same} lacked nothing");
    assert!(refused > 0, "no checkpoint came between");
    std::fs::remove_dir_all(&folder).unwrap();
}
