//! Records a page at a time.

/// Some records and where to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The records.
    pub records: Vec<T>,
    /// What to ask for the next page with; `None` if this is the last one.
    pub cursor: Option<String>,
}

/// The number of records a page has at most, for a limit as a filter has it.
pub(super) fn page_size(limit: usize) -> usize {
    if limit == 0 { 100 } else { limit.min(1000) }
}
