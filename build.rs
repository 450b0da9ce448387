//! Renders `gatekey.h` from src/ffi into OUT_DIR (feature `capi`; otherwise renders nothing), under the headings of
//! src/ffi/mod.rs: cbindgen gives the declarations, `sections` puts each where its noun is.
//! tests/header.rs holds it against the committed include/gatekey.h, and `make header` writes that.

fn main() {
    // Without a word of what matters, Cargo would compile the core again after a change of any page or test.
    println!("cargo::rerun-if-changed=build.rs");
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
                let text = match super::sections::arranged(&text, &root.join("src/ffi")) {
                    Ok(text) => text,
                    Err(why) => fail(&why),
                };
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

#[cfg(feature = "capi")]
mod sections {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::Path;

    /// A noun of the header: its heading, and the modules of src/ffi that declare what stands under it.
    struct Section {
        title: String,
        text: Vec<String>,
        modules: Vec<String>,
    }

    /// A declaration with its comment, and the name that it declares.
    struct Item<'a> {
        name: &'a str,
        text: &'a str,
        section: usize,
    }

    /// What ends the part of cbindgen.toml.
    const LAST_MACRO: &str = "#define GK_NODISCARD\n#endif";
    const OPEN: &str = "#ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus";
    const CLOSE: &str = "#ifdef __cplusplus\n}  // extern \"C\"\n#endif  // __cplusplus";

    /// The header that cbindgen has rendered, each declaration under the heading of its noun.
    pub(crate) fn arranged(header: &str, folder: &Path) -> Result<String, String> {
        let read = |module: &str| {
            let path = folder.join(format!("{module}.rs"));
            std::fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))
        };
        let sections = headings(&read("mod")?);
        let mut homes = BTreeMap::new();
        for (at, section) in sections.iter().enumerate() {
            for module in &section.modules {
                declared(&read(module)?, |name| {
                    homes.insert(name.to_owned(), at);
                });
            }
        }
        let start = header.find(LAST_MACRO).ok_or("cbindgen.toml has another last macro")?;
        let (front, rest) = header.split_at(start + LAST_MACRO.len());
        let (rest, end) = rest.rsplit_once(CLOSE).ok_or("the header does not end extern \"C\"")?;
        let mut items = Vec::new();
        for text in rest.split("\n\n").map(|text| text.trim_matches('\n')) {
            if text.is_empty() || text == OPEN {
                continue;
            }
            let name = name(text).ok_or_else(|| format!("this declares no name: {text}"))?;
            let home = homes.get(name).ok_or_else(|| format!("no module has {name} as its own"))?;
            items.push(Item { name, text, section: *home });
        }
        beside_their_types(&mut items);
        Ok(written(front, &sections, &items) + CLOSE + end)
    }

    /// The headings of src/ffi/mod.rs. What comes before the first one declares nothing for C.
    fn headings(modules: &str) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for line in modules.lines() {
            if let Some(title) = line.strip_prefix("// # ") {
                let title = title.to_owned();
                sections.push(Section { title, text: Vec::new(), modules: Vec::new() });
            } else if let Some(section) = sections.last_mut() {
                if let Some(text) = line.strip_prefix("// ") {
                    section.text.push(text.to_owned());
                } else if let Some(module) = line.strip_prefix("mod ") {
                    section.modules.push(module.trim_end_matches(';').to_owned());
                }
            }
            if line.starts_with("pub use ") {
                break;
            }
        }
        sections
    }

    /// Tells the names that a module declares.
    fn declared(source: &str, mut tell: impl FnMut(&str)) {
        for line in source.lines() {
            let words = ["pub struct ", "pub type ", "pub const "];
            let name = words.iter().find_map(|word| line.strip_prefix(word));
            let function = line.split_once(" extern \"C\" fn ").map(|(_, name)| name);
            if let Some(name) = name.or(function) {
                let end = name.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
                tell(name.get(..end.unwrap_or(name.len())).unwrap_or_default());
            }
        }
    }

    /// A declaration without the comment before it.
    fn code(text: &str) -> &str {
        let commented = text.starts_with("/**").then(|| text.split_once("*/")).flatten();
        commented.map_or(text, |(_, code)| code).trim()
    }

    /// The name that a declaration declares.
    fn name(text: &str) -> Option<&str> {
        let code = code(text);
        if let Some(constant) = code.strip_prefix("#define ") {
            return constant.split(' ').next();
        }
        if let Some((_, callback)) = code.split_once("(*gk_") {
            let start = code.len() - callback.len() - "gk_".len();
            return code.get(start..)?.split(')').next();
        }
        let before = if code.starts_with("typedef ") {
            code.strip_suffix(';')?
        } else {
            code.split_once('(')?.0
        };
        before.rsplit([' ', '*', '\n']).next()
    }

    /// Puts functions under the heading of the type that their name begins with.
    fn beside_their_types(items: &mut [Item<'_>]) {
        let types = items.iter().filter(|item| item.text.contains("typedef "));
        let types: Vec<(String, usize)> =
            types.map(|item| (format!("{}_", item.name), item.section)).collect();
        let is_function = |item: &&mut Item<'_>| {
            !["typedef ", "#define "].iter().any(|word| code(item.text).starts_with(word))
        };
        for item in items.iter_mut().filter(is_function) {
            let own = types.iter().filter(|(name, _)| item.name.starts_with(name.as_str()));
            if let Some((_, section)) = own.max_by_key(|(name, _)| name.len()) {
                item.section = *section;
            }
        }
    }

    /// Handles that are named before their own section are declared first of all; their comments stay in their section.
    fn written(front: &str, sections: &[Section], items: &[Item<'_>]) -> String {
        let opaque = |item: &Item<'_>| format!("typedef struct {} {};", item.name, item.name);
        let early: Vec<&Item<'_>> = items
            .iter()
            .filter(|item| {
                item.text.ends_with(&opaque(item))
                    && items
                        .iter()
                        .any(|user| user.section < item.section && uses(user.text, item.name))
            })
            .collect();
        let mut out =
            format!("{front}\n\n{OPEN}\n\n/* Handles that are named before their section. */\n");
        for item in &early {
            let _infallible = writeln!(out, "{}", opaque(item));
        }
        for (at, section) in sections.iter().enumerate() {
            let _infallible = write!(out, "\n/*\n * ==== {} ====\n *\n", section.title);
            for line in &section.text {
                let _infallible = writeln!(out, " * {line}");
            }
            out += " */\n";
            for item in items.iter().filter(|item| item.section == at) {
                let text = if early.iter().any(|early| early.name == item.name) {
                    item.text.replace(&opaque(item), &format!("struct {};", item.name))
                } else {
                    item.text.to_owned()
                };
                let _infallible = writeln!(out, "\n{text}");
            }
        }
        out + "\n"
    }

    /// Whether a declaration names a type.
    fn uses(text: &str, name: &str) -> bool {
        code(text).split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).any(|word| word == name)
    }
}
