//! Names the shared library after the ABI version that include/gatekey.h declares: the SONAME
//! libgatekey.so.N on ELF systems, the install name libgatekey.N.dylib on macOS. On ELF systems it
//! is marked to stay in the process once it is loaded: AWS-LC and Rust's standard library have what
//! they keep for a thread cleaned up when the thread ends, and that code must still be there.

use std::env;

const HEADER: &str = "../../include/gatekey.h";

fn main() {
    println!("cargo::rerun-if-changed={HEADER}");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(abi) = abi_version() else {
        println!("cargo::error={HEADER} does not define GK_ABI_VERSION; run `make header`");
        return;
    };
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos" | "ios") => {
            println!(
                "cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libgatekey.{abi}.dylib"
            );
        }
        Ok("windows") => {}
        _ => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgatekey.so.{abi}");
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
    }
}

fn abi_version() -> Option<u32> {
    let header = std::fs::read_to_string(HEADER).ok()?;
    header.lines().find_map(|line| line.strip_prefix("#define GK_ABI_VERSION "))?.parse().ok()
}
