//! The table as a person and as a program reads it.

use std::fmt;

use super::{Flatness, Missing};
use crate::flatness::Approximation;

impl Flatness {
    /// A table with a header, a line for each figure: name, value, error, unit, complete,
    /// definition and settings, these as JSON. Lines end with CR LF (RFC 4180).
    pub fn to_csv(&self) -> String {
        let mut table = "name,value,error,unit,complete,definition,settings\r\n".to_owned();
        for figure in &self.figures {
            let error = figure
                .error
                .map_or(String::new(), |error| error.to_string());
            let cells = [
                quoted(&figure.name),
                figure.value.to_string(),
                error,
                quoted(&figure.unit),
                figure.complete.to_string(),
                quoted(&figure.definition),
                quoted(&figure.settings.to_string()),
            ];
            table += &cells.join(",");
            table += "\r\n";
        }
        table
    }
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// A table: a line for each figure with value, error and unit; then what is missing and what is not
/// exact.
impl fmt::Display for Flatness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flatness {
            loss,
            gradient_norm,
            ..
        } = self;
        writeln!(
            f,
            "loss {loss:.6}, gradient norm {gradient_norm:.3e}, {} weights, {} examples",
            self.parameters, self.examples
        )?;
        let names = self
            .figures
            .iter()
            .map(|figure| figure.name.chars().count());
        let width = names.max().unwrap_or(0);
        for figure in &self.figures {
            let error = figure.error.map(|error| format!("± {}", number(error)));
            let line = format!(
                "{:width$}  {:>12}  {:<12} {}",
                figure.name,
                number(figure.value),
                error.unwrap_or_default(),
                figure.unit,
            );
            let mark = if figure.complete {
                ""
            } else {
                ", not complete"
            };
            writeln!(f, "{line}{mark}")?;
        }
        for Missing { name, reason, .. } in &self.missing {
            writeln!(f, "{name}: missing, {reason}")?;
        }
        for approximation in &self.approximations {
            match approximation {
                Approximation::Layer(path) => {
                    writeln!(
                        f,
                        "not exact: the tangent of `{path}` is a central difference"
                    )?;
                }
                Approximation::Gradients => {
                    writeln!(
                        f,
                        "not exact: products are central differences of gradients"
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// Five digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        1e-3..1e5 => {
            let digits = 4 - value.abs().log10().floor() as i32;
            format!("{value:.*}", digits.max(0) as usize)
        }
        _ => format!("{value:.4e}"),
    }
}
