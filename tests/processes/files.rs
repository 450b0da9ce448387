//! What several processes make or change at once: new stores, key rings in a folder, peppers, tokens of other
//! servers. None of them fails, and nothing that was acknowledged is lost.

use super::rounds::rounds;
use super::{Dice, child, folder, say};
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::keyring::KeyRingOptions;
use gatekey::open::{open_api_keys, open_key_ring, open_revocations, open_sessions};
use gatekey::pepper::{PepperSource, add_pepper, read_pepper_file};
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{Mark, RingFolder, SqliteStore, TokenFolder, TokenStore, write_private_file};
use gatekey::{ApiKeys, ErrorKind, Key, KeyRing, Revocations, Secret, Sessions, Signer};
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How many processes act at one moment.
const HANDS: usize = 8;

/// What a child does in this part.
pub(super) fn play(part: &str, number: &str, folder: &Path) -> bool {
    match part {
        "opener" => answer(|word| open_one(number.parse().unwrap(), &folder.join(word))),
        "maker" => make_until_killed(folder),
        "ring_writer" => answer(|word| change_ring(&folder.join("ring"), word)),
        "pepper_adder" => {
            answer(|word| Ok(add_pepper(&folder.join(word)).map_err(told)?.to_string()));
        }
        "migrator" => {
            let store = SqliteStore::open_with(folder.join("a.sqlite"), &Mark::None).unwrap();
            say("! open");
            std::thread::sleep(Duration::from_secs(600));
            drop(store);
        }
        "key_hand" => {
            let keys = std::cell::OnceCell::new();
            let url = format!("sqlite:///{}", folder.join("a.sqlite").display());
            answer(|word| {
                let keys = keys.get_or_init(|| keys_at(&url).unwrap());
                match word.split_once(' ') {
                    Some(("revoke", id)) => keys.revoke(id, "").map(|_| String::new()),
                    Some(("verify", secret)) => {
                        let said = keys.verify(secret, &Check::new());
                        Ok(said
                            .map_or_else(|error| error.kind().name().to_owned(), |_| "OK".into()))
                    }
                    _ => keys.refresh().map(|()| String::new()),
                }
                .map_err(told)
            });
        }
        "token_writer" => answer(|word| count_up(&folder.join("tokens"), word)),
        _ => return false,
    }
    true
}

/// For each line of standard input: does it, and says what has become of it.
fn answer(work: impl Fn(&str) -> Result<String, String>) {
    say("ready");
    for line in std::io::stdin().lines() {
        match work(&line.unwrap()) {
            Ok(done) => say(&format!("! {done}")),
            Err(error) => say(&format!("? {error}")),
        }
    }
}

fn told(error: gatekey::Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// A child that waits for a word, and what it says.
struct Hand {
    child: Child,
    ear: ChildStdin,
    mouth: BufReader<std::process::ChildStdout>,
}

impl Hand {
    fn new(part: &str, folder: &Path) -> Self {
        let mut child = super::child_that_listens(part, folder);
        let ear = child.stdin.take().unwrap();
        let mouth = BufReader::new(child.stdout.take().unwrap());
        let mut hand = Self { child, ear, mouth };
        while !hand.line().ends_with("ready") {}
        hand
    }

    fn several(part: &str, folder: &Path) -> Vec<Self> {
        (0..HANDS).map(|number| Self::new(&format!("{part}:{number}"), folder)).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.mouth.read_line(&mut line).unwrap(), 0, "the child ended by itself");
        line.trim_end().to_owned()
    }

    fn tell(&mut self, word: &str) {
        self.ear.write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    /// What it has done with the word.
    fn done(&mut self) -> Result<String, String> {
        loop {
            let line = self.line();
            if let Some(done) = line.strip_prefix("!") {
                return Ok(done.trim().to_owned());
            }
            if let Some(error) = line.strip_prefix("? ") {
                return Err(error.to_owned());
            }
        }
    }

    fn end(mut self) {
        drop(self.ear);
        while self.mouth.read_line(&mut String::new()).unwrap() > 0 {}
        assert!(self.child.wait().unwrap().success(), "a child failed; see above");
    }
}

/// Tells all of them the same at once; what each has done.
fn together(hands: &mut [Hand], word: &str) -> Vec<Result<String, String>> {
    hands.iter_mut().for_each(|hand| hand.tell(word));
    hands.iter_mut().map(Hand::done).collect()
}

// ---- the index of the log ----

/// SQLite's locks and its index of the log are in `-shm`. Processes that have two of them see nothing of each other.
#[test]
fn an_index_that_was_taken_away_parts_no_processes() {
    for exchanged in [false, true] {
        let folder = folder("index");
        let path = folder.join("a.sqlite");
        let keys = keys_at(&format!("sqlite:///{}", path.display())).unwrap();
        let issued = [0, 1, 2].map(|_| keys.create(&KeySpec::new("acme")).unwrap());
        let mut hands = vec![Hand::new("key_hand", &folder), Hand::new("key_hand", &folder)];
        for said in together(&mut hands, "look") {
            said.unwrap();
        }
        let index = folder.join("a.sqlite-shm");
        if exchanged {
            std::fs::copy(&index, folder.join("old")).unwrap();
            std::fs::rename(folder.join("old"), &index).unwrap();
        } else {
            std::fs::remove_file(&index).unwrap();
        }
        hands.push(Hand::new("key_hand", &folder)); // it makes an index of its own
        for (hand, key) in [2, 0, 1].into_iter().zip(&issued) {
            hands[hand].tell(&format!("revoke {}", key.record.id));
            hands[hand].done().unwrap();
        }
        for hand in &mut hands {
            hand.tell("look");
            hand.done().unwrap();
            for key in &issued {
                hand.tell(&format!("verify {}", key.secret.expose_str()));
                assert_eq!(hand.done().unwrap(), "ApiKeyRevoked", "{exchanged}");
            }
        }
        hands.into_iter().for_each(Hand::end);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

// ---- new stores ----

fn keys_at(url: &str) -> Result<ApiKeys, String> {
    let opened = open_api_keys(url, &PepperSource::Beside, ApiKeyOptions::new());
    opened.map(|opened| opened.keys).map_err(told)
}

fn sessions_at(url: &str) -> Result<Sessions, String> {
    let secret: Vec<u8> = (0..32).collect();
    let key = Key::from_secret(&secret, gatekey::Alg::Hs256).map_err(told)?;
    let signer = Signer::builder(&key).build().map_err(told)?;
    let opened = open_sessions(url, &PepperSource::Beside, Some(&signer), SessionOptions::new());
    opened.map(|opened| opened.sessions).map_err(told)
}

fn ring_at(url: &str) -> Result<KeyRing, String> {
    let opened = open_key_ring(url, &PepperSource::Beside, KeyRingOptions::new());
    opened.map(|opened| opened.ring).map_err(told)
}

fn revocations_at(url: &str) -> Result<Revocations, String> {
    open_revocations(url, RevocationOptions::new()).map_err(told)
}

/// Opens everything that can be opened there, what comes first by the child's number, and writes to it.
fn open_one(number: usize, place: &Path) -> Result<String, String> {
    let url = format!("sqlite:///{}/auth.sqlite", place.display());
    let mut said = String::new();
    for step in 0..4 {
        match (number + step) % 4 {
            0 => {
                let keys = keys_at(&url)?;
                let issued = keys.create(&KeySpec::new("acme")).map_err(told)?;
                said = issued.secret.expose_str().to_owned();
                keys.close().map_err(told)?;
            }
            1 => {
                let sessions = sessions_at(&url)?;
                sessions.start("alice", &SessionSpec::default()).map_err(told)?;
                sessions.close().map_err(told)?;
            }
            2 => {
                ring_at(&url)?.active().map_err(told)?;
                let in_folder = place.join("ring").display().to_string();
                ring_at(&in_folder)?.active().map_err(told)?;
            }
            _ => {
                revocations_at(&url)?.revoke_session(&number.to_string()).map_err(told)?;
                let tokens = TokenFolder::open(place.join("tokens")).map_err(told)?;
                tokens.save("one", &Secret::new(vec![1; 32])).map_err(told)?;
            }
        }
    }
    Ok(said)
}

/// 10,000 openings with `GATEKEY_ROUNDS=10`: eight processes, each opening a store five times.
#[test]
fn a_new_store_opens_for_all_who_come_at_once() {
    let folder = folder("openings");
    let mut hands = Hand::several("opener", &folder);
    let turns = rounds(25);
    let mut failed = Vec::new();
    for turn in 0..turns {
        let place = folder.join(turn.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut made = Vec::new();
        for outcome in together(&mut hands, &turn.to_string()) {
            match outcome {
                Ok(key) => made.push(key),
                Err(error) => failed.push(error),
            }
        }
        if failed.is_empty() {
            let url = format!("sqlite:///{}/auth.sqlite", place.display());
            let keys = keys_at(&url).unwrap();
            for key in &made {
                assert!(keys.verify(key, &Check::new()).is_ok(), "a key under another pepper");
            }
            let sessions = sessions_at(&url).unwrap();
            assert_eq!(sessions.list("alice").unwrap().len(), HANDS);
            let left = names(&place);
            assert!(left.iter().all(|name| !name.ends_with(".new")), "{left:?}");
        }
        std::fs::remove_dir_all(&place).unwrap();
    }
    hands.into_iter().for_each(Hand::end);
    let openings = turns as usize * HANDS * 5;
    assert!(failed.is_empty(), "{} of {openings}: {:#?}", failed.len(), &failed[..1]);
    eprintln!("{openings} openings by {HANDS} processes, none failed");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

// ---- killed while making ----

fn make_until_killed(folder: &Path) {
    say("ready");
    for turn in 0_u64.. {
        let place = folder.join(turn.to_string());
        std::fs::create_dir(&place).unwrap();
        say(&format!("! {turn}"));
        open_one(usize::try_from(turn).unwrap(), &place).unwrap();
        write_private_file(&place.join("written"), &[b'x'; 5000]).unwrap();
    }
}

#[test]
fn a_kill_while_making_leaves_nothing_that_stops_the_next() {
    let folder = folder("makings");
    let mut dice = Dice(7);
    for turn in 0..rounds(20) {
        let place = folder.join(turn.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut maker = child("maker", &place, Stdio::piped());
        let mut lines = BufReader::new(maker.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("! 0") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the child ended by itself");
        }
        std::thread::sleep(Duration::from_micros(dice.roll(60_000)));
        maker.kill().unwrap();
        maker.wait().unwrap();
        for made in names(&place) {
            let made = place.join(made);
            for number in 0..4 {
                let opened = open_one(number, &made);
                assert!(opened.is_ok(), "{}: {opened:?}: {:?}", made.display(), names(&made));
            }
            // Whole or not at all.
            if let Ok(written) = std::fs::read(made.join("written")) {
                assert_eq!(written.len(), 5000);
            }
        }
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- key rings in a folder ----

fn change_ring(path: &Path, word: &str) -> Result<String, String> {
    let ring = RingFolder::open(path).map_err(told)?;
    let ring = KeyRing::open(Arc::new(ring), None, KeyRingOptions::new()).map_err(told)?;
    let Some(kid) = word.strip_prefix("remove ") else {
        return ring.rotate().map(|_| String::new()).map_err(told);
    };
    ring.remove(kid).map_err(told)?;
    Ok(kid.to_owned())
}

fn version_of(path: &Path) -> u64 {
    let versions = names(path)
        .into_iter()
        .filter_map(|name| name.strip_prefix("default.")?.strip_suffix(".ring")?.parse().ok());
    versions.max().unwrap()
}

#[test]
fn a_ring_in_a_folder_loses_no_change_of_eight_writers() {
    let folder = folder("ring_writers");
    let path = folder.join("ring");
    let ring =
        KeyRing::open(Arc::new(RingFolder::open(&path).unwrap()), None, KeyRingOptions::new())
            .unwrap();
    let mut hands = Hand::several("ring_writer", &folder);
    let first = version_of(&path);
    let (mut done, mut removed) = (0, HashSet::new());
    for turn in 0..rounds(30) {
        // One half turns the ring, the other half takes away what has retired, each another key.
        ring.refresh().unwrap();
        let retired: Vec<_> = ring.keys().unwrap().into_iter().skip(2).collect();
        let mut asked = 0;
        for (number, hand) in hands.iter_mut().enumerate() {
            match retired.get(number / 2) {
                Some(key) if number % 2 == 1 => hand.tell(&format!("remove {}", key.kid)),
                _ => hand.tell("rotate"),
            }
            asked += 1;
        }
        for hand in &mut hands {
            let outcome = hand.done();
            let kid = outcome.unwrap_or_else(|error| panic!("turn {turn}: {error}"));
            done += 1;
            removed.extend(Some(kid).filter(|kid| !kid.is_empty()));
        }
        assert_eq!(asked, HANDS);
        ring.refresh().unwrap();
        let there: HashSet<_> = ring.keys().unwrap().into_iter().map(|key| key.kid).collect();
        let again: Vec<_> = there.intersection(&removed).collect();
        assert!(again.is_empty(), "removed, and there again: {again:?}");
        assert_eq!(version_of(&path) - first, done, "changes in the ring, and acknowledged ones");
    }
    hands.into_iter().for_each(Hand::end);
    let left: Vec<_> = names(&path).into_iter().filter(|name| name.ends_with(".ring")).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    eprintln!("{done} changes by {HANDS} processes, {} keys removed, none lost", removed.len());
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- peppers ----

#[test]
fn a_pepper_file_keeps_every_pepper_that_was_added() {
    let folder = folder("pepper_adders");
    let mut hands = Hand::several("pepper_adder", &folder);
    for turn in 0..rounds(30) {
        let path = folder.join(turn.to_string());
        let mut numbers = Vec::new();
        // Twice eight are as many as a file may hold.
        for _ in 0..2 {
            let added = together(&mut hands, &turn.to_string()).into_iter();
            numbers.extend(added.map(|number| number.unwrap().parse::<u32>().unwrap()));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=16).collect::<Vec<_>>(), "each has a number of its own");
        assert_eq!(read_pepper_file(&path).unwrap().ids().collect::<Vec<_>>(), numbers);
        let error = add_pepper(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!(read_pepper_file(&path).unwrap().ids().count(), 16, "it stays as it was");
    }
    hands.into_iter().for_each(Hand::end);
    let left: Vec<_> = names(&folder).into_iter().filter(|name| name.contains("new")).collect();
    assert!(left.is_empty(), "{left:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- tokens of other servers ----

/// Reads a number, adds one and writes it back, as a refresh does with tokens.
fn count_up(path: &Path, name: &str) -> Result<String, String> {
    let tokens = TokenFolder::open(path).map_err(told)?;
    for _ in 0..5 {
        let _held = tokens.lock(name).map_err(told)?;
        let count = tokens
            .load(name)
            .map_err(told)?
            .map_or(0, |text| std::str::from_utf8(text.expose()).unwrap().parse::<u32>().unwrap());
        tokens.save(name, &Secret::new((count + 1).to_string().into_bytes())).map_err(told)?;
    }
    Ok(String::new())
}

#[test]
fn a_token_folder_loses_nothing_under_its_lock() {
    let folder = folder("token_writers");
    let mut hands = Hand::several("token_writer", &folder);
    for turn in 0..rounds(5) {
        let name = format!("user {turn}");
        for outcome in together(&mut hands, &name) {
            outcome.unwrap();
        }
        let text = TokenFolder::open(folder.join("tokens")).unwrap().load(&name).unwrap().unwrap();
        assert_eq!(text.expose(), (HANDS * 5).to_string().as_bytes());
    }
    hands.into_iter().for_each(Hand::end);
    let left = names(&folder.join("tokens"));
    assert!(left.iter().all(|name| !name.contains("new")), "{left:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- a schema that is brought forward ----

/// A store of the first schema, as a power cut leaves it at each moment of its migration: with every length of the
/// log. It is of either version, whole, and opens.
#[test]
fn a_migration_is_done_or_not() {
    let folder = folder("migration");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store/v1.sqlite");
    std::fs::copy(fixture, folder.join("a.sqlite")).unwrap();
    let mut migrator = child("migrator", &folder, Stdio::piped());
    let mut lines = BufReader::new(migrator.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("! open") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the child ended by itself");
    }
    migrator.kill().unwrap();
    migrator.wait().unwrap();
    let log = std::fs::read(folder.join("a.sqlite-wal")).unwrap();
    let newest = shape(&folder.join("a.sqlite"));
    let cut = folder.join("cut.sqlite");
    let mut met = HashSet::new();
    // A frame has a page and 24 bytes; cuts between, and in the middle of each.
    for length in (0..=log.len()).step_by(2060).chain([log.len() - 1, log.len()]) {
        for ending in ["", "-wal", "-shm", ".mark"] {
            let _ = std::fs::remove_file(folder.join(format!("cut.sqlite{ending}")));
        }
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store/v1.sqlite");
        std::fs::copy(fixture, &cut).unwrap();
        std::fs::write(folder.join("cut.sqlite-wal"), &log[..length]).unwrap();
        let found = shape(&cut);
        assert!(found == newest || found == (1, 6), "{found:?} after {length} bytes");
        met.insert(found);
        SqliteStore::open(&cut).unwrap();
        assert_eq!(shape(&cut), newest, "{length}");
    }
    assert_eq!(met.len(), 2, "{met:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The version that a file says, and how many tables it has.
fn shape(path: &Path) -> (u32, u32) {
    let raw = rusqlite::Connection::open(path).unwrap();
    let number = |sql: &str| raw.query_row(sql, [], |row| row.get(0)).unwrap();
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    (number("PRAGMA user_version"), number(tables))
}

/// Killed while it migrates, at any moment: the next process goes on.
#[test]
fn a_kill_while_migrating_leaves_a_store_that_opens() {
    let folder = folder("migrators");
    let mut dice = Dice(11);
    let path = folder.join("a.sqlite");
    for _ in 0..rounds(20) {
        for ending in ["", "-wal", "-shm", ".mark"] {
            let _ = std::fs::remove_file(folder.join(format!("a.sqlite{ending}")));
        }
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store/v1.sqlite");
        std::fs::copy(fixture, &path).unwrap();
        let mut migrator = child("migrator", &folder, Stdio::null());
        std::thread::sleep(Duration::from_micros(dice.roll(40_000)));
        migrator.kill().unwrap();
        migrator.wait().unwrap();
        let found = shape(&path);
        SqliteStore::open(&path).unwrap();
        let newest = shape(&path);
        assert!(found == newest || found == (1, 6), "{found:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
