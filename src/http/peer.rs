//! Who is calling, by address: the connection's own, or what a trusted proxy says of it (`http.trusted_proxies`).
//!
//! Whoever is refused again and again waits (see `portal::turns`), so an address behind which everybody stands must not
//! be taken for a caller: of a proxy, named or forgotten in the settings, nobody's address is known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use actix_web::HttpRequest;
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

/// Once each: what strangers send must not fill the log, nor hide what a proxy of ours does.
static INSIDE: Once = Once::new();
static OUTSIDE: Once = Once::new();

pub fn of(req: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = req.peer_addr()?.ip().to_canonical();
    let named: Vec<&str> = req
        .headers()
        .get_all(FORWARDED)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let caller = behind(peer, &named, trusted);
    if is_forgotten(peer, &named, trusted) {
        let once = if inside(peer) { &INSIDE } else { &OUTSIDE };
        once.call_once(|| {
            tracing::warn!(
                %peer,
                "requests come with X-Forwarded-For from an address that http.trusted_proxies does not name: if it is a \
                 proxy of yours, name it there, or callers behind it cannot be told apart"
            );
        });
    }
    caller
}

/// Whether this peer says for whom it asks though it is no proxy of ours.
fn is_forgotten(peer: IpAddr, named: &[&str], trusted: &[IpNet]) -> bool {
    !named.is_empty() && !trusted.iter().any(|net| net.contains(&peer))
}

fn inside(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 (RFC 6598): balancers of clouds.
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Each proxy adds the address it was called from at the end. Read from there, the first one that is no proxy of ours is
/// the caller; what stands before it was written by himself. `None`: nobody knows. Either no proxy says, or one inside
/// the network says though it is not trusted: it stands for everybody behind it.
fn behind(peer: IpAddr, named: &[&str], trusted: &[IpNet]) -> Option<IpAddr> {
    let ours = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let mut nearest = peer;
    for text in named.iter().rev() {
        if !ours(nearest) {
            return Some(nearest).filter(|ip| !inside(*ip));
        }
        let parsed = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
        nearest = parsed.map(|ip: IpAddr| ip.to_canonical())?;
    }
    Some(nearest).filter(|ip| !ours(*ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_an_address_is_believed_as_far_as_trusted_proxies_wrote_it() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "127.0.0.1/32"].map(|net| net.parse().expect("a net")).to_vec();
        for (peer, named, caller) in [
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"), // not our proxy: it says what it likes
            ("192.168.1.5", vec![], "192.168.1.5"),
            ("127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["8.8.8.8", "198.51.100.1", "10.0.0.3"], "198.51.100.1"), // the first is the caller's lie
            ("127.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", vec!["[2001:db8::7]:80"], "2001:db8::7"),
            ("127.0.0.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(behind(ip(peer), &named, &trusted), Some(ip(caller)), "{named:?}");
            assert_eq!(is_forgotten(ip(peer), &named, &trusted), peer == "203.0.113.9");
        }
    }

    #[test]
    fn s3_a_proxy_is_never_taken_for_the_caller() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a net")];
        for (peer, named) in [
            // Forgotten in the settings.
            ("127.0.0.1", vec!["198.51.100.1"]),
            ("::1", vec!["198.51.100.1"]),
            ("172.18.0.2", vec!["198.51.100.1"]),
            ("100.64.3.4", vec!["198.51.100.1"]),
            ("fd00::2", vec!["198.51.100.1"]),
            ("10.0.0.1", vec!["198.51.100.1", "192.168.0.3"]), // the second of two
            // Named, but it does not say.
            ("10.0.0.1", vec![]),
            ("10.0.0.1", vec!["198.51.100.1", "unknown"]),
        ] {
            assert_eq!(behind(peer.parse().expect("an address"), &named, &trusted), None, "{peer} {named:?}");
        }
    }
}
