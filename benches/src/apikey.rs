//! The API keys of `make bench`: `gatekey-bench-api-keys prepare DIR N` makes a store of N keys and, beside
//! it, a file with their texts in random order; `gatekey-bench-api-keys run DIR` verifies them and prints a
//! line `name<TAB>nanoseconds...` for each measurement, as the hosts in C and Python do.

use gatekey::{ApiKeys, ErrorKind, Secret};
use gatekey::apikey::{ApiKeyOptions, Check, ImportRow, ImportScheme, KeySpec};
use gatekey::open::open_api_keys;
use gatekey::pepper::PepperSource;
use gatekey::random::{SecureRandom, SystemRandom};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Verifications whose times are taken one by one.
const SINGLE: usize = 200_000;
/// Verifications that are timed together.
const TOGETHER: usize = 1_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["prepare", dir, n] => prepare(Path::new(dir), n.parse().expect("a number of keys")),
        ["run", dir] => run(Path::new(dir)),
        _ => {
            eprintln!("usage: gatekey-bench-api-keys prepare DIR N | run DIR");
            std::process::exit(2);
        }
    }
}

fn open(url: &str) -> ApiKeys {
    open_api_keys(url, &PepperSource::Beside, ApiKeyOptions::new()).expect("a store").keys
}

fn url(dir: &Path) -> String {
    format!("sqlite:///{}/keys.sqlite", dir.display())
}

/// Keys as a service has them: an owner, a name, a scope or two.
fn spec(n: usize) -> KeySpec {
    let mut spec = KeySpec::new(format!("customer-{:07}", n / 2));
    spec.name = format!("key {}", n % 2);
    spec.scopes = vec!["orders:read".into(), "orders:write".into()];
    spec
}

fn prepare(dir: &Path, n: usize) {
    std::fs::create_dir_all(dir).expect("a folder");
    let issuer = open("memory:");
    let keys = open(&url(dir));
    let mut texts: Vec<String> = Vec::with_capacity(n);
    let mut rows = Vec::new();
    for at in 0..n {
        let issued = issuer.create(&KeySpec::new("a")).expect("a key");
        texts.push(issued.secret.expose_str().to_owned());
        rows.push(ImportRow { spec: spec(at), credential: Secret::from(texts[at].clone()), lookup: None });
        if rows.len() == 50_000 || at + 1 == n {
            let report = keys.import(ImportScheme::Plaintext, &rows).expect("an import");
            assert_eq!(report.imported as usize, rows.len());
            rows.clear();
        }
    }
    keys.close().expect("closed");
    shuffle(&mut texts);
    std::fs::write(dir.join("keys.txt"), texts.join("\n")).expect("written");
}

fn shuffle(texts: &mut [String]) {
    for at in (1..texts.len()).rev() {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes).expect("randomness");
        texts.swap(at, (u64::from_le_bytes(bytes) % (at as u64 + 1)) as usize);
    }
}

/// The bytes of memory that this process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = status.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

fn row(name: &str, numbers: &[f64]) {
    let numbers: Vec<String> = numbers.iter().map(|n| format!("{n:.1}")).collect();
    println!("{name}\t{}", numbers.join("\t"));
}

/// Times `call` for each of `n`: the mean of many together, the median and the 99th percentile of some
/// one by one, in nanoseconds, without what reading the clock costs.
fn time(name: &str, n: usize, mut call: impl FnMut(usize)) {
    let single = n.min(SINGLE);
    (0..single).for_each(&mut call);
    let start = Instant::now();
    (0..n).for_each(&mut call);
    let mean = start.elapsed().as_nanos() as f64 / n as f64;
    let clock = percentile(&mut taken(100_000, |_| {}), 50);
    let mut each = taken(single, call);
    row(name, &[mean, percentile(&mut each, 50) - clock, percentile(&mut each, 99) - clock]);
}

fn taken(n: usize, mut call: impl FnMut(usize)) -> Vec<u64> {
    (0..n)
        .map(|at| {
            let start = Instant::now();
            call(at);
            start.elapsed().as_nanos() as u64
        })
        .collect()
}

fn percentile(times: &mut [u64], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)] as f64
}

fn run(dir: &Path) {
    let texts = std::fs::read_to_string(dir.join("keys.txt")).expect("prepared");
    let texts: Vec<&str> = texts.lines().collect();
    let before = resident();
    let started = Instant::now();
    let keys = open(&url(dir));
    row("open", &[started.elapsed().as_nanos() as f64]);
    row("bytes", &[resident().saturating_sub(before) as f64 / texts.len() as f64]);
    let check = Check::new();
    let verify = |at: usize| {
        let grant = keys.verify(texts[at % texts.len()], &check).expect("accepted");
        black_box(grant.owner());
    };
    time("verify", TOGETHER, verify);
    let scoped = Check::new().scopes(&["orders:read"]);
    let verify = |at: usize| {
        black_box(keys.verify(texts[at % texts.len()], &scoped).expect("accepted").owner());
    };
    time("verify with a scope", TOGETHER, verify);
    let bad: Vec<String> = texts.iter().take(1000).map(|text| broken(text)).collect();
    time("bad checksum", TOGETHER, |at| {
        let refused = keys.verify(&bad[at % bad.len()], &check).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::MalformedApiKey);
    });
    if texts.len() <= 1000 {
        changes(dir, &keys);
    }
    keys.close().expect("closed");
}

/// The text with one character of its secret changed.
fn broken(text: &str) -> String {
    let mut text = text.to_owned();
    let at = text.len() - 10;
    let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
    text.replace_range(at..=at, other);
    text
}

/// What writes to the disk, and a key that another process has just made.
fn changes(dir: &Path, keys: &ApiKeys) {
    let other = open(&url(dir));
    let mut issued = Vec::new();
    let mut create = taken(300, |at| issued.push(other.create(&spec(at)).expect("a key")));
    row("create", &[percentile(&mut create, 50), percentile(&mut create, 99)]);
    let mut cold = Vec::new();
    for at in 0..300 {
        let new = other.create(&spec(at)).expect("a key");
        cold.extend(taken(1, |_| {
            keys.verify(new.secret.expose(), &Check::new()).expect("accepted");
        }));
        issued.push(new);
    }
    row("cold", &[percentile(&mut cold, 50), percentile(&mut cold, 99)]);
    let mut revoke = taken(300, |at| {
        other.revoke(&issued[at].record.id, "").expect("revoked");
    });
    row("revoke", &[percentile(&mut revoke, 50), percentile(&mut revoke, 99)]);
    for one in issued {
        let _ = other.revoke(&one.record.id, "");
    }
    other.close().expect("closed");
}
