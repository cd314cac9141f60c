//! A fact that a source may have told, told as empty, or not told at all.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Absent and empty differ (product §1): a source that does not speak of a field must not clear it.
///
/// In JSON an absent fact is a missing member, an empty one is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Known<T> {
    #[default]
    Absent,
    Empty,
    Is(T),
}

impl<T> Known<T> {
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Empty => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// What the field holds after `newer` was told.
    pub fn merge(&mut self, newer: Self) {
        if !newer.is_absent() {
            *self = newer;
        }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Absent => Known::Absent,
            Self::Empty => Known::Empty,
            Self::Is(value) => Known::Is(f(value)),
        }
    }
}

/// A field that was read: `None` means the source says it is empty.
impl<T> From<Option<T>> for Known<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Self::Is)
    }
}

impl<T: Serialize> Serialize for Known<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Known<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Self::from)
    }
}

/// Declares a record of facts with a field-by-field `merge`.
macro_rules! facts {
    ($(#[$meta:meta])* pub struct $name:ident [$key:ident: $key_ty:ty] { $($(#[$fmeta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            pub $key: $key_ty,
            $($(#[$fmeta])*
            #[serde(default, skip_serializing_if = "crate::domain::Known::is_absent")]
            pub $field: crate::domain::Known<$ty>,)*
        }

        impl $name {
            /// A record of which nothing is known but its key.
            pub fn new($key: $key_ty) -> Self {
                Self { $key, $($field: crate::domain::Known::Absent,)* }
            }

            /// Takes over every fact that `newer` tells; what it does not tell stays.
            pub fn merge(&mut self, newer: Self) {
                $(self.$field.merge(newer.$field);)*
            }
        }
    };
}
pub(crate) use facts;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Holder {
        #[serde(default, skip_serializing_if = "Known::is_absent")]
        fact: Known<u8>,
    }

    #[test]
    fn s1_absent_empty_and_value_survive_json() {
        for (fact, json) in [(Known::Absent, "{}"), (Known::Empty, r#"{"fact":null}"#), (Known::Is(3), r#"{"fact":3}"#)]
        {
            let holder = Holder { fact };
            assert_eq!(serde_json::to_string(&holder).unwrap_or_default(), json);
            assert_eq!(serde_json::from_str::<Holder>(json).ok(), Some(holder));
        }
    }

    #[test]
    fn s1_a_silent_source_clears_nothing() {
        let mut fact = Known::Is(1);
        fact.merge(Known::Absent);
        assert_eq!(fact, Known::Is(1));
        fact.merge(Known::Empty);
        assert_eq!(fact, Known::Empty);
    }
}
