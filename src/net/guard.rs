//! The rule who may be called where, and its operator's exceptions.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

use super::ranges::is_public;

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0} is not allowed: only https, or http on an allowed private address")]
    Scheme(String),
    #[error("{host} is a private or reserved address; an operator must allow it")]
    Private { host: String },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("the certificate authority is no readable PEM: {0}")]
    Certificate(String),
    /// A client made for one origin was used for another: a fault of ours.
    #[error("{host} is not the host this connection was made for")]
    OtherHost { host: String },
    #[error("no client can be made: {0}")]
    Client(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    /// `None`: every portal.
    member_id: Option<String>,
    net: IpNet,
    port: Option<u16>,
}

/// Ranges allowed though private, per portal: `<member_id or *>=<CIDR>[:port]`.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<Allowed>,
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        let (member, rest) = entry.trim().split_once('=')?;
        let (member, rest) = (member.trim(), rest.trim());
        if member.is_empty() || !member.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'_')) {
            return None;
        }
        let (net, port) = match parse_net(rest) {
            Some(net) => (net, None),
            None => {
                let (net, port) = rest.rsplit_once(':')?;
                (parse_net(net)?, Some(port.parse().ok().filter(|port| *port != 0)?))
            }
        };
        Some(Self { member_id: (member != "*").then(|| member.to_owned()), net, port })
    }

    fn covers(&self, member_id: &str, address: IpAddr, port: u16) -> bool {
        self.member_id.as_deref().is_none_or(|own| own == member_id)
            && self.port.is_none_or(|own| own == port)
            // `::ffff:10.0.0.1` is the same machine as `10.0.0.1`.
            && (self.net.contains(&address) || self.net.contains(&address.to_canonical()))
    }
}

fn parse_net(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpNet>().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
}

impl Guard {
    /// Parses the entries of `bitrix.allow_private` or `pms.allow_private`. An IPv6 address with a port needs its
    /// prefix length or brackets: `*=[::1]:8080`, `*=::1/128:8080`.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        entries
            .iter()
            .map(|entry| {
                Allowed::parse(entry).ok_or_else(|| format!("{entry:?} is not `<member_id or *>=<CIDR>[:port]`"))
            })
            .collect::<Result<_, _>>()
            .map(|allowed| Self { allowed })
    }

    /// Whether an entry holds for every portal; such a setting is refused in public (contract, "Configuration").
    pub fn allows_anyone(&self) -> bool {
        self.allowed.iter().any(|entry| entry.member_id.is_none())
    }

    /// Whether an operator allowed this address to this portal, public or not.
    fn is_allowed(&self, member_id: &str, address: IpAddr, port: u16) -> bool {
        self.allowed.iter().any(|entry| entry.covers(member_id, address, port))
    }

    /// Whether this address may be connected to. Without TLS only where an operator allowed the address.
    pub(super) fn permits(&self, member_id: &str, address: IpAddr, port: u16, tls: bool) -> bool {
        self.is_allowed(member_id, address, port) || (tls && is_public(address))
    }

    /// Resolves `host` and answers the addresses that may be connected to for this portal.
    pub async fn vet(&self, member_id: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        self.resolve(member_id, host, port, true).await
    }

    /// Resolves the URL's host and answers the addresses that may be connected to under its scheme.
    pub async fn vet_url(&self, member_id: &str, url: &Url) -> Result<Vec<SocketAddr>, Refused> {
        self.check_url(member_id, url)?;
        let (host, port, tls) = origin(url)?;
        self.resolve(member_id, &host, port, tls).await
    }

    pub(super) async fn resolve(
        &self,
        member_id: &str,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((bare, port)).await.map(Iterator::collect).unwrap_or_default(),
        };
        if found.is_empty() {
            return Err(Refused::NoAddress { host: host.to_owned() });
        }
        let some_public = found.iter().any(|address| is_public(address.ip()));
        let vetted: Vec<_> =
            found.into_iter().filter(|address| self.permits(member_id, address.ip(), port, tls)).collect();
        match vetted.is_empty() {
            false => Ok(vetted),
            true if some_public => Err(Refused::Scheme("http".into())),
            true => Err(Refused::Private { host: host.to_owned() }),
        }
    }

    /// Whether this URL may be called at all for this portal: its scheme, no credentials in it, and a literal address
    /// (a name is vetted when it is resolved).
    pub fn check_url(&self, member_id: &str, url: &Url) -> Result<(), Refused> {
        let (host, port, tls) = origin(url)?;
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        match literal {
            Some(ip) if self.permits(member_id, ip, port, tls) => Ok(()),
            Some(ip) if !tls && is_public(ip) => Err(Refused::Scheme(url.scheme().to_owned())),
            Some(_) => Err(Refused::Private { host }),
            // Without any exception for this portal no name can lead to an address that http may use.
            None if !tls && !self.has_any(member_id) => Err(Refused::Scheme(url.scheme().to_owned())),
            None => Ok(()),
        }
    }

    fn has_any(&self, member_id: &str) -> bool {
        self.allowed.iter().any(|entry| entry.member_id.as_deref().is_none_or(|own| own == member_id))
    }
}

/// Host, port and whether TLS is spoken.
pub(super) fn origin(url: &Url) -> Result<(String, u16, bool), Refused> {
    let tls = match url.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(Refused::Scheme(other.to_owned())),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Scheme("a URL with credentials".into()));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Refused::NoAddress { host: String::new() })?;
    let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
    Ok((host.to_owned(), port, tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(entries: &[&str]) -> Guard {
        Guard::parse(&entries.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()).expect("entries")
    }

    fn url(text: &str) -> Url {
        text.parse().expect("url")
    }

    #[test]
    fn s48_entries_name_portal_range_and_port() {
        for bad in [
            "",
            "10.0.0.0/8",
            "m=",
            "=10.0.0.0/8",
            "m=host",
            "m=10.0.0.0/33",
            "m=10.0.0.1:0",
            "m=10.0.0.1:99999",
            "a b=10.0.0.1",
        ] {
            assert!(Guard::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
        let g = guard(&["abc=10.1.0.0/16:8080", "*=[::1]:9000", "abc=fd00::/8:443", "abc=192.168.0.7"]);
        let ip = |text: &str| text.parse::<IpAddr>().expect("ip");
        assert!(g.is_allowed("abc", ip("10.1.2.3"), 8080));
        assert!(!g.is_allowed("abc", ip("10.1.2.3"), 80), "another port");
        assert!(!g.is_allowed("xyz", ip("10.1.2.3"), 8080), "another portal");
        assert!(g.is_allowed("xyz", ip("::1"), 9000));
        assert!(g.is_allowed("abc", ip("fd12::1"), 443));
        assert!(g.is_allowed("abc", ip("192.168.0.7"), 1));
        assert!(g.is_allowed("abc", ip("::ffff:192.168.0.7"), 1), "mapped form of an allowed address");
        assert!(g.allows_anyone() && !guard(&["abc=10.0.0.1"]).allows_anyone());
    }

    #[test]
    fn s48_literal_addresses_are_checked_in_every_disguise() {
        let g = guard(&[]);
        for text in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::a00:1]/",
            "https://169.254.169.254/latest",
            "https://10.0.0.1:8443/",
        ] {
            assert!(matches!(g.check_url("m", &url(text)), Err(Refused::Private { .. })), "{text}");
        }
        for text in [
            "http://8.8.8.8/",
            "http://portal.example/",
            "ftp://portal.example/",
            "https://u:p@portal.example/",
            "file:///etc/passwd",
        ] {
            assert!(matches!(g.check_url("m", &url(text)), Err(Refused::Scheme(_))), "{text}");
        }
        assert_eq!(g.check_url("m", &url("https://portal.example/rest/")), Ok(()));
        let boxed = guard(&["m=127.0.0.1:8080"]);
        assert_eq!(boxed.check_url("m", &url("http://127.0.0.1:8080/")), Ok(()));
        assert!(boxed.check_url("n", &url("http://127.0.0.1:8080/")).is_err());
        assert!(boxed.check_url("m", &url("http://127.0.0.1:8081/")).is_err());
        assert!(boxed.check_url("m", &url("http://8.8.8.8:8080/")).is_err(), "http stays refused elsewhere");
    }

    #[tokio::test]
    async fn s48_a_name_is_judged_by_what_it_resolves_to() {
        let closed = guard(&[]);
        assert!(matches!(closed.vet("m", "localhost", 443).await, Err(Refused::Private { .. })));
        let open = guard(&["m=127.0.0.0/8:443", "m=[::1]:443"]);
        assert!(open.vet("m", "localhost", 443).await.is_ok_and(|found| !found.is_empty()));
        assert!(open.vet("m", "localhost", 444).await.is_err());
        assert!(open.vet("n", "localhost", 443).await.is_err());
        assert!(matches!(open.vet("m", "no-such-host.invalid", 443).await, Err(Refused::NoAddress { .. })));
    }
}
