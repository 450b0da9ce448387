//! Forks in Rust: a store in a child whose parent has gone, and processes that are killed while they fork.
//!
//! Forked children write what they promise to files: the lock of the standard output may be held by a thread that
//! is not there.

#![expect(unsafe_code, reason = "fork and kill are calls of libc")]

use super::apikey::open;
use super::rounds::rounds;
use super::{Dice, append, child, command, folder};
use gatekey::apikey::{Check, KeySpec};
use gatekey::store::{TokenFolder, TokenStore as _};
use gatekey::{ApiKeys, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Seconds after which a child that hangs is killed.
const PATIENCE: u32 = 60;

/// What a child does in this part.
pub(super) fn play(part: &str, folder: &Path) -> bool {
    match part {
        "daemon" => daemon(folder),
        "visitor" => visit(folder),
        "forker" => fork_on_and_on(folder),
        "holder" => hold_and_fork(folder),
        _ => return false,
    }
    true
}

/// Forks; the child does this, and ends.
pub(super) fn forked(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs only what a fork under threads allows: this library, files and memory of glibc.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: no memory is touched.
        unsafe { libc::alarm(PATIENCE) };
        // A panic that unwinds from here ends the one thread that is left, and with it the process: as if all were well.
        exit(i32::from(catch_unwind(AssertUnwindSafe(work)).is_err()));
    }
    child
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the process without what it would do for its threads.
    unsafe { libc::_exit(code) }
}

pub(super) fn ended_well(child: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: the place of the status is this one's own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Holds what is said of a key against what must be: nothing, or why it is refused.
fn expect(keys: &ApiKeys, secret: &str, wanted: Option<ErrorKind>) {
    let error = keys.verify(secret, &Check::new()).err();
    assert_eq!(error.as_ref().map(gatekey::Error::kind), wanted, "{error:?}");
}

/// Creates two keys and revokes one, and tells it when it is done.
fn work(keys: &ApiKeys, folder: &Path) {
    let good = keys.create(&KeySpec::new("acme")).unwrap();
    append(folder, "told", &format!("good {}", good.secret.expose_str()));
    let gone = keys.create(&KeySpec::new("acme")).unwrap();
    keys.revoke(&gone.record.id, "leaked").unwrap();
    expect(keys, gone.secret.expose_str(), Some(ErrorKind::ApiKeyRevoked));
    append(folder, "told", &format!("gone {}", gone.secret.expose_str()));
}

/// Whether each promise is kept for one that opens the store now, and no key was made twice.
fn judge(folder: &Path) -> usize {
    let told = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    let keys = open(folder);
    let mut secrets = Vec::new();
    for line in told.lines() {
        let (kind, secret) = line.split_once(' ').unwrap();
        let wanted = (kind == "gone").then_some(ErrorKind::ApiKeyRevoked);
        expect(&keys, secret, wanted);
        secrets.push(secret);
    }
    let count = secrets.len();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), count, "a key was made twice");
    count
}

// ---- a daemon ----

/// Opens, forks and ends; the child goes on while others come and go.
fn daemon(folder: &Path) {
    let keys = open(folder);
    work(&keys, folder);
    // SAFETY: asks for a number.
    let parent = unsafe { libc::getpid() };
    forked(|| {
        // SAFETY: asks for a number.
        while unsafe { libc::getppid() } == parent {
            std::thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..rounds(3) {
            assert!(child("visitor", folder, Stdio::null()).wait().unwrap().success());
            work(&keys, folder);
        }
        append(folder, "over", "over");
    });
    exit(0);
}

/// Opens the store, works, and closes it, as the command line does.
fn visit(folder: &Path) {
    let keys = open(folder);
    work(&keys, folder);
    keys.close().unwrap();
}

#[test]
fn a_daemon_whose_parent_has_gone_loses_nothing() {
    let folder = folder("fork_daemon");
    assert!(child("daemon", &folder, Stdio::null()).wait().unwrap().success());
    for _ in 0..PATIENCE * 100 {
        if folder.join("over").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(folder.join("over").exists(), "the daemon has failed");
    assert_eq!(judge(&folder), 2 + 4 * rounds(3) as usize);
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- forks under threads, and kills ----

/// Works in three threads, and forks children that do the same, until it is killed.
fn fork_on_and_on(folder: &Path) {
    // A thread that fails ends all of it, and so the test.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tell(info);
        std::process::abort();
    }));
    let keys = open(folder);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    work(&keys, folder);
                }
            });
        }
        loop {
            let child = forked(|| work(&keys, folder));
            work(&keys, folder);
            assert!(ended_well(child));
            append(folder, "forks", "well");
        }
    });
}

fn count(folder: &Path, name: &str) -> usize {
    std::fs::read_to_string(folder.join(name)).map_or(0, |text| text.lines().count())
}

#[test]
fn nothing_that_was_promised_is_lost_when_processes_are_killed_that_fork() {
    let folder = folder("fork_kills");
    drop(open(&folder));
    let mut dice = Dice(47);
    let kills = rounds(10);
    for _ in 0..kills {
        let before = count(&folder, "forks");
        let mut forker =
            command("forker", &folder).process_group(0).stdout(Stdio::null()).spawn().unwrap();
        let group = libc::pid_t::try_from(forker.id()).unwrap();
        let forks = before + 1 + dice.roll(4) as usize;
        while count(&folder, "forks") < forks {
            assert!(forker.try_wait().unwrap().is_none(), "a child has failed");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(dice.roll(20_000)));
        // SAFETY: the group was made for this child.
        assert_eq!(unsafe { libc::kill(-group, libc::SIGKILL) }, 0);
        forker.wait().unwrap();
    }
    let kept = judge(&folder);
    assert!(count(&folder, "forks") >= kills as usize && kept > 4 * kills as usize);
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- locks of files ----

fn tokens(folder: &Path) -> TokenFolder {
    TokenFolder::open(folder.join("tokens")).unwrap()
}

/// Holds the lock of a name's tokens, forks a child that lives on, and waits to be killed.
fn hold_and_fork(folder: &Path) {
    // Borrowed by the child's work: what that owned, this process would let go of when the fork is done.
    let held = std::cell::RefCell::new(Some(tokens(folder).lock("orders").unwrap()));
    forked(|| {
        // The lock's number is free here, and this file gets it; the copy of the guard leaves it alone.
        let own = std::fs::File::create(folder.join("own")).unwrap();
        // What it locks itself is its own.
        drop(tokens(folder).lock("others").unwrap());
        append(folder, "lives", "on");
        while !folder.join("over").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(held.take());
        std::io::Write::write_all(&mut &own, b"mine").unwrap();
        append(folder, "ended", "well");
    });
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A lock of `flock` belongs to the open file, which a fork shares: the child must not keep it.
#[test]
fn the_lock_of_a_killed_process_ends_although_its_child_lives() {
    let folder = folder("fork_lock");
    let mut holder = child("holder", &folder, Stdio::null());
    while count(&folder, "lives") == 0 {
        assert!(holder.try_wait().unwrap().is_none(), "the holder has failed");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(holder.try_wait().unwrap().is_none());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let locked = tokens(&folder).lock("orders").map(drop);
    std::fs::write(folder.join("over"), "").unwrap();
    for _ in 0..PATIENCE * 100 {
        if folder.join("ended").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    locked.unwrap();
    assert!(folder.join("ended").exists(), "the child has failed");
    assert_eq!(std::fs::read_to_string(folder.join("own")).unwrap(), "mine");
    std::fs::remove_dir_all(&folder).unwrap();
}
