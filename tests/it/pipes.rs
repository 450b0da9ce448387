//! Pipes in the place of files: refused at once, because nobody may ever be at the other end.

use crate::apikey::Folder;
use gatekey::backup::{BackupOptions, store_backup};
use gatekey::doctor::store_facts;
use gatekey::keyring::KeyRingOptions;
use gatekey::pepper::{PepperSource, add_pepper, read_pepper_file};
use gatekey::store::{KeyRingStore as _, RingFolder, SqliteStore};
use gatekey::{Error, ErrorKind, KeyRing, Store};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(path).status();
    assert!(made.unwrap().success(), "{path:?}");
}

/// What it answers, within the patience of a test.
fn answer<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Option<ErrorKind> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work().err().map(|error| error.kind())));
    receiver.recv_timeout(Duration::from_secs(60)).expect("it does not wait for the pipe")
}

#[test]
fn nothing_waits_for_a_pipe() {
    let folder = Folder::new("pipes");
    let (store, pepper, to) = (folder.path("s.sqlite"), folder.path("pepper"), folder.path("to"));
    pipe(&store);
    pipe(&pepper);
    let url = format!("sqlite:///{}", store.display());
    let misuse = Some(ErrorKind::InvalidArgument);
    let opened = url.clone();
    assert_eq!(answer(move || Store::open(&opened)), misuse);
    let copied = url.clone();
    let copy = move || store_backup(&copied, &to, &BackupOptions::default(), &mut |_, _| Ok(()));
    assert_eq!(answer(copy), misuse);
    let looked = move || match store_facts(&url, &PepperSource::Beside, 0)?.faults.pop() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    };
    assert_eq!(answer(looked), misuse);
    let read = pepper.clone();
    let wrong = Some(ErrorKind::InvalidConfiguration);
    assert_eq!(answer(move || read_pepper_file(&read)), wrong);
    assert_eq!(answer(move || add_pepper(&pepper)), wrong);
    // In the place of what belongs to a store.
    let whole = folder.path("whole.sqlite");
    drop(SqliteStore::open(&whole).unwrap());
    let log = folder.path("whole.sqlite-wal");
    let _ = std::fs::remove_file(&log);
    pipe(&log);
    assert_eq!(answer(move || SqliteStore::open(&whole)), misuse);
    // In a folder of rings.
    let rings = folder.path("rings");
    let kept = Arc::new(RingFolder::open(&rings).unwrap());
    KeyRing::open(kept.clone(), None, KeyRingOptions::new()).unwrap();
    std::fs::remove_file(rings.join("default.1.ring")).unwrap();
    pipe(&rings.join("default.1.ring"));
    assert!(answer(move || kept.key_ring("default")).is_some());
}
