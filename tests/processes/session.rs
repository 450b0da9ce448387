//! Sessions in several processes, and in processes that are killed.

use super::rounds::rounds;
use super::{Dice, append, child, folder, is_over, nanos, say, wait_for_all};
use gatekey::session::{SessionEventFilter, SessionOptions, SessionSpec};
use gatekey::store::{Backend as _, SqliteStore};
use gatekey::{Alg, ErrorKind, Key, Peppers, Policy, Secret, Sessions, Signer, Verifier};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn key() -> Key {
    let secret: Vec<u8> = (0..32).collect();
    Key::from_secret(&secret, Alg::Hs256).unwrap()
}

fn open_with(folder: &Path, options: SessionOptions) -> Sessions {
    let store = SqliteStore::open(folder.join("sessions.sqlite")).unwrap();
    let peppers = Peppers::new(&[(1, Secret::new(vec![1; 32]))]).unwrap();
    let signer = Signer::builder(&key()).ttl(900).build().unwrap();
    Sessions::open(Arc::new(store), peppers, Some(&signer), options).unwrap()
}

fn open(folder: &Path) -> Sessions {
    open_with(folder, SessionOptions::new().grace(GRACE))
}

/// Long enough for a child that was killed to be replaced.
const GRACE: u64 = 60;

fn verifier(sessions: &Sessions) -> Verifier {
    let policy = Policy::new().revocations(Arc::new(sessions.revocations().clone()));
    Verifier::with_key(&key(), policy).unwrap()
}

/// What a child does in this part.
pub(super) fn play(part: &str, number: &str, folder: &Path) -> bool {
    match part {
        "session_worker" => work(folder, number.parse().unwrap()),
        "refresher" => refresh_once(folder, number),
        "once" => see_once(folder, number),
        "session_ender" => end_sessions(folder),
        "session_verifier" => verify(folder, number),
        _ => return false,
    }
    true
}

// ---- killed while working ----

/// Starts, refreshes, ends and revokes until it is killed: `?` before a call, `!` after its return.
fn work(folder: &Path, seed: u64) {
    let sessions = open(folder);
    let mut dice = Dice(seed);
    // The sessions of this life: family, refresh token.
    let mut own: Vec<(String, String)> = Vec::new();
    loop {
        let pick = |dice: &mut Dice, count: usize| dice.roll(count.max(1) as u64) as usize;
        match dice.roll(10) {
            0 | 1 => {
                let subject = format!("subject-{seed}-{}", dice.roll(3));
                say(&format!("? start {subject}"));
                let pair = sessions.start(&subject, &SessionSpec::default()).unwrap();
                let (family, token) = (pair.family().to_owned(), pair.refresh_token.expose_str());
                say(&format!("! start {family} {token} {}", pair.access_token.expose_str()));
                own.push((family, token.to_owned()));
            }
            2..=6 if !own.is_empty() => {
                let at = pick(&mut dice, own.len());
                let (family, token) = &mut own[at];
                say(&format!("? refresh {family}"));
                let pair = sessions.refresh(&*token, None).unwrap();
                *token = pair.refresh_token.expose_str().to_owned();
                say(&format!("! refresh {family} {token} {}", pair.access_token.expose_str()));
            }
            7 if !own.is_empty() => {
                let at = pick(&mut dice, own.len());
                let (family, token) = own.swap_remove(at);
                say(&format!("? end {family}"));
                assert!(sessions.end(&token).unwrap());
                say(&format!("! end {family}"));
            }
            8 => {
                let jti = format!("token-{seed}-{}", dice.roll(1 << 30));
                say("? revoke");
                let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
                sessions.revocations().revoke_token("", &jti, until).unwrap();
                say(&format!("! revoke {jti}"));
            }
            9 => {
                let jti = format!("once-{seed}-{}", dice.roll(1 << 30));
                say("? once");
                let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
                assert!(sessions.revocations().seen_once("", &jti, until).unwrap());
                say(&format!("! once {jti}"));
            }
            _ => {}
        }
    }
}

/// What was promised of a session.
#[derive(Default)]
struct Promise {
    token: String,
    access: Vec<String>,
    refreshes: u64,
    ended: bool,
    /// A call was begun and never returned: it may have been done or not.
    open: Option<String>,
}

#[test]
fn nothing_that_was_promised_of_a_session_is_lost_in_a_crash() {
    let folder = folder("session_crash");
    drop(open(&folder));
    let mut promises: HashMap<String, Promise> = HashMap::new();
    let (mut revoked, mut once) = (Vec::new(), Vec::new());
    let (mut calls, mut dice) = (0_u64, Dice(43));
    let kills = rounds(20);
    for round in 0..kills {
        let mut worker = child(&format!("session_worker:{round}"), &folder, Stdio::piped());
        let mut lines = BufReader::new(worker.stdout.take().unwrap());
        let mut line = String::new();
        // The harness says something first; the worker's own first line starts the clock.
        while !line.starts_with(['?', '!']) {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the worker ended by itself");
        }
        std::thread::sleep(Duration::from_micros(500 + dice.roll(30_000)));
        worker.kill().unwrap();
        worker.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        let mut touched = Vec::new();
        for line in line.lines().chain(rest.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            calls += u64::from(words[0] == "!");
            match words[..] {
                ["?", "revoke" | "once"] | ["?", "start", _] => {}
                ["?", what, family] => {
                    promises.get_mut(family).unwrap().open = Some(what.to_owned());
                }
                ["!", what @ ("start" | "refresh"), family, token, access] => {
                    let promise = promises.entry(family.to_owned()).or_default();
                    promise.refreshes += u64::from(what == "refresh");
                    (promise.token, promise.open) = (token.to_owned(), None);
                    promise.access.push(access.to_owned());
                    touched.push(family.to_owned());
                }
                ["!", "end", family] => {
                    let promise = promises.get_mut(family).unwrap();
                    (promise.ended, promise.open) = (true, None);
                }
                ["!", "revoke", jti] => revoked.push(jti.to_owned()),
                ["!", "once", jti] => once.push(jti.to_owned()),
                _ => panic!("{line}"),
            }
        }
        let sessions = open(&folder);
        let last = round + 1 == kills;
        for (family, promise) in &mut promises {
            if last || touched.contains(family) {
                check(&sessions, family, promise);
            }
        }
        let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
        let recent = if last { 0 } else { once.len().saturating_sub(3) };
        for jti in &once[recent..] {
            assert!(!sessions.revocations().seen_once("", jti, until).unwrap(), "{jti} twice");
        }
    }
    let sessions = open(&folder);
    let verifier = verifier(&sessions);
    let signer = Signer::builder(&key()).build().unwrap();
    for jti in &revoked {
        let token = signer.sign(&gatekey::Claims::new().token_id(jti)).unwrap();
        let error = verifier.verify(token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RevokedToken, "{jti}");
    }
    let raw = rusqlite::Connection::open(folder.join("sessions.sqlite")).unwrap();
    let integrity: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    eprintln!(
        "{kills} rounds, {calls} calls returned, {} sessions, {} tokens revoked, {} seen",
        promises.len(),
        revoked.len(),
        once.len()
    );
    drop(sessions);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn check(sessions: &Sessions, family: &str, promise: &mut Promise) {
    let record = sessions.get(family).unwrap();
    let open = promise.open.take();
    assert!(record.refreshes >= promise.refreshes, "{family}: the counter went back");
    let begun = u64::from(open.as_deref() == Some("refresh"));
    assert!(record.refreshes <= promise.refreshes + begun, "{family}: nobody asked for it");
    if promise.ended {
        assert!(record.ended_at.is_some(), "{family}: an end was lost");
    }
    if record.ended_at.is_some() {
        assert!(promise.ended || open.as_deref() == Some("end"), "{family}: nobody ended it");
        promise.ended = true;
        let error = sessions.refresh(&promise.token, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionEnded, "{family}");
        let verifier = verifier(sessions);
        for access in &promise.access {
            let error = verifier.verify(access).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RevokedToken, "{family}");
        }
        return;
    }
    // The token that was told last is good, or was used by a call whose answer was lost.
    let rotated = record.refreshes > promise.refreshes;
    let pair = sessions.refresh(&promise.token, None).unwrap();
    promise.refreshes = pair.session.refreshes;
    assert_eq!(promise.refreshes, record.refreshes + u64::from(!rotated), "{family}");
    pair.refresh_token.expose_str().clone_into(&mut promise.token);
    promise.access.push(pair.access_token.expose_str().to_owned());
}

// ---- several at once ----

const PROCESSES: usize = 8;

fn wait_for(folder: &Path, name: &str) {
    while !folder.join(name).exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Lets all children begin at the same time, once all are there, and waits for their end.
fn run_at_once(folder: &Path, part: &str) {
    let mut children: Vec<Child> =
        (0..PROCESSES).map(|n| child(&format!("{part}:{n}"), folder, Stdio::null())).collect();
    for n in 0..PROCESSES {
        wait_for(folder, &format!("ready{n}"));
    }
    std::fs::write(folder.join("go"), "").unwrap();
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "a child failed; see above");
    }
    std::fs::remove_file(folder.join("go")).unwrap();
    (0..PROCESSES).for_each(|n| std::fs::remove_file(folder.join(format!("ready{n}"))).unwrap());
}

fn is_ready(folder: &Path, number: &str) {
    std::fs::write(folder.join(format!("ready{number}")), "").unwrap();
    wait_for(folder, "go");
}

fn refresh_once(folder: &Path, number: &str) {
    let sessions = open_with(folder, SessionOptions::new().grace(2));
    let token = std::fs::read_to_string(folder.join("token")).unwrap();
    is_ready(folder, number);
    match sessions.refresh(&token, None) {
        Ok(pair) => append(folder, "got", pair.refresh_token.expose_str()),
        Err(error) => append(folder, "got", error.kind().name()),
    }
}

#[test]
fn eight_processes_refresh_one_token_once_and_end_the_session_once() {
    let folder = folder("session_eight");
    let sessions = open_with(&folder, SessionOptions::new().grace(2));
    let first = sessions.start("alice", &SessionSpec::default()).unwrap();
    std::fs::write(folder.join("token"), first.refresh_token.expose_str()).unwrap();
    let got = || {
        let text = std::fs::read_to_string(folder.join("got")).unwrap();
        std::fs::remove_file(folder.join("got")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    run_at_once(&folder, "refresher");
    let answers = got();
    assert_eq!(answers.len(), PROCESSES);
    assert!(answers[0].starts_with("gkr_") && answers.iter().all(|one| *one == answers[0]));
    let record = sessions.get(first.family()).unwrap();
    assert_eq!((record.refreshes, record.ended_at), (1, None), "one rotation, and it lives");

    std::thread::sleep(Duration::from_millis(3100));
    run_at_once(&folder, "refresher");
    assert_eq!(got(), vec!["TokenReuse"; PROCESSES], "all see it");
    let filter = SessionEventFilter { family: Some(record.family), ..Default::default() };
    let events = sessions.events(&filter).unwrap().records;
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["start", "reuse"], "it died once");
    let error = sessions.refresh(&answers[0], None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenReuse, "the owner sees it, too");
    drop(sessions);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn once() -> usize {
    rounds(10) as usize
}

fn see_once(folder: &Path, number: &str) {
    let sessions = open(folder);
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
    is_ready(folder, number);
    for n in 0..once() {
        if sessions.revocations().seen_once("issuer", &format!("{n}"), until).unwrap() {
            append(folder, "first", &n.to_string());
        }
    }
}

#[test]
fn a_token_for_one_use_is_good_in_one_of_eight_processes() {
    let folder = folder("session_once");
    drop(open(&folder));
    run_at_once(&folder, "once");
    let text = std::fs::read_to_string(folder.join("first")).unwrap();
    let mut first: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    first.sort_unstable();
    assert_eq!(first, (0..once()).collect::<Vec<_>>());
    std::fs::remove_dir_all(&folder).unwrap();
}

const VERIFIERS: usize = 2;

/// Starts sessions, lets every verifier use their access tokens, ends them and notes when that had
/// returned.
fn end_sessions(folder: &Path) {
    let sessions = open(folder);
    for _ in 0..rounds(10) {
        let pair = sessions.start("alice", &SessionSpec::default()).unwrap();
        append(folder, "made", pair.access_token.expose_str());
        wait_for_all(folder, "used", VERIFIERS, pair.access_token.expose_str());
        sessions.end_by_id(pair.family(), None).unwrap();
        append(folder, "ended", &format!("{} {}", pair.access_token.expose_str(), nanos()));
    }
    append(folder, "over0", "");
}

/// Verifies the newest access tokens, and notes when each was accepted last: the time before the call.
fn verify(folder: &Path, number: &str) {
    let sessions = open(folder);
    let verifier = verifier(&sessions);
    let mut accepted = HashMap::<String, u128>::new();
    loop {
        let over = is_over(folder, 1);
        let made = std::fs::read_to_string(folder.join("made")).unwrap_or_default();
        let whole = made.rfind('\n').map_or(0, |end| end + 1);
        for token in made[..whole].lines().rev().take(8) {
            let before = nanos();
            match verifier.verify(token) {
                Ok(_) => {
                    if accepted.insert(token.to_owned(), before).is_none() {
                        append(folder, &format!("used{number}"), token);
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::RevokedToken, "{error:?}"),
            }
        }
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for (token, last) in accepted {
        append(folder, &format!("accepted{number}"), &format!("{token} {last}"));
    }
}

/// An order of events, not a time: a call that begins 50 ms after the log-out returned refuses, however busy the
/// machine is.
#[test]
fn a_log_out_elsewhere_is_seen_within_50_ms() {
    const PROMISED: u128 = 50_000_000;
    let folder = folder("session_log_out");
    drop(open(&folder));
    let mut children: Vec<Child> = (0..VERIFIERS)
        .map(|n| child(&format!("session_verifier:{n}"), &folder, Stdio::null()))
        .chain([child("session_ender", &folder, Stdio::null())])
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "a child failed; see above");
    }
    let read = |name: &str| -> HashMap<String, u128> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let pair = |line: &str| {
            let (token, time) = line.split_once(' ').unwrap();
            (token.to_owned(), time.parse().unwrap())
        };
        text.lines().map(pair).collect()
    };
    let ended = read("ended");
    let (mut seen, mut latest) = (0, 0);
    for n in 0..VERIFIERS {
        for (token, last) in read(&format!("accepted{n}")) {
            let late = last.saturating_sub(ended[&token]);
            assert!(late <= PROMISED, "accepted {late} ns after it was ended");
            (seen, latest) = (seen + 1, latest.max(late));
        }
    }
    assert_eq!((ended.len(), seen), (rounds(10) as usize, VERIFIERS * ended.len()));
    eprintln!(
        "{} ended, {seen} times seen before, at most {} us after",
        ended.len(),
        latest / 1000
    );
    let store = SqliteStore::open(folder.join("sessions.sqlite")).unwrap();
    store.close().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
