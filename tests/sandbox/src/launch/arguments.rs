//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use fb24_sandbox::portal::Edition;

use super::LaunchError;

pub const HELP: &str = "\
fb24-sandbox: an emulated Bitrix24 portal and an emulated Fidelio hotel

  --product FILE       start the application too, configured for this sandbox
  --run-dir DIR        database, key and log of that application (default: .run)
  --port N             first of five ports (default: 8600; 0: any free ones)
  --reservations N     size of the hotel (default: 500)
  --seed N             another hotel (default: 1)
  --edition NAME       cloud, or box: a portal of a private authority, tests/sandbox/src/portal/tls/ca.pem (default: cloud)
  --pace SECONDS       something happens at the desk every so often; 0: nothing by itself (default: 8)";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    pub product: Option<PathBuf>,
    pub run_dir: PathBuf,
    pub port: u16,
    pub reservations: usize,
    pub seed: u64,
    pub edition: Edition,
    pub living_day: Option<Duration>,
}

impl Arguments {
    /// `None`: help was asked for.
    pub fn read(mut given: impl Iterator<Item = String>) -> Result<Option<Self>, LaunchError> {
        let mut read = Self {
            product: None,
            run_dir: PathBuf::from(".run"),
            port: 8600,
            reservations: 500,
            seed: 1,
            edition: Edition::Cloud,
            living_day: Some(Duration::from_secs(8)),
        };
        while let Some(name) = given.next() {
            if name == "--help" || name == "-h" {
                return Ok(None);
            }
            let value = given.next().ok_or_else(|| LaunchError::Arguments(format!("{name} needs a value")))?;
            let number =
                || value.parse::<u64>().map_err(|_| LaunchError::Arguments(format!("{name}: {value} is no number")));
            let small = |n: u64| LaunchError::Arguments(format!("{name}: {n} is too big"));
            match name.as_str() {
                "--product" => read.product = Some(PathBuf::from(&value)),
                "--run-dir" => read.run_dir = PathBuf::from(&value),
                "--port" => read.port = number().and_then(|n| u16::try_from(n).map_err(|_| small(n)))?,
                "--reservations" => {
                    read.reservations = number().and_then(|n| usize::try_from(n).map_err(|_| small(n)))?
                }
                "--seed" => read.seed = number()?,
                "--edition" => read.edition = edition(&value)?,
                "--pace" => read.living_day = Some(number()?).filter(|n| *n > 0).map(Duration::from_secs),
                other => return Err(LaunchError::Arguments(format!("unknown argument {other}"))),
            }
        }
        Ok(Some(read))
    }
}

fn edition(name: &str) -> Result<Edition, LaunchError> {
    match name {
        "cloud" => Ok(Edition::Cloud),
        "box" => Ok(Edition::Box),
        other => Err(LaunchError::Arguments(format!("--edition: {other} is neither cloud nor box"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Arguments>, LaunchError> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let all = read("--product /x --port 0 --pace 0 --edition box --reservations 7").unwrap().unwrap();
        assert_eq!((all.port, all.living_day, all.edition, all.reservations), (0, None, Edition::Box, 7));
        assert_eq!(read("--help").unwrap(), None);
        for wrong in ["--port", "--port 70000", "--port x", "--colour red", "--edition paper"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
