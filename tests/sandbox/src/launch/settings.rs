//! Ordinary settings of the application, as anybody would write them: there is no sandbox mode in it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use fb24_sandbox::portal::Portal;

use super::Ports;

/// The key is made once and kept, as on a real server.
fn master_key(file: &Path) -> std::io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let bytes: [u8; 32] = rand::random();
    let key = format!("sandbox:{}\n", base64::engine::general_purpose::STANDARD.encode(bytes));
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(key.as_bytes())
}

/// The portal and the hotel start empty every time, so the application must forget what it knew of the last ones.
fn forget(run_dir: &Path) -> std::io::Result<()> {
    for name in ["product.db", "product.db-wal", "product.db-shm"] {
        match std::fs::remove_file(run_dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

pub fn of(run_dir: &Path, ports: &Ports, portal: &Portal) -> std::io::Result<Vec<(&'static str, String)>> {
    forget(run_dir)?;
    let key = run_dir.join("master.key");
    master_key(&key)?;
    let own = |name: &str| run_dir.join(name).display().to_string();
    Ok(vec![
        ("FB24__HTTP__LISTEN", format!("127.0.0.1:{}", ports.app)),
        ("FB24__HTTP__PUBLIC_URL", format!("http://127.0.0.1:{}", ports.app)),
        ("FB24__OPS__LISTEN", format!("127.0.0.1:{}", ports.ops)),
        ("FB24__DATABASE__URL", format!("sqlite://{}", own("product.db"))),
        ("FB24__STORAGE__URL", format!("file://{}", own("files"))),
        ("FB24__SECRETS__MASTER_KEY_FILE", own("master.key")),
        ("FB24__BITRIX__CLIENT_ID", portal.client_id()),
        ("FB24__BITRIX__CLIENT_SECRET", portal.client_secret()),
        ("FB24__BITRIX__OAUTH_HOSTS", portal.oauth_url()),
        ("FB24__BITRIX__ALLOW_PRIVATE", "*=127.0.0.0/8".to_owned()),
        ("FB24__PMS__ALLOW_PRIVATE", "*=127.0.0.0/8".to_owned()),
        // The portal is its own vendor's: the public form is open.
        ("FB24__SUPPORT__PORTAL", portal.member_id()),
        ("FB24__SUPPORT__PHONE", "+7 495 000-00-00".to_owned()),
        ("FB24__SUPPORT__ADDRESS", "support@example.com".to_owned()),
        // Livelier than the default, so that a guest checked in is seen at once.
        ("FB24__PMS__POLL_SECONDS", "2".to_owned()),
    ])
}
