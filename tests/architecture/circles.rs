//! The dependencies between files within a module: files that depend on each other in a circle must be read together.
//!
//! The measure reads names, as a reader would:
//! * A path begins with `crate`, `super` or `self`, with the name of a module below the file's own, or with a name that
//!   a `use` of the file has bound. Every `use` counts, and every path of two names or more in the code.
//! * A path is followed to the file that defines the item, through modules and re-exports. No file therefore depends on
//!   a `mod.rs` that only declares and re-exports. A path that ends at a module does not count, because the used items
//!   of the module have their own paths. A name without a definition (a macro may have made it) belongs to the module
//!   that the path names.
//! * Methods are not followed: they belong to the type that the path names, wherever their `impl` is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::Regex;

use super::{Source, sources};

/// Maximum number of files that may depend on each other.
const MOST_FILES: usize = 3;

static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    let modifiers = r"(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe )*";
    let kinds = r"(?:struct|enum|union|trait|fn|const|static(?: mut)?|type|macro_rules!)";
    Regex::new(&format!(r"(?m)^{modifiers}{kinds} (\w+)")).unwrap()
});
static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);").unwrap());
static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+").unwrap());

/// The names of a path, from the crate's root.
type Path = Vec<String>;

/// A module: a file, or a folder's `mod.rs`.
struct Module {
    file: String,
    definitions: BTreeSet<String>,
    /// The names bound by `use`, not yet resolved.
    bound: HashMap<String, Path>,
    /// The modules of `use …::*`.
    globs: Vec<Path>,
    /// Every path in the code.
    named: Vec<Path>,
}

/// All modules, by their path.
struct House(BTreeMap<Path, Module>);

impl House {
    fn of(sources: &[Source]) -> Self {
        Self(sources.iter().map(|source| (module_path(&source.path), Module::read(source))).collect())
    }

    /// A path in a module, from the crate's root. `None` if it is outside the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Path> {
        let first = path.first()?.as_str();
        let mut root = module.to_vec();
        let rest = match first {
            "crate" => {
                root.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => {
                let steps = path.iter().take_while(|name| *name == "super").count();
                root.truncate(root.len().checked_sub(steps)?);
                &path[steps..]
            }
            _ => {
                root.push(first.to_owned());
                if !self.0.contains_key(&root) {
                    let bound = self.0[module].bound.get(first).filter(|bound| bound[0] != first)?;
                    root = self.absolute(module, bound)?;
                }
                &path[1..]
            }
        };
        root.extend(rest.iter().cloned());
        Some(root)
    }

    /// The file that defines the item of an absolute path; `None` for a module.
    fn definer(&self, path: &[String], seen: &mut BTreeSet<Path>) -> Option<&str> {
        if !seen.insert(path.to_vec()) || self.0.contains_key(path) {
            return None;
        }
        let depth = (0..path.len()).rev().find(|depth| self.0.contains_key(&path[..*depth]))?;
        let (room, name) = (&path[..depth], &path[depth]);
        let module = &self.0[room];
        if module.definitions.contains(name) {
            return Some(&module.file);
        }
        if let Some(bound) = module.bound.get(name) {
            let mut onward = self.absolute(room, bound)?;
            onward.extend_from_slice(&path[depth + 1..]);
            return self.definer(&onward, seen);
        }
        for glob in &module.globs {
            let mut onward = self.absolute(room, glob)?;
            onward.push(name.clone());
            if self.0.get(&onward[..onward.len() - 1]).is_some_and(|other| other.definitions.contains(name)) {
                return self.definer(&onward, seen);
            }
        }
        Some(&module.file)
    }

    /// The dependencies between files, with the used names.
    fn edges(&self) -> BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> {
        let mut edges = BTreeMap::<_, BTreeMap<_, BTreeSet<String>>>::new();
        for (at, module) in &self.0 {
            let known = edges.entry(module.file.as_str()).or_default();
            for named in &module.named {
                let absolute = self.absolute(at, named).unwrap_or_default();
                if let Some(file) = self.definer(&absolute, &mut BTreeSet::new())
                    && file != module.file
                {
                    known.entry(file).or_default().insert(named.last().unwrap().clone());
                }
            }
        }
        edges
    }
}

impl Module {
    fn read(source: &Source) -> Self {
        let code = with_inner_modules(&source.code);
        let (mut bound, mut globs, mut named) = (HashMap::new(), Vec::new(), Vec::new());
        for tree in USE.captures_iter(&code) {
            expand(&[], &tree[1], &mut |path, name| {
                if name == "*" {
                    globs.push(path.clone());
                } else {
                    bound.insert(name.to_owned(), path.clone());
                    named.push(path);
                }
            });
        }
        let code = USE.replace_all(&code, "");
        named.extend(PATH.find_iter(&code).map(|path| names(path.as_str())));
        let definitions = DEFINITION.captures_iter(&code).map(|found| found[1].to_owned()).collect();
        Self { file: source.path.clone(), definitions, bound, globs, named }
    }
}

fn names(path: &str) -> Path {
    path.split("::").map(|name| name.trim().to_owned()).collect()
}

/// `net/tls/mod.rs` is `net::tls`.
fn module_path(file: &str) -> Path {
    let names = file.trim_end_matches(".rs").split('/');
    names.filter(|name| !matches!(*name, "mod" | "lib")).map(str::to_owned).collect()
}

/// In an inline module, `super` is the file.
fn with_inner_modules(code: &str) -> String {
    let mut inside = false;
    let lines = code.lines().map(|line| {
        inside = (inside || line.starts_with("mod ") && line.ends_with('{')) && line != "}";
        if !inside {
            return line.to_owned();
        }
        line.replace("super::super::", "\0").replace("super::", "self::").replace('\0', "super::")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path of a `use` tree, with the name that it binds.
fn expand(before: &[String], tree: &str, found: &mut impl FnMut(Path, &str)) {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let mut before = before.to_vec();
        before.extend(names(path.trim_end_matches("::")).into_iter().filter(|name| !name.is_empty()));
        let group = group.strip_suffix('}').expect("a group ends the tree");
        let (mut depth, mut from) = (0, 0);
        for (position, c) in group.char_indices().chain([(group.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    if !group[from..position].trim().is_empty() {
                        expand(&before, &group[from..position], found);
                    }
                    from = position + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let mut path = [before.to_vec(), names(path)].concat();
    let last = path.pop().unwrap();
    if last != "self" && last != "*" {
        path.push(last.clone());
    }
    let name =
        alias.map_or_else(|| if last == "*" { "*" } else { path.last().unwrap() }.to_owned(), str::to_owned);
    found(path, &name);
}

/// All circles of more than one file, the largest first.
fn circles<'a>(edges: &BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>) -> Vec<BTreeSet<&'a str>> {
    let reached = |from: &'a str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            let known = edges.get(file).into_iter().flat_map(BTreeMap::keys);
            open.extend(known.filter(|other| reached.insert(**other)));
        }
        reached
    };
    let all: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|file| (*file, reached(file))).collect();
    let circle = |(file, reached): (&&'a str, &BTreeSet<&'a str>)| -> BTreeSet<&'a str> {
        reached
            .iter()
            .copied()
            .filter(|other| all.get(other).is_some_and(|back| back.contains(file)))
            .collect()
    };
    let circles: BTreeSet<_> = all.iter().map(circle).filter(|circle| circle.len() > 1).collect();
    let mut circles: Vec<_> = circles.into_iter().collect();
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

#[test]
fn no_circle_has_more_than_three_files() {
    let sources = sources();
    let house = House::of(&sources);
    let edges = house.edges();
    let mut report = String::new();
    for circle in circles(&edges).iter().filter(|circle| circle.len() > MOST_FILES) {
        report += &format!("\na circle of {} files:\n", circle.len());
        for file in circle {
            for (other, names) in edges[file].iter().filter(|(other, _)| circle.contains(*other)) {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                report += &format!("  {file} -> {other}: {}\n", names.join(", "));
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn the_measure_follows_reexports_to_the_definition() {
    let source = |path: &str, code: &str| Source { path: path.into(), code: code.into() };
    let sources = [
        source(
            "room/mod.rs",
            "mod one;\nmod two;\nmod three;\npub use one::One;\nuse self::two::{Two, deep::{self, Deep as D}};",
        ),
        source("room/one.rs", "use super::two::helper;\npub struct One;\nfn a() { super::three::run() }"),
        source(
            "room/two.rs",
            "pub struct Two;\npub(super) fn helper() -> super::One { super::MADE_BY_A_MACRO }",
        ),
        source(
            "room/three.rs",
            "mod inner {\nuse super::super::two;\nfn a() { two::helper(); super::run() }\n}\nconst fn run() {}",
        ),
    ];
    let house = House::of(&sources);
    let edges = house.edges();
    let known = |file: &str| edges[file].keys().copied().collect::<Vec<_>>();
    assert_eq!(known("room/mod.rs"), ["room/one.rs", "room/two.rs"]);
    assert_eq!(known("room/one.rs"), ["room/three.rs", "room/two.rs"]);
    assert_eq!(known("room/two.rs"), ["room/mod.rs", "room/one.rs"]);
    assert_eq!(known("room/three.rs"), ["room/two.rs"]);
    let all = BTreeSet::from(["room/mod.rs", "room/one.rs", "room/three.rs", "room/two.rs"]);
    assert_eq!(circles(&edges), [all]);
}
