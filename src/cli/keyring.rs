//! `gatekey keyring ...`: keys that rotate. A ring is in a folder, `folder:/path`, or in a store,
//! `sqlite:///path`.

use super::exit::{Failure, Outcome};
use super::given::check_new;
use super::input::duration;
use super::jwk::algorithm;
use super::output::{self, Output};
use super::store::{PepperArgs, is_marked, located, note_pepper_file};
use crate::json::ObjectWriter;
use crate::keyring::KeyRingOptions;
use crate::open::{StoreUrl, open_key_ring};
use crate::store::{KeyRingStore as _, PostgresStore, RingFolder, SqliteStore};
use crate::{Alg, Clock as _, KeyRing, SystemClock, ToJson as _};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a ring, with an active and a next key
    New(New),
    /// Show the keys of a ring: next, active, retired
    Show(Ring),
    /// Make the next key the active one; the one that was stays good for its tokens
    Rotate(Rotate),
    /// Take a key out at once: for the day that it has leaked
    Remove(Remove),
    /// Print the public keys as a JWK Set, to be published
    Jwks(Ring),
}

#[derive(Debug, clap::Args)]
pub(super) struct Ring {
    /// A folder that only its owner may read, as folder:/path, or a store: a path, or
    /// sqlite:///path; ?mark=FILE at its end says where its mark is
    #[arg(index = 1)]
    ring: String,
    /// The ring's name in the folder or store
    #[arg(long, default_value = "default")]
    name: String,
    #[command(flatten)]
    pepper: PepperArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// The algorithm of the keys
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    alg: Alg,
    /// The longest life of a token that the ring signs; a retired key stays good for that and 10
    /// minutes more [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    token_ttl: Option<u64>,
    #[command(flatten)]
    ring: Ring,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// The algorithm of the new next key [default: that of the active key]
    #[arg(long, value_parser = algorithm)]
    alg: Option<Alg>,
    /// The longest life of a token that the ring signs; the old key stays good for that and 10
    /// minutes more [default, and at least: what the ring remembers]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    token_ttl: Option<u64>,
    #[command(flatten)]
    ring: Ring,
}

#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    // First, so that it is shown with the ring, not among what belongs to the store.
    /// The `kid` of the key, as `gatekey keyring show` gives it
    #[arg(index = 2, allow_hyphen_values = true)]
    kid: String,
    #[command(flatten)]
    ring: Ring,
}

impl Ring {
    /// Whether there is a ring, without making anything.
    fn exists(&self) -> Outcome<bool> {
        let (path, mark, is_store) = match self.ring.parse()? {
            StoreUrl::Folder { path, mark } => (path, mark, false),
            StoreUrl::Postgres(url) => {
                return Ok(PostgresStore::open(&url)?.key_ring_version(&self.name)? > 0);
            }
            _ => {
                let (path, mark, _) = located(&self.ring)?;
                (path, mark, true)
            }
        };
        if is_store && path.is_dir() {
            return Err(Failure::Input(format!(
                "{0} is a folder. A folder of key rings is named folder:{0}.",
                path.display()
            )));
        }
        // Of one that was lost, its mark warns the user who opens it.
        if !path.exists() && !is_marked(&path, &mark) {
            return Ok(false);
        }
        let version = if is_store {
            SqliteStore::open_with(path, &mark)?.key_ring_version(&self.name)?
        } else {
            RingFolder::open_with(path, &mark)?.key_ring_version(&self.name)?
        };
        Ok(version > 0)
    }

    fn open(&self, options: KeyRingOptions, output: &mut Output) -> Outcome<KeyRing> {
        let opened = open_key_ring(&self.ring, &self.pepper.source(), options.name(&self.name))?;
        note_pepper_file(opened.new_pepper_file.as_deref(), output);
        Ok(opened.ring)
    }

    /// Opens a ring that is there; new keys will have its active key's algorithm.
    fn open_existing(&self, output: &mut Output) -> Outcome<KeyRing> {
        if !self.exists()? {
            return Err(Failure::Input(format!(
                "There is no key ring {} at {}; `gatekey keyring new` makes one.",
                self.name,
                self.ring.parse::<StoreUrl>()?
            )));
        }
        let ring = self.open(KeyRingOptions::new(), output)?;
        let options = KeyRingOptions::new().alg(ring.active()?.alg);
        self.open(options, output)
    }
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::New(New { alg, token_ttl, ring }) => {
            if ring.exists()? {
                return Err(Failure::Input(format!(
                    "There is a key ring {} at {} already; it stays as it is.",
                    ring.name, ring.ring
                )));
            }
            ring.ring.parse::<StoreUrl>()?.path().map_or(Ok(()), check_new)?;
            show(&ring.open(options(alg, token_ttl), output)?, output)
        }
        Command::Show(ring) => show(&ring.open_existing(output)?, output),
        Command::Rotate(Rotate { alg, token_ttl, ring }) => {
            let opened = ring.open_existing(output)?;
            let before = opened.active()?;
            let opened = ring.open(options(alg.unwrap_or(before.alg), token_ttl), output)?;
            let after = opened.rotate()?;
            told(&before.kid, &after.kid, &opened, output)
        }
        Command::Remove(Remove { ring, kid }) => {
            let opened = ring.open_existing(output)?;
            opened.remove(&kid)?;
            show(&opened, output)
        }
        Command::Jwks(ring) => {
            let jwks = ring.open_existing(output)?.to_jwks()?;
            output.line(&jwks)
        }
    }
}

fn show(ring: &KeyRing, output: &mut Output) -> Outcome<()> {
    let keys = ring.keys()?;
    output.either(&keys.to_json(), || output::ring_keys(&keys, SystemClock.now()))
}

/// The options of the ring, unless the ring remembers that its tokens live for longer.
fn options(alg: Alg, token_ttl: Option<u64>) -> KeyRingOptions {
    let options = KeyRingOptions::new().alg(alg);
    match token_ttl {
        Some(seconds) => options.token_ttl(seconds),
        None => options,
    }
}

fn told(retired: &str, active: &str, ring: &KeyRing, output: &mut Output) -> Outcome<()> {
    let token_ttl = ring.token_ttl()?;
    let until = ring.keys()?.iter().find(|key| key.kid == retired).and_then(|key| key.until);
    let mut json = ObjectWriter::new();
    json.text("retired", retired);
    json.text("active", active);
    json.number("token_ttl", token_ttl);
    json.number("until", until);
    output.note(
        "Wait with the next rotation until all that cache the published set have fetched the new next key.",
    );
    output.either(&json.end(), || {
        let (life, until) = (output::length(token_ttl), output::date(until));
        format!(
            "Retired {retired}; {active} signs now.\n\
             Tokens of this ring live for at most {life}: {retired} stays good until {until}."
        )
    })
}
