//! Records as JSON: what a C program prints, stores or hands to its own reader.

use crate::json::write_str;
use crate::{AuditRecord, ImportReport, KeyRecord, Page, PepperUse};
use std::fmt::Write as _;

/// An object that is being written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn name(&mut self, name: &str) -> &mut String {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_str(&mut self.0, name);
        self.0.push(':');
        &mut self.0
    }

    fn text(&mut self, name: &str, value: &str) {
        write_str(self.name(name), value);
    }

    fn raw(&mut self, name: &str, value: &str) {
        self.name(name).push_str(value);
    }

    /// A number, or `null`.
    fn number(&mut self, name: &str, value: impl Into<Option<u64>>) {
        match value.into() {
            Some(value) => self.raw(name, &value.to_string()),
            None => self.raw(name, "null"),
        }
    }

    fn texts(&mut self, name: &str, values: &[String]) {
        let list = array(values, |value| {
            let mut out = String::new();
            write_str(&mut out, value);
            out
        });
        self.raw(name, &list);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn array<T>(values: &[T], write: impl Fn(&T) -> String) -> String {
    format!("[{}]", values.iter().map(write).collect::<Vec<_>>().join(","))
}

/// A key's record: times in seconds since 1970 or null, the rate as `100/60s`.
pub(super) fn record(record: &KeyRecord) -> String {
    let mut out = Object::new();
    out.text("id", &record.id);
    out.text("prefix", &record.prefix);
    out.text("env", &record.env);
    out.text("tenant", &record.tenant);
    out.text("owner", &record.owner);
    out.text("name", &record.name);
    out.texts("scopes", &record.scopes);
    out.texts("cidrs", &record.cidrs);
    out.text("status", record.status.name());
    out.number("revoked_at", record.revoked_at);
    out.text("reason", &record.reason);
    out.number("not_before", record.not_before);
    out.number("expires_at", record.expires_at);
    match record.rate {
        Some(rate) => out.text("rate", &rate.to_string()),
        None => out.raw("rate", "null"),
    }
    let credits = record.credits.map_or_else(
        || "null".to_owned(),
        |credits| {
            let mut out = Object::new();
            out.number("remaining", credits.remaining);
            out.number("limit", credits.limit);
            out.number("refill", credits.refill);
            out.number("every", u64::from(credits.every));
            out.number("refilled_at", credits.refilled_at);
            out.end()
        },
    );
    out.raw("credits", &credits);
    out.raw("meta", if record.meta.is_empty() { "{}" } else { &record.meta });
    out.number("created_at", record.created_at);
    out.text("created_by", &record.created_by);
    out.number("rotated_at", record.rotated_at);
    out.number("overlap_until", record.overlap_until);
    out.number("last_used_at", record.last_used_at);
    out.number("uses", record.uses);
    out.number("version", record.version);
    out.end()
}

/// A row of the audit.
pub(super) fn audit(row: &AuditRecord) -> String {
    let mut out = Object::new();
    out.number("seq", row.seq);
    out.number("at", row.at);
    out.text("actor", &row.actor);
    out.text("action", &row.action);
    out.text("key_id", &row.key_id);
    out.text("detail", &row.detail);
    out.end()
}

/// `{"records":[...],"cursor":"..."}`; the cursor of the last page is null.
pub(super) fn page<T>(page: &Page<T>, write: fn(&T) -> String) -> String {
    let mut out = Object::new();
    out.raw("records", &array(&page.records, write));
    match &page.cursor {
        Some(cursor) => out.text("cursor", cursor),
        None => out.raw("cursor", "null"),
    }
    out.end()
}

/// `{"imported":n,"ids":[...],"rejected":[{"row":n,"status":n,"message":"..."}]}`.
pub(super) fn report(report: &ImportReport) -> String {
    let mut out = Object::new();
    out.number("imported", report.imported);
    out.texts("ids", &report.ids);
    let rejected = array(&report.rejected, |(row, error)| {
        let mut out = Object::new();
        out.number("row", *row as u64);
        let _ = write!(out.name("status"), "{}", error.kind().code()); // a String takes anything
        out.text("message", error.message());
        out.end()
    });
    out.raw("rejected", &rejected);
    out.end()
}

/// `[{"pepper":n,"active":true,"keys":n,"since":n}]`.
pub(super) fn peppers(uses: &[PepperUse]) -> String {
    array(uses, |one| {
        let mut out = Object::new();
        out.number("pepper", u64::from(one.pepper));
        out.raw("active", if one.active { "true" } else { "false" });
        out.number("keys", one.keys);
        out.number("since", one.since);
        out.end()
    })
}
