//! Changes since the last read: windows of stamps, then the changed records whole.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime, NaiveTime, Offset, TimeZone};

use super::{LOT, Pass, ask_fields};
use crate::fidelio::SourceError;
use crate::fidelio::suite8::conditions::{Cond, Op};
use crate::fidelio::suite8::dates::{self, Stamp, StampForm};
use crate::fidelio::suite8::error::WireError;
use crate::fidelio::suite8::fields::{Kind, PROFILE, RESERVATION, STAMPS, UPDATED};
use crate::fidelio::suite8::poll::{Extra, Look, Mark, Refusal, Sighting, hidden};
use crate::fidelio::suite8::xml::Row;

/// A window narrower than this is not cut further.
const MIN_SPAN: i64 = 600;

/// Days the first window looks back, one try after the other.
const LOOK_BACK: [i64; 3] = [1, 60, 4000];

/// What one window showed.
struct Window {
    rows: Vec<Sighting>,
    /// Of the plain query: what a form of stamp can be tried on.
    newest_plain: Option<Sighting>,
    from: NaiveDateTime,
    /// Our time, in milliseconds.
    asked_at: i64,
    /// Where it ends, if it does not reach the present.
    to: Option<NaiveDateTime>,
}

impl Pass<'_> {
    /// Reads what changed since the position; answers the seconds until an unsettled record has settled.
    pub async fn changes(&mut self) -> Result<(), SourceError> {
        self.follow()?;
        let mut soonest = self.kind_changes(&RESERVATION).await?;
        match self.kind_changes(&PROFILE).await {
            Ok(wait) => soonest = [soonest, wait].into_iter().flatten().min(),
            Err(SourceError::NotLicensed { area }) => self.area_off(&area),
            Err(error) => return Err(error),
        }
        self.near().await?;
        self.save().await?;
        let wait = soonest.and_then(|seconds| u64::try_from(seconds).ok()).map(std::time::Duration::from_secs);
        let behind = self.state.span.map(|_| std::time::Duration::from_secs(1));
        self.report.next_in = behind.or(wait);
        Ok(())
    }

    async fn kind_changes(&mut self, kind: &'static Kind) -> Result<Option<i64>, SourceError> {
        if self.state.refuses(&Refusal::Changes) {
            return Ok(None);
        }
        let stays = kind.req_type == RESERVATION.req_type;
        let known = if stays { self.state.reservations.clone() } else { self.state.profiles.clone() };
        // What was there before the hotel was connected is the import's, and a person starts that.
        let first = known.is_none();
        let (mut mark, window) = match known {
            Some(mark) => {
                let Some(window) = self.window(kind, &mark).await? else { return Ok(None) };
                (mark, window)
            }
            None => match self.first_window(kind).await? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let overlap = self.overlap();
        let settle = Duration::from_std(self.hotel.settings.settle).unwrap_or_default();
        let now = self.pms_now(&window.rows, mark.high);
        let newest = window.rows.iter().filter_map(|row| row.stamp).max();
        let stamped = window.rows.iter().all(|row| row.stamp.is_some());
        let look = Look { now, settle, to: window.to, at_ms: window.asked_at };
        let sifted = mark.sift(window.rows, &look);
        if sifted.went_back {
            self.note("pms_time_back");
            // Whatever its clock was ahead before, it is not any more.
            self.state.ahead = 0;
            self.state.near_at = Some(DateTime::UNIX_EPOCH);
            mark.back_to(newest, window.from);
        }
        for lot in sifted.due.chunks(LOT) {
            if first {
                mark.passed(lot, overlap);
            } else if stays {
                self.changed_stays(lot, &mut mark).await?;
            } else {
                // Somebody's guest was read before this window was asked for, and may have changed between.
                for row in lot {
                    self.profiles.remove(&row.number);
                }
                let changes = self.profiles(numbers(lot)).await?;
                mark.delivered(lot, overlap, self.hotel.clock.now_ms());
                self.state.profiles = Some(mark.clone());
                self.take(changes, true).await?;
            }
        }
        if !stamped {
            // The hotel does not return the stamp: the window moves with its own clock instead (facts §6.2).
            mark.high = mark.high.max(self.local_now());
        }
        if let Some(to) = window.to {
            mark.high = mark.high.max(to);
        }
        let place = if stays { &mut self.state.reservations } else { &mut self.state.profiles };
        *place = Some(mark);
        if self.state.form.is_none()
            && let Some(newest) = window.newest_plain
        {
            self.learn_form(kind, &newest).await?;
        }
        Ok(sifted.settles_in)
    }

    async fn changed_stays(&mut self, lot: &[Sighting], mark: &mut Mark) -> Result<(), SourceError> {
        let rows = self.rows_by_number(&RESERVATION, &numbers(lot)).await?;
        mark.delivered(lot, self.overlap(), self.hotel.clock.now_ms());
        let mut ready = Vec::new();
        for row in rows {
            // Without stamps the whole window comes again and again; only new content leaves.
            let ready_stay = self.ready_stay(&row);
            ready.extend(ready_stay.filter(|stay| !self.hotel.is_known(&stay.number, stay.digest)));
        }
        self.state.reservations = Some(mark.clone());
        if ready.is_empty() {
            return self.save().await;
        }
        self.hand_over(ready, true).await
    }

    /// Finds the newest change the hotel knows, looking back further and further: its stamps are the only clock that
    /// counts, and it may be far from ours. Changes of the day before the newest one are handed over.
    async fn first_window(&mut self, kind: &'static Kind) -> Result<Option<(Mark, Window)>, SourceError> {
        for days in LOOK_BACK {
            let from = (self.local_now() - Duration::days(days)).date().and_time(NaiveTime::MIN);
            let mark = Mark::at(from + self.overlap());
            let Some(mut window) = self.window(kind, &mark).await? else { return Ok(None) };
            if window.rows.is_empty() {
                continue;
            }
            let newest = window.rows.iter().filter_map(|row| row.stamp).max();
            let Some(newest) = newest else { return Ok(Some((mark, window))) };
            let day = newest - Duration::days(1);
            window.rows.retain(|row| row.stamp.is_none_or(|stamp| stamp >= day));
            return Ok(Some((Mark::at(day), window)));
        }
        Ok(None)
    }

    /// The overlap, wider while the hotel's clock has just been put back: an hour happens twice.
    fn overlap(&self) -> Duration {
        let settings = &self.hotel.settings;
        let settle = Duration::from_std(settings.settle).unwrap_or_default();
        let overlap = Duration::from_std(settings.overlap).unwrap_or_default().max(settle * 2);
        let now = self.hotel.clock.now();
        let offset = |at| settings.timezone.offset_from_utc_datetime(&at).fix().local_minus_utc();
        let before = offset((now - Duration::hours(3)).naive_utc());
        if before > offset(now.naive_utc()) { overlap.max(Duration::minutes(70)) } else { overlap }
    }

    /// The PMS's clock: its web server's, corrected by stamps that were ahead of it.
    fn pms_now(&mut self, rows: &[Sighting], high: NaiveDateTime) -> NaiveDateTime {
        let web = self.local_now();
        let newest = rows.iter().filter_map(|row| row.stamp).filter(|stamp| *stamp > high).max();
        if let Some(newest) = newest {
            self.state.ahead = self.state.ahead.max((newest - web).num_seconds());
        }
        if self.state.ahead > 300 {
            self.note("pms_clock_ahead");
        }
        web + Duration::seconds(self.state.ahead)
    }

    /// Reads one window; `None` when stamps cannot be asked for at all.
    async fn window(&mut self, kind: &'static Kind, mark: &Mark) -> Result<Option<Window>, SourceError> {
        loop {
            let (now, asked_at) = (self.local_now(), self.hotel.clock.now_ms());
            let from = mark.from(now, self.overlap());
            let span = self.state.span.filter(|span| from + Duration::seconds(*span) < now);
            // One that reaches the present has no end.
            let to = span.map(|span| from + Duration::seconds(span) + self.overlap()).filter(|to| *to < now);
            let form = self.state.form.unwrap_or(StampForm::Day);
            match self.sightings(kind, form, from, to).await {
                Ok((rows, newest_plain)) => {
                    self.state.span = span.map(|span| span.saturating_mul(2));
                    return Ok(Some(Window { rows, newest_plain, from, asked_at, to }));
                }
                Err(error) if error.is_too_much() => {
                    let length = span.unwrap_or_else(|| (now - from).num_seconds());
                    if length <= MIN_SPAN {
                        return Err(error.at(kind.req_type));
                    }
                    self.state.span = Some((length / 2).max(MIN_SPAN));
                }
                Err(error) if error.is_refusal() && !error.is_denied() => {
                    self.state.form = match form {
                        StampForm::Full => Some(StampForm::Seconds),
                        StampForm::Seconds => Some(StampForm::Day),
                        StampForm::Day => {
                            self.state.refused(Refusal::Changes, self.hotel.clock.now());
                            self.state.form = None;
                            return Ok(None);
                        }
                    };
                }
                Err(error) => return Err(error.at(kind.req_type)),
            }
        }
    }

    /// Numbers and stamps of a window: a plain query, and one for each state that a plain query may hide, as messages
    /// of their own.
    async fn sightings(
        &mut self,
        kind: &'static Kind,
        form: StampForm,
        from: NaiveDateTime,
        to: Option<NaiveDateTime>,
    ) -> Result<(Vec<Sighting>, Option<Sighting>), WireError> {
        let suffix = self.state.suffix.clone();
        let text = |at: NaiveDateTime| form.write(at, suffix.as_deref());
        let mut since = Cond::is(UPDATED, Op::Ge, text(from));
        if let Some(to) = to {
            // A day has no end below the next one.
            let to = if form == StampForm::Day { to + Duration::days(1) } else { to };
            since = since.and(Cond::is(UPDATED, Op::Lt, text(to)));
        }
        let mut found = BTreeMap::new();
        self.slim(kind, &since, None, &mut found).await?;
        let newest_plain = found
            .iter()
            .filter_map(|(number, stamp)| Some(Sighting { number: number.clone(), stamp: Some((*stamp)?) }))
            .max_by_key(|row| row.stamp);
        if kind.req_type == RESERVATION.req_type {
            for state in self.state.states_to_ask() {
                match self.slim(kind, &since.clone().and(hidden(state)), Some(state), &mut found).await {
                    Err(error) if error.is_refusal() && self.state.state_refused(state, self.hotel.clock.now()) => {}
                    other => other?,
                }
            }
        }
        let rows = found.into_iter().map(|(number, stamp)| Sighting { number, stamp }).collect();
        Ok((rows, newest_plain))
    }

    async fn slim(
        &mut self,
        kind: &'static Kind,
        condition: &Cond,
        state: Option<u8>,
        found: &mut BTreeMap<String, Option<NaiveDateTime>>,
    ) -> Result<(), WireError> {
        let mut fields = vec![kind.key];
        if kind.req_type == RESERVATION.req_type {
            fields.extend(["ReservationType", "ReservationState", "CheckoutDateTime"]);
        }
        if self.state.is_on(kind, STAMPS) {
            fields.push(UPDATED);
        }
        let mut answer = match ask_fields(self.hotel, kind, std::slice::from_ref(condition), &fields).await {
            // Nobody matches: said in the words of a lookup (facts §2.5).
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if error.is_refusal() && state.is_none() && self.learn(kind).await? => {
                fields.retain(|field| *field != UPDATED || self.state.is_on(kind, STAMPS));
                ask_fields(self.hotel, kind, std::slice::from_ref(condition), &fields).await?
            }
            other => other?,
        };
        while let Some(lot) = answer.next().await? {
            for (_, row) in lot {
                self.sight(kind, &row, state, found);
            }
        }
        Ok(())
    }

    fn sight(
        &mut self,
        kind: &'static Kind,
        row: &Row,
        state: Option<u8>,
        found: &mut BTreeMap<String, Option<NaiveDateTime>>,
    ) {
        let text = |name: &str| row.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.text.as_str());
        if text("ReservationType").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("FA")) {
            return;
        }
        let Some(number) = super::records::number(kind, row) else { return };
        let stamp = text(UPDATED).and_then(|text| Stamp::parse(text).ok().flatten());
        if let Some(suffix) = stamp.as_ref().and_then(|stamp| stamp.suffix.as_ref())
            && self.state.suffix.as_ref() != Some(suffix)
        {
            self.state.suffix = Some(suffix.clone());
        }
        match state {
            None => self.plain_row(row),
            Some(state) if !found.contains_key(&number) => {
                self.state.extra.insert(state, Extra::Needed);
            }
            Some(_) => {}
        }
        found.insert(number, stamp.map(|stamp| stamp.local()));
    }

    /// Tries how exactly this server reads a stamp: a change known to exist must be found by it.
    async fn learn_form(&mut self, kind: &'static Kind, known: &Sighting) -> Result<(), SourceError> {
        let Some(stamp) = known.stamp else { return Ok(()) };
        for form in [StampForm::Full, StampForm::Seconds] {
            let condition = Cond::is(UPDATED, Op::Ge, form.write(stamp, self.state.suffix.as_deref()));
            let mut found = false;
            match ask_fields(self.hotel, kind, &[condition], &[kind.key]).await {
                Err(error) if error.is_refusal() || error.is_not_found() => continue,
                Err(error) => return Err(error.at(kind.req_type)),
                Ok(mut answer) => {
                    while let Some(lot) = answer.next().await.map_err(|error| error.at(kind.req_type))? {
                        found |= lot.iter().any(|(_, row)| {
                            super::records::number(kind, row).as_deref() == Some(known.number.as_str())
                        });
                    }
                }
            }
            if found {
                self.state.form = Some(form);
                return Ok(());
            }
        }
        self.state.form = Some(StampForm::Day);
        Ok(())
    }

    /// The hotel's business date, else its calendar's.
    pub(super) async fn today(&mut self) -> Result<chrono::NaiveDate, SourceError> {
        use crate::fidelio::suite8::request::Query;
        let local = self.local_now().date();
        match self.hotel.rows(&[Query::new("SystemDate").fields(["SystemDate"])]).await {
            Ok(rows) => {
                let field = rows.iter().flat_map(|(_, row)| &row.fields).find(|field| field.name == "SystemDate");
                let date = field.and_then(|field| dates::Stamp::parse(&field.text).ok().flatten());
                Ok(date.map_or(local, |stamp| stamp.date))
            }
            Err(error) if error.is_refusal() || error.is_not_found() => Ok(local),
            Err(error) => Err(error.at("SystemDate")),
        }
    }
}

fn numbers(lot: &[Sighting]) -> Vec<String> {
    lot.iter().map(|row| row.number.clone()).collect()
}
