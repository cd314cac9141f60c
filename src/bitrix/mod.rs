//! Bitrix24 as its REST documentation and its SDKs describe it. Knows nothing of hotels and tables:
//! tokens, the shared allowance and the request log come in through traits.
//!
//! One portal's calls go through a [`PortalClient`]: it waits for the portal's allowance ([`limits`]), sends ([`send`]),
//! refreshes once, follows one verified redirect, and writes one masked log row a request.

mod batch;
pub mod call;
pub mod client;
mod codes;
pub mod crm;
pub mod de;
mod encode;
pub mod error;
pub mod events;
mod forecast;
pub mod form;
mod limits;
mod list;
mod masking;
mod methods;
mod moment;
pub mod multifield;
mod oauth;
pub mod ports;
pub mod queue;
mod send;
pub mod setup;
pub mod tasks;
mod window;
mod wire;

pub use batch::{COMMANDS, group, requests};
pub use call::{Answer, Api, Call, Priority, Timing};
pub use client::{Client, PortalAddress, PortalClient};
pub use codes::At;
pub use encode::{query, travels_alone};
pub use error::{Class, Error, ErrorKind};
pub use events::{CrmHint, EventAuth, FramePost, PortalEvent, PostError};
pub use forecast::Forecast;
pub use form::{Form, FormError, Node};
pub use limits::{Permit, Reservation};
pub use list::{Listing, PAGE, Pager};
pub use methods::{BOX_OPERATING_SECONDS, OPERATING_SECONDS, Pace};
pub use moment::MomentForm;
pub use oauth::{AppInfo, OAuthHosts, TokenPair};
pub use ports::{AllowanceStore, LogEntry, MethodState, RequestLog, Take, TokenSource};
