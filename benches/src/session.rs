//! The sessions of `make bench`: `gatekey-bench-sessions prepare DIR N` makes a store with N revoked tokens;
//! `... run DIR` verifies with and without them; `... refresh DIR SECONDS` refreshes for that long and
//! prints how often. A line `name<TAB>numbers...` for each measurement.

use gatekey::{Alg, Claims, Key, Policy, Revocations, Sessions, Signer, Verifier};
use gatekey::open::open_sessions;
use gatekey::pepper::PepperSource;
use gatekey::revocations::RevocationOptions;
use gatekey::session::{SessionOptions, SessionSpec};
use gatekey::store::{Backend as _, Database, MemoryStore, Revocation, RevocationKind, SessionStore as _, SessionWrite, SqliteStore};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tokens that are verified in turn: more than any cache of the processor remembers the way to.
const TOKENS: usize = 4096;
/// Turns in which every contender verifies all tokens once, one contender after the other.
const TURNS: usize = 60;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["prepare", dir, n] => prepare(Path::new(dir), n.parse().expect("a number of entries")),
        ["run", dir] => run(Path::new(dir)),
        ["refresh", dir, seconds] => refresh(Path::new(dir), seconds.parse().expect("seconds")),
        ["calls", dir] => calls(Path::new(dir)),
        _ => {
            eprintln!("usage: gatekey-bench-sessions prepare DIR N | run DIR | refresh DIR S | calls DIR");
            std::process::exit(2);
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn row(name: &str, numbers: &[f64]) {
    let numbers: Vec<String> = numbers.iter().map(|n| format!("{n:.1}")).collect();
    println!("{name}\t{}", numbers.join("\t"));
}

fn entry(kind: RevocationKind, value: String) -> Revocation {
    let issuer = if kind == RevocationKind::Token { "https://auth.example" } else { "" };
    let at = now();
    Revocation { kind, issuer: issuer.into(), value, before: 0, until: at + 86_400, at }
}

fn prepare(dir: &Path, n: usize) {
    std::fs::create_dir_all(dir).expect("a folder");
    let store = SqliteStore::open(dir.join("revoked.sqlite")).expect("a store");
    for begin in (0..n).step_by(50_000) {
        let entries = (begin..n.min(begin + 50_000))
            .map(|at| entry(RevocationKind::Token, format!("revoked-token-{at:08}")));
        let write =
            SessionWrite { revocations: entries.collect(), ..SessionWrite::default() };
        store.write_sessions(&write).expect("written");
    }
    store.close().expect("closed");
}

/// The bytes of memory that this process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = status.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

/// Verifies with the entries of the store, with none, with one, and without a list at all.
fn run(dir: &Path) {
    let open = |store: Arc<dyn Database>| {
        Revocations::open(store, RevocationOptions::new()).expect("revocations")
    };
    let store = Arc::new(SqliteStore::open(dir.join("revoked.sqlite")).expect("a store"));
    let (before, started) = (resident(), Instant::now());
    let many = open(store);
    row("open", &[started.elapsed().as_nanos() as f64]);
    row("resident", &[resident().saturating_sub(before) as f64 / many.len().max(1) as f64]);
    row("bytes", &[many.memory_bytes() as f64 / many.len().max(1) as f64]);
    let one = open(Arc::new(MemoryStore::new()));
    one.revoke_token("https://auth.example", "another", now() + 86_400).expect("revoked");
    let contenders = [
        ("without a list", None),
        ("with an empty list", Some(open(Arc::new(MemoryStore::new())))),
        ("with one entry", Some(one)),
        ("with all entries", Some(many)),
    ];
    for alg in [Alg::Hs256, Alg::Es256] {
        measure(alg, &contenders);
    }
}

fn measure(alg: Alg, contenders: &[(&str, Option<Revocations>)]) {
    let key = Key::generate(alg).expect("a key");
    let signer = Signer::builder(&key).issuer("https://auth.example").build().expect("a signer");
    let tokens: Vec<String> = (0..TOKENS)
        .map(|n| {
            let claims = Claims::new().subject(&format!("user-{n}")).claim_str("sid", "abcdefGHIJ01");
            signer.sign(&claims).expect("a token")
        })
        .collect();
    let verifiers: Vec<Verifier> = contenders
        .iter()
        .map(|(_, list)| {
            let policy = Policy::new().expect_issuer("https://auth.example");
            let policy = match list {
                Some(list) => policy.revocations(Arc::new(list.clone())),
                None => policy,
            };
            Verifier::with_key(&key, policy).expect("a verifier")
        })
        .collect();
    let turns = if alg == Alg::Hs256 { TURNS } else { TURNS / 10 };
    let mut times = vec![Vec::new(); verifiers.len()];
    for turn in 0..=turns {
        for (verifier, times) in verifiers.iter().zip(&mut times) {
            let start = Instant::now();
            for token in &tokens {
                black_box(verifier.verify(token).expect("accepted"));
            }
            if turn > 0 {
                times.push(start.elapsed().as_nanos() as f64 / TOKENS as f64);
            }
        }
    }
    for ((name, _), mut times) in contenders.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        row(&format!("verify {} {name}", alg.name()), &[times[times.len() / 2]]);
    }
}

fn sessions(url: &str) -> Sessions {
    let secret: Vec<u8> = (0..32).collect();
    let key = Key::from_secret(&secret, Alg::Hs256).expect("a key");
    let signer = Signer::builder(&key).build().expect("a signer");
    let options = SessionOptions::new();
    open_sessions(url, &PepperSource::Beside, Some(&signer), options).expect("sessions").sessions
}

fn url(dir: &Path) -> String {
    format!("sqlite:///{}/sessions.sqlite", dir.display())
}

/// Refreshes one session after the other until the time is over; how often, and in how many nanoseconds.
fn refresh(dir: &Path, seconds: u64) {
    let sessions = sessions(&url(dir));
    let mut own: Vec<_> = (0..64)
        .map(|n| sessions.start(&format!("user-{n}"), &SessionSpec::default()).expect("started"))
        .collect();
    let (start, until) = (Instant::now(), Duration::from_secs(seconds));
    let (mut count, mut slowest) = (0_usize, 0);
    while start.elapsed() < until {
        let at = count % own.len();
        let begun = Instant::now();
        own[at] = sessions.refresh(own[at].refresh_token.expose(), None).expect("refreshed");
        slowest = slowest.max(begun.elapsed().as_nanos());
        count += 1;
    }
    row("refreshed", &[count as f64, start.elapsed().as_nanos() as f64, slowest as f64]);
}

/// The median of each call, durable in SQLite and in memory.
fn calls(dir: &Path) {
    for (place, url) in [("SQLite", url(dir)), ("memory", "memory:".to_owned())] {
        let sessions = sessions(&url);
        let n = if place == "memory" { 5000 } else { 400 };
        let mut own = Vec::new();
        let median = |what: &str, call: &mut dyn FnMut(usize)| {
            let mut times: Vec<u128> = (0..n)
                .map(|at| {
                    let start = Instant::now();
                    call(at);
                    start.elapsed().as_nanos()
                })
                .collect();
            times.sort_unstable();
            row(&format!("{what}, {place}"), &[times[n / 2] as f64]);
        };
        median("start", &mut |at| {
            own.push(sessions.start(&format!("user-{at}"), &SessionSpec::default()).expect("ok"));
        });
        median("refresh", &mut |at| {
            own[at] = sessions.refresh(own[at].refresh_token.expose(), None).expect("ok");
        });
        let until = now() + 3600;
        median("seen_once", &mut |at| {
            assert!(sessions.revocations().seen_once("i", &format!("{at}"), until).expect("ok"));
        });
        median("end", &mut |at| {
            assert!(sessions.end(own[at].refresh_token.expose()).expect("ok"));
        });
    }
}
