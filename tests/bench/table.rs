//! What is printed at the end, and the few numbers it takes.

#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// One line; it is also shown at once, because a run takes minutes.
    pub fn add(&mut self, case: &str, measured: &str, value: impl Into<String>, goal: &str) {
        let line = [case.to_owned(), measured.to_owned(), value.into(), goal.to_owned()];
        eprintln!("  {}: {} = {} (goal: {})", line[0], line[1], line[2], line[3]);
        self.0.push(line);
    }

    /// As Markdown.
    pub fn print(&self) {
        let head = ["case", "measured", "value", "goal"].map(str::to_owned);
        let width = |column: usize| {
            std::iter::once(&head).chain(&self.0).map(|line| line[column].chars().count()).max().unwrap_or(0)
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let show = |line: &[String; 4]| {
            let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("| {} |", cells.join(" | "));
        };
        println!();
        show(&head);
        show(&widths.map(|width| "-".repeat(width)));
        for line in &self.0 {
            show(line);
        }
    }
}

/// The value below which `share` (0 to 1) of them lie.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).ceil() as usize).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}
