//! Every fuzz target over its seeds and over the same mutations on every machine: fifty thousand,
//! or ten times as many where GATEKEY_ROUNDS is 10.

#[path = "../../tests/rounds/mod.rs"]
mod rounds;

use gatekey_fuzz::TARGETS;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const LONGEST: usize = 4096;

#[test]
fn token() {
    mutate("token");
}

#[test]
fn header() {
    mutate("header");
}

#[test]
fn jwk() {
    mutate("jwk");
}

#[test]
fn pem() {
    mutate("pem");
}

#[test]
fn json() {
    mutate("json");
}

#[test]
fn apikey() {
    mutate("apikey");
}

#[test]
fn request() {
    mutate("request");
}

#[test]
fn refresh() {
    mutate("refresh");
}

#[test]
fn oauth() {
    mutate("oauth");
}

fn mutate(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(each, _)| *each == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "no seeds for {name}");
    for seed in &seeds {
        run(target, seed);
    }
    let mutations = rounds::rounds(50_000) as usize;
    let mut accepted = 0;
    let mut dice = Dice(0x6761_7465_6b65_7921);
    let mut data = Vec::new();
    for turn in 0..mutations {
        // Most runs are one step from a seed; every fourth goes on from the last one.
        if turn % 4 != 3 || data.len() > LONGEST {
            data.clone_from(dice.pick(&seeds));
        }
        change(&mut data, &mut dice, &seeds);
        accepted += usize::from(run(target, &data));
    }
    // Enough get through the parser for what lies behind it to be exercised, and enough do not.
    assert!((mutations / 500..mutations).contains(&accepted), "{accepted} inputs were accepted");
}

fn run(target: fn(&[u8]) -> bool, data: &[u8]) -> bool {
    let done = catch_unwind(AssertUnwindSafe(|| target(data)));
    done.unwrap_or_else(|_| panic!("the input was {:?}", data.escape_ascii().to_string()))
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

const WORDS: [&str; 45] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    ".",
    "..",
    "null",
    "true",
    "-0",
    "1e999",
    "1e-7",
    "4102444800",
    "9007199254740993",
    "\\ud800",
    "\\u0061",
    "\u{feff}",
    "\0",
    "\n",
    " ",
    "é",
    "\"alg\":\"none\"",
    "\"alg\":\"HS256\"",
    "\"crit\":[\"b64\"],",
    "\"b64\":false,",
    "\"typ\":\"at+jwt\",",
    "\"kid\":\"\",",
    "\"aud\":[],",
    "\"exp\":0,",
    "\"k\":\"AAAA\",",
    "\"use\":\"enc\",",
    "\"key_ops\":[\"sign\"],",
    "-----BEGIN ",
    "-----END ",
    "=",
    "AAAA",
    "____",
    "; __Host-a=",
    "X-API-Key: ",
    "_live_",
    "same-site",
    "\r\n",
];

fn change(data: &mut Vec<u8>, dice: &mut Dice, seeds: &[Vec<u8>]) {
    let at = dice.below(data.len() + 1);
    let end = (at + 1 + dice.below(16)).min(data.len());
    match dice.below(16) {
        0..=3 if at < data.len() => data[at] ^= 1 << dice.below(8),
        4..=7 if at < data.len() => data[at] = dice.below(256) as u8,
        8 | 9 => drop(data.drain(at..end)),
        10 | 11 => drop(data.splice(at..at, dice.pick(&WORDS).bytes())),
        12 => drop(data.splice(at..end, dice.pick(&WORDS).bytes())),
        13 => {
            let again = data[at..end].to_vec();
            let to = dice.below(data.len() + 1);
            drop(data.splice(to..to, again));
        }
        14 => {
            let other = dice.pick(seeds);
            let from = dice.below(other.len() + 1);
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
        _ => data.truncate(at),
    }
}

/// SplitMix64: small, fixed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
