//! `gatekey jwk ...`, `gatekey jwks`, and how all commands read keys.

use super::exit::{Failure, Outcome};
use super::input::{self, PassphraseArgs};
use super::output::Output;
use crate::json::{self, Kind, ObjectWriter};
use crate::jwk::KeyOptions;
use crate::{Alg, ErrorKind, Key, KeySet, Secret};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key; the private JWK goes to standard output or, better, to a file of mode 0600
    Generate(Generate),
    /// Print the public half of a key as a JWK
    Public(Public),
    /// Print the thumbprint of a key (RFC 7638, SHA-256)
    Thumbprint(Thumbprint),
    /// Write a key in another form: PEM, JWK
    Convert(Convert),
}

#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// ES256, EdDSA, RS256, HS256, ML-DSA-44, ...
    #[arg(long, value_parser = algorithm)]
    alg: Alg,
    /// The key's name [default: its thumbprint]
    #[arg(long, allow_hyphen_values = true)]
    kid: Option<String>,
    /// The size of an RSA key: 2048, 3072, 4096
    #[arg(long)]
    bits: Option<usize>,
    /// Write PEM instead of a JWK
    #[arg(long)]
    pem: bool,
    /// Write to this new file, which only its owner may read
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A key to be read.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// A key: JWK, PEM, DER or OpenSSH's; - for standard input
    #[arg(value_name = "KEY")]
    file: PathBuf,
    /// The key's algorithm, where it does not say so itself: RS256, PS256, ...
    #[arg(long, value_parser = algorithm)]
    alg: Option<Alg>,
    /// The key's name [default: what it says itself, else its thumbprint]
    #[arg(long, allow_hyphen_values = true)]
    kid: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Public {
    #[command(flatten)]
    key: KeyArgs,
    /// Write PEM instead of a JWK
    #[arg(long)]
    pem: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Thumbprint {
    #[command(flatten)]
    key: KeyArgs,
    /// As a URI (RFC 9278)
    #[arg(long)]
    uri: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Convert {
    #[command(flatten)]
    key: KeyArgs,
    /// What to write
    #[arg(long, value_enum)]
    to: Form,
    /// Write the public half only
    #[arg(long)]
    public: bool,
    /// Write to this new file, which only its owner may read
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Jwk,
    Pem,
}

#[derive(Debug, clap::Args)]
pub(super) struct Jwks {
    /// Keys and sets of keys: JWK, JWK Set, PEM, DER or OpenSSH's
    #[arg(required = true, value_name = "KEY")]
    files: Vec<PathBuf>,
    /// The algorithm of keys that do not say so themselves
    #[arg(long, value_parser = algorithm)]
    alg: Option<Alg>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Reads an algorithm's name. For clap.
pub(super) fn algorithm(name: &str) -> Result<Alg, String> {
    Alg::from_name(name).map_err(|_| {
        let known: Vec<_> = Alg::ALL.iter().map(|alg| alg.name()).collect();
        format!("use one of {}", known.join(", "))
    })
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Generate(generate) => {
            let mut key = match generate.bits {
                Some(bits) => Key::generate_rsa(generate.alg, bits)?,
                None => Key::generate(generate.alg)?,
            };
            if let Some(kid) = &generate.kid {
                key = key.with_kid(kid)?;
            }
            let form = if generate.pem { Form::Pem } else { Form::Jwk };
            write(&key, form, false, generate.out.as_deref(), output)
        }
        Command::Public(Public { key, pem }) => {
            let form = if pem { Form::Pem } else { Form::Jwk };
            write(&key.read()?, form, true, None, output)
        }
        Command::Thumbprint(Thumbprint { key, uri }) => {
            let key = key.read()?;
            let mut json = ObjectWriter::new();
            json.text("thumbprint", &key.thumbprint());
            json.text("uri", &key.thumbprint_uri());
            output.either(&json.end(), || if uri { key.thumbprint_uri() } else { key.thumbprint() })
        }
        Command::Convert(Convert { key, to, public, out }) => {
            write(&key.read()?, to, public, out.as_deref(), output)
        }
    }
}

/// Writes a key: its private half where it has one, unless the public one is asked for.
fn write(
    key: &Key,
    form: Form,
    public: bool,
    out: Option<&Path>,
    output: &mut Output,
) -> Outcome<()> {
    let text = match (form, public || !key.is_private()) {
        (Form::Jwk, true) => Secret::from(key.to_jwk()?),
        (Form::Jwk, false) => key.to_private_jwk()?,
        (Form::Pem, true) => Secret::from(key.to_pem()?),
        (Form::Pem, false) => key.to_private_pem()?,
    };
    match out {
        Some(path) => {
            input::write_private(path, text.expose())?;
            output.note(format!("Wrote {} ({}, kid {}).", path.display(), key.alg(), key.kid()));
            Ok(())
        }
        None => output.line(text.expose_str()),
    }
}

pub(super) fn jwks(arguments: &Jwks, output: &mut Output) -> Outcome<()> {
    let mut keys = Vec::new();
    for file in &arguments.files {
        let text = input::file(file)?;
        let about = |error: crate::Error| Failure::from(error).about(&file.display().to_string());
        if is_set(text.expose()) {
            let set = KeySet::from_jwks(text.expose()).map_err(about)?;
            note_skipped(&set, file, output);
            keys.extend(set.iter().cloned());
        } else {
            let key = read_key(text.expose(), options(arguments.alg, None), &arguments.passphrase);
            keys.push(key.map_err(|failure| failure.about(&file.display().to_string()))?);
        }
    }
    let set = KeySet::new(keys)?;
    output.line(&set.to_jwks()?)
}

/// Says which members of a set are not used, and why.
fn note_skipped(set: &KeySet, file: &Path, output: &mut Output) {
    for member in set.skipped() {
        let name = member.kid().map(|kid| format!(" of kid {}", kid)).unwrap_or_default();
        output.note(format!("{}: skipped the key{name}: {}", file.display(), member.reason()));
    }
}

impl KeyArgs {
    fn read(&self) -> Outcome<Key> {
        let text = input::file(&self.file)?;
        let options = options(self.alg, self.kid.as_deref());
        let read = read_key(text.expose(), options, &self.passphrase);
        read.map_err(|failure| failure.about(&self.file.display().to_string()))
    }
}

pub(super) fn options(alg: Option<Alg>, kid: Option<&str>) -> KeyOptions {
    let mut options = KeyOptions::new();
    if let Some(alg) = alg {
        options = options.alg(alg);
    }
    match kid {
        Some(kid) => options.kid(kid),
        None => options,
    }
}

/// A key in whichever form it is; if it is encrypted, its passphrase is asked for.
pub(super) fn read_key(
    text: &[u8],
    options: KeyOptions,
    passphrase: &PassphraseArgs,
) -> Outcome<Key> {
    match read_form(text, &options) {
        Err(error) if error.kind() == ErrorKind::PassphraseRequired => {
            let passphrase = passphrase.ask()?;
            Ok(read_form(text, &options.passphrase(passphrase.expose()))?)
        }
        read => Ok(read?),
    }
}

/// DER is no text, a JWK is JSON, and everything else is what [`KeyOptions::from_pem`] reads, or
/// names.
fn read_form(text: &[u8], options: &KeyOptions) -> crate::Result<Key> {
    let is_text =
        |byte: &u8| *byte >= 0x80 || byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if text.first() == Some(&0x30) && !text.iter().all(is_text) {
        return options.from_der(text);
    }
    let start = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii_start();
    if start.first() == Some(&b'{') && !is_json_around_pem(start) {
        return options.from_jwk(text);
    }
    options.from_pem(text)
}

/// Whether it is JSON that holds a key as PEM, such as the file of a service account.
fn is_json_around_pem(text: &[u8]) -> bool {
    json::parse(text.trim_ascii_end()).is_ok_and(|value| {
        let is_pem = |text: &str| text.contains("-----BEGIN ");
        value.member("kty").is_none()
            && value.members().any(|(_, member)| member.as_str().is_some_and(|text| is_pem(&text)))
    })
}

/// Whether the text is a JWK Set; one behind a byte order mark, too, which the reader of sets tells
/// by name.
pub(super) fn is_set(text: &[u8]) -> bool {
    const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
    let value = json::parse(text.strip_prefix(MARK).unwrap_or(text).trim_ascii());
    value.is_ok_and(|value| {
        value.kind() == Kind::Object
            && value.member("keys").is_some()
            && value.member("kty").is_none()
    })
}
