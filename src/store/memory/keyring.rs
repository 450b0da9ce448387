//! Key rings in memory.

use super::MemoryStore;
use crate::error::{ErrorKind, Result};
use crate::store::{KeyRingStore, StoredRing};

impl KeyRingStore for MemoryStore {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        Ok(self.state()?.rings.get(name).cloned())
    }

    fn key_ring_version(&self, name: &str) -> Result<u64> {
        Ok(self.state()?.rings.get(name).map_or(0, |ring| ring.version))
    }

    fn key_ring_names(&self) -> Result<Vec<String>> {
        Ok(self.state()?.rings.keys().cloned().collect())
    }

    fn put_key_ring(&self, ring: &StoredRing) -> Result<()> {
        let mut state = self.state()?;
        let rings = &mut state.rings;
        if rings.get(&ring.name).map_or(0, |old| old.version) + 1 != ring.version {
            return Err(ErrorKind::StoreConflict.into());
        }
        rings.insert(ring.name.clone(), ring.clone());
        Ok(())
    }
}
