//! How the page writes things.

use super::Content;
use crate::svg::escaped;

/// The name of a class, its number where it has none.
pub(super) fn class(content: &Content, index: usize) -> String {
    let name = content.class_names.get(index);
    name.cloned().unwrap_or_else(|| index.to_string())
}

/// `text` as HTML, with what stands between backticks as code.
pub(super) fn marked(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escaped).collect();
    if parts.len().is_multiple_of(2) {
        return parts.join("`");
    }
    let parts = parts
        .iter()
        .enumerate()
        .map(|(index, part)| match index % 2 {
            0 => part.clone(),
            _ => format!("<code>{part}</code>"),
        });
    parts.collect()
}

/// A share of one, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `3 min 12 s`
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `1 epoch`, `1,200 epochs`
pub(super) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", grouped(number)),
    }
}

/// `1234567` as `1,234,567`
pub(super) fn grouped(number: u64) -> String {
    crate::model::grouped(usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_is_markup() {
        assert_eq!(
            marked("`a<b` & `c`"),
            "<code>a&lt;b</code> &amp; <code>c</code>"
        );
        assert_eq!(marked("a ` alone"), "a ` alone");
        assert_eq!(marked("<i>"), "&lt;i&gt;");
    }

    #[test]
    fn durations_and_counts_are_words() {
        let durations = [0.04, 12.34, 192.0, 7500.0].map(duration);
        assert_eq!(durations, ["0.0 s", "12.3 s", "3 min 12 s", "2 h 5 min"]);
        let counts = [0, 1, 1200].map(|number| count(number, "epoch"));
        assert_eq!(counts, ["0 epochs", "1 epoch", "1,200 epochs"]);
        assert_eq!(percent(0.98765), "98.77 %");
    }
}
