//! Whose value stands where people and the hotel fill the same field: what is known of both, and by which clocks.

use chrono::{DateTime, NaiveDateTime};

use super::ground::Ground;
use super::lanes::Delivery;
use crate::clock::wall;
use crate::domain::change_set::ChangeSet;
use crate::domain::edits::Stance;
use crate::domain::mapping::Owner;
use crate::domain::{CrmEntity, Fields, HotelId, Subject};
use crate::store::crm_records::RecordRow;
use crate::store::hotels::HotelRow;

impl Ground {
    /// By the mappings of the hotels behind the record: what another hotel of the portal agreed on is none of theirs.
    pub fn stance(&self, hotels: &[HotelId], entity: CrmEntity, field: &str) -> Stance {
        let behind = hotels.iter().filter_map(|hotel| self.mappings.get(hotel));
        let mut rules = behind.flat_map(|active| active.mapping.all_rules(entity));
        let newest = rules.any(|rule| rule.field == field && rule.owner == Owner::Newest);
        self.terms.ownership.stance(field, if newest { Owner::Newest } else { Owner::Pms })
    }
}

/// The hotels behind a record, by what is linked to it.
pub(super) fn hotels_of<'a>(subjects: impl IntoIterator<Item = &'a String>) -> Vec<HotelId> {
    subjects.into_iter().filter_map(|subject| subject.parse::<Subject>().ok()?.hotel()).collect()
}

/// When the hotel made what it says: its stamp, the error of its clock taken away. Nothing was made after we received it,
/// whatever a clock says.
pub(super) fn made_at(hotel: &HotelRow, pms_time: Option<NaiveDateTime>, received_at: i64) -> i64 {
    let stamp = pms_time.map(|time| wall(time, &hotel.timezone).timestamp_millis() - hotel.clock_ahead_ms);
    stamp.map_or(received_at, |stamp| stamp.min(received_at))
}

/// A moment as the portal tells it.
pub(super) fn portal_time(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

impl Delivery {
    /// What of the desired is to be written, and the record with what was decided about people's edits.
    pub(super) fn left_to_write(
        &self,
        hotels: &[HotelId],
        record: &RecordRow,
        desired: &Fields,
        made_at: i64,
    ) -> (RecordRow, Fields) {
        let mut row = record.clone();
        let stance = |field: &str| self.ground.stance(hotels, record.entity, field);
        let standing = row.edits.standing(desired.clone(), stance, made_at);
        let left = row.putbacks.uncontested(standing, self.now());
        (row, left)
    }

    /// The record must be read just before: else somebody's later edit might be overwritten unseen.
    pub(super) fn wants_a_look(&self, hotels: &[HotelId], entity: CrmEntity, set: &ChangeSet) -> bool {
        let disputed =
            |field: &String| field == "stageId" || self.ground.stance(hotels, entity, field) == Stance::Newest;
        !set.comms.is_empty() || set.write.keys().any(disputed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, HotelCode, Lang, OwnerRule, PortalId};
    use crate::store::mappings::Active;
    use crate::sync::ports::PortalTerms;

    #[test]
    fn s1_the_hotels_stamp_is_corrected_by_what_its_clock_is_off_and_is_never_later_than_its_arrival() {
        let hotel = |clock_ahead_ms| HotelRow {
            id: HotelId(1),
            portal: PortalId(1),
            code: HotelCode::parse("GRAND").unwrap(),
            name: String::new(),
            timezone: "Europe/Moscow".into(),
            currency: Currency::parse("RUB").unwrap(),
            settings: Default::default(),
            clock_ahead_ms,
            created_at: 0,
            removed_at: None,
        };
        let noon = "2026-11-21T12:00:00".parse().ok();
        let utc = portal_time("2026-11-21T09:00:00Z").unwrap();
        assert_eq!(made_at(&hotel(0), noon, utc + 60_000), utc);
        assert_eq!(made_at(&hotel(600_000), noon, utc + 60_000), utc - 600_000, "its clock is ten minutes ahead");
        assert_eq!(made_at(&hotel(-600_000), noon, utc + 900_000), utc + 600_000);
        assert_eq!(made_at(&hotel(0), noon, utc - 60_000), utc - 60_000);
        assert_eq!(made_at(&hotel(0), None, utc), utc);
        assert_eq!(portal_time("2026-11-21T12:00:00+03:00"), Some(utc));
        assert_eq!(portal_time("yesterday"), None);
    }

    #[test]
    fn s1_one_hotels_rule_is_no_rule_of_another_ones_records() {
        let mut other = Active::default();
        other.mapping.fields.iter_mut().for_each(|rule| rule.owner = Owner::Pms);
        let ground = Ground {
            hotels: Default::default(),
            groups: Default::default(),
            leaving: Default::default(),
            mappings: [(HotelId(1), Active::default()), (HotelId(2), other)].into(),
            terms: PortalTerms {
                owner_rule: OwnerRule::Person { user_id: 2 },
                category_id: 0,
                stages: Default::default(),
                can_import: true,
                multifield: Default::default(),
                moments: None,
                lang: Lang::Ru,
                ownership: Default::default(),
                system_user: 1,
                request_cap: Default::default(),
            },
        };
        let stance = |hotels: &[i64]| {
            let hotels: Vec<HotelId> = hotels.iter().copied().map(HotelId).collect();
            ground.stance(&hotels, CrmEntity::Contact, "PHONE")
        };
        assert_eq!((stance(&[1]), stance(&[2])), (Stance::Newest, Stance::PutBack));
        assert_eq!(stance(&[2, 1]), Stance::Newest, "a guest of both");
        assert_eq!(hotels_of(&["profile:2:7".to_owned(), "note:2:5".to_owned()]), [HotelId(2)]);
    }
}
