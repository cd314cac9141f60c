//! How this hotel's server behaves: every switch of facts §11.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TextEncoding {
    #[default]
    Utf8,
    /// Characters outside the table come back as `?`.
    Windows1251,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// A packed answer to who asks for it (`V8-supported: Zip/Msg`).
    #[default]
    WhenAsked,
    Never,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum DateSpelling {
    /// `12.03.2026`
    #[default]
    Date,
    /// `12.03.2026 00:00:00.000 UTC-180`
    DateTime,
    /// Now one, now the other, by row.
    Mixed,
}

/// The spelling of a date-time the server understands in a condition (facts §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ConditionTimes {
    #[default]
    Any,
    /// A suffix or a fraction is answered with `UR`.
    NoSuffix,
    /// Only `DD.MM.YYYY`.
    DateOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum UnknownField {
    #[default]
    Ignore,
    /// The whole query fails with `IR`.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum OverLength {
    #[default]
    Cut,
    /// `UR` with the database's text.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum EmptySpelling {
    /// `<rows></rows>`
    #[default]
    Rows,
    /// A row whose `fields` has no field.
    EmptyRow,
    /// No `queryResponse` at all.
    Nothing,
    /// Status `NG`.
    NotFound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Licence {
    Basic,
    Advanced,
    WebConnect,
    /// CRS XML Interface One/Two Way: `Vendor` becomes mandatory, third-party ids become readable.
    Crs,
}

/// All switches, with the values of an ordinary, well-behaved site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    pub encoding: TextEncoding,
    pub packing: Packing,
    pub entry_name: String,
    /// Deflate the packed answer; else it is stored.
    pub deflate: bool,
    /// Wrap base64 at 76 columns with CRLF, as Windows encoders do.
    pub wrap_base64: bool,
    pub stay_dates: DateSpelling,
    /// The constant behind `UTC`, in minutes.
    pub suffix_minutes: i32,
    pub condition_times: ConditionTimes,
    /// `LastUpdateTime` of reservations may be asked for; else it is an unknown field.
    pub last_update_selectable: bool,
    /// A changed note or accompanying guest moves the reservation's `LastUpdateTime`.
    pub notes_touch: bool,
    /// A query without a state condition also returns cancelled, no-show, offer and earlier checked-out rows.
    pub plain_includes_all: bool,
    pub unknown_field: UnknownField,
    pub licences: BTreeSet<Licence>,
    /// Query types the XML user has no right to: answered with `AD`.
    pub denied: BTreeSet<String>,
    /// Query types an old server does not know: answered with `IR`.
    pub unsupported: BTreeSet<String>,
    pub over_length: OverLength,
    /// A merge takes the source's profile away; else it goes inactive.
    pub merges_remove: bool,
    /// An update may hit several records; else `AD`.
    pub batch_updates: bool,
    /// A new reservation is half-built for that long.
    pub half_built: Duration,
    /// A different field order in every row.
    pub shuffle_fields: bool,
    pub empty: EmptySpelling,
    pub lower_case_status: bool,
    /// Echo the request's id; else `ID=""`.
    pub echo_id: bool,
    /// Payments are negative amounts.
    pub negative_credits: bool,
    /// Time the wrapper takes for any request.
    pub latency: Duration,
    /// The web server in front (its `Date`) goes by the hotel's clock, not by this machine's.
    pub own_date: bool,
    /// Put a control character that XML 1.0 forbids into notes.
    pub dirty_notes: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            encoding: TextEncoding::default(),
            packing: Packing::default(),
            entry_name: "MSG".into(),
            deflate: true,
            wrap_base64: false,
            stay_dates: DateSpelling::Mixed,
            suffix_minutes: -180,
            condition_times: ConditionTimes::default(),
            last_update_selectable: true,
            notes_touch: true,
            plain_includes_all: true,
            unknown_field: UnknownField::default(),
            licences: BTreeSet::from([Licence::Basic]),
            denied: BTreeSet::new(),
            unsupported: BTreeSet::new(),
            over_length: OverLength::default(),
            merges_remove: false,
            batch_updates: true,
            half_built: Duration::ZERO,
            shuffle_fields: false,
            empty: EmptySpelling::default(),
            lower_case_status: false,
            echo_id: true,
            negative_credits: true,
            latency: Duration::ZERO,
            own_date: false,
            dirty_notes: false,
        }
    }
}
