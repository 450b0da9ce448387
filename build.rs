//! Renders `gatekey.h` from src/ffi into OUT_DIR (feature `capi`; otherwise does nothing).
//! tests/header.rs holds it against the committed include/gatekey.h, and `make header` writes that.

fn main() {
    #[cfg(feature = "capi")]
    header::render();
}

#[cfg(feature = "capi")]
mod header {
    use std::env;
    use std::path::PathBuf;

    pub(crate) fn render() {
        println!("cargo::rerun-if-changed=cbindgen.toml");
        println!("cargo::rerun-if-changed=src/ffi");
        let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
        let out = PathBuf::from(variable("OUT_DIR")).join("gatekey.h");

        let mut config = match cbindgen::Config::from_file(root.join("cbindgen.toml")) {
            Ok(config) => config,
            Err(why) => fail(&format!("cbindgen.toml cannot be used: {why}")),
        };
        let macros = config.after_includes.take().unwrap_or_default();
        config.after_includes = Some(macros.replace("@VERSION@", &variable("CARGO_PKG_VERSION")));
        match cbindgen::Builder::new()
            .with_config(config)
            .with_src(root.join("src/ffi/mod.rs"))
            .generate()
        {
            Ok(header) => {
                let mut text = Vec::new();
                header.write(&mut text);
                let text = compact(&String::from_utf8_lossy(&text));
                if let Err(why) = std::fs::write(&out, text) {
                    fail(&format!("{} cannot be written: {why}", out.display()));
                }
            }
            Err(why) => fail(&format!("the C header cannot be rendered from src/ffi: {why}")),
        }
    }

    /// Puts a comment of one line on one line, and nothing but a line break at the end of the file.
    fn compact(header: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in header.lines() {
            lines.push(line.trim_end().to_owned());
            if let [.., open, text, close] = lines.as_slice()
                && open.trim_start() == "/**"
                && close.trim_start() == "*/"
                && let Some((indent, text)) = text.split_once(" * ")
            {
                let joined = format!("{indent}/** {text} */");
                lines.truncate(lines.len() - 3);
                lines.push(joined);
            }
        }
        lines.join("\n").trim_end().to_owned() + "\n"
    }

    fn variable(name: &str) -> String {
        env::var(name).unwrap_or_else(|_| fail(&format!("Cargo did not set {name}")))
    }

    fn fail(why: &str) -> ! {
        println!("cargo::error={why}");
        std::process::exit(1)
    }
}
