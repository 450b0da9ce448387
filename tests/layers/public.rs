//! What the crate makes public: at its root, and in its modules.

use super::EDGES;
use super::source::code;
use std::collections::BTreeMap;
use std::path::Path;

/// What is named of each module of the crate root, as `module::name`. A group of paths at the root hides what it names.
pub(crate) fn module_items(code: &str) -> impl Iterator<Item = String> {
    code.match_indices("crate::").flat_map(|(at, _)| {
        let path = &code[at + "crate::".len()..];
        let group = path.strip_prefix('{').and_then(|group| group.split('}').next());
        if let Some(group) = group.filter(|group| group.contains("::")) {
            return vec![group.to_owned()];
        }
        let module = first_names(path).swap_remove(0);
        let rest = path.strip_prefix(module.as_str()).and_then(|rest| rest.strip_prefix("::"));
        // A name in capitals is a type, and what follows is of it.
        let is_module = module.starts_with(char::is_lowercase) && !EDGES.contains(&module.as_str());
        let names = rest.filter(|_| is_module).map(first_names).unwrap_or_default();
        let names = names.into_iter().filter(|name| name != "self");
        names.map(|name| format!("{module}::{name}")).collect()
    })
}

/// The names that a path or a group of paths begins with.
pub(crate) fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), true);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && depth == 0 && !c.is_whitespace() => {
                names.push(name(&group[i..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

/// The names the crate root re-exports, with the room each is from.
pub(crate) fn root_exports(code: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for part in code.split("pub use ").skip(1) {
        let path: String = part.split(';').next().unwrap().split_whitespace().collect();
        let (room, rest) = path.split_once("::").unwrap();
        for name in first_names(rest.rsplit_once("::").map_or(rest, |(_, last)| last)) {
            exports.insert(name, room.to_owned());
        }
    }
    exports
}

/// [`root_exports`], and of each public module: itself, and as `module::name` what it makes public.
pub(crate) fn public(
    root: &str,
    read: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let mut found = root_exports(root);
    let of_base = found.clone().into_iter().filter(|(name, room)| is_module(name, room));
    let modules: Vec<_> =
        after(root, "pub mod ".to_owned()).chain(of_base.map(|(name, _)| name)).collect();
    for module in modules {
        let places = ["", "base/", "error/"]
            .map(|at| [".rs", "/mod.rs"].map(|end| format!("src/{at}{module}{end}")));
        let text = places.as_flattened().iter().find_map(|file| read(file));
        let text = text.map(|text| code(&text)).unwrap_or_default();
        let made = ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "mod "];
        let made = made.iter().flat_map(|kind| after(&text, format!("\npub {kind}")));
        for name in made.chain(root_exports(&text).into_keys()) {
            found.insert(format!("{module}::{name}"), module.clone());
        }
        found.insert(module.clone(), module);
    }
    found
}

pub(crate) fn is_module(name: &str, room: &str) -> bool {
    (room == "base" || room == "error") && name.starts_with(char::is_lowercase)
}

/// The names that follow `begin`.
pub(crate) fn after(code: &str, begin: String) -> impl Iterator<Item = String> {
    let parts: Vec<_> = code.split(&begin).skip(1).map(first_names).collect();
    parts.into_iter().map(|mut names| names.swap_remove(0))
}

pub(crate) fn read_if_there(file: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()
}
