//! `gatekey key import`: rows of CSV, or of JSON objects, one a line.

use super::exit::{Failure, Outcome, REFUSED, told};
use super::input::{moment, unreadable};
use super::output::{Output, count, is_watched};
use super::store::StoreArgs;
use crate::apikey::{CreditSpec, ImportReport, ImportRow, ImportScheme, KeySpec, parse_rate};
use crate::json::{self, Kind, Value};
use crate::{ErrorKind, Secret, ToJson as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

/// Takes over keys that another system issued.
///
/// Rows have the columns (CSV, with a header) or members (JSON, an object a line) `owner`, and
/// `secret` for the scheme `plaintext`, else `hash`. They may have `name`, `tenant`, `scopes` and
/// `cidrs` (separated by spaces, or arrays), `not_before`, `expires_at` (2027-01-31T12:00:00Z, or
/// seconds since 1970) or `expires_in` (seconds), `revoked` (true or false), `rate` (100/60s),
/// `credits`, `meta` (a JSON object), and `lookup`: the public part that the key begins with, which
/// salted hashes need.
///
/// All rows are checked before the first is written. Rows that are there already are reported, and
/// stop no others, so that an import which was interrupted can be run again.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The rows; - for standard input
    file: PathBuf,
    /// What the rows hold: plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, bcrypt,
    /// argon2, pbkdf2-sha256
    #[arg(long, value_parser = scheme)]
    scheme: ImportScheme,
    /// How the rows are written [default: by the file's name; csv for standard input]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

fn scheme(name: &str) -> Result<ImportScheme, String> {
    ImportScheme::from_name(name).map_err(|error| told(&error))
}

/// The most bytes of one row.
const LONGEST: u64 = 64 * 1024;
/// The most rows of one import: what fits into memory without a thought.
const MOST: usize = 10_000_000;

pub(super) fn run(arguments: ImportArgs, output: &mut Output) -> Outcome<()> {
    let ImportArgs { file, scheme, format, store } = arguments;
    let format = format.unwrap_or_else(|| {
        let lines = ["jsonl", "ndjson", "json"]
            .iter()
            .any(|known| file.extension().is_some_and(|own| own == *known));
        if lines { Format::Jsonl } else { Format::Csv }
    });
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(&file).map_err(|error| unreadable(&file, &error))?)
    };
    let rows = match format {
        Format::Csv => read_csv(source, scheme, &file)?,
        Format::Jsonl => read_lines(source, scheme, &file)?,
    };
    if let Some(rehearsal) = store.rehearsal()? {
        let report = rehearsal.import(scheme, &rows)?;
        if !report.rejected.is_empty() {
            return tell(&report, format, output);
        }
    }
    let keys = store.open_or_make(output)?;
    let bar = progress(rows.len(), output);
    let report = keys.import_with(scheme, &rows, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    super::store::finish(&keys)?;
    tell(&report, format, output)
}

/// A bar for anyone who watches; a line at the end of it all for who does not.
fn progress(rows: usize, output: &Output) -> ProgressBar {
    let bar = ProgressBar::new(rows as u64);
    if output.is_json() || !is_watched() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} rows, {eta} left");
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

fn tell(report: &ImportReport, format: Format, output: &mut Output) -> Outcome<()> {
    if output.is_json() {
        output.line(&report.to_json())?;
    } else {
        for (row, error) in report.rejected.iter().take(20) {
            // As an editor counts lines.
            let line = row + if format == Format::Csv { 2 } else { 1 };
            output.note(format!("line {line}: {error}"));
        }
        if let Some(more @ 1..) = report.rejected.len().checked_sub(20) {
            output.note(format!("... and {more} more."));
        }
        output.line(&format!("Imported {}.", count(report.imported, "key")))?;
    }
    let known = |error: &crate::Error| error.kind() == ErrorKind::StoreConflict;
    let wrong = report.rejected.iter().filter(|(_, error)| !known(error)).count();
    if wrong > 0 {
        return Err(Failure::Input(format!(
            "Not acceptable: {}. Nothing was imported.",
            count(wrong as u64, "row")
        )));
    }
    match report.rejected.len() {
        0 => Ok(()),
        known => {
            let before = format!("Imported before: {}.", count(known as u64, "row"));
            Err(Failure::Exit(REFUSED, ErrorKind::StoreConflict, before))
        }
    }
}

/// A row that is being read: names and values, in whatever form they come.
struct Row {
    spec: KeySpec,
    credential: Option<Secret>,
    lookup: Option<String>,
}

/// What is wrong with a row's value.
type Wrong = String;

impl Row {
    fn new() -> Self {
        Self { spec: KeySpec::default(), credential: None, lookup: None }
    }

    /// Takes a value that is written as text; an empty one counts as absent.
    fn set(&mut self, name: &str, value: &str, scheme: ImportScheme) -> Result<(), Wrong> {
        let spec = &mut self.spec;
        let wrong = |what: &str| format!("`{name}` is not {what}");
        let number = || value.parse::<u64>().map_err(|_| wrong("a number"));
        let date = || moment(value).map_err(|how| format!("`{name}` is not a date: {how}"));
        let words = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let plaintext = scheme == ImportScheme::Plaintext;
        match name {
            "secret" | "hash" if plaintext != (name == "secret") => {
                return Err(format!("`{name}` does not go with the scheme {}", scheme.name()));
            }
            _ if value.is_empty() => {}
            "secret" | "hash" => self.credential = Some(Secret::new(value.as_bytes().to_vec())),
            "lookup" => self.lookup = Some(value.to_owned()),
            "owner" => value.clone_into(&mut spec.owner),
            "name" => value.clone_into(&mut spec.name),
            "tenant" => value.clone_into(&mut spec.tenant),
            "scopes" => spec.scopes = words(),
            "cidrs" => spec.cidrs = words(),
            "not_before" => spec.not_before = Some(date()?),
            "expires_in" => spec.expires_in = Some(number()?),
            "expires_at" => spec.expires_at = Some(date()?),
            "revoked" => spec.revoked = truth(value).ok_or_else(|| wrong("true or false"))?,
            "rate" => spec.rate = Some(parse_rate(value).map_err(|error| told(&error))?),
            "credits" => {
                spec.credits = Some(CreditSpec { amount: number()?, ..CreditSpec::default() })
            }
            "meta" => value.clone_into(&mut spec.meta),
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    /// Takes a value of JSON.
    fn set_json(
        &mut self,
        name: &str,
        value: &Value<'_>,
        scheme: ImportScheme,
    ) -> Result<(), Wrong> {
        let text = value.as_str();
        match (value.kind(), name) {
            (Kind::Null, _) => Ok(()),
            (Kind::Object, "meta") => self.set(name, value.raw(), scheme),
            (Kind::Bool, "revoked")
            | (Kind::Number, "not_before" | "expires_at" | "expires_in" | "credits") => {
                self.set(name, value.raw(), scheme)
            }
            (Kind::Array, "scopes" | "cidrs") => {
                let words: Option<Vec<_>> = value.elements().map(|one| one.as_str()).collect();
                let words = words.ok_or_else(|| format!("`{name}` is not an array of texts"))?;
                self.set(name, &words.join(" "), scheme)
            }
            _ => match text {
                Some(text) => self.set(name, &text, scheme),
                None => Err(format!("`{name}` is of the wrong type")),
            },
        }
    }

    fn end(self, scheme: ImportScheme) -> Result<ImportRow, Wrong> {
        let wanted = if scheme == ImportScheme::Plaintext { "secret" } else { "hash" };
        let credential = self.credential.ok_or_else(|| format!("`{wanted}` is missing"))?;
        Ok(ImportRow { spec: self.spec, credential, lookup: self.lookup })
    }
}

/// As CSV of databases and of Python has it.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

const UNKNOWN: &str = "a column has an unknown name; known are owner, name, tenant, secret, hash, \
                       lookup, scopes, cidrs, not_before, expires_at, expires_in, revoked, rate, credits, meta";

/// The file, the line and what is wrong; never the line itself, which holds secrets.
fn at(file: &Path, line: u64, wrong: &str) -> Failure {
    Failure::Input(format!("{}, line {line}: {wrong}. Nothing was imported.", file.display()))
}

fn read_csv(source: Box<dyn Read>, scheme: ImportScheme, file: &Path) -> Outcome<Vec<ImportRow>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        let what = match error.kind() {
            csv::ErrorKind::Io(_) => "it cannot be read",
            csv::ErrorKind::Utf8 { .. } => "it is not UTF-8",
            csv::ErrorKind::UnequalLengths { .. } => "it has more or fewer columns than the header",
            _ => "it is not CSV",
        };
        at(file, line, what)
    };
    let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let (mut rows, mut record) = (Vec::new(), csv::StringRecord::new());
    while reader.read_record(&mut record).map_err(|error| unreadable(&error))? {
        let line = record.position().map_or(0, csv::Position::line);
        if rows.len() == MOST || record.as_slice().len() as u64 > LONGEST {
            return Err(at(file, line, "a row has at most 64 KiB, and an import ten million rows"));
        }
        let mut row = Row::new();
        for (name, value) in header.iter().zip(&record) {
            row.set(name, value, scheme).map_err(|wrong| at(file, line, &wrong))?;
        }
        rows.push(row.end(scheme).map_err(|wrong| at(file, line, &wrong))?);
    }
    Ok(rows)
}

fn read_lines(source: Box<dyn Read>, scheme: ImportScheme, file: &Path) -> Outcome<Vec<ImportRow>> {
    let mut source = BufReader::new(source);
    let (mut rows, mut line, mut text) = (Vec::new(), 0, Vec::new());
    loop {
        line += 1;
        text.clear();
        let read = source.by_ref().take(LONGEST + 1).read_until(b'\n', &mut text);
        match read.map_err(|error| unreadable(file, &error))? {
            0 => return Ok(rows),
            length if length as u64 > LONGEST || rows.len() == MOST => {
                return Err(at(
                    file,
                    line,
                    "a row has at most 64 KiB, and an import ten million rows",
                ));
            }
            _ => {}
        }
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let object = json::parse(text).ok().filter(|value| value.kind() == Kind::Object);
        let object = object
            .ok_or_else(|| at(file, line, "it is not a JSON object whose members come once"))?;
        let mut row = Row::new();
        for (name, value) in object.members() {
            row.set_json(&name.decode(), &value, scheme).map_err(|wrong| at(file, line, &wrong))?;
        }
        rows.push(row.end(scheme).map_err(|wrong| at(file, line, &wrong))?);
    }
}
