//! Key rings: how their keys rotate, for how long they are kept, and the mark of a folder of rings.

mod lives;
mod marks;
mod rings;
