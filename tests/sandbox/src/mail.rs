//! An emulated mail server: takes letters by SMTP, keeps them, and refuses when told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A letter as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, dots unstuffed.
    pub data: String,
}

/// What the server does with the next letter instead of taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// 451: try again.
    Busy,
    /// 550: never.
    Refuses,
    /// Takes it and hangs up before it says so.
    HangsUp,
}

#[derive(Debug, Default)]
struct State {
    letters: Vec<Received>,
    /// Who meets what, in this order for one receiver.
    moods: Vec<(String, Mood)>,
}

#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MailServer {
    /// Listens on a free port of this machine.
    #[expect(clippy::expect_used, reason = "a machine without a free port runs no tests")]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || talk(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn letters(&self) -> Vec<Received> {
        lock(&self.state).letters.clone()
    }

    /// The next letter to this address meets this mood.
    pub fn mood(&self, to: &str, mood: Mood) {
        lock(&self.state).moods.push((to.to_owned(), mood));
    }
}

/// One connection (RFC 5321). Whatever goes wrong ends it.
fn talk(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut say = move |line: &str| out.write_all(format!("{line}\r\n").as_bytes()).ok();
    let mut lines = BufReader::new(stream);
    let mut letter = Received { from: String::new(), to: Vec::new(), data: String::new() };
    say("220 sandbox")?;
    loop {
        let line = read(&mut lines)?;
        let upper = line.to_ascii_uppercase();
        let between = || line.split_once('<')?.1.split_once('>').map(|(address, _)| address.to_owned());
        if upper.starts_with("EHLO") || upper.starts_with("HELO") {
            say("250-sandbox")?;
            say("250 8BITMIME")?;
        } else if upper.starts_with("MAIL FROM") {
            letter.from = between()?;
            say("250 ok")?;
        } else if upper.starts_with("RCPT TO") {
            letter.to.push(between()?);
            say("250 ok")?;
        } else if upper == "DATA" {
            say("354 go on")?;
            loop {
                let line = read(&mut lines)?;
                if line == "." {
                    break;
                }
                letter.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                letter.data.push('\n');
            }
            let mood = {
                let moods = &mut lock(state).moods;
                let next = moods.iter().position(|(to, _)| letter.to.contains(to));
                next.map(|at| moods.remove(at).1)
            };
            match mood {
                Some(Mood::Busy) => say("451 later")?,
                Some(Mood::Refuses) => say("550 no such box")?,
                Some(Mood::HangsUp) => {
                    lock(state).letters.push(letter);
                    return None;
                }
                None => {
                    lock(state).letters.push(letter.clone());
                    say("250 taken")?;
                }
            }
            letter = Received { from: String::new(), to: Vec::new(), data: String::new() };
        } else if upper == "QUIT" {
            say("221 bye")?;
            return Some(());
        } else {
            say("250 ok")?;
        }
    }
}

fn read(lines: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match lines.read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}
