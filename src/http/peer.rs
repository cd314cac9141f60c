//! Who is calling, by address: the connection's own, or what a trusted proxy says of it (`http.trusted_proxies`).

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

pub fn of(req: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = req.peer_addr()?.ip().to_canonical();
    let named: Vec<&str> = req
        .headers()
        .get_all(FORWARDED)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    Some(behind(peer, &named, trusted))
}

/// Each proxy adds the address it was called from at the end. Read from there, the first one that is no proxy of ours is
/// the caller; what stands before it was written by himself.
fn behind(peer: IpAddr, named: &[&str], trusted: &[IpNet]) -> IpAddr {
    let ours = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let mut nearest = peer;
    for text in named.iter().rev() {
        if !ours(nearest) {
            break;
        }
        let parsed = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
        let Some(ip) = parsed.map(|ip: IpAddr| ip.to_canonical()) else { break };
        nearest = ip;
    }
    nearest
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
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["8.8.8.8", "198.51.100.1", "10.0.0.3"], "198.51.100.1"), // the first is the caller's lie
            ("127.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", vec!["[2001:db8::7]:80"], "2001:db8::7"),
            ("127.0.0.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["198.51.100.1", "unknown"], "127.0.0.1"),
        ] {
            assert_eq!(behind(ip(peer), &named, &trusted), ip(caller), "{named:?}");
        }
    }
}
