//! Layer 5: records as JSON, which the edges print, store or hand to a reader of their own.

use crate::apikey::{ImportReport, PepperUse};
use crate::backup::{Acknowledged, BackupReport, RestoreReport};
use crate::base::json::{self, Kind, ObjectWriter, array};
use crate::error::{Error, ErrorKind};
use crate::keyring::RingKey;
use crate::oauth::{DeviceCodes, Introspection, LogoutNotice, UserInfo};
use crate::operations::CopyReport;
use crate::resource::Access;
use crate::store::{
    AuditRecord, Credits, KeyRecord, LimitsState, Page, SessionEnd, SessionEvent, SessionRecord,
    StoreHealth,
};

/// What can be written as JSON. Times are in seconds since the Unix epoch, or `null`.
pub trait ToJson {
    /// The JSON text, on one line.
    fn to_json(&self) -> String;
}

/// Everything about a key that is not secret; the rate is written as `100/60s`.
impl ToJson for KeyRecord {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("id", &self.id);
        out.text("prefix", &self.prefix);
        out.text("env", &self.env);
        out.text("tenant", &self.tenant);
        out.text("owner", &self.owner);
        out.text("name", &self.name);
        out.texts("scopes", &self.scopes);
        out.texts("cidrs", &self.cidrs);
        out.text("status", self.status.name());
        out.number("revoked_at", self.revoked_at);
        out.text("reason", &self.reason);
        out.number("not_before", self.not_before);
        out.number("expires_at", self.expires_at);
        out.optional("rate", self.rate.map(|rate| rate.to_string()).as_deref());
        let credits = self.credits.map(|credits| credits.to_json());
        out.raw("credits", credits.as_deref().unwrap_or("null"));
        write_meta(&mut out, &self.meta);
        out.number("created_at", self.created_at);
        out.text("created_by", &self.created_by);
        out.number("rotated_at", self.rotated_at);
        out.number("overlap_until", self.overlap_until);
        out.number("last_used_at", self.last_used_at);
        out.number("uses", self.uses);
        out.number("version", self.version);
        out.bool("altered", self.altered);
        out.end()
    }
}

/// What is known of the server of the limits; `troubles` is an object of counts, `last` a sentence
/// or `null`.
impl ToJson for LimitsState {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("server", &self.server);
        out.bool("connected", self.connected);
        out.number("sharers", u64::from(self.sharers));
        out.number("asked", self.asked);
        out.number("alone", self.alone);
        let mut troubles = ObjectWriter::new();
        self.troubles.iter().for_each(|(name, count)| troubles.number(name, *count));
        out.raw("troubles", &troubles.end());
        out.optional("last", self.last.as_ref().map(Error::message));
        out.end()
    }
}

/// The program's own notes; what someone else has put there, and is no JSON object, as a text.
fn write_meta(out: &mut ObjectWriter, meta: &str) {
    let is_object = json::parse(meta.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object);
    match meta {
        "" => out.raw("meta", "{}"),
        _ if is_object => out.raw("meta", meta),
        _ => out.text("meta", meta),
    }
}

impl ToJson for Credits {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("remaining", self.remaining);
        out.number("limit", self.limit);
        out.number("refill", self.refill);
        out.number("every", u64::from(self.every));
        out.number("refilled_at", self.refilled_at);
        out.end()
    }
}

impl ToJson for AuditRecord {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("seq", self.seq);
        out.number("at", self.at);
        out.text("actor", &self.actor);
        out.text("action", &self.action);
        out.text("key_id", &self.key_id);
        out.text("detail", &self.detail);
        out.end()
    }
}

impl ToJson for SessionRecord {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("family", &self.family);
        out.text("subject", &self.subject);
        out.text("client", &self.client);
        write_meta(&mut out, &self.meta);
        out.number("created_at", self.created_at);
        out.number("last_seen_at", self.last_seen_at);
        out.number("expires_at", self.expires_at);
        out.number("absolute_expires_at", self.absolute_expires_at);
        out.number("refreshes", self.refreshes);
        out.number("ended_at", self.ended_at);
        out.optional("end", self.end.map(SessionEnd::name));
        out.bool("altered", self.altered);
        out.end()
    }
}

impl ToJson for CopyReport {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("api_keys", self.api_keys);
        out.number("sessions", self.sessions);
        out.number("key_rings", self.key_rings);
        out.number("revocations", self.revocations);
        out.number("seen_tokens", self.seen_tokens);
        out.number("ended", self.ended);
        out.texts("problems", &self.problems);
        out.end()
    }
}

impl ToJson for StoreHealth {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("kind", self.kind);
        out.bool("reachable", self.reachable);
        out.number("heard_ago_ms", self.heard_ago_ms);
        out.number("looked_ago_ms", self.looked_ago_ms);
        out.number("position", self.position);
        out.optional("version", self.version.as_deref());
        match self.writable {
            Some(writable) => out.bool("writable", writable),
            None => out.raw("writable", "null"),
        }
        out.optional("error", self.error.map(ErrorKind::code));
        out.end()
    }
}

impl ToJson for SessionEvent {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("seq", self.seq);
        out.number("at", self.at);
        out.text("family", &self.family);
        out.text("subject", &self.subject);
        out.text("action", &self.action);
        out.text("detail", &self.detail);
        out.end()
    }
}

impl ToJson for RingKey {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("kid", &self.kid);
        out.text("alg", self.alg.name());
        out.text("state", self.state.name());
        out.number("created_at", self.created_at);
        out.number("active_at", self.active_at);
        out.number("retired_at", self.retired_at);
        out.number("until", self.until);
        out.bool("by_callback", self.by_callback);
        out.end()
    }
}

/// `{"records":[...],"cursor":"..."}`; the cursor of the last page is `null`.
impl<T: ToJson> ToJson for Page<T> {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.raw("records", &array(&self.records, T::to_json));
        out.optional("cursor", self.cursor.as_deref());
        out.end()
    }
}

/// `{"imported":n,"ids":[...],"rejected":[{"row":n,"number":n,"code":"...","message":"..."}]}`.
impl ToJson for ImportReport {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("imported", self.imported);
        out.texts("ids", &self.ids);
        let rejected = array(&self.rejected, |(row, error)| {
            let mut out = ObjectWriter::new();
            out.number("row", *row as u64);
            out.raw("number", &error.kind().number().to_string());
            out.text("code", error.kind().code());
            out.text("message", &error.to_string());
            out.end()
        });
        out.raw("rejected", &rejected);
        out.end()
    }
}

impl ToJson for PepperUse {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("pepper", u64::from(self.pepper));
        out.bool("active", self.active);
        out.number("keys", self.keys);
        out.number("sessions", self.sessions);
        out.number("key_rings", self.key_rings);
        out.number("since", self.since);
        out.texts("damaged", &self.damaged);
        out.end()
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> String {
        array(self, T::to_json)
    }
}

impl ToJson for Access {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("kind", self.kind.name());
        out.optional("issuer", self.issuer.as_deref());
        out.optional("subject", self.subject.as_deref());
        out.optional("tenant", self.tenant.as_deref());
        out.optional("client_id", self.client_id.as_deref());
        out.texts("scopes", &self.scopes);
        out.number("expires_at", self.expires_at);
        out.raw("claims", &self.claims_json);
        out.end()
    }
}

/// What is shown to the user; the device's own code is not in it.
impl ToJson for DeviceCodes {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("user_code", &self.user_code);
        out.text("verification_uri", &self.verification_uri);
        out.optional("verification_uri_complete", self.verification_uri_complete.as_deref());
        out.number("expires_at", self.expires_at);
        out.number("interval", self.interval);
        out.end()
    }
}

impl ToJson for UserInfo {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.text("issuer", &self.issuer);
        out.text("subject", &self.subject);
        out.optional("verified_email", self.verified_email.as_deref());
        out.raw("claims", &self.claims_json);
        out.end()
    }
}

impl ToJson for Introspection {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.bool("active", self.active);
        out.texts("scopes", &self.scopes);
        out.optional("subject", self.subject.as_deref());
        out.optional("client_id", self.client_id.as_deref());
        out.number("expires_at", self.expires_at);
        out.number("issued_at", self.issued_at);
        out.raw("claims", &self.claims_json);
        out.end()
    }
}

impl ToJson for LogoutNotice {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.optional("subject", self.subject.as_deref());
        out.optional("session_id", self.session_id.as_deref());
        out.text("token_id", &self.token_id);
        out.number("expires_at", self.expires_at);
        out.end()
    }
}

impl ToJson for BackupReport {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        write_backup(&mut out, self);
        out.end()
    }
}

fn write_backup(out: &mut ObjectWriter, report: &BackupReport) {
    out.number("bytes", report.bytes);
    out.number("api_keys", report.api_keys);
    out.number("sessions", report.sessions);
}

/// `replaced` is a path, of which what is not Unicode is lost.
impl ToJson for RestoreReport {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        write_backup(&mut out, &self.restored);
        out.optional(
            "replaced",
            self.replaced.as_ref().map(|path| path.to_string_lossy()).as_deref(),
        );
        out.bool("must_acknowledge", self.must_acknowledge);
        out.end()
    }
}

impl ToJson for Acknowledged {
    fn to_json(&self) -> String {
        let mut out = ObjectWriter::new();
        out.number("sessions", self.sessions);
        out.number("api_keys", self.api_keys);
        out.number("key_rings", self.key_rings);
        out.bool("was_refused", self.was_refused);
        out.texts("damaged_key_rings", &self.damaged_key_rings);
        out.end()
    }
}
