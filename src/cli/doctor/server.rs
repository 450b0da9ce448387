//! Whether all is well with a store in PostgreSQL: the server, its clock, the role, the peppers,
//! what it is told. Nothing is changed.

use super::super::exit::{Outcome, told};
use super::super::output::count;
use super::{Doctor, Findings, State};
use crate::doctor::server_facts;
use crate::operations::store_stats;
use crate::store::ServerFacts;
use crate::{Error, ErrorKind};

/// The oldest server that has what the store needs.
const OLDEST: u32 = 140_000;
/// Milliseconds by which the clocks may differ: what is measured over a network, and a second.
const APART_MS: u64 = 1000;
/// Connections that a process has.
const OF_A_PROCESS: u64 = 3;

pub(super) fn look(doctor: &Doctor, shown: &str) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let (facts, peppers) = match server_facts(&doctor.store, &doctor.pepper.source()) {
        Ok(found) => found,
        Err(error) if error.is_misuse() || error.kind() == ErrorKind::Unsupported => {
            return Err(error.into());
        }
        Err(error) => {
            findings.add("store", State::Fault, told(&error));
            return Ok(findings);
        }
    };
    versions(&mut findings, &facts, shown);
    clock(&mut findings, &facts);
    role(&mut findings, &facts);
    listening(&mut findings, &facts);
    settings(&mut findings, &facts, doctor.replica);
    pepper(&mut findings, &facts, peppers);
    if facts.tables.0 == Some(facts.tables.1) && facts.missing_to_read.is_empty() {
        rows(&mut findings, &doctor.store);
    }
    Ok(findings)
}

fn versions(findings: &mut Findings, facts: &ServerFacts, shown: &str) {
    let (own, newest) = facts.tables;
    let versions = format!("gatekey {}, PostgreSQL {}", env!("CARGO_PKG_VERSION"), facts.version);
    if facts.version_number < OLDEST {
        let said = format!("{versions}: 14 or later is needed");
        findings.add("versions", State::Fault, said);
    }
    match own {
        None => findings.add(
            "store",
            State::Fault,
            format!(
                "{shown} has no tables: `gatekey store migrate` makes them, by a role that may"
            ),
        ),
        Some(own) if own < newest => findings.add(
            "versions",
            State::Note,
            format!(
                "{versions}, tables of version {own}: `gatekey store migrate` makes them {newest}"
            ),
        ),
        Some(own) => {
            let (keys, sessions) =
                (count(facts.api_keys, "API key"), count(facts.sessions, "session"));
            findings.well("store", format!("{shown}, with {keys} and {sessions}"));
            findings.well("versions", format!("{versions}, tables of version {own}"));
        }
    }
}

fn clock(findings: &mut Findings, facts: &ServerFacts) {
    let apart = facts.ahead_ms.unsigned_abs().saturating_sub(facts.round_trip_ms);
    let side = if facts.ahead_ms > 0 { "behind" } else { "ahead of" };
    if apart > APART_MS {
        let said = format!(
            "this machine's clock is {apart} ms {side} the server's: set both by NTP. What one machine dates expires early \
             or late on another."
        );
        findings.add("clock", State::Fault, said);
    }
    findings.well("clock", "this machine's and the server's agree within a second");
}

fn role(findings: &mut Findings, facts: &ServerFacts) {
    let (name, is_super) = &facts.role;
    if facts.tables.0.is_none() {
        return;
    }
    if !facts.missing_to_read.is_empty() {
        let missing = facts.missing_to_read.join(", ");
        let said = format!(
            "{name} lacks {missing}: it cannot even verify. docs/many-machines.md lists what each role needs"
        );
        findings.add("role", State::Fault, said);
    } else if !facts.missing_to_write.is_empty() {
        let said = format!(
            "{name} verifies, and changes nothing: it lacks {}",
            facts.missing_to_write.join(", ")
        );
        findings.add("role", State::Note, said);
    } else if *is_super {
        let said =
            format!("{name} is a superuser; a service needs much less (docs/many-machines.md)");
        findings.add("role", State::Note, said);
    }
    findings.well("role", format!("{name} may verify and change, and is no superuser"));
}

fn listening(findings: &mut Findings, facts: &ServerFacts) {
    match &facts.hears {
        Ok(true) => findings.well("notifications", "they arrive"),
        Ok(false) => findings.add(
            "notifications",
            State::Note,
            "none arrives, so that changes are seen within a second and not at once: if the URL leads to a pool in \
             transaction mode, name the server itself by feed_url",
        ),
        Err(error) => findings.add("notifications", State::Fault, told(error)),
    }
}

fn settings(findings: &mut Findings, facts: &ServerFacts, replica: bool) {
    let value = |name: &str| facts.setting(name).unwrap_or_default();
    for name in ["fsync", "full_page_writes"] {
        if value(name) == "off" {
            let said =
                format!("{name} is off: a crash of the server can lose or damage everything");
            findings.add("settings", State::Fault, said);
        }
    }
    let (_, synchronous) = facts.standbys;
    let names = value("synchronous_standby_names");
    if replica && names.is_empty() {
        let said = "synchronous_standby_names is empty: no standby answers for a change, and the loss of the primary loses \
                    what it had not sent";
        findings.add("replica", State::Fault, said);
    } else if replica && synchronous == 0 {
        let said = "no standby that the primary waits for is connected, as far as this role may see (pg_stat_replication; \
                    GRANT pg_monitor shows all): changes wait until one is";
        findings.add("replica", State::Fault, said);
    } else if replica {
        findings
            .well("replica", format!("the primary waits for {}", count(synchronous, "standby")));
    }
    let (used, most) = facts.connections;
    if used + OF_A_PROCESS * 2 > most {
        let said = format!(
            "{used} of {most} connections are in use, and each process takes {OF_A_PROCESS}: raise max_connections, or put \
             a pool between"
        );
        findings.add("connections", State::Note, said);
    }
    findings.well("settings", "a crash of the server loses no change that it has acknowledged");
    findings.well("connections", format!("{used} of {most} in use"));
}

fn pepper(findings: &mut Findings, facts: &ServerFacts, peppers: Option<Result<(), Error>>) {
    match peppers {
        Some(Ok(())) => findings.well("pepper", "it fits the store"),
        Some(Err(error)) => findings.add("pepper", State::Fault, told(&error)),
        None if facts.tables.0 == Some(facts.tables.1) && facts.missing_to_read.is_empty() => {
            findings.add(
                "pepper",
                State::Note,
                "none was named, so it is not known whether it fits: --pepper-file or --pepper-env",
            )
        }
        None => {}
    }
}

/// Rows that cannot be read.
fn rows(findings: &mut Findings, url: &str) {
    match store_stats(url) {
        Ok(stats) if stats.unreadable > 0 => findings.add(
            "tables",
            State::Fault,
            format!(
                "{} cannot be read and {} refused; `gatekey store check` says which",
                count(stats.unreadable, "row"),
                if stats.unreadable == 1 { "is" } else { "are" }
            ),
        ),
        Ok(_) => findings.well("tables", "every row can be read"),
        Err(error) => findings.add("tables", State::Fault, told(&error)),
    }
}
