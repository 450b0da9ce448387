//! Key rings: how their keys rotate, and the mark of a folder of rings.

mod marks;
mod rings;
