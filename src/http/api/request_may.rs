//! What the caller may do with a request now, for pages to offer (`domain::support::may` asks the request's life).

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::support::may::{self, Stands};
use crate::support::view::Whole;
use crate::support::{Actor, Desk};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RequestAction)]
pub struct ActionView {
    /// `choose`, `confirm`, `dispute`, `close`, `take`, `answer`, `ask`, `resume`, `say`, `note`, `offer`, `agree`, `assign`,
    /// `split`, `fix`, `withdraw`, `rate`.
    pub action: String,
    /// What it cannot be done without: `text`, `reason`, `option`, `options`, `date`, `person`, `sentences`, `rating`, `release`.
    pub needs: Option<String>,
}

/// Of a request whose words were erased nothing can be split, and nothing chosen.
pub fn actions(who: &Actor, whole: &Whole) -> Vec<ActionView> {
    let stands = Stands {
        state: whole.row.state,
        offered: whole.offers.iter().any(|offer| offer.chosen.is_none() && !offer.options.is_empty()),
        unrated: whole.row.rating.is_none() && whole.content.is_some(),
        sentences: whole.content.as_ref().map_or(0, |content| Desk::sentences(content).len()),
    };
    let view = |act: may::Act| ActionView { action: act.word().to_owned(), needs: act.needs().map(str::to_owned) };
    may::may(stands, &who.roles).into_iter().map(view).collect()
}
