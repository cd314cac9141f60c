//! A boxed portal whose certificate a private authority signed: real handshakes (product §8, facts §13.7).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fb24_sandbox::portal::{Portal, PortalOptions};
use fidelio_bitrix24::bitrix::{
    Class, Client, Error, ErrorKind, OAuthHosts, PortalAddress, PortalClient, Priority, TokenSource, setup,
};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::net::Guard;
use secrecy::SecretString;

use super::scripted::{Counter, Log};

pub const ANOTHER_CA: &str = include_str!("../portal/another_ca.pem");

struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn current(&self) -> Result<SecretString, Error> {
        Ok(self.0.clone().into())
    }
    async fn renewed(&self, _: &SecretString) -> Result<SecretString, Error> {
        Err(Error::token("not in this test"))
    }
    async fn moved(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

fn boxed(host: &str) -> Portal {
    let portal = Portal::start(PortalOptions { tls: true, host: host.to_owned(), ..PortalOptions::default() });
    portal.set_installed();
    portal
}

fn client(portal: &Portal, shared: &Client, ca_pem: Option<&str>) -> PortalClient {
    let address = PortalAddress {
        member_id: portal.member_id(),
        client_endpoint: portal.client_endpoint().parse().expect("a URL"),
        ca_pem: ca_pem.map(str::to_owned),
        burst: 50,
        per_second: 2,
        operating_seconds: 420,
        request_cap: Duration::from_secs(5),
    };
    let tokens = Arc::new(Token(portal.tokens(1).access));
    shared.visitor(address, tokens, Arc::new(Counter::default()), Arc::new(Log::default()), Clock::system())
}

fn shared(portal: &Portal) -> Client {
    let hosts = vec![portal.oauth_url().parse().expect("a URL")];
    let oauth = OAuthHosts::new(hosts, portal.client_id(), portal.client_secret().into()).expect("hosts");
    Client::new(Guard::parse(&["*=127.0.0.0/8".to_owned()]).expect("a guard"), oauth)
}

async fn refusal(client: &PortalClient) -> Error {
    client.call(Priority::Live, &setup::profile()).await.expect_err("no handshake")
}

#[tokio::test]
async fn s48_a_private_authority_is_trusted_only_where_it_was_given() {
    let portal = boxed("127.0.0.1");
    assert!(portal.client_endpoint().starts_with("https://"));
    let shared = shared(&portal);
    let without = refusal(&client(&portal, &shared, None)).await;
    assert_eq!(without.kind, ErrorKind::Tls("certificate_issuer"));
    assert_eq!(without.to_string(), "no secure connection to the portal: certificate_issuer");
    assert!(!without.outcome_unknown && matches!(without.class, Class::Retry { .. }), "nothing was sent: {without:?}");

    let own = client(&portal, &shared, Some(portal.ca_pem()));
    assert_eq!(own.call(Priority::Live, &setup::profile()).await.expect("an answer").result["ID"], "1");

    // What another tenant trusts, and a connection that stands, help nobody else.
    assert_eq!(refusal(&client(&portal, &shared, None)).await.kind, ErrorKind::Tls("certificate_issuer"));
    let another = refusal(&client(&portal, &shared, Some(ANOTHER_CA))).await;
    assert_eq!(another.kind, ErrorKind::Tls("certificate_issuer"), "another authority does not help");
    // A file of several: the right one among them counts.
    let both = format!("{ANOTHER_CA}\r\n{}", portal.ca_pem().replace('\n', "\r\n"));
    assert!(client(&portal, &shared, Some(&both)).call(Priority::Live, &setup::profile()).await.is_ok());
    assert_eq!(portal.requests_of("profile").len(), 2, "refused handshakes carried nothing");
}

#[tokio::test]
async fn s48_a_certificate_for_another_host_is_refused_though_its_authority_is_trusted() {
    let portal = boxed("127.0.0.3");
    let error = refusal(&client(&portal, &shared(&portal), Some(portal.ca_pem()))).await;
    assert_eq!(error.kind, ErrorKind::Tls("certificate_name"));
    assert!(portal.requests().is_empty(), "no token left");
}

#[tokio::test]
async fn s48_a_portal_that_speaks_no_tls_is_told_from_one_with_a_wrong_certificate() {
    let portal = Portal::start(PortalOptions::default());
    portal.set_installed();
    let shared = shared(&portal);
    let address = PortalAddress {
        client_endpoint: portal.client_endpoint().replace("http:", "https:").parse().expect("a URL"),
        ..client(&portal, &shared, None).address().clone()
    };
    let tokens = Arc::new(Token(portal.tokens(1).access));
    let wrong =
        shared.visitor(address, tokens, Arc::new(Counter::default()), Arc::new(Log::default()), Clock::system());
    assert_eq!(refusal(&wrong).await.kind, ErrorKind::Tls("not_tls"));
}
