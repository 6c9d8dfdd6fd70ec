//! The table of results.

use std::fmt::Write as _;

/// A line of the table. Figures that do not exist are `None`.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// What was measured, with its unit.
    pub(crate) what: String,
    pub(crate) module: Option<f64>,
    pub(crate) user_map: Option<f64>,
    pub(crate) no_user_map: Option<f64>,
    /// A plain Redis command that does about the least one could ask for, and its figure.
    pub(crate) plain: Option<(&'static str, f64)>,
    pub(crate) budget: Option<Budget>,
}

/// What a row should reach one day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// The module's figure is at most this.
    pub(crate) at_most: f64,
    /// And the scripts with the user map cost at least so many times as much.
    pub(crate) times_cheaper: Option<f64>,
    /// And it costs at most so many times as much as the plain command.
    pub(crate) times_plain: Option<f64>,
}

const HEAD: [&str; 9] = [
    "What",
    "Rollcall",
    "Scripts, user map",
    "Scripts, no user map",
    "Plain command",
    "Ratio, user map",
    "Ratio, no user map",
    "Budget",
    "Met",
];

// === impl Row ===

impl Row {
    fn cells(&self) -> [String; 9] {
        let figure = |value: Option<f64>| value.map_or(String::new(), number);
        let ratio = |value: Option<f64>| match (value, self.module) {
            (Some(other), Some(module)) => format!("{} ×", number(other / module)),
            _ => String::new(),
        };
        let met = self.budget.and_then(|budget| budget.met(self));
        [
            self.what.clone(),
            figure(self.module),
            figure(self.user_map),
            figure(self.no_user_map),
            self.plain.map_or(String::new(), |(name, value)| format!("{} ({name})", number(value))),
            ratio(self.user_map),
            ratio(self.no_user_map),
            self.budget.map_or(String::new(), Budget::text),
            met.map_or("", |met| if met { "yes" } else { "no" }).to_owned(),
        ]
    }
}

// === impl Budget ===

impl Budget {
    /// Only a figure to stay below.
    pub(crate) fn at_most(figure: f64) -> Self {
        Self { at_most: figure, times_cheaper: None, times_plain: None }
    }

    fn met(self, row: &Row) -> Option<bool> {
        let module = row.module?;
        let cheaper = match (self.times_cheaper, row.user_map) {
            (Some(times), Some(scripts)) => scripts >= times * module,
            _ => true,
        };
        let near_plain = match (self.times_plain, row.plain) {
            (Some(times), Some((_, plain))) => module <= times * plain,
            _ => true,
        };
        Some(module <= self.at_most && cheaper && near_plain)
    }

    fn text(self) -> String {
        let mut text = format!("≤ {}", self.at_most);
        if let Some(times) = self.times_cheaper {
            let _infallible = write!(text, ", ratio ≥ {times}");
        }
        if let Some(times) = self.times_plain {
            let _infallible = write!(text, ", ≤ {times} × plain");
        }
        text
    }
}

/// The rows as a table.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    table(&lines)
}

/// Lines, the first of them the head, as Markdown with aligned columns.
pub(crate) fn table<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| {
        lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);

    let mut out = String::new();
    for (line, cells) in lines.iter().enumerate() {
        for (cell, width) in cells.iter().zip(&widths) {
            let _infallible = write!(out, "| {cell:<width$} ");
        }
        out.push_str("|\n");
        if line == 0 {
            let rule = widths.map(|width| format!("|{}", "-".repeat(width + 2)));
            out.push_str(&rule.concat());
            out.push_str("|\n");
        }
    }
    out
}

/// A figure with three digits that mean something.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    let plain = format!("{value:.digits$}");
    if digits > 0 { plain } else { thousands(&plain) }
}

/// `125000` as `125,000`.
pub(crate) fn thousands(digits: &str) -> String {
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_readable() {
        assert_eq!([0.157, 4.0, 52.34, 125_432.0].map(number), ["0.16", "4.00", "52.3", "125,432"]);
        assert_eq!(thousands("1000"), "1,000");
        assert_eq!(thousands("100"), "100");
    }

    #[test]
    fn a_budget_is_met_in_all_its_parts_or_not() {
        let budget = Budget { at_most: 2.0, times_cheaper: Some(4.0), times_plain: None };
        let row = |module, user_map| Row {
            module: Some(module),
            user_map: Some(user_map),
            ..Row::default()
        };
        assert_eq!(budget.met(&row(1.0, 4.0)), Some(true));
        assert_eq!(budget.met(&row(1.0, 3.9)), Some(false));
        assert_eq!(budget.met(&row(2.1, 9.0)), Some(false));
        assert_eq!(budget.text(), "≤ 2, ratio ≥ 4");
    }
}
