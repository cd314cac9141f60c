//! Certificate authorities that the operator named for single portals (`bitrix.portal_ca`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::client::check_authority;

/// PEM texts by `member_id`.
#[derive(Debug, Clone, Default)]
pub struct Authorities(HashMap<String, String>);

impl Authorities {
    /// The entries of the setting, `<member_id>=<path of a PEM file>`, without a look at the files.
    pub fn parse(entries: &[String]) -> Result<Vec<(String, PathBuf)>, String> {
        let mut parsed: Vec<(String, PathBuf)> = Vec::new();
        for entry in entries {
            let wrong = || format!("{entry:?} is not `<member_id>=<path of a PEM file>`");
            let (member, path) = entry.split_once('=').ok_or_else(wrong)?;
            let (member, path) = (member.trim(), path.trim());
            let named = !member.is_empty() && member.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            if !named || path.is_empty() {
                return Err(wrong());
            }
            if parsed.iter().any(|(known, _)| known == member) {
                return Err(format!("{member:?} is named twice; put all its certificates into one file"));
            }
            parsed.push((member.to_owned(), path.into()));
        }
        Ok(parsed)
    }

    /// Reads every file that the setting names.
    pub fn read(entries: &[String]) -> Result<Self, String> {
        let read = |(member, path): (String, PathBuf)| Ok((member, Self::file(&path)?));
        Self::parse(entries)?.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// One file, if it holds certificates.
    pub fn file(path: &Path) -> Result<String, String> {
        let shown = path.display();
        let pem = std::fs::read_to_string(path)
            .map_err(|error| format!("{shown} cannot be read ({error}): mend the path or the file's rights"))?;
        check_authority(&pem).map_err(|_| {
            format!("{shown} holds no certificates in PEM form: put the authority's certificate there, BEGIN to END")
        })?;
        Ok(pem)
    }

    pub fn of(&self, member_id: &str) -> Option<&str> {
        self.0.get(member_id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s50_an_authority_of_a_portal_is_an_entry_with_a_name_and_a_path() {
        let read =
            |entries: &[&str]| Authorities::parse(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>());
        let parsed = read(&["a1b2 = /etc/box a=b.pem", "c3=d.pem"]).expect("entries");
        assert_eq!(parsed, [("a1b2".into(), "/etc/box a=b.pem".into()), ("c3".into(), "d.pem".into())]);
        for wrong in [&["/etc/box.pem"][..], &["=x.pem"], &["*=x.pem"], &["a1="], &["a b=x.pem"], &["a=x", "a=y"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
