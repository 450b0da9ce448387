//! Lists that may be long: a page at a time, or all of them.

use super::exit::Outcome;
use super::output::{Output, Shown};
use crate::ToJson;
use crate::apikey::Page;

#[derive(Debug, clap::Args)]
pub(super) struct Pages {
    /// At most this many, from 1 to 1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Continue where the last page ended: the cursor it came with
    #[arg(long)]
    cursor: Option<String>,
    /// All of them; as JSON, one record a line
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
}

/// Prints a page, or all of them.
pub(super) fn show_pages<T: ToJson>(
    pages: Pages,
    output: &mut Output,
    mut fetch: impl FnMut(Option<String>, usize) -> crate::Result<Page<T>>,
    table: impl Fn(&[T]) -> Shown,
    none: &str,
) -> Outcome<()> {
    if !pages.all {
        let page = fetch(pages.cursor, usize::from(pages.limit))?;
        if output.is_json() {
            return output.line(&page.to_json());
        }
        show_records(&page.records, output, table, none)?;
        if let Some(cursor) = page.cursor {
            output.note(format!("There are more: --cursor {cursor}, or --all."));
        }
        return Ok(());
    }
    let (mut cursor, mut all) = (None, Vec::new());
    loop {
        let page = fetch(cursor, 1000)?;
        if output.is_json() {
            for record in &page.records {
                output.line(&record.to_json())?;
            }
        } else {
            all.extend(page.records);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if output.is_json() { Ok(()) } else { show_records(&all, output, table, none) }
}

fn show_records<T>(
    records: &[T],
    output: &mut Output,
    table: impl Fn(&[T]) -> Shown,
    none: &str,
) -> Outcome<()> {
    if records.is_empty() {
        output.note(none);
        return Ok(());
    }
    output.show(&table(records))
}
