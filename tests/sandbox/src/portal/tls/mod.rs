//! A TLS front with a certificate of the sandbox's own authority: boxed portals often have one no browser knows, and
//! sometimes another one. The keys are test equipment like everything here and sign nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// An authority and what it signed.
struct Identity {
    ca: &'static str,
    certificate: &'static str,
    key: &'static str,
}

const FIRST: Identity =
    Identity { ca: include_str!("ca.pem"), certificate: include_str!("box.pem"), key: include_str!("box.key.pem") };
const RENEWED: Identity = Identity {
    ca: include_str!("renewed_ca.pem"),
    certificate: include_str!("renewed_box.pem"),
    key: include_str!("renewed_box.key.pem"),
};

/// The authority, before and after the box got another one.
pub fn ca(renewed: bool) -> &'static str {
    if renewed { RENEWED.ca } else { FIRST.ca }
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Unwraps TLS and passes the bytes on to the plain listener.
pub async fn run(listener: std::net::TcpListener, plain: SocketAddr, renewed: watch::Receiver<bool>) {
    if let Err(error) = serve(listener, plain, renewed).await {
        tracing::error!(%error, "the sandbox portal's TLS front stopped");
    }
}

async fn serve(
    listener: std::net::TcpListener,
    plain: SocketAddr,
    renewed: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (first, second) = (acceptor(&FIRST)?, acceptor(&RENEWED)?);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let mut renewed = renewed.clone();
        let acceptor = if *renewed.borrow_and_update() { second.clone() } else { first.clone() };
        actix_web::rt::spawn(async move {
            // A client that does not trust the certificate hangs up here.
            let Ok(mut secured) = acceptor.accept(stream).await else { return };
            if let Ok(mut inner) = TcpStream::connect(plain).await {
                // Whoever renews a certificate restarts the web server: what was open ends. Until the client has hung up
                // as well it may send its next request into a connection that is gone.
                tokio::select! {
                    biased;
                    Ok(()) = renewed.changed() => {
                        let _ = secured.shutdown().await;
                        let _ = tokio::io::copy(&mut secured, &mut tokio::io::sink()).await;
                    }
                    _ = tokio::io::copy_bidirectional(&mut secured, &mut inner) => {}
                }
            }
        });
    }
}
