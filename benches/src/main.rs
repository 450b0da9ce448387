//! The Rust contenders of `make bench`.
//!
//! `gatekey-bench fixtures DIR` makes fresh keys and tokens for every contender in every language;
//! `gatekey-bench serve DIR` answers the driver (`run.py`) sample by sample, in the protocol of
//! `serve.rs`; `gatekey-bench once DIR CONTENDER OP ALG N` runs one case N times, for callgrind.

mod fixtures;
mod floor;
mod ours;
mod peers;
mod primitive;
mod scan;
mod serve;

use fixtures::Fixtures;
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["fixtures", dir] => fixtures::generate(Path::new(dir)),
        ["serve", dir] => serve::answer(&mut cases(dir, |_| true)),
        ["once", dir, contender, op, alg, n] => {
            let mut cases = cases(dir, |each| each == alg);
            let case =
                cases.iter_mut().find(|c| (c.contender, c.op, c.alg) == (contender, op, alg));
            let n = n.parse().expect("a number of iterations");
            (case.expect("a case of this name").run)(n);
        }
        _ => {
            eprintln!(
                "usage: gatekey-bench fixtures DIR | serve DIR | once DIR CONTENDER OP ALG N"
            );
            std::process::exit(2);
        }
    }
}

fn cases(dir: &str, wanted: impl Fn(&str) -> bool) -> Vec<serve::Case> {
    let mut cases = Vec::new();
    for alg in fixtures::ALGORITHMS.into_iter().filter(|alg| wanted(alg)) {
        let fixtures = Fixtures::load(Path::new(dir), alg);
        floor::cases(&fixtures, &mut cases);
        primitive::cases(&fixtures, &mut cases);
        ours::cases(&fixtures, &mut cases);
        peers::cases(&fixtures, &mut cases);
    }
    cases
}
