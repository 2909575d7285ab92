//! What the pictures share.

/// Text and lines without a fill behind them, for light and dark backgrounds alike.
pub(crate) const GREY: &str = "#7d8590";
pub(crate) const FONTS: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/// `text` as it may stand in XML; characters that may not are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            '\n' => escaped.push('\n'),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

/// About `count` round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten.
pub(crate) fn ticks(low: f64, high: f64, count: f64) -> impl Iterator<Item = f64> {
    let rough = (high - low) / count;
    let power = 10f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= rough);
    let step = factor.unwrap_or(10.0) * power;
    let first = (low / step - 1e-9).ceil();
    // Rounding may leave the last one a little behind the end.
    let last = ((high / step + 1e-9).floor() - first).min(2.0 * count) as u32;
    (0..=last).map(move |tick| (first + f64::from(tick)) * step)
}

/// Four significant digits.
pub(crate) fn short(value: f64) -> String {
    let value: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}
