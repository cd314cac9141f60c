//! Ports for a listener that somebody else opens a moment later.
//!
//! Who opens its own listener asks the system for port 0. A process that must be told its port cannot, and a port the
//! system gave and got back is soon given again: to a listener or to any outgoing connection. So these lie below what
//! the system gives by itself (32768 and above), and one process never names the same twice.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// Where this process begins: another process most likely begins elsewhere.
static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| {
    let dice = RandomState::new().hash_one(std::process::id());
    AtomicU32::new(u32::try_from(dice % u64::from(COUNT)).unwrap_or_default())
});

/// A port of this machine nobody listens at.
pub fn free() -> std::io::Result<u16> {
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(COUNT);
        let port = FIRST + u16::try_from(step).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(std::io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn e3_no_port_is_named_twice_and_none_is_one_the_system_gives() {
        let named: Vec<u16> = (0..300).map(|_| super::free().expect("a port")).collect();
        assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
        assert!(named.iter().all(|port| (10_000..30_000).contains(port)), "{named:?}");
    }
}
