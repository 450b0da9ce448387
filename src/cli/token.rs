//! `gatekey token ...`

use super::exit::{Failure, Outcome};
use super::input::{self, PassphraseArgs, duration};
use super::jwk::{algorithm, is_set, options, read_key};
use super::output::{Output, date, distance, pretty};
use crate::json::{self, ObjectWriter};
use crate::jwt::danger_decode_unverified;
use crate::{Alg, Claims, Clock as _, Key, KeySet, Policy, Signer, SystemClock, Verifier};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign a token and print it
    Sign(Box<Sign>),
    /// Verify a token and print its claims; exits with 1 if it is refused
    Verify(Box<Verify>),
    /// Print a token's header and claims WITHOUT verifying anything
    Inspect(Inspect),
}

/// The key of a token.
#[derive(Debug, clap::Args)]
struct TokenKey {
    /// The key: JWK, PEM, DER or OpenSSH's; to verify, a JWK Set as well
    #[arg(long, value_name = "FILE", required_unless_present = "secret_file")]
    key: Option<PathBuf>,
    /// The secret of HS256, HS384 or HS512, as it stands in this file without a line break at its
    /// end
    #[arg(long, value_name = "FILE", conflicts_with = "key", requires = "alg")]
    secret_file: Option<PathBuf>,
    /// The key's algorithm, where it does not say so itself
    #[arg(long, value_parser = algorithm)]
    alg: Option<Alg>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    #[command(flatten)]
    key: TokenKey,
    /// `iss`
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// `aud`; several times for several
    #[arg(long)]
    audience: Vec<String>,
    /// `sub`
    #[arg(long)]
    subject: Option<String>,
    /// For how long it is valid: 15m, 1h, or seconds
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    expires_in: u64,
    /// The header's `typ`
    #[arg(long, default_value = "JWT")]
    typ: String,
    /// A member of the header, its value as JSON: x5t='"..."', cty='"JWT"'; several times for
    /// several
    #[arg(long = "header", value_name = "NAME=JSON", value_parser = named_json)]
    headers: Vec<(String, String)>,
    /// More claims: a JSON object in this file; - for standard input
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    key: TokenKey,
    /// The token [default: standard input or a prompt]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The `iss` it must have; several times for several
    #[arg(long, value_name = "URL")]
    issuer: Vec<String>,
    /// Accept any `iss` and none
    #[arg(long, conflicts_with = "issuer")]
    any_issuer: bool,
    /// The `aud` it must be for; several times for several
    #[arg(long)]
    audience: Vec<String>,
    /// Accept any `aud` and none
    #[arg(long, conflicts_with = "audience")]
    any_audience: bool,
    /// The `sub` it must have
    #[arg(long)]
    subject: Option<String>,
    /// The `typ` it must have, such as at+jwt
    #[arg(long)]
    typ: Option<String>,
    /// How far clocks may disagree: 30s; at most 10 minutes
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    leeway: u64,
    /// How long ago it may have been issued
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_age: Option<u64>,
    /// The value a claim must have, as JSON: token_type='"access"'; several of one name for any of
    /// them
    #[arg(long = "claim", value_name = "NAME=JSON", value_parser = named_json)]
    claims: Vec<(String, String)>,
    /// Accept a `sub` that is a whole number
    #[arg(long)]
    allow_numeric_subject: bool,
    /// Accept parts that are padded with `=`, as AWS load balancers sign them
    #[arg(long)]
    allow_padding: bool,
    /// A claim it must have; several times for several
    #[arg(long = "require", value_name = "CLAIM")]
    required: Vec<String>,
    /// Accept a token that never expires
    #[arg(long)]
    allow_missing_exp: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The token [default: standard input or a prompt]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A name and a value in JSON, with `=` between them. For clap.
fn named_json(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`: give NAME=JSON")?;
    json::parse(value.as_bytes())
        .map_err(|_| "the value is not JSON; a text needs its quotes: NAME='\"...\"'")?;
    Ok((name.to_owned(), value.to_owned()))
}

enum Read {
    Key(Key),
    Set(KeySet),
}

impl TokenKey {
    fn read(&self) -> Outcome<Read> {
        let options = options(self.alg, None);
        if let Some(file) = &self.secret_file {
            let secret = input::file(file)?;
            let bytes = secret.expose();
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            let key = options.from_secret(bytes);
            return key.map(Read::Key).map_err(|error| about(error, file));
        }
        let file = self.key.as_deref().unwrap_or_else(|| Path::new("-"));
        let text = input::file(file)?;
        let read = if is_set(text.expose()) {
            KeySet::from_jwks_with(text.expose(), self.alg).map(Read::Set).map_err(Failure::from)
        } else {
            read_key(text.expose(), options, &self.passphrase).map(Read::Key)
        };
        read.map_err(|failure| failure.about(&file.display().to_string()))
    }
}

fn about(error: crate::Error, file: &Path) -> Failure {
    Failure::from(error).about(&file.display().to_string())
}

fn token(file: Option<&Path>) -> Outcome<crate::Secret> {
    match file {
        Some(file) => input::line_of(file, "token"),
        None => input::secret("token"),
    }
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Sign(sign) => run_sign(&sign, output),
        Command::Verify(verify) => run_verify(&verify, output),
        Command::Inspect(inspect) => run_inspect(&inspect, output),
    }
}

fn run_sign(sign: &Sign, output: &mut Output) -> Outcome<()> {
    let Read::Key(key) = sign.key.read()? else {
        return Err(Failure::Usage("A token is signed with one key, not with a set.".to_owned()));
    };
    let mut builder = Signer::builder(&key).ttl(sign.expires_in).typ(&sign.typ);
    if let Some(issuer) = &sign.issuer {
        builder = builder.issuer(issuer);
    }
    for (name, value) in &sign.headers {
        builder = builder.header(name, value.as_str());
    }
    for audience in &sign.audience {
        builder = builder.audience(audience);
    }
    let mut claims = match &sign.claims {
        Some(file) => {
            let text = input::file(file)?;
            let claims = Claims::from_json(text.expose().trim_ascii());
            claims.map_err(|error| Failure::Input(format!("{}: {error}", file.display())))?
        }
        None => Claims::new(),
    };
    if let Some(subject) = &sign.subject {
        claims = claims.subject(subject);
    }
    let token = builder.build()?.sign(&claims)?;
    let mut json = ObjectWriter::new();
    json.text("token", &token);
    json.text("kid", key.kid());
    json.text("alg", key.alg().name());
    output.either(&json.end(), || token)
}

fn run_verify(verify: &Verify, output: &mut Output) -> Outcome<()> {
    let mut policy = Policy::new().leeway(verify.leeway);
    for issuer in &verify.issuer {
        policy = policy.expect_issuer(issuer);
    }
    for audience in &verify.audience {
        policy = policy.expect_audience(audience);
    }
    for name in &verify.required {
        policy = policy.require_claim(name);
    }
    for (name, value) in &verify.claims {
        policy = policy.expect_claim(name.as_str(), value)?;
    }
    if verify.allow_numeric_subject {
        policy = policy.allow_numeric_subject();
    }
    if verify.allow_padding {
        policy = policy.allow_padding();
    }
    if verify.any_issuer {
        policy = policy.ignore_issuer();
    }
    if verify.any_audience {
        policy = policy.ignore_audience();
    }
    if let Some(subject) = &verify.subject {
        policy = policy.expect_subject(subject);
    }
    if let Some(typ) = &verify.typ {
        policy = policy.expect_type(typ);
    }
    if let Some(seconds) = verify.max_age {
        policy = policy.max_age(seconds);
    }
    if verify.allow_missing_exp {
        policy = policy.allow_missing_exp();
    }
    let verifier = match verify.key.read()? {
        Read::Key(key) => Verifier::with_key(&key, policy)?,
        Read::Set(set) => Verifier::new(&set, policy)?,
    };
    let token = token(verify.token_file.as_deref())?;
    let verified = verifier.verify(token.expose())?;
    let claims = verified.claims_json();
    output.either(claims, || pretty(&verified.claims()))
}

fn run_inspect(inspect: &Inspect, output: &mut Output) -> Outcome<()> {
    let token = token(inspect.token_file.as_deref())?;
    let decoded = danger_decode_unverified(token.expose())?;
    let (header, claims) = (decoded.header_json(), decoded.claims_json());
    let mut object = ObjectWriter::new();
    object.bool("verified", false);
    object.raw("header", header);
    object.raw("claims", claims);
    if output.is_json() {
        return output.line(&object.end());
    }
    output.note("NOT VERIFIED: an attacker can have written this.");
    let claims = json::parse(claims.as_bytes())?;
    output.show(&pretty(&json::parse(header.as_bytes())?))?;
    output.show(&pretty(&claims))?;
    let now = SystemClock.now();
    for (name, what) in [("iat", "issued"), ("nbf", "valid from"), ("exp", "expires")] {
        let seconds = claims.member(name).and_then(|value| value.as_f64());
        if let Some(seconds) = seconds.filter(|seconds| (0.0..9e15).contains(seconds)) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
            let seconds = seconds as u64;
            output.note(format!("{name}: {what} {} ({})", date(seconds), distance(seconds, now)));
        }
    }
    Ok(())
}
