//! What a submission from the street is held to (S-23): spent and counted where it is registered, so that what comes to nothing
//! costs nothing.

use std::net::{IpAddr, Ipv6Addr};

use super::DeskError;
use crate::crypto::TenantKey;
use crate::store::Tx;
use crate::store::desk::limits;

#[derive(Debug, Clone)]
pub struct Gate {
    /// A captcha and its end.
    pub captcha: Option<(String, i64)>,
    pub counts: Vec<Count>,
}

/// So many within a span of time.
#[derive(Debug, Clone)]
pub struct Count {
    pub name: String,
    pub most: i64,
    pub span_ms: i64,
}

impl Gate {
    pub(super) async fn pass(&self, tx: &Tx, now: i64) -> Result<(), DeskError> {
        if let Some((id, until)) = &self.captcha
            && !limits::spend(tx, id, *until, now).await?
        {
            return Err(DeskError::Invalid("/captcha".into(), "captcha_spent"));
        }
        within(tx, &self.counts, now).await
    }
}

/// Counts one more of each.
pub(super) async fn within(tx: &Tx, counts: &[Count], now: i64) -> Result<(), DeskError> {
    for Count { name, most, span_ms } in counts {
        if !limits::count(tx, name, *most, *span_ms, now).await? {
            return Err(DeskError::TooMany(u32::try_from(span_ms / 1000).unwrap_or(u32::MAX)));
        }
    }
    Ok(())
}

/// Where somebody calls from, as he is counted: one line of IPv6 has a /64 of addresses, and who comes from nowhere shares
/// one name with all who do.
pub(super) fn place(key: &TenantKey, address: Option<IpAddr>) -> String {
    let place = match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    };
    key.hash("desk.address", place.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s23_a_line_is_counted_as_one_whatever_address_it_takes() {
        let key = TenantKey::generate();
        let of = |text: &str| place(&key, Some(text.parse().expect("an address")));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:198.51.100.1"), of("198.51.100.1"));
        assert_ne!(of("198.51.100.1"), of("198.51.100.2"));
        assert_eq!(place(&key, None), place(&key, None));
    }
}
