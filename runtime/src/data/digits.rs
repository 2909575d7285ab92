//! The data set that is built in: 1,797 real handwritten digits.

use std::io::Read;

use flate2::read::GzDecoder;

use super::{DataError, Images, Pixels};

/// 64 pixels of 0..=16 and the label, a line for each digit: see `runtime/data/README.md`.
const CSV: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// The test part of "Optical Recognition of Handwritten Digits": 1,797 images `[1, 8, 8]` of 10
/// classes, 57 KB of the program. Pixels are 0..=16 and become 0..=1.
///
/// E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998,
/// <https://doi.org/10.24432/C50P49>, CC BY 4.0.
///
/// # Errors
///
/// [`DataError::Format`] if the embedded file is damaged.
///
/// # Example
///
/// ```
/// let digits = kiln::data::digits()?;
/// assert_eq!(digits.label(3)?, 3);
/// let picture = digits.ascii(3)?;
/// let lines: Vec<_> = picture.lines().map(str::trim_end).collect();
/// assert_eq!(
///     lines,
///     [
///         "    ▒▒██▓▓",
///         "  ▒▒▓▓▒▒██░░",
///         "  ░░  ▓▓▓▓",
///         "    ░░██▓▓",
///         "        ▓▓▓▓",
///         "          ▓▓▒▒",
///         "    ▒▒░░░░██▒▒",
///         "    ▒▒▓▓▓▓▒▒",
///     ]
/// );
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn digits() -> Result<Images, DataError> {
    let mut csv = String::new();
    GzDecoder::new(CSV)
        .read_to_string(&mut csv)
        .map_err(|error| damaged(csv.len(), "gzipped text", error.to_string()))?;

    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut offset = 0;
    for line in csv.lines() {
        let row = line.split(',').map(str::parse::<u8>);
        match row.collect::<Result<Vec<_>, _>>().as_deref() {
            Ok([image @ .., label]) if image.len() == 64 => {
                pixels.extend(image);
                labels.push(usize::from(*label));
            }
            _ => return Err(damaged(offset, "65 small numbers", line.to_owned())),
        }
        offset += line.len() + 1;
    }
    let pixels = Pixels::new(pixels, [1, 8, 8])?.scale(1.0 / 16.0)?;
    Images::new(pixels, labels, 10)
}

fn damaged(offset: usize, expected: &str, found: String) -> DataError {
    DataError::Format {
        path: "digits.csv.gz (built in)".into(),
        offset: offset as u64,
        expected: expected.to_owned(),
        found,
        help: "build the program again from unchanged sources",
    }
}
