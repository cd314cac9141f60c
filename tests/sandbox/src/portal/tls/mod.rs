//! A TLS front with a certificate of the sandbox's own authority: boxed portals often have one no browser knows.
//! The key is test equipment like everything here and signs nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The authority.
pub const CA: &str = include_str!("ca.pem");
const CERTIFICATE: &str = include_str!("box.pem");
const KEY: &str = include_str!("box.key.pem");

fn acceptor() -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(CERTIFICATE.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Unwraps TLS and passes the bytes on to the plain listener.
pub async fn run(listener: std::net::TcpListener, plain: SocketAddr) {
    if let Err(error) = serve(listener, plain).await {
        tracing::error!(%error, "the sandbox portal's TLS front stopped");
    }
}

async fn serve(listener: std::net::TcpListener, plain: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let acceptor = acceptor()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        actix_web::rt::spawn(async move {
            // A client that does not trust the certificate hangs up here.
            let Ok(mut secured) = acceptor.accept(stream).await else { return };
            if let Ok(mut inner) = TcpStream::connect(plain).await {
                let _ = tokio::io::copy_bidirectional(&mut secured, &mut inner).await;
            }
        });
    }
}
