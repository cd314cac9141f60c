//! Bitrix24 as its REST documentation and its SDKs describe it. Knows nothing of hotels and tables:
//! tokens, the shared allowance and the request log come in through traits.

pub mod call;
pub mod client;
pub mod error;
pub mod ports;

pub use call::{Answer, Api, Call, Priority, Timing};
pub use client::{Client, PortalAddress, PortalClient};
pub use error::{Class, Error, ErrorKind};
pub use ports::{AllowanceStore, LogEntry, RequestLog, Take, TokenSource};
