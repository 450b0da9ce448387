//! The mark of a store whose processes are killed: what a call has promised moves it, and it is never ahead of
//! the store.

use super::rounds::rounds;
use super::{Dice, child, folder};
use gatekey::{ErrorKind, Mark, SqliteStore, Store as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

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
        let mut said = Vec::new();
        for worker in &mut workers {
            let mut lines = BufReader::new(worker.stdout.take().unwrap());
            let mut line = String::new();
            while !line.starts_with(['?', '!']) {
                line.clear();
                assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the worker ended by itself");
            }
            said.push(lines);
        }
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
