//! The guard of `make bench`: what one decision costs with everything on, beside the verification that is in
//! it. `gatekey-bench-guard run ROUNDS MILLISECONDS` takes samples of all cases in turn, every other round in
//! reverse, and prints `case<TAB>NAME<TAB>BARE<TAB>CALLS<TAB>BYTES<TAB>nanoseconds...`: the verification it is
//! compared with, what one call asks of the allocator, and a sample of each round.
//! `gatekey-bench-guard once NAME N` runs one case N times, for callgrind.

use aws_lc_rs::hmac;
use base64_simd::URL_SAFE_NO_PAD as B64;
use gatekey::apikey::{ApiKeyOptions, Check, IssuedKey, KeySpec, parse_rate};
use gatekey::guard::{Decision, Demand, Guard, Request};
use gatekey::jwk::KeySource;
use gatekey::session::{SessionCookies, SessionOptions, SessionSpec, SessionTokens};
use gatekey::web::Csrf;
use gatekey::{
    Alg, ApiKeys, Claims, Key, KeySet, Policy, ResourceServer, Secret, Sessions, Signer, Store, Verifier,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ISSUER: &str = "https://shop.example";
const OTHER: &str = "https://auth.example";
const THIRD: &str = "https://login.example";
const API: &str = "https://api.example";
const OWN_SECRET: &[u8] = b"of the sessions, 32 bytes of it!";
const OTHER_SECRET: &[u8] = b"of another issuer, 32 bytes too!";
/// Different credentials that are presented in turn.
const MANY: usize = 64;
/// The refusal that those of other keys are compared with.
const UNKNOWN: &str = "refused: an unknown API key";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["run", rounds, milliseconds] => {
            let budget = milliseconds.parse::<f64>().expect("milliseconds") / 1e3;
            run(rounds.parse().expect("a number"), Duration::from_secs_f64(budget));
        }
        ["once", name, n] => {
            let mut cases = World::new().cases();
            let case = cases.iter_mut().find(|case| case.name == name).expect("a case");
            (0..n.parse().expect("a number")).for_each(&mut case.call);
        }
        ["names"] => World::new().cases().iter().for_each(|case| println!("{}", case.name)),
        _ => {
            eprintln!("usage: gatekey-bench-guard run ROUNDS MILLISECONDS | once NAME N | names");
            std::process::exit(2);
        }
    }
}

/// One operation, on the credential of this number.
struct Case {
    name: &'static str,
    /// The verification that is in it; empty for none.
    bare: &'static str,
    call: Box<dyn FnMut(usize)>,
}

fn run(rounds: usize, budget: Duration) {
    let mut cases = World::new().cases();
    let mut times = vec![Vec::new(); cases.len()];
    let counts: Vec<_> = cases.iter_mut().map(|case| asked(&mut case.call)).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            times[at].push(sample(&mut cases[at].call, budget));
        }
    }
    for ((case, times), (calls, bytes)) in cases.iter().zip(times).zip(counts) {
        let times: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
        println!("case\t{}\t{}\t{calls}\t{bytes}\t{}", case.name, case.bare, times.join("\t"));
    }
}

/// Warms up for a tenth of the budget, then spends the budget in one timed loop.
fn sample(call: &mut dyn FnMut(usize), budget: Duration) -> f64 {
    let mut timed = |n: usize| {
        let start = Instant::now();
        (0..n).for_each(&mut *call);
        start.elapsed()
    };
    let mut n = MANY;
    let mut spent = timed(n);
    while spent < budget / 10 {
        n *= 2;
        spent = timed(n);
    }
    let n = (budget.as_secs_f64() / (spent.as_secs_f64() / n as f64)).ceil() as usize;
    timed(n).as_nanos() as f64 / n as f64
}

/// What one call asks of the allocator, once everything is warm.
fn asked(call: &mut dyn FnMut(usize)) -> (u64, u64) {
    (0..2 * MANY).for_each(&mut *call);
    let before = (CALLS.get(), BYTES.get());
    (0..MANY).for_each(&mut *call);
    let n = MANY as u64;
    ((CALLS.get() - before.0) / n, (BYTES.get() - before.1) / n)
}

/// A service that has everything.
struct World {
    guard: Arc<Guard>,
    keys: ApiKeys,
    sessions: Sessions,
    csrf: Csrf,
    signer: Key,
    other: Key,
    third: Key,
    demand: Demand,
}

type Header = (Vec<u8>, Vec<u8>);

impl World {
    fn new() -> Self {
        let store = Store::open("memory:").expect("a store");
        let keys = store.api_keys(ApiKeyOptions::new()).expect("API keys");
        let of_secret = |secret: &[u8]| Key::from_secret(secret, Alg::Hs256).expect("a key");
        let (signer, other) = (of_secret(OWN_SECRET), of_secret(OTHER_SECRET));
        let third = Key::generate(Alg::EdDsa).expect("a key");
        let own = Signer::builder(&signer).issuer(ISSUER).audience(API).typ("at+jwt").ttl(3600);
        let own = own.build().expect("a signer");
        let options = SessionOptions::new();
        let sessions = store.sessions(Some(&own), options).expect("sessions");
        let csrf = Csrf::new(&Secret::new(vec![7; 32])).expect("a secret");
        let set = |key: &Key| -> Arc<dyn KeySource> {
            Arc::new(KeySet::new([key.clone()]).expect("a set"))
        };
        let public = third.public().expect("a public key");
        let tokens = ResourceServer::builder(API)
            .issuer(OTHER, set(&other))
            .issuer(THIRD, set(&public))
            .tenant_claim("tenant");
        let guard = Guard::builder()
            .api_keys(keys.clone())
            .sessions(sessions.clone())
            .cookies(SessionCookies::builder(&csrf).build().expect("cookies"))
            .tokens(tokens)
            .origin(ISSUER)
            .origin("https://app.shop.example")
            .trusted_proxy("10.0.0.0/8")
            .trusted_proxy("fd00::/8")
            .realm("shop")
            .metadata_url("https://api.example/.well-known/oauth-protected-resource")
            .build()
            .expect("a guard");
        let demand = Demand::builder().scopes(["orders:read"]).limit("orders", "10000000/s");
        let demand = demand.build().expect("a demand");
        let guard = Arc::new(guard);
        Self { guard, keys, sessions, csrf, signer, other, third, demand }
    }

    fn cases(self) -> Vec<Case> {
        let mut cases = Vec::new();
        self.api_keys(&mut cases);
        self.own_sessions(&mut cases);
        self.foreign(&mut cases);
        self.refusals(&mut cases);
        cases
    }

    fn api_keys(&self, cases: &mut Vec<Case>) {
        let texts: Vec<String> = (0..MANY)
            .map(|n| {
                let mut spec = KeySpec::new(format!("customer-{n:07}"));
                spec.name = "orders of the shop".into();
                spec.scopes = vec!["orders:read".into(), "orders:write".into()];
                spec.tenant = "t1".into();
                spec.cidrs = vec!["198.51.100.0/24".into(), "203.0.113.0/24".into()];
                spec.rate = Some(parse_rate("10000000/s").expect("a rate"));
                self.keys.create(&spec).expect("a key").secret.expose_str().to_owned()
            })
            .collect();
        let (keys, own) = (self.keys.clone(), texts.clone());
        bare(cases, "ApiKeys::verify", move |at| {
            let check = Check::new().scopes(&["orders:read"]).ip([203, 0, 113, 9].into());
            black_box(keys.verify(&own[at], &check).expect("accepted"));
        });
        let with = |name: &str, prefix: &str| {
            let header = |text| (name.as_bytes().to_vec(), format!("{prefix}{text}").into_bytes());
            texts.iter().map(|text| request(b"GET", [header(text)])).collect::<Vec<_>>()
        };
        let verify = "ApiKeys::verify";
        self.decides(cases, "API key", verify, &self.demand, with("x-api-key", ""), 200);
        let bearer = with("authorization", "Bearer ");
        self.decides(cases, "API key behind Bearer", verify, &self.demand, bearer, 200);
    }

    fn log_in(&self, n: usize) -> SessionTokens {
        let claims = Claims::new()
            .claim_str("scope", "orders:read orders:write")
            .claim_str("tenant", "t1");
        let spec = SessionSpec { claims, ..SessionSpec::default() };
        self.sessions.start(&format!("user-{n:07}"), &spec).expect("started")
    }

    fn own_sessions(&self, cases: &mut Vec<Case>) {
        let tokens: Vec<SessionTokens> = (0..MANY).map(|n| self.log_in(n)).collect();
        let texts: Vec<String> =
            tokens.iter().map(|tokens| tokens.access_token.expose_str().to_owned()).collect();
        hmac_of(cases, "HMAC of a session's token", OWN_SECRET, &texts);
        let revocations = Arc::new(self.sessions.revocations().clone());
        let policy = policy(ISSUER).revocations(revocations);
        verifier_of(cases, "Verifier::verify, a session's HS256", &self.signer, policy, &texts);
        let verify = "Verifier::verify, a session's HS256";
        let bearers = texts.iter().map(|text| request(b"GET", [bearer(text)])).collect();
        self.decides(cases, "session behind Bearer", verify, &self.demand, bearers, 200);
        let gets = texts.iter().map(|text| request(b"GET", [cookie(text)])).collect();
        self.decides(cases, "session in a cookie, GET", verify, &self.demand, gets, 200);
        let posts = tokens.iter().zip(&texts).map(|(tokens, text)| {
            let token = self.csrf.issue(tokens.family()).expect("a token").into_bytes();
            request(b"POST", [cookie(text), (b"x-csrf-token".to_vec(), token)])
        });
        let posts = posts.collect();
        self.decides(cases, "session in a cookie, POST", verify, &self.demand, posts, 200);
    }

    fn foreign(&self, cases: &mut Vec<Case>) {
        for (key, issuer, hmac, verify, name) in [
            (&self.other, OTHER, "HMAC of another issuer's token", "Verifier::verify, another issuer's HS256", "another issuer's HS256"),
            (&self.third, THIRD, "", "Verifier::verify, another issuer's EdDSA", "another issuer's EdDSA"),
        ] {
            let texts = foreign_tokens(key, issuer);
            if !hmac.is_empty() {
                hmac_of(cases, hmac, OTHER_SECRET, &texts);
            }
            let public = if hmac.is_empty() { key.public().expect("a public key") } else { key.clone() };
            verifier_of(cases, verify, &public, policy(issuer), &texts);
            let bearers = texts.iter().map(|text| request(b"GET", [bearer(text)])).collect();
            self.decides(cases, name, verify, &self.demand, bearers, 200);
        }
    }

    fn refusals(&self, cases: &mut Vec<Case>) {
        let alone = |headers: Vec<Header>| vec![request(b"GET", headers)];
        let public = Demand::builder().public().limit("log-in", "10000000/s");
        let public = public.build().expect("a demand");
        self.decides(cases, "public, with a limit", "", &public, alone(vec![]), 200);
        let demand = &self.demand;
        self.decides(cases, "refused: no credential", "", demand, alone(vec![]), 401);
        self.refused_keys(cases);
        let good = self.log_in(0).access_token.expose_str().to_owned();
        let mut forged = good.clone();
        let at = forged.len() - 10;
        forged.replace_range(at..=at, if &good[at..=at] == "A" { "B" } else { "A" });
        let verify = "Verifier::verify, a session's HS256";
        self.decides(cases, "refused: a bad signature", verify, demand, alone(vec![bearer(&forged)]), 401);
        let write = Demand::builder().scopes(["orders:delete"]).build().expect("a demand");
        self.decides(cases, "refused: a scope", verify, &write, alone(vec![bearer(&good)]), 403);
        let post = vec![request(b"POST", [cookie(&good)])];
        self.decides(cases, "refused: no CSRF token", verify, demand, post, 403);
    }

    /// Keys whose answer is one and the same: who holds no good one learns nothing, not by the time either.
    fn refused_keys(&self, cases: &mut Vec<Case>) {
        let key = |change: &dyn Fn(&mut KeySpec)| {
            let mut spec = KeySpec::new("customer");
            spec.scopes = vec!["orders:read".into()];
            spec.tenant = "t1".into();
            change(&mut spec);
            self.keys.create(&spec).expect("a key")
        };
        let (known, revoked, disabled) = (key(&|_| {}), key(&|_| {}), key(&|_| {}));
        self.keys.revoke(&revoked.record.id, "").expect("revoked");
        self.keys.disable(&disabled.record.id, "").expect("disabled");
        let expired = key(&|spec| spec.expires_in = Some(1));
        let tenant = key(&|spec| spec.tenant = "t2".into());
        let unknown = {
            let other = Store::open("memory:").expect("a store");
            let other = other.api_keys(ApiKeyOptions::new()).expect("API keys");
            other.create(&KeySpec::new("a")).expect("a key")
        };
        let text = |issued: &IssuedKey| issued.secret.expose_str().to_owned();
        // Its secret before a rotation without an overlap.
        self.keys.rotate(&known.record.id, 0).expect("rotated");
        std::thread::sleep(Duration::from_millis(2100)); // until one has expired
        let demand = Demand::builder().scopes(["orders:read"]).tenant("t1");
        let demand = demand.build().expect("a demand");
        for (name, text) in [
            (UNKNOWN, text(&unknown)),
            ("refused: a known API key, another secret", text(&known)),
            ("refused: a revoked API key", text(&revoked)),
            ("refused: a disabled API key", text(&disabled)),
            ("refused: an expired API key", text(&expired)),
            ("refused: an API key of another tenant", text(&tenant)),
        ] {
            let header = (b"x-api-key".to_vec(), text.into_bytes());
            let bare = if name == UNKNOWN { "" } else { UNKNOWN };
            self.decides(cases, name, bare, &demand, vec![request(b"GET", [header])], 401);
        }
    }

    /// Decides about each request in turn.
    fn decides(
        &self,
        cases: &mut Vec<Case>,
        name: &'static str,
        bare: &'static str,
        demand: &Demand,
        requests: Vec<Owned>,
        status: u16,
    ) {
        let (guard, demand) = (Arc::clone(&self.guard), demand.clone());
        let decide = move |owned: &Owned| -> Decision {
            let mut headers: [(&[u8], &[u8]); 24] = [(b"", b""); 24];
            for (place, (name, value)) in headers.iter_mut().zip(&owned.headers) {
                *place = (name, value);
            }
            let headers = &headers[..owned.headers.len()];
            let request = Request::new(owned.method, b"/orders/4711").headers(headers).peer("10.0.0.7");
            guard.check(&request, &demand)
        };
        for owned in &requests {
            let decision = decide(owned);
            assert_eq!(decision.status(), status, "{name}: {decision:?}");
        }
        let call = move |n: usize| {
            drop(black_box(decide(black_box(&requests[n % requests.len()]))));
        };
        cases.push(Case { name, bare, call: Box::new(call) });
    }
}

/// A request, as a server has it.
struct Owned {
    method: &'static [u8],
    headers: Vec<Header>,
}

/// What a browser sends behind a proxy, and these.
fn request(method: &'static [u8], more: impl IntoIterator<Item = Header>) -> Owned {
    const ORDINARY: [(&str, &str); 12] = [
        ("host", "shop.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-language", "en-GB,en;q=0.8,de;q=0.5,fr;q=0.3"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://shop.example/orders?page=2"),
        ("origin", "https://shop.example"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "same-origin"),
        ("x-forwarded-for", "203.0.113.9"),
        ("cookie", "theme=dark; lang=en; _ga=GA1.2.1234567890.1700000000; consent=1; cart=a8b7c6d5e4f3"),
    ];
    let own = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut headers: Vec<Header> = ORDINARY.iter().map(own).collect();
    for (name, mut value) in more {
        if name == b"cookie" {
            let (_, ordinary) = headers.pop().expect("the last is the cookie");
            value = [ordinary.as_slice(), b"; ", &value].concat();
        }
        headers.push((name, value));
    }
    Owned { method, headers }
}

fn bearer(token: &str) -> Header {
    (b"authorization".to_vec(), format!("Bearer {token}").into_bytes())
}

/// The session's, beside its CSRF token.
fn cookie(token: &str) -> Header {
    let csrf = "A".repeat(64);
    (b"cookie".to_vec(), format!("__Host-access={token}; __Host-csrf={csrf}").into_bytes())
}

fn policy(issuer: &str) -> Policy {
    Policy::new().expect_issuer(issuer).expect_audience(API).expect_type("at+jwt")
}

fn foreign_tokens(key: &Key, issuer: &str) -> Vec<String> {
    let signer = Signer::builder(key).issuer(issuer).audience(API).typ("at+jwt").ttl(3600);
    let signer = signer.build().expect("a signer");
    let claims = |n: usize| {
        Claims::new()
            .subject(&format!("user-{n:07}"))
            .claim_str("client_id", "mobile-app")
            .claim_str("scope", "orders:read orders:write")
            .claim_str("tenant", "t1")
    };
    (0..MANY).map(|n| signer.sign(&claims(n)).expect("a token")).collect()
}

fn bare(cases: &mut Vec<Case>, name: &'static str, call: impl Fn(usize) + 'static) {
    cases.push(Case { name, bare: "", call: Box::new(move |n| call(n % MANY)) });
}

/// The primitive, of a signature that is decoded already.
fn hmac_of(cases: &mut Vec<Case>, name: &'static str, secret: &[u8], tokens: &[String]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let parts: Vec<(String, Vec<u8>)> = tokens
        .iter()
        .map(|token| {
            let (message, signature) = token.rsplit_once('.').expect("three parts");
            (message.to_owned(), B64.decode_to_vec(signature).expect("base64url"))
        })
        .collect();
    bare(cases, name, move |at| {
        let (message, signature) = &parts[at];
        hmac::verify(&key, message.as_bytes(), signature).expect("good");
    });
}

fn verifier_of(
    cases: &mut Vec<Case>,
    name: &'static str,
    key: &Key,
    policy: Policy,
    tokens: &[String],
) {
    let verifier = Verifier::with_key(key, policy).expect("a verifier");
    let tokens = tokens.to_vec();
    bare(cases, name, move |at| {
        black_box(verifier.verify(&tokens[at]).expect("accepted"));
    });
}

/// Counts what is asked of the allocator.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = BYTES.try_with(|total| total.set(total.get() + bytes as u64));
}

// SAFETY: every call is forwarded unchanged to `System`, which upholds the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(old, layout) }
    }
}
