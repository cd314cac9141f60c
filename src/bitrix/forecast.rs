//! How long so many rows will take a portal, by what it showed of one of them and by both of its limits.

use std::time::Duration;

use super::window::Window;

/// How rows will be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Requests at once, and leaving in a second.
    pub abreast: f64,
    pub per_second: f64,
    /// Of one request: the most rows, and the seconds aimed at.
    pub most: f64,
    pub seconds: f64,
    /// Seconds that a row takes where nothing is known.
    pub unknown: f64,
}

fn millis(seconds: f64) -> i64 {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}

impl Forecast {
    /// When the last of so many rows will be done (ms), if one takes `row` seconds and adds `cost` to the counter.
    pub(super) fn done_at(&self, rows: f64, row: f64, cost: f64, window: &Window, limit: f64, begin: i64) -> i64 {
        let request = (self.seconds / row).clamp(1.0, self.most);
        let pace = (self.abreast / row).min(self.per_second * request);
        let limited = window.done_at(begin, rows * cost, limit, pace * cost, request.min(20.0) * cost);
        limited.max(begin + millis(rows / pace))
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Timing;
    use super::super::methods::Methods;
    use super::*;

    fn timing(operating: f64, reset_at: i64, duration: f64) -> Timing {
        Timing {
            operating: Some(operating),
            operating_reset_at: Some(reset_at),
            duration: Some(duration),
            ..Timing::default()
        }
    }

    #[test]
    fn s1_a_forecast_goes_by_the_slower_of_both_limits() {
        let terms = Forecast { abreast: 3.0, per_second: 2.0, most: 1_000.0, seconds: 30.0, unknown: 0.025 };
        let mut methods = Methods::new(480.0);
        let seconds = |methods: &Methods, rows| methods.done_at("m", rows, &terms, 0) / 1_000;
        assert_eq!(seconds(&methods, 12_000.0), 100, "25 ms a row until it is known, three at a time");
        methods.answered("m", &[(20, timing(0.0, 600, 0.000_2)), (20, timing(0.000_4, 600, 0.000_2))], true, 0);
        assert_eq!(seconds(&methods, 10_000.0), 5, "two requests a second");
        let mut methods = Methods::new(480.0);
        methods.answered("m", &[(20, timing(6.0, 600, 6.0)), (20, timing(12.0, 600, 6.0))], true, 0);
        assert_eq!(seconds(&methods, 1_000.0), 100, "300 of 444 s");
        let throttled = seconds(&methods, 8_000.0);
        assert!((2_400..=3_200).contains(&throttled), "{throttled}: 2,400 s of work at 456 in ten minutes");
    }
}
