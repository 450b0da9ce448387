//! Another static library made by Rust, with a standard library of its own, which unwinds.
#![crate_type = "staticlib"]

#[unsafe(no_mangle)]
pub extern "C" fn other_catches_its_panic() -> i32 {
    let thread = std::thread::spawn(|| std::panic::resume_unwind(Box::new(7)));
    let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7)));
    i32::from(caught.is_err() && thread.join().is_err())
}
