//! HTTP clients: TLS by rustls on ring, no proxy of the environment, no redirect followed, names resolved by the guard.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::guard::{Guard, Refused, origin};

/// What we call ourselves (facts §3.1: a meaningful `User-Agent`).
pub const USER_AGENT: &str = concat!("fidelio-bitrix24/", env!("CARGO_PKG_VERSION"));

/// Below the 5 seconds by which a write of unknown outcome is held longer than the portal's request cap (product §2.1):
/// a request must not leave much later than the moment recorded as "sent".
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Shorter than servers keep theirs (Apache's default is five seconds, nginx's 75): a request on a connection that the
/// server is closing has an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Makes ring the process's TLS provider. Safe to call any number of times, in `main` and in tests.
pub fn install_crypto() {
    // The error says only that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The system's roots, read once: a thousand portals must not hold a thousand copies.
fn public_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

fn tls(roots: Arc<RootCertStore>) -> Result<ClientConfig, Refused> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Refused::Client(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn public_tls() -> Result<ClientConfig, Refused> {
    static TLS: OnceLock<Result<ClientConfig, Refused>> = OnceLock::new();
    TLS.get_or_init(|| tls(Arc::new(public_roots().clone()))).clone()
}

/// Whether this text names at least one authority, and nothing that is none.
pub fn check_authority(ca_pem: &str) -> Result<(), Refused> {
    add_authorities(&mut RootCertStore::empty(), ca_pem)
}

fn add_authorities(roots: &mut RootCertStore, ca_pem: &str) -> Result<(), Refused> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|e| Refused::Certificate(e.to_string()))?;
        roots.add(certificate).map_err(|e| Refused::Certificate(e.to_string()))?;
        found = true;
    }
    if found { Ok(()) } else { Err(Refused::Certificate("it holds no certificate".into())) }
}

fn tls_with(ca_pem: &str) -> Result<ClientConfig, Refused> {
    let mut roots = public_roots().clone();
    add_authorities(&mut roots, ca_pem)?;
    tls(Arc::new(roots))
}

fn builder(tls: ClientConfig) -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // One connection carries one request at a time: whether a request can have left stays a plain question.
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(2)
}

/// Resolves one host for one port through the guard, and nothing else: it fails closed.
struct VettedHost {
    guard: Guard,
    member_id: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Resolve for VettedHost {
    fn resolve(&self, name: Name) -> Resolving {
        let same = name.as_str().eq_ignore_ascii_case(&self.host);
        let (guard, member_id, host) = (self.guard.clone(), self.member_id.clone(), name.as_str().to_owned());
        let (port, tls) = (self.port, self.tls);
        Box::pin(async move {
            if !same {
                return Err(Refused::OtherHost { host }.into());
            }
            let vetted = guard.resolve(&member_id, &host, port, tls).await?;
            let found: Addrs = Box::new(vetted.into_iter());
            Ok(found)
        })
    }
}

impl Guard {
    /// A client for the origin of `url` only: it resolves through this guard at each connection, so that the vetted
    /// address is the one connected to; it follows no redirect and trusts `ca_pem` besides the public roots.
    ///
    /// A literal address needs no resolver: call it with URLs of this origin only.
    pub fn client(&self, member_id: &str, url: &Url, ca_pem: Option<&str>) -> Result<reqwest::Client, Refused> {
        self.check_url(member_id, url)?;
        let (host, port, tls) = origin(url)?;
        let config = match ca_pem {
            Some(pem) => tls_with(pem)?,
            None => public_tls()?,
        };
        let resolver = VettedHost { guard: self.clone(), member_id: member_id.to_owned(), host, port, tls };
        builder(config)
            .https_only(tls)
            .dns_resolver(Arc::new(resolver))
            .build()
            .map_err(|e| Refused::Client(e.to_string()))
    }
}

/// A TLS handshake with the host of `url` on a connection that stands, and nothing else; trusts what [`Guard::client`] trusts.
pub async fn handshake(stream: TcpStream, url: &Url, ca_pem: Option<&str>) -> std::io::Result<()> {
    let unusable = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
    let config = ca_pem.map_or_else(public_tls, tls_with).map_err(|refused| unusable(refused.to_string()))?;
    let (host, ..) = origin(url).map_err(|refused| unusable(refused.to_string()))?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
    let mut stream = secured(config, bare, stream).await?;
    // It stood; how its end goes says nothing.
    let _ = stream.shutdown().await;
    Ok(())
}

async fn secured(config: ClientConfig, host: &str, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let unusable = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| unusable(error.to_string()))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// TLS with a server out of the operator's own settings that speaks no HTTP.
pub async fn operator_tls(host: &str, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let config = public_tls().map_err(|refused| std::io::Error::other(refused.to_string()))?;
    secured(config, host, stream).await
}

/// A client for addresses out of the operator's own settings (OAuth hosts, a bucket): no guard, but no redirect and no proxy.
pub fn operator_client() -> Result<reqwest::Client, Refused> {
    builder(public_tls()?).build().map_err(|e| Refused::Client(e.to_string()))
}

/// The refusal inside a failed request, if the guard was its cause.
pub fn refusal(error: &reqwest::Error) -> Option<Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(refused.clone());
        }
        source = cause.source();
    }
    None
}

/// A stable word for a handshake that failed, if that is why a request did.
pub fn tls_fault(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use rustls::{CertificateError as Cert, Error as Tls};
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<Tls>() {
            return Some(match tls {
                Tls::InvalidCertificate(Cert::Expired | Cert::ExpiredContext { .. }) => "certificate_expired",
                Tls::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
                    "certificate_name"
                }
                Tls::InvalidCertificate(Cert::UnknownIssuer) => "certificate_issuer",
                Tls::InvalidCertificate(_) => "certificate",
                Tls::InvalidMessage(_) => "not_tls",
                _ => "handshake",
            });
        }
        // An I/O error does not name what it wraps as its source, but that one's source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut buffer = [0_u8; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn s48_the_resolver_connects_to_vetted_addresses_only_and_follows_nothing() {
        let port = server(
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
        .await;
        let url: Url = format!("http://localhost:{port}/").parse().expect("url");
        let guard = Guard::parse(&[format!("m=127.0.0.0/8:{port}"), "m=10.0.0.0/8".into()]).expect("guard");
        let client = guard.client("m", &url, None).expect("client");
        assert_eq!(client.get(url.clone()).send().await.expect("answer").status(), 302);
        let error = client.get("http://portal.example/").send().await.expect_err("another host");
        assert_eq!(refusal(&error), Some(Refused::OtherHost { host: "portal.example".into() }));
        let closed = Guard::parse(&["m=10.0.0.0/8".into()]).expect("guard");
        let error = closed.client("m", &url, None).expect("client").get(url).send().await.expect_err("loopback");
        assert!(matches!(refusal(&error), Some(Refused::Private { .. })), "{error:?}");
    }

    #[test]
    fn s48_a_custom_authority_must_be_readable() {
        let url: Url = "https://portal.example/".parse().expect("url");
        let guard = Guard::default();
        assert!(matches!(guard.client("m", &url, Some("nonsense")), Err(Refused::Certificate(_))));
        assert!(guard.client("m", &url, None).is_ok());
        install_crypto();
        install_crypto();
        assert!(operator_client().is_ok());
    }
}
