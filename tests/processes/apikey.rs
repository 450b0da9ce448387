//! API keys in several processes, and in processes that are killed.

use super::rounds::rounds;
use super::{Dice, append, child, child_after, folder, is_over, nanos, say, wait_for_all};
use gatekey::apikey::{ApiKeyOptions, AuditFilter, Check, CreditSpec, KeySpec};
use gatekey::store::{Database, SqliteStore};
use gatekey::{ApiKeys, ErrorKind, Peppers, Secret};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The keys of a folder: in a file there, or where the file `url` says.
pub(super) fn open(folder: &Path) -> ApiKeys {
    let peppers = Peppers::new(&[(1, Secret::new(vec![1; 32]))]).unwrap();
    let store: Arc<dyn Database> = match std::fs::read_to_string(folder.join("url")) {
        #[cfg(all(unix, feature = "postgres"))]
        Ok(url) => Arc::new(super::postgres::server::open(&url)),
        _ => Arc::new(SqliteStore::open(folder.join("keys.sqlite")).unwrap()),
    };
    ApiKeys::open(store, peppers, ApiKeyOptions::new()).unwrap()
}

/// What a child does in this part.
pub(super) fn play(part: &str, number: &str, folder: &Path) -> bool {
    match part {
        "worker" => work(folder, number.parse().unwrap()),
        "writer" => write(folder, number),
        "verifier" => verify(folder, number),
        "filler" => fill(folder),
        "reader" => read_only(folder),
        _ => return false,
    }
    true
}

// ---- killed while working ----

const CREDITS: u64 = 100_000;

/// What a call has returned, unless the store's server was killed meanwhile: then it may have been
/// done or not.
fn returned<T>(outcome: Result<T, gatekey::Error>) -> Option<T> {
    match outcome {
        Ok(done) => Some(done),
        Err(error) if error.kind() == ErrorKind::StoreUnavailable => {
            std::thread::sleep(Duration::from_millis(5));
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Creates, rotates, revokes and spends until it is killed: `?` before a call, `!` after its return.
fn work(folder: &Path, seed: u64) {
    let keys = open(folder);
    let spent = std::fs::read_to_string(folder.join("spender")).unwrap();
    let mut dice = Dice(seed);
    let mut own: Vec<String> = Vec::new();
    loop {
        let pick = |dice: &mut Dice, own: &[String]| dice.roll(own.len().max(1) as u64) as usize;
        match dice.roll(6) {
            0 | 1 => {
                say("? create");
                let Some(issued) = returned(keys.create(&KeySpec::new("acme"))) else { continue };
                say(&format!("! create {} {}", issued.record.id, issued.secret.expose_str()));
                own.push(issued.record.id.clone());
            }
            2 if !own.is_empty() => {
                let at = pick(&mut dice, &own);
                let id = own[at].clone();
                say(&format!("? rotate {id}"));
                let Some(issued) = returned(keys.rotate(&id, 0)) else {
                    own.swap_remove(at);
                    continue;
                };
                say(&format!("! rotate {id} {}", issued.secret.expose_str()));
            }
            3 if !own.is_empty() => {
                let at = pick(&mut dice, &own);
                let id = own.swap_remove(at);
                say(&format!("? revoke {id}"));
                if returned(keys.revoke(&id, "")).is_some() {
                    say(&format!("! revoke {id}"));
                }
            }
            _ => {
                if keys.verify(&spent, &Check::new()).is_ok() {
                    say("! spend");
                }
            }
        }
    }
}

/// What was promised of a key.
#[derive(Default)]
struct Promise {
    secret: String,
    revoked: bool,
    /// A call was begun and never returned: it may have been done or not.
    open: Option<String>,
}

#[test]
fn nothing_that_was_promised_is_lost_in_a_crash() {
    let folder = folder("crash");
    eprintln!("{}", crash(&folder, rounds(20), |_| {}));
    let raw = rusqlite::Connection::open(folder.join("keys.sqlite")).unwrap();
    let integrity: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Kills a worker `kills` times, in each round after `meanwhile`; another process that is there all
/// the time refuses what was revoked, too. What was done, in words.
pub(super) fn crash(folder: &Path, kills: u32, meanwhile: impl Fn(u32)) -> String {
    let keys = open(folder);
    let mut spec = KeySpec::new("spender");
    spec.credits = Some(CreditSpec { amount: CREDITS, ..CreditSpec::default() });
    let spender = keys.create(&spec).unwrap();
    std::fs::write(folder.join("spender"), spender.secret.expose_str()).unwrap();
    keys.close().unwrap();
    drop(keys);
    let witness = open(folder);
    let mut promises: HashMap<String, Promise> = HashMap::new();
    let (mut spent, mut calls, mut dice) = (0_u64, 0_u64, Dice(42));
    for round in 0..kills {
        let mut worker = child(&format!("worker:{round}"), folder, Stdio::piped());
        let mut lines = BufReader::new(worker.stdout.take().unwrap());
        let mut line = String::new();
        // The harness says something first; the worker's own first line starts the clock.
        while !line.starts_with(['?', '!']) {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the worker ended by itself");
        }
        std::thread::sleep(Duration::from_micros(500 + dice.roll(30_000)));
        meanwhile(round);
        worker.kill().unwrap();
        worker.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        let (mut touched, mut ended) = (Vec::new(), Vec::new());
        for line in line.lines().chain(rest.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["?", "create"] => {}
                ["?", what, id] => {
                    promises.get_mut(id).unwrap().open = Some(what.to_owned());
                    touched.push(id.to_owned());
                }
                ["!", what, id, secret] => {
                    calls += 1;
                    let promise = promises.entry(id.to_owned()).or_default();
                    (promise.secret, promise.open) = (secret.to_owned(), None);
                    assert!(what == "create" || what == "rotate", "{line}");
                    touched.push(id.to_owned());
                }
                ["!", "revoke", id] => {
                    calls += 1;
                    let promise = promises.get_mut(id).unwrap();
                    (promise.revoked, promise.open) = (true, None);
                    ended.push(promise.secret.clone());
                }
                ["!", "spend"] => spent += 1,
                _ => panic!("{line}"),
            }
        }
        for secret in &ended {
            let begun = std::time::Instant::now();
            while witness.verify(secret, &Check::new()).is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(60), "accepted after it was revoked");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let last = round + 1 == kills;
        let keys = open(folder);
        for (id, promise) in &mut promises {
            if last || touched.contains(id) {
                check(&keys, id, promise);
            }
        }
        let left = keys.get(&spender.record.id).unwrap().credits.unwrap().remaining;
        assert!(left + spent <= CREDITS, "{left} left and {spent} spent");
        drop(keys);
    }
    let keys = open(folder);
    let (mut filter, mut seqs) = (AuditFilter { limit: 1000, ..AuditFilter::default() }, 0);
    loop {
        let page = keys.audit(&filter).unwrap();
        for row in &page.records {
            seqs += 1;
            assert_eq!(row.seq, seqs, "a gap in the audit");
        }
        filter.cursor = page.cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert!(seqs > calls, "{seqs} audit rows for {calls} calls");
    format!("{kills} rounds, {calls} calls returned, {spent} credits spent")
}

fn check(keys: &ApiKeys, id: &str, promise: &mut Promise) {
    let outcome = keys.verify(&promise.secret, &Check::new()).map_err(|error| error.kind());
    let record = keys.get(id).unwrap();
    match (promise.revoked, promise.open.take().as_deref()) {
        (true, _) => assert_eq!(outcome.unwrap_err(), ErrorKind::ApiKeyRevoked, "{id} was revoked"),
        (false, None) => assert!(outcome.is_ok(), "{id}: {outcome:?}"),
        (false, Some("revoke")) => match outcome {
            Ok(_) => {}
            Err(kind) => {
                assert_eq!((kind, record.revoked_at.is_some()), (ErrorKind::ApiKeyRevoked, true));
                promise.revoked = true;
            }
        },
        // The new secret was never told: whole or not at all.
        (false, Some("rotate")) => match outcome {
            Ok(_) => {}
            Err(kind) => {
                assert_eq!((kind, record.rotated_at.is_some()), (ErrorKind::BadApiKeySecret, true));
                let new = keys.rotate(id, 0).unwrap();
                promise.secret = new.secret.expose_str().to_owned();
            }
        },
        (false, other) => panic!("{other:?}"),
    }
}

// ---- several at once ----

const WRITERS: usize = 2;
const VERIFIERS: usize = 4;

/// How many times a writer makes four keys.
fn batches() -> usize {
    rounds(15) as usize
}

/// Makes keys, lets every verifier use them, revokes them and notes when that had returned.
fn write(folder: &Path, number: &str) {
    let keys = open(folder);
    for _ in 0..batches() {
        let issued: Vec<_> = (0..4).map(|_| keys.create(&KeySpec::new("acme")).unwrap()).collect();
        for one in &issued {
            append(folder, "made", one.secret.expose_str());
        }
        for one in &issued {
            wait_for_all(folder, "used", VERIFIERS, one.secret.expose_str());
        }
        for one in &issued {
            keys.revoke(&one.record.id, "").unwrap();
            append(folder, "revoked", &format!("{} {}", one.secret.expose_str(), nanos()));
        }
    }
    append(folder, &format!("over{number}"), "");
    keys.close().unwrap();
}

/// Verifies whatever keys there are, and notes when each was accepted last: the time before the call.
fn verify(folder: &Path, number: &str) {
    let keys = open(folder);
    let (mut made, mut at, mut accepted) =
        (Vec::<String>::new(), 0, HashMap::<String, u128>::new());
    loop {
        let over = is_over(folder, WRITERS);
        if let Ok(mut file) = std::fs::File::open(folder.join("made")) {
            file.seek(SeekFrom::Start(at)).unwrap();
            let mut new = String::new();
            file.read_to_string(&mut new).unwrap();
            let whole = new.rfind('\n').map_or(0, |end| end + 1);
            at += whole as u64;
            made.extend(new[..whole].lines().map(str::to_owned));
        }
        let recent = made.len().saturating_sub(64);
        for key in &made[recent..] {
            let before = nanos();
            match keys.verify(key, &Check::new()) {
                Ok(_) => {
                    if accepted.insert(key.clone(), before).is_none() {
                        append(folder, &format!("used{number}"), key);
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::ApiKeyRevoked, "{error:?}"),
            }
        }
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for (key, last) in accepted {
        append(folder, &format!("accepted{number}"), &format!("{key} {last}"));
    }
    keys.close().unwrap();
}

/// An order of events, not a time: a call that begins 50 ms after the revocation returned refuses, however busy the
/// machine is.
#[test]
fn a_revocation_elsewhere_is_seen_within_50_ms() {
    const PROMISED: u128 = 50_000_000;
    let folder = folder("several");
    drop(open(&folder));
    let mut children: Vec<Child> = (0..VERIFIERS)
        .map(|n| child(&format!("verifier:{n}"), &folder, Stdio::null()))
        .chain((0..WRITERS).map(|n| child(&format!("writer:{n}"), &folder, Stdio::null())))
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "a child failed; see above");
    }
    let read = |name: &str| -> HashMap<String, u128> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let pair = |line: &str| {
            let (key, time) = line.split_once(' ').unwrap();
            (key.to_owned(), time.parse().unwrap())
        };
        text.lines().map(pair).collect()
    };
    let revoked = read("revoked");
    let (mut seen, mut latest) = (0, 0);
    for n in 0..VERIFIERS {
        for (key, last) in read(&format!("accepted{n}")) {
            let late = last.saturating_sub(revoked[&key]);
            assert!(late <= PROMISED, "accepted {late} ns after it was revoked");
            (seen, latest) = (seen + 1, latest.max(late));
        }
    }
    assert_eq!((revoked.len(), seen), (WRITERS * batches() * 4, VERIFIERS * revoked.len()));
    eprintln!(
        "{} keys revoked, {seen} times seen before, at most {} us after",
        revoked.len(),
        latest / 1000
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- a store that cannot be written to ----

/// Creates keys until the file may not grow; what was there before still verifies, and nothing of the
/// key that did not fit is there.
fn fill(folder: &Path) {
    let keys = open(folder);
    let mut made = Vec::new();
    let full = loop {
        let mut spec = KeySpec::new("acme");
        spec.meta = format!("{{\"padding\":\"{}\"}}", "x".repeat(4000));
        match keys.create(&spec) {
            Ok(issued) => made.push(issued),
            Err(error) => break error,
        }
        assert!(made.len() < 2000, "the file grew without end");
    };
    assert_eq!(full.kind(), ErrorKind::StoreFull, "{full:?}");
    assert!(!made.is_empty());
    for issued in &made {
        assert!(keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    }
    let revoked = keys.revoke(&made[0].record.id, "").map(drop).map_err(|error| error.kind());
    let rows =
        keys.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap().records.len();
    match revoked {
        Ok(()) => assert_eq!(rows, made.len() + 1, "it fitted after all"),
        Err(kind) => {
            assert_eq!((kind, rows), (ErrorKind::StoreFull, made.len()));
            assert!(keys.verify(made[0].secret.expose(), &Check::new()).is_ok(), "nothing changed");
        }
    }
    append(folder, "filled", &made.len().to_string());
}

#[test]
fn a_full_disk_loses_nothing() {
    let folder = folder("full");
    drop(open(&folder));
    // At most 400 blocks of 512 bytes a file; the signal that would kill for it is ignored.
    let mut filler = child_after("trap '' XFSZ; ulimit -f 400; exec", "filler", &folder);
    assert!(filler.wait().unwrap().success(), "the child failed; see above");
    let made: usize =
        std::fs::read_to_string(folder.join("filled")).unwrap().trim().parse().unwrap();
    let keys = open(&folder);
    assert!(keys.list(&Default::default()).unwrap().records.len() >= made.min(100));
    assert!(keys.create(&KeySpec::new("acme")).is_ok(), "there is room again");
    drop(keys);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn read_only(folder: &Path) {
    let keys = open(folder);
    let secret = std::fs::read_to_string(folder.join("secret")).unwrap();
    assert!(keys.verify(&secret, &Check::new()).is_ok());
    let error = keys.create(&KeySpec::new("acme")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreReadOnly, "{error:?}");
    let error = keys.revoke(&secret[8..20], "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreReadOnly, "{error:?}");
    assert!(keys.verify(&secret, &Check::new()).is_ok());
    let error = keys.flush().unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::StoreReadOnly,
        "the uses cannot be written down: {error:?}"
    );
    keys.close().unwrap();
    open(folder).close().unwrap();
}

#[test]
fn a_read_only_store_verifies_and_changes_nothing() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = folder("read_only");
    let keys = open(&folder);
    let issued = keys.create(&KeySpec::new("acme")).unwrap();
    std::fs::write(folder.join("secret"), issued.secret.expose_str()).unwrap();
    keys.close().unwrap();
    drop(keys);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&folder.join("keys.sqlite"), 0o444);
    mode(&folder, 0o555);
    // The superuser may write anywhere; nobody may not.
    let is_root = std::fs::metadata(&folder).unwrap().uid() == 0;
    let has_setpriv = || Command::new("setpriv").arg("--version").output().is_ok();
    if is_root && !has_setpriv() {
        eprintln!("skipped: the superuser needs setpriv (util-linux) to become someone else");
    } else {
        // Where the tests were built may be closed to others.
        let copy = std::env::temp_dir().join(format!("gatekey-reader-{}", std::process::id()));
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        mode(&copy, 0o755);
        let become_nobody =
            if is_root { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
        let command = format!(
            "exec {become_nobody} '{}' --exact a_child_plays_its_part --nocapture",
            copy.display()
        );
        let mut reader = Command::new("sh");
        reader.arg("-c").arg(command).env(super::PART, "reader").env(super::FOLDER, &folder);
        assert!(reader.status().unwrap().success(), "the child failed; see above");
        std::fs::remove_file(&copy).unwrap();
    }
    mode(&folder, 0o755);
    mode(&folder.join("keys.sqlite"), 0o600);
    let keys = open(&folder);
    assert_eq!(keys.audit(&AuditFilter::default()).unwrap().records.len(), 1);
    assert!(keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    drop(keys);
    std::fs::remove_dir_all(&folder).unwrap();
}
