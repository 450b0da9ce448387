//! Several processes on one SQLite file or one PostgreSQL, and processes that are killed while they
//! work on it.
//!
//! The children are this same program, told by an environment variable what to do; each writes a line
//! when a call has returned, so that the parent knows what was promised.

#![cfg(feature = "sqlite")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail loudly and say why"
)]

mod apikey;
mod files;
#[cfg(unix)]
mod forks;
mod limits;
mod marks;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
#[path = "../rounds/mod.rs"]
mod rounds;
mod session;
#[cfg(unix)]
mod shared_store;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which part a child plays, and in which folder.
const PART: &str = "GATEKEY_TEST_PART";
const FOLDER: &str = "GATEKEY_TEST_FOLDER";

/// Not a test of its own: what the children run.
#[test]
fn a_child_plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let (part, number) = part.split_once(':').unwrap_or((&part, "0"));
    let played = apikey::play(part, number, &folder)
        || session::play(part, number, &folder)
        || files::play(part, number, &folder)
        || marks::play(part, &folder)
        || limits::play(part, number, &folder);
    #[cfg(all(unix, feature = "postgres"))]
    let played = played || postgres::play(part, &folder);
    #[cfg(unix)]
    let played = played || forks::play(part, &folder) || shared_store::play(part, &folder);
    assert!(played, "{part}");
}

fn folder(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gatekey-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn child(part: &str, folder: &Path, out: Stdio) -> Child {
    command(part, folder).stdout(out).spawn().unwrap()
}

/// A child that reads what it is to do.
fn child_that_listens(part: &str, folder: &Path) -> Child {
    command(part, folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn command(part: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_child_plays_its_part", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FOLDER, folder);
    command
}

/// The child as a shell runs it, after `before`.
fn child_after(before: &str, part: &str, folder: &Path) -> Child {
    let itself = std::env::current_exe().unwrap();
    let command = format!(
        "{before} '{}' --exact a_child_plays_its_part --nocapture --test-threads=1",
        itself.display()
    );
    Command::new("sh").arg("-c").arg(command).env(PART, part).env(FOLDER, folder).spawn().unwrap()
}

/// Says something in one write, so that a kill leaves whole lines.
fn say(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn append(folder: &Path, name: &str, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Waits until this line stands in the files of this name of so many children.
fn wait_for_all(folder: &Path, name: &str, children: usize, line: &str) {
    let has = |child: usize| {
        let text = std::fs::read_to_string(folder.join(format!("{name}{child}")));
        text.is_ok_and(|text| text.lines().any(|one| one == line))
    };
    for child in 0..children {
        while !has(child) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether so many writers have ended.
fn is_over(folder: &Path, writers: usize) -> bool {
    (0..writers).all(|number| folder.join(format!("over{number}")).exists())
}

fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Numbers that differ enough.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
