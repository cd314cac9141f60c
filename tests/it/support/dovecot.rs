//! A real IMAP server: Dovecot with a configuration, an owner and a folder of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use fidelio_bitrix24::mail::mailbox::Mailbox;
use secrecy::SecretString;

use super::process::free_port;
use super::world::until;

pub const USER: &str = "desk";
pub const PASSWORD: &str = "secret-of-the-desk";

pub struct Dovecot {
    child: Child,
    folder: tempfile::TempDir,
    owner: Option<(u32, u32)>,
    letters: AtomicU32,
    plain: u16,
    tls: u16,
}

/// The program; `None`, with the reason printed, where it is not installed: `make test` always installs it.
fn program() -> Option<PathBuf> {
    let found = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot", "/usr/bin/dovecot"];
    let found = found.into_iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var("CI").is_err(), "dovecot is not installed in CI");
        println!("skipped: dovecot is not installed (Debian: dovecot-imapd)");
    }
    found
}

fn said(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Root gives the mail to the user that the package made: root itself gets no mail.
fn owner() -> (Option<(u32, u32)>, String, String, String) {
    if said("id", &["-u"]) != "0" {
        let (user, group) = (said("id", &["-un"]), said("id", &["-gn"]));
        return (None, user.clone(), group, user);
    }
    let number = |flag: &str| said("id", &[flag, "dovecot"]).parse().expect("dovecot has a user");
    (Some((number("-u"), number("-g"))), "dovecot".into(), "dovecot".into(), "dovenull".into())
}

impl Dovecot {
    pub async fn start() -> Option<Self> {
        let program = program()?;
        let folder = tempfile::Builder::new().prefix("fb24-imap").tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("an open folder");
        let (owner, user, group, login) = owner();
        let server = Self {
            child: Command::new("true").spawn().expect("it runs"),
            folder,
            owner,
            letters: AtomicU32::new(0),
            plain: free_port(),
            tls: free_port(),
        };
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sandbox/src/portal/tls");
        let dir = server.folder.path().display();
        let config = format!(
            "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = {dir}/log\n\
             default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {login}\n\
             first_valid_uid = 1\nmail_location = maildir:{dir}/mail\nssl = yes\nssl_cert = <{keys}/box.pem\n\
             ssl_key = <{keys}/box.key.pem\ndisable_plaintext_auth = no\n\
             passdb {{\n driver = static\n args = password={PASSWORD}\n}}\n\
             userdb {{\n driver = static\n args = uid={user} gid={group} home={dir}/home\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {}\n }}\n inet_listener imaps {{\n port = {}\n \
             ssl = yes\n }}\n}}\nservice anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
            server.plain, server.tls
        );
        let path = server.folder.path().join("dovecot.conf");
        fs::write(&path, config).expect("a configuration");
        server.make("mail");
        server.empty();
        Some(server.begin(&program, &path).await)
    }

    async fn begin(mut self, program: &Path, config: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("-F").arg("-c").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = command.spawn().expect("dovecot starts");
        let mailbox = self.mailbox();
        until("dovecot answers", 30, || async { mailbox.open().await.ok() }).await;
        self
    }

    fn make(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        self.give(&path);
        path
    }

    fn give(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("it is given");
        }
    }

    pub fn url(&self) -> String {
        format!("imap://127.0.0.1:{}", self.plain)
    }

    pub fn tls_url(&self) -> String {
        format!("imaps://127.0.0.1:{}", self.tls)
    }

    pub fn mailbox(&self) -> Mailbox {
        self.mailbox_of(PASSWORD)
    }

    pub fn mailbox_of(&self, password: &str) -> Mailbox {
        Mailbox::new(&self.url(), USER, &SecretString::from(password)).expect("settings").expect("a mailbox")
    }

    /// A letter is delivered.
    pub fn deliver(&self, raw: impl AsRef<[u8]>) {
        let number = self.letters.fetch_add(1, Ordering::Relaxed);
        let (draft, there) = (
            self.folder.path().join(format!("mail/tmp/{number}")),
            self.folder.path().join(format!("mail/new/{number}.test")),
        );
        fs::write(&draft, raw).expect("a letter");
        self.give(&draft);
        fs::rename(draft, there).expect("it is there");
    }

    /// The folder is made anew: its letters are gone, and numbers begin again.
    pub fn empty(&self) {
        drop(fs::remove_dir_all(self.folder.path().join("mail")));
        for part in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
            self.make(part);
        }
    }

    /// How many letters bear the mark of having been read by a person or a program.
    pub fn changed(&self) -> usize {
        fs::read_dir(self.folder.path().join("mail/cur"))
            .expect("a folder")
            .flatten()
            .filter(|letter| {
                let name = letter.file_name().to_string_lossy().into_owned();
                name.split_once(":2,").is_some_and(|(_, flags)| !flags.is_empty())
            })
            .count()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its helpers end with it when it is asked, not when it is killed.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        drop(asked);
        drop(self.child.wait());
    }
}
