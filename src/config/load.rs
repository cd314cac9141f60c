//! Reading settings: which keys exist is what `config/reference.toml` lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Value, ValueKind};

use super::Config;

const REFERENCE: &str = include_str!("../../config/reference.toml");
const PREFIX: &str = "FB24__";
const REQUIRED: [&str; 4] = ["http.public_url", "secrets.master_key", "bitrix.client_id", "bitrix.client_secret"];

/// What is wrong with the settings, in words for the person who wrote them. Values are never repeated.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unknown setting `{key}` in {place}{}", nearest.as_deref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown { key: String, place: &'static str, nearest: Option<String> },
    #[error("setting `{0}` is required (environment: {1})")]
    Required(&'static str, String),
    #[error("setting `{key}` cannot be read: {reason}")]
    Value { key: String, reason: String },
    #[error("the file of `{key}`, {path}, cannot be read: {reason}")]
    SecretFile { key: String, path: String, reason: String },
    #[error("the configuration file cannot be read: {0}")]
    File(String),
    #[error("setting `{0}` holds credentials inside a URL; give them by their own settings")]
    CredentialsInUrl(&'static str),
}

/// Reads the settings of this process.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    load_from(file, std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))))
}

/// Reads settings from a file and the given environment.
pub fn load_from(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let reference = keys(File::from_str(REFERENCE, FileFormat::Toml))?;
    let mut builder = config::Config::builder().add_source(File::from_str(REFERENCE, FileFormat::Toml));
    if let Some(path) = file {
        let source = File::from(PathBuf::from(path)).format(FileFormat::Toml);
        for key in keys(source.clone())?.keys() {
            if !reference.contains_key(key) {
                return Err(unknown(key, "the configuration file", &reference));
            }
        }
        builder = builder.add_source(source);
    }
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let (key, value) = from_environment(&path.to_lowercase().replace("__", "."), &text, &reference)?;
        builder = builder.set_override(key, value).map_err(|error| ConfigError::File(error.to_string()))?;
    }
    let merged = builder.build().map_err(|error| ConfigError::File(error.to_string()))?;
    for key in REQUIRED {
        if merged.get_string(key).unwrap_or_default().trim().is_empty() {
            return Err(ConfigError::Required(key, format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))));
        }
    }
    for key in ["database.url", "http.public_url", "storage.url", "mail.smtp_url", "support.imap_url"] {
        if has_password(&merged.get_string(key).unwrap_or_default()) {
            return Err(ConfigError::CredentialsInUrl(key));
        }
    }
    merged.try_deserialize().map_err(|error| match error {
        config::ConfigError::At { key: Some(key), error, .. } => ConfigError::Value { key, reason: shape(&error) },
        other => ConfigError::Value { key: "(file)".into(), reason: shape(&other) },
    })
}

/// The reason without the value: a misplaced secret must not reach a log.
fn shape(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::Type { expected, .. } => format!("expected {expected}"),
        config::ConfigError::Message(text) => text.split(':').next().unwrap_or_default().to_owned(),
        _ => "not of the expected form".to_owned(),
    }
}

fn from_environment(
    path: &str,
    text: &str,
    reference: &BTreeMap<String, ValueKind>,
) -> Result<(String, Value), ConfigError> {
    if let Some(kind) = reference.get(path) {
        return Ok((path.to_owned(), Value::new(None, typed(path, text, kind)?)));
    }
    if let Some((key, kind)) = path.strip_suffix("_file").and_then(|key| reference.get_key_value(key)) {
        let secret = std::fs::read_to_string(text).map_err(|error| ConfigError::SecretFile {
            key: key.clone(),
            path: text.to_owned(),
            reason: error.to_string(),
        })?;
        return Ok((key.clone(), Value::new(None, typed(key, secret.trim_end_matches(['\r', '\n']), kind)?)));
    }
    Err(unknown(path, "the environment", reference))
}

/// Text of the environment as the type that the reference has under this key.
fn typed(key: &str, text: &str, like: &ValueKind) -> Result<ValueKind, ConfigError> {
    let wrong = |reason: &str| ConfigError::Value { key: key.to_owned(), reason: reason.to_owned() };
    Ok(match like {
        ValueKind::Boolean(_) => ValueKind::Boolean(text.trim().parse().map_err(|_| wrong("expected true or false"))?),
        ValueKind::I64(_) => ValueKind::I64(text.trim().parse().map_err(|_| wrong("expected a whole number"))?),
        ValueKind::Array(_) => ValueKind::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::new(None, ValueKind::String(item.to_owned())))
                .collect(),
        ),
        _ => ValueKind::String(text.to_owned()),
    })
}

/// `section.key` and the value's kind, of every key of one source.
fn keys(source: impl config::Source + Send + Sync + 'static) -> Result<BTreeMap<String, ValueKind>, ConfigError> {
    let tree = config::Config::builder()
        .add_source(source)
        .build()
        .and_then(|tree| tree.try_deserialize::<BTreeMap<String, Value>>())
        .map_err(|error| ConfigError::File(error.to_string()))?;
    let mut flat = BTreeMap::new();
    for (section, value) in tree {
        match value.kind {
            ValueKind::Table(table) => {
                flat.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.kind)));
            }
            other => {
                flat.insert(section, other);
            }
        }
    }
    Ok(flat)
}

fn unknown(key: &str, place: &'static str, reference: &BTreeMap<String, ValueKind>) -> ConfigError {
    let nearest = reference
        .keys()
        .map(|known| (distance(key, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, known)| known.clone());
    ConfigError::Unknown { key: key.to_owned(), place, nearest }
}

/// Levenshtein distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above_left), above) in b.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above_left + usize::from(from != to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn has_password(url: &str) -> bool {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn environment(extra: &[(&str, &str)]) -> Vec<(String, String)> {
        [
            ("FB24__HTTP__PUBLIC_URL", "https://app.example.com"),
            ("FB24__SECRETS__MASTER_KEY", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("FB24__BITRIX__CLIENT_ID", "app.1"),
            ("FB24__BITRIX__CLIENT_SECRET", "s"),
        ]
        .iter()
        .chain(extra)
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
    }

    #[test]
    fn s50_defaults_are_the_contracts() {
        let config = load_from(None, environment(&[])).expect("loads");
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database.url, "sqlite://data/fidelio-bitrix24.db");
        assert_eq!(config.bitrix.oauth_hosts.len(), 2);
        assert_eq!((config.pms.poll_seconds, config.pms.settle_seconds, config.sync.lease_seconds), (15, 3, 20));
        assert!(config.support.captcha);
    }

    #[test]
    fn s50_every_setting_has_a_line_with_its_meaning() {
        // The defaults are read from this very file, whose every key must be a setting and the other way round.
        assert!(load_from(None, environment(&[])).is_ok());
        let mut explained = false;
        for line in REFERENCE.lines().map(str::trim) {
            match line.split_once(" = ") {
                // Keys right below one that is explained belong to it.
                Some((key, _)) if !line.starts_with('#') => assert!(explained, "{key} is not explained"),
                _ => explained = line.starts_with('#') || (explained && !line.is_empty() && !line.starts_with('[')),
            }
        }
    }

    #[test]
    fn s50_lists_numbers_and_secret_files_come_from_the_environment() {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), "from-file\n").expect("written");
        let path = file.path().display().to_string();
        let mut env = environment(&[
            ("FB24__BITRIX__OAUTH_HOSTS", "http://127.0.0.1:1, http://127.0.0.1:2"),
            ("FB24__PMS__POLL_SECONDS", "2"),
            ("FB24__BITRIX__CLIENT_SECRET_FILE", &path),
        ]);
        env.retain(|(key, _)| key != "FB24__BITRIX__CLIENT_SECRET");
        let config = load_from(None, env).expect("loads");
        assert_eq!(config.bitrix.oauth_hosts.len(), 2);
        assert_eq!(config.pms.poll_seconds, 2);
        assert_eq!(config.bitrix.client_secret.expose_secret(), "from-file");
    }

    #[test]
    fn s50_mistakes_are_named_without_repeating_values() {
        let text = |extra: &[(&str, &str)]| load_from(None, environment(extra)).expect_err("refused").to_string();
        assert!(text(&[("FB24__HTTP__LISTN", "x")]).contains("did you mean `http.listen`"));
        assert!(text(&[("FB24__PMS__POLL_SECONDS", "hunter2")]).contains("pms.poll_seconds"));
        assert!(!text(&[("FB24__PMS__POLL_SECONDS", "hunter2")]).contains("hunter2"));
        assert!(!text(&[("FB24__HTTP__LISTEN", "hunter2")]).contains("hunter2"));
        assert!(text(&[("FB24__DATABASE__URL", "postgres://u:p@h/d")]).contains("credentials"));
        assert!(text(&[("FB24__HTTP__PUBLIC_URL", "")]).contains("FB24__HTTP__PUBLIC_URL"));
    }
}
