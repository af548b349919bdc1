//! What `deny.toml` says of crates, checked in `Cargo.lock` without cargo-deny: which may not be
//! there, which may be there in two versions, and where they come from.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use crate::Outcome;

const RULES: &str = "deny.toml";
const LOCK: &str = "Cargo.lock";

/// How a lock file names the public registry.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What `deny.toml` says.
pub struct Rules {
    pub licences: Vec<String>,
    banned: Vec<String>,
    in_versions: Vec<String>,
}

impl Rules {
    pub fn read(root: &Path) -> Result<Rules, String> {
        Rules::parse(&table(root, RULES)?)
    }

    fn parse(rules: &Table) -> Result<Rules, String> {
        let section = |name: &str| {
            let section = rules.get(name).and_then(Value::as_table);
            section.ok_or_else(|| format!("{RULES}: no section {name}"))
        };
        let (licences, bans, sources) =
            (section("licenses")?, section("bans")?, section("sources")?);
        for (section, key) in [
            (bans, "multiple-versions"),
            (sources, "unknown-git"),
            (sources, "unknown-registry"),
        ] {
            if section.get(key).and_then(Value::as_str) != Some("deny") {
                return Err(format!("{RULES}: {key} is not \"deny\""));
            }
        }
        Ok(Rules {
            licences: names(licences, "allow")?,
            banned: names(bans, "deny")?,
            in_versions: names(bans, "skip")?,
        })
    }

    /// Fails for the first crate of the workspace that breaks a rule.
    pub fn check(&self, root: &Path) -> Outcome {
        self.check_lock(&table(root, LOCK)?)
    }

    fn check_lock(&self, lock: &Table) -> Outcome {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let packages = lock.get("package").and_then(Value::as_array);
        for package in packages.ok_or_else(|| format!("{LOCK}: no packages"))? {
            let text = |key: &str| package.get(key).and_then(Value::as_str);
            let name = text("name").ok_or_else(|| format!("{LOCK}: no name"))?;
            // What is in the repository has no source.
            if let Some(source) = text("source").filter(|source| *source != CRATES_IO) {
                return Err(format!("{name} comes from {source}"));
            }
            if self.banned.iter().any(|banned| banned == name) {
                return Err(format!("{name} is banned by {RULES}"));
            }
            let version = text("version").unwrap_or_default();
            versions.entry(name).or_default().push(version);
        }
        for (name, versions) in versions {
            if versions.len() > 1 && !self.in_versions.iter().any(|one| one == name) {
                return Err(format!("{name} is there as {}", versions.join(" and ")));
            }
        }
        Ok(())
    }
}

fn table(root: &Path, file: &str) -> Result<Table, String> {
    let text =
        std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
    text.parse()
        .map_err(|error: toml::de::Error| format!("{file}: {}", error.message()))
}

/// The names in a list of strings, or of tables that name a crate.
fn names(section: &Table, key: &str) -> Result<Vec<String>, String> {
    let list = section.get(key).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("{RULES}: no list {key}"))?;
    let name = |value: &Value| {
        let name = value.as_str().or_else(|| value.get("crate")?.as_str());
        name.map(String::from)
            .ok_or_else(|| format!("{RULES}: {key}: no name: {value:?}"))
    };
    list.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let text = "[licenses]\nallow = [\"MIT\"]\n\
            [bans]\nmultiple-versions = \"deny\"\n\
            deny = [{ crate = \"bad\" }]\nskip = [{ crate = \"twice\" }]\n\
            [sources]\nunknown-git = \"deny\"\nunknown-registry = \"deny\"\n";
        Rules::parse(&text.parse().unwrap()).unwrap()
    }

    fn check(packages: &[(&str, &str, &str)]) -> Outcome {
        let mut text = String::new();
        for (name, version, source) in packages {
            text += &format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
            if !source.is_empty() {
                text += &format!("source = \"{source}\"\n");
            }
        }
        rules().check_lock(&text.parse().unwrap())
    }

    #[test]
    fn what_is_banned_doubled_or_from_elsewhere_is_named() {
        assert_eq!(rules().licences, ["MIT"]);
        assert!(check(&[("own", "1.0.0", ""), ("good", "1.0.0", CRATES_IO)]).is_ok());
        let refused = [
            &[("bad", "1.0.0", CRATES_IO)][..],
            &[("far", "1.0.0", "git+https://example.com/far")],
            &[("good", "1.0.0", CRATES_IO), ("good", "2.0.0", CRATES_IO)],
        ];
        for packages in refused {
            let error = check(packages).unwrap_err();
            assert!(error.contains(packages[0].0), "{error}");
        }
        assert!(check(&[("twice", "1.0.0", CRATES_IO), ("twice", "2.0.0", CRATES_IO)]).is_ok());
    }

    #[test]
    fn rules_that_allow_more_are_refused() {
        for (from, to) in [("\"deny\"", "\"warn\""), ("allow =", "other =")] {
            let text = include_str!("../../deny.toml").replace(from, to);
            assert!(Rules::parse(&text.parse().unwrap()).is_err(), "{to}");
        }
    }
}
