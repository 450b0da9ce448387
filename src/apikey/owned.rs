//! The keys of one owner: for programs in which users choose a key by its id, which says nothing
//! of whose it is.

use super::apikeys::ApiKeys;
use crate::base::text::{argument, plain, plain_some};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{KeyFilter, KeyRecord};
use std::sync::Arc;

/// An owner, which is a name of its tenant's.
#[derive(Clone)]
pub(super) struct Owner {
    owner: Arc<str>,
    tenant: Arc<str>,
}

impl ApiKeys {
    /// The same keys, of which those of one owner alone are seen, made and changed; the tenant is
    /// empty for keys without one. Another owner's key is one that does not exist
    /// (`ApiKeyNotFound`). What is about all keys (the audit, purges, imports, peppers) is
    /// `InvalidArgument`. Keys are verified as before.
    ///
    /// # Errors
    /// `InvalidArgument`: the owner has not 1 to 255 bytes, the tenant more than 255, or one holds
    /// control characters.
    pub fn owned_by(&self, owner: &str, tenant: &str) -> Result<Self> {
        let owner = plain_some(owner, 255, "An owner has 1 to 255 bytes.")?.into();
        let tenant = plain(tenant, 255, "A tenant has at most 255 bytes.")?.into();
        Ok(Self { owner: Some(Owner { owner, tenant }), ..self.clone() })
    }

    pub(super) fn is_owned(&self, record: &KeyRecord) -> bool {
        self.owner.as_ref().is_none_or(|own| {
            // Of an altered row nothing is to be believed, and so not whose it is.
            !record.altered && record.owner == *own.owner && record.tenant == *own.tenant
        })
    }

    /// A key that is to be made.
    pub(super) fn check_owned(&self, record: &KeyRecord) -> Result<()> {
        if self.is_owned(record) { Ok(()) } else { Err(OTHER_OWNER.about_claim("owner")) }
    }

    /// The filter, of this owner's keys.
    pub(super) fn owned(&self, filter: &KeyFilter) -> Option<KeyFilter> {
        let own = self.owner.as_ref()?;
        let mut filter = filter.clone();
        (filter.owner, filter.tenant) = (Some(own.owner.to_string()), Some(own.tenant.to_string()));
        Some(filter)
    }

    /// Refuses what is about all keys.
    pub(super) fn be_of_all_owners(&self) -> Result<()> {
        let of_one = || {
            argument(
                "These keys are those of one owner (`owned_by`), and the call is about all keys: use the handle that was opened.",
            )
        };
        if self.owner.is_some() { Err(of_one()) } else { Ok(()) }
    }
}

const OTHER_OWNER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "These keys are those of one owner (`owned_by`), and the new key is another's: give it that owner and tenant.",
);
