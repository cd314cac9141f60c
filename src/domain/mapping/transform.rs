//! Small pure changes of a value on its way, typed: each says what it takes and what it gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::{Shape, Yield};
use crate::domain::crm::CrmValue;
use crate::domain::fact::{Fact, spoken, tidy};

/// The longest text that leaves a rule.
pub const TEXT_MAX: usize = 2_000;

/// Whether a fact's words are among these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub fact: Fact,
    pub is: Vec<String>,
    /// The other way round: none of these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub except: bool,
}

impl Condition {
    /// A fact that is not known is none of the words.
    pub fn holds(&self, fact: &dyn Fn(Fact) -> Option<CrmValue>) -> bool {
        self.is.contains(&spoken(fact(self.fact))) != self.except
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Transform {
    Upper,
    Lower,
    Prefix {
        text: String,
    },
    Suffix {
        text: String,
    },
    Truncate {
        max: usize,
    },
    /// Replaces a code by the table's text; a code without one stays, unless `otherwise` is given.
    Lookup {
        table: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
    /// Anything as text: `{value}`; a date's `{day}`, `{month}`, `{year}`; `{amount}` and `{currency}` of money.
    Format {
        text: String,
    },
    /// A count, or an amount of money without its currency, as a plain number.
    Number,
    /// The value and these other facts of the record as one text; what is not known leaves no gap.
    Concat {
        with: Vec<Fact>,
        separator: String,
    },
    /// Only under a condition; else `otherwise`, or nothing.
    When {
        #[serde(flatten)]
        condition: Condition,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
}

/// Why a step cannot follow what comes before it: a stable code with its numbers or names.
pub type Misfit = (&'static str, Vec<(&'static str, String)>);

impl Transform {
    fn apply(&self, value: CrmValue, fact: &dyn Fn(Fact) -> Option<CrmValue>) -> CrmValue {
        match (self, value) {
            (Self::When { condition, otherwise }, value) => match otherwise {
                _ if condition.holds(fact) => value,
                Some(text) => CrmValue::Text(text.clone()),
                None => CrmValue::Empty,
            },
            (_, value) if value.is_empty() => value,
            (Self::Format { text }, value) => CrmValue::Text(filled(text, &value)),
            (Self::Number, CrmValue::Money(money)) => CrmValue::Amount(money.amount),
            (Self::Number, CrmValue::Int(number)) => CrmValue::Amount(number.into()),
            (Self::Concat { with, separator }, value) => {
                let all = [spoken(Some(value))].into_iter().chain(with.iter().map(|other| spoken(fact(*other))));
                CrmValue::Text(all.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(separator))
            }
            (_, CrmValue::Text(text)) => CrmValue::Text(self.of_text(text)),
            (_, value) => value,
        }
    }

    fn of_text(&self, text: String) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Prefix { text: prefix } => format!("{prefix}{text}"),
            Self::Suffix { text: suffix } => format!("{text}{suffix}"),
            Self::Truncate { max } => text.chars().take(*max).collect(),
            Self::Lookup { table, otherwise } => {
                table.get(&text).cloned().or_else(|| otherwise.clone()).unwrap_or(text)
            }
            _ => text,
        }
    }

    /// Other facts it looks at.
    pub fn facts(&self) -> Vec<Fact> {
        match self {
            Self::Concat { with, .. } => with.clone(),
            Self::When { condition, .. } => vec![condition.fact],
            _ => Vec::new(),
        }
    }

    /// What comes out when this goes in.
    pub fn gives(&self, taken: Yield) -> Result<Yield, Misfit> {
        let of_text = |given: fn(Yield, &Self) -> Yield| match taken.shape {
            Shape::Text => Ok(given(taken.clone(), self)),
            other => Err(("step_text", vec![("shape", other.word().to_owned())])),
        };
        match self {
            // Some letters grow in another case: `ß`, `ŉ`.
            Self::Upper | Self::Lower => of_text(|taken, _| Yield::text(taken.longest.saturating_mul(3))),
            Self::Prefix { .. } | Self::Suffix { .. } => of_text(|taken, step| match step {
                Self::Prefix { text } | Self::Suffix { text } => Yield::text(taken.longest + text.chars().count()),
                _ => taken,
            }),
            Self::Truncate { max } => of_text(|taken, _| taken).map(|taken| Yield::text(taken.longest.min(*max))),
            Self::Lookup { table, otherwise } => {
                of_text(|taken, _| taken).map(|taken| looked_up(taken, table, otherwise))
            }
            Self::Format { text } => match unknown_placeholder(text, taken.shape) {
                None if taken.shape.is_scalar() => {
                    Ok(Yield::text(text.chars().count() + taken.longest.saturating_mul(text.matches('{').count())))
                }
                None => Err(("step_scalar", vec![])),
                Some(name) => Err(("placeholder", vec![("name", name)])),
            },
            Self::Number => match taken.shape {
                Shape::Money | Shape::Integer => Ok(Yield::of(Shape::Number)),
                other => Err(("step_number", vec![("shape", other.word().to_owned())])),
            },
            Self::Concat { with, separator } if taken.shape.is_scalar() => {
                let others: usize =
                    with.iter().map(|fact| Yield::of_fact(*fact).longest + separator.chars().count()).sum();
                Ok(Yield::text(taken.longest + others))
            }
            Self::Concat { .. } => Err(("step_scalar", vec![])),
            Self::When { otherwise: None, .. } => Ok(taken),
            Self::When { otherwise: Some(text), .. } => of_text(|taken, _| taken).map(|taken| Yield {
                longest: taken.longest.max(text.chars().count()),
                words: taken.words.map(|mut words| {
                    words.insert(text.clone());
                    words
                }),
                ..taken
            }),
        }
    }
}

fn looked_up(taken: Yield, table: &BTreeMap<String, String>, otherwise: &Option<String>) -> Yield {
    let given = table.values().chain(otherwise).map(|text| text.chars().count()).max().unwrap_or_default();
    let longest = if otherwise.is_some() { given } else { given.max(taken.longest) };
    let words = match (otherwise, taken.words) {
        (Some(text), _) => Some(table.values().chain([text]).cloned().collect()),
        (None, Some(words)) => Some(words.into_iter().map(|word| table.get(&word).cloned().unwrap_or(word)).collect()),
        (None, None) => None,
    };
    Yield { shape: Shape::Text, longest, words }
}

/// A value passes through the steps; what is too long for any field is cut.
pub fn transform(steps: &[Transform], value: CrmValue, fact: &dyn Fn(Fact) -> Option<CrmValue>) -> CrmValue {
    if steps.is_empty() {
        return value;
    }
    match steps.iter().fold(value, |value, step| step.apply(value, fact)) {
        CrmValue::Text(text) => CrmValue::Text(tidy(&text, TEXT_MAX)),
        other => other,
    }
}

fn filled(pattern: &str, value: &CrmValue) -> String {
    let mut text = pattern.replace("{value}", &spoken(Some(value.clone())));
    match value {
        CrmValue::Date(date) => {
            for (name, code) in [("{day}", "%d"), ("{month}", "%m"), ("{year}", "%Y")] {
                text = text.replace(name, &date.format(code).to_string());
            }
        }
        CrmValue::Money(money) => {
            text = text.replace("{amount}", &money.amount.to_string()).replace("{currency}", money.currency.as_str());
        }
        _ => {}
    }
    text
}

/// The first placeholder that such a value does not fill.
fn unknown_placeholder(pattern: &str, shape: Shape) -> Option<String> {
    let known: &[&str] = match shape {
        Shape::Date => &["value", "day", "month", "year"],
        Shape::Money => &["value", "amount", "currency"],
        _ => &["value"],
    };
    let names = pattern.split('{').skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name));
    names.filter(|name| !known.contains(name)).map(|name| name.chars().take(32).collect()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, Money};

    fn text(value: &str) -> CrmValue {
        CrmValue::Text(value.to_owned())
    }

    fn facts(fact: Fact) -> Option<CrmValue> {
        match fact {
            Fact::Room => Some(text("101")),
            Fact::Status => Some(text("in_house")),
            Fact::Rate => Some(CrmValue::Empty),
            _ => None,
        }
    }

    fn run(steps: serde_json::Value, value: CrmValue) -> CrmValue {
        let steps: Vec<Transform> = serde_json::from_value(steps).unwrap();
        transform(&steps, value, &facts)
    }

    #[test]
    fn s1_steps_change_what_they_take_and_leave_nothing_as_it_is() {
        let lookup = serde_json::json!([
            {"do": "lookup", "table": {"DBL": "Двухместный"}}, {"do": "upper"}, {"do": "truncate", "max": 4}
        ]);
        assert_eq!(run(lookup.clone(), text("DBL")), text("ДВУХ"));
        assert_eq!(run(lookup.clone(), CrmValue::Int(5)), CrmValue::Int(5));
        assert_eq!(run(lookup, CrmValue::Empty), CrmValue::Empty);
        let date = CrmValue::Date("2026-11-21".parse().unwrap());
        assert_eq!(
            run(serde_json::json!([{"do": "format", "text": "{year}/{month}/{day}"}]), date),
            text("2026/11/21")
        );
        let money =
            CrmValue::Money(Money { amount: "12.5".parse().unwrap(), currency: Currency::parse("RUB").unwrap() });
        assert_eq!(
            run(serde_json::json!([{"do": "number"}]), money.clone()),
            CrmValue::Amount("12.5".parse().unwrap())
        );
        assert_eq!(run(serde_json::json!([{"do": "format", "text": "{amount} руб."}]), money), text("12.5 руб."));
        let concat = serde_json::json!([{"do": "concat", "with": ["room", "rate", "market"], "separator": ", "}]);
        assert_eq!(run(concat, text("DBL")), text("DBL, 101"));
    }

    #[test]
    fn s1_a_condition_lets_through_replaces_or_clears() {
        let when = |is: &str, more: serde_json::Value| {
            let mut step = serde_json::json!({"do": "when", "fact": "status", "is": [is]});
            step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            run(serde_json::json!([step]), text("101"))
        };
        let none = serde_json::json!({});
        assert_eq!((when("in_house", none.clone()), when("offer", none)), (text("101"), CrmValue::Empty));
        assert_eq!(when("offer", serde_json::json!({"otherwise": "—"})), text("—"));
        assert_eq!(when("in_house", serde_json::json!({"except": true})), CrmValue::Empty);
    }
}
