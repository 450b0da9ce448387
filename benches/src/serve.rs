//! One contender's operation, proven to work and then timed on demand.
//!
//! The protocol, one line each way: at start the host prints `case<TAB>CONTENDER<TAB>OP<TAB>ALG` for
//! everything it can run, `skip<TAB>CONTENDER<TAB>REASON` for what it cannot, `version<TAB>NAME<TAB>VERSION`,
//! and `ready`. Then `CONTENDER<TAB>OP<TAB>ALG<TAB>MILLISECONDS` is answered by nanoseconds per operation.

use crate::fixtures::Fixtures;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

pub(crate) struct Case {
    pub(crate) contender: &'static str,
    pub(crate) op: &'static str,
    pub(crate) alg: &'static str,
    /// Runs the operation so many times.
    pub(crate) run: Box<dyn FnMut(usize) -> Duration>,
}

/// A verifier must accept every good token and refuse each kind of bad one before it is timed.
pub(crate) fn verify(
    contender: &'static str,
    fixtures: &Fixtures,
    cases: &mut Vec<Case>,
    verify: impl Fn(&str) -> bool + 'static,
) {
    let alg = fixtures.alg;
    for token in &fixtures.tokens {
        assert!(verify(token), "{contender} {alg} refuses a good token");
    }
    for (what, token) in &fixtures.bad {
        assert!(!verify(token), "{contender} {alg} accepts a token with: {what}");
    }
    time(contender, "verify", alg, cases, fixtures.tokens.clone(), move |token| verify(token));
}

/// A signer's token must be the good token's text (or, where the signature is random, verify).
pub(crate) fn sign(
    contender: &'static str,
    fixtures: &Fixtures,
    cases: &mut Vec<Case>,
    sign: impl Fn() -> String + 'static,
) {
    let alg = fixtures.alg;
    let token = sign();
    assert!(
        crate::floor::accepts(fixtures, &token),
        "{contender} {alg} signs a bad token: {token}"
    );
    assert!(
        token.len().abs_diff(fixtures.tokens[0].len()) <= 16,
        "{contender} {alg} signs another payload: {token}"
    );
    time(contender, "sign", alg, cases, vec![()], move |()| sign());
}

/// Times `op` over the inputs in turn, without further proof.
pub(crate) fn time<I: 'static, R>(
    contender: &'static str,
    op: &'static str,
    alg: &'static str,
    cases: &mut Vec<Case>,
    inputs: Vec<I>,
    operation: impl Fn(&I) -> R + 'static,
) {
    let run = move |n: usize| {
        let start = Instant::now();
        for input in inputs.iter().cycle().take(n) {
            black_box(operation(black_box(input)));
        }
        start.elapsed()
    };
    cases.push(Case { contender, op, alg, run: Box::new(run) });
}

pub(crate) fn answer(cases: &mut [Case]) {
    let mut out = std::io::stdout().lock();
    for case in cases.iter() {
        writeln!(out, "case\t{}\t{}\t{}", case.contender, case.op, case.alg)
            .expect("the driver listens");
    }
    if cfg!(not(feature = "jwt-simple")) {
        writeln!(out, "skip\tjwt-simple\tbuilding its BoringSSL needs cmake and libclang")
            .expect("the driver listens");
    }
    for (name, version) in crate::peers::VERSIONS {
        writeln!(out, "version\t{name}\t{version}").expect("the driver listens");
    }
    writeln!(out, "ready").expect("the driver listens");
    out.flush().expect("the driver listens");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the driver speaks");
        let words: Vec<&str> = line.split('\t').collect();
        let [contender, op, alg, ms] = words[..] else { panic!("not a request: {line}") };
        let case = cases.iter_mut().find(|c| (c.contender, c.op, c.alg) == (contender, op, alg));
        let case = case.expect("the driver asks for cases it was told of");
        let budget = Duration::from_secs_f64(ms.parse::<f64>().expect("milliseconds") / 1e3);
        writeln!(out, "{}", sample(&mut case.run, budget)).expect("the driver listens");
        out.flush().expect("the driver listens");
    }
}

/// Warms up for a tenth of the budget, then spends the budget in one timed loop.
fn sample(run: &mut dyn FnMut(usize) -> Duration, budget: Duration) -> f64 {
    let mut n = 1;
    let mut spent = run(n);
    while spent < budget / 10 {
        n *= 2;
        spent = run(n);
    }
    let n = (budget.as_secs_f64() / (spent.as_secs_f64() / n as f64)).ceil() as usize;
    run(n).as_nanos() as f64 / n as f64
}
