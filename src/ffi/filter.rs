//! `gk_filter`: which records are wanted, one page at a time. What a filter says that does not
//! apply to the records in question is refused: who asks for less must not get all.

use super::boundary::{Fault, Outcome, maybe, release, share, text};
use super::sticky::{self, Sticky};
use crate::apikey::{AuditFilter, KeyFilter};
use crate::session::SessionEventFilter;
use libc::c_char;

/// Which records gk_api_keys_list, gk_api_keys_audit and gk_sessions_events give, and which page of
/// them: all unless set, from the first on. Each call takes the names that its documentation lists
/// and refuses a filter with others. The setters keep the first thing that was wrong, which the
/// call reports.
#[derive(Default)]
pub struct gk_filter(Sticky<Filtered>);

#[derive(Clone, Default)]
struct Filtered {
    owner: Option<String>,
    tenant: Option<String>,
    key_id: Option<String>,
    subject: Option<String>,
    family: Option<String>,
    cursor: Option<String>,
    limit: usize,
}

impl gk_filter {
    /// Which API keys are wanted.
    pub(super) fn of_keys(filter: Option<&Self>) -> Outcome<KeyFilter> {
        let Filtered { owner, tenant, key_id, subject, family, cursor, limit } = asked(filter)?;
        unset("key_id", key_id.as_ref())?;
        unset("subject", subject.as_ref())?;
        unset("family", family.as_ref())?;
        Ok(KeyFilter { owner, tenant, cursor, limit })
    }

    /// Which rows of the audit are wanted.
    pub(super) fn of_audit(filter: Option<&Self>) -> Outcome<AuditFilter> {
        let Filtered { owner, tenant, key_id, subject, family, cursor, limit } = asked(filter)?;
        unset("owner", owner.as_ref())?;
        unset("tenant", tenant.as_ref())?;
        unset("subject", subject.as_ref())?;
        unset("family", family.as_ref())?;
        Ok(AuditFilter { key_id, cursor, limit })
    }

    /// Which events of sessions are wanted.
    pub(super) fn of_events(filter: Option<&Self>) -> Outcome<SessionEventFilter> {
        let Filtered { owner, tenant, key_id, subject, family, cursor, limit } = asked(filter)?;
        unset("owner", owner.as_ref())?;
        unset("tenant", tenant.as_ref())?;
        unset("key_id", key_id.as_ref())?;
        Ok(SessionEventFilter { subject, family, cursor, limit })
    }
}

fn asked(filter: Option<&gk_filter>) -> Outcome<Filtered> {
    filter.map_or_else(|| Ok(Filtered::default()), |filter| filter.0.built().cloned())
}

fn unset(name: &'static str, value: Option<&String>) -> Outcome<()> {
    if value.is_some() { Err(Fault::NoFilter(name)) } else { Ok(()) }
}

/// A filter that wants all records, from the first on.
///
/// @return The filter, to be freed with gk_filter_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_filter_new() -> Option<Box<gk_filter>> {
    share(|| Some(gk_filter::default()))
}

/// Frees a filter.
///
/// @param filter The filter, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_filter_free(filter: Option<Box<gk_filter>>) {
    release(filter);
}

/// Only API keys of this owner.
///
/// @param filter The filter.
/// @param owner The owner; copied. Empty text matches none.
/// @param owner_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_owner(
    filter: Option<&mut gk_filter>,
    owner: *const c_char,
    owner_len: usize,
) {
    set(filter, |filter| {
        filter.owner = Some(text(owner, owner_len, "owner")?.to_owned());
        Ok(())
    });
}

/// Only API keys of this tenant.
///
/// @param filter The filter.
/// @param tenant The tenant; copied. Empty text is no tenant's.
/// @param tenant_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_tenant(
    filter: Option<&mut gk_filter>,
    tenant: *const c_char,
    tenant_len: usize,
) {
    set(filter, |filter| {
        filter.tenant = Some(text(tenant, tenant_len, "tenant")?.to_owned());
        Ok(())
    });
}

/// Only rows of the audit about this API key.
///
/// @param filter The filter.
/// @param key_id The key's id; copied. Empty text is no key's.
/// @param key_id_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_key_id(
    filter: Option<&mut gk_filter>,
    key_id: *const c_char,
    key_id_len: usize,
) {
    set(filter, |filter| {
        filter.key_id = Some(text(key_id, key_id_len, "key_id")?.to_owned());
        Ok(())
    });
}

/// Only events of this subject's sessions.
///
/// @param filter The filter.
/// @param subject The subject; copied. Empty text matches none.
/// @param subject_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_subject(
    filter: Option<&mut gk_filter>,
    subject: *const c_char,
    subject_len: usize,
) {
    set(filter, |filter| {
        filter.subject = Some(text(subject, subject_len, "subject")?.to_owned());
        Ok(())
    });
}

/// Only events of this session.
///
/// @param filter The filter.
/// @param family The session's id; copied. Empty text is no session's.
/// @param family_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_family(
    filter: Option<&mut gk_filter>,
    family: *const c_char,
    family_len: usize,
) {
    set(filter, |filter| {
        filter.family = Some(text(family, family_len, "family")?.to_owned());
        Ok(())
    });
}

/// Continues after a page. With the same filter, page after page.
///
/// @param filter The filter.
/// @param cursor The `cursor` of the page before; copied. NULL and 0, or empty text, for the first
/// page.
/// @param cursor_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_cursor(
    filter: Option<&mut gk_filter>,
    cursor: *const c_char,
    cursor_len: usize,
) {
    set(filter, |filter| {
        filter.cursor = maybe(cursor, cursor_len, "cursor")?;
        Ok(())
    });
}

/// How many records a page has at the most.
///
/// @param filter The filter.
/// @param limit At most 1000, also if more is given; 100 unless set, or for 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_filter_limit(filter: Option<&mut gk_filter>, limit: usize) {
    set(filter, |filter| {
        filter.limit = limit;
        Ok(())
    });
}

fn set(filter: Option<&mut gk_filter>, change: impl FnOnce(&mut Filtered) -> Outcome<()>) {
    sticky::set_in(filter.map(|filter| &mut filter.0), change);
}
