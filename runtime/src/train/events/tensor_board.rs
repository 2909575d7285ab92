//! Metrics as TensorBoard's event files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::train::{EpochRecord, Flow, Hook, HookError, Run, StepRecord};

/// Writes what a training measures to an event file in a folder, which TensorBoard shows:
/// `tensorboard --logdir FOLDER`.
///
/// Its tags: `loss/training` and `rate`, `gradient_norm`, `examples_per_second` at each
/// [logged](crate::train::Trainer::log_every) step; `loss/epoch`, `loss/validation`,
/// `accuracy/validation` and each metric of one's own, at the last step of each epoch.
///
/// A resumed training begins another file, which tells TensorBoard to forget what came behind the
/// checkpoint.
///
/// The format is that of TensorFlow's record files: a length, data, and a masked CRC-32C of each; the
/// data is a protocol buffer of the message `Event` (tensorflow/core/util/event.proto).
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::train::TensorBoard;
///
/// # model! {
/// #     struct Net;
/// #     input image: [1, 8, 8];
/// #     let scores = image -> flatten -> linear(10);
/// #     output scores;
/// #     loss cross_entropy;
/// # }
/// # optimizer! { struct Plain; update sgd(); }
/// # schedule! { struct Constant; peak 0.5; constant; }
/// # let model = NetConfig::new().init(&default_device()?)?;
/// # let runs = std::env::temp_dir().join(format!("kiln-runs-{}", std::process::id()));
/// Trainer::new(model, Plain::new(), Constant::new())
///     .hook(TensorBoard::new(runs.join("first")))
///     .quiet()
///     .fit(digits()?)?;
/// # std::fs::remove_dir_all(runs)?;
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl TensorBoard {
    /// Writes to a new file in `folder`, which is made if it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        TensorBoard {
            folder: folder.into(),
            file: None,
        }
    }

    fn write(&mut self, events: &[Vec<u8>]) -> Result<(), HookError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let mut events = events.iter().map(|event| file.write_all(&record(event)));
        let written = events.try_for_each(|written| written);
        Ok(written
            .and_then(|()| file.flush())
            .map_err(|error| located(path, &error))?)
    }

    fn scalars<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Flow, HookError> {
        let values: Vec<_> = values.into_iter().collect();
        self.write(&[scalars(now(), step, &values)])?;
        Ok(Flow::Continue(()))
    }
}

fn located(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

impl<M> Hook<M> for TensorBoard {
    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        let failed = |error| located(&self.folder, &error);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let time = now();
        // As TensorFlow names them: the seconds first, so that names sort by age.
        let name = format!(
            "events.out.tfevents.{time:017.6}.kiln.{}",
            std::process::id()
        );
        let path = self.folder.join(name);
        let file = File::create_new(&path).map_err(|error| located(&path, &error))?;
        self.file = Some((path, BufWriter::new(file)));
        let mut events = vec![version(time)];
        if run.steps > 0 {
            events.push(session_start(time, run.steps + 1));
        }
        self.write(&events)
    }

    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        let values = [
            ("loss/training", step.loss),
            ("rate", step.rate),
            ("gradient_norm", step.gradient_norm),
            ("examples_per_second", step.examples_per_second),
        ];
        self.scalars(step.step, values)
    }

    fn epoch(&mut self, epoch: &EpochRecord, _: &M) -> Result<Flow, HookError> {
        let mut values = vec![("loss/epoch", epoch.loss)];
        if let Some(validation) = epoch.validation {
            values.push(("loss/validation", validation.loss));
            values.extend(
                validation
                    .accuracy
                    .map(|accuracy| ("accuracy/validation", accuracy)),
            );
        }
        let metrics = epoch.metrics.iter();
        values.extend(metrics.map(|(name, value)| (name.as_str(), *value)));
        self.scalars(epoch.steps, values)
    }
}

/// A record of the file around `data`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let sums = [&length[..], data].map(|part| masked(crc32c(part)).to_le_bytes());
    [&length[..], &sums[0], data, &sums[1]].concat()
}

/// TensorFlow's mask, against sums of what holds sums.
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The cyclic redundancy check with Castagnoli's polynomial, bit by bit: an event is short.
fn crc32c(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(!0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
        })
    });
    !sum
}

/// The first event of a file.
fn version(time: f64) -> Vec<u8> {
    [double(1, time), bytes(3, b"brain.Event:2")].concat()
}

/// Says that what came at `step` and later is void.
fn session_start(time: f64, step: u64) -> Vec<u8> {
    const START: u64 = 1;
    [
        double(1, time),
        integer(2, step),
        bytes(7, &integer(1, START)),
    ]
    .concat()
}

fn scalars(time: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let values = values.iter().map(|(tag, value)| {
        let value = float(2, *value as f32);
        bytes(1, &[bytes(1, tag.as_bytes()), value].concat())
    });
    let summary = values.collect::<Vec<_>>().concat();
    [double(1, time), integer(2, step), bytes(5, &summary)].concat()
}

/// The wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

fn double(field: u64, value: f64) -> Vec<u8> {
    [varint(field << 3 | FIXED_64), value.to_le_bytes().to_vec()].concat()
}

fn float(field: u64, value: f32) -> Vec<u8> {
    [varint(field << 3 | FIXED_32), value.to_le_bytes().to_vec()].concat()
}

fn integer(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3 | VARINT), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    let length = varint(value.len() as u64);
    [varint(field << 3 | BYTES), length, value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4.
    #[test]
    fn castagnolis_sums_are_those_of_the_rfc() {
        let rising: Vec<u8> = (0..32).collect();
        let sums = [[0; 32].as_slice(), &[0xff; 32], &rising].map(crc32c);
        assert_eq!(sums, [0x8a91_36aa, 0x62a8_ab43, 0x46dd_794e]);
    }

    /// `tests/peers/tensor_board.py` recorded what the Python package writes.
    #[test]
    fn events_are_those_of_tensorboards_own_writer() {
        let recorded: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/peers/tensor_board.json"))
                .expect("it is JSON");
        let ours = [
            version(1234.5),
            session_start(1235.0, 301),
            scalars(1236.25, 7, &[("loss/training", 0.1), ("rate", -2.5e-8)]),
            scalars(1e9, 3_000_000_000, &[("größe", f64::from(f32::MAX))]),
        ];
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let ours: Vec<_> = ours.iter().map(|event| hex(&record(event))).collect();
        assert_eq!(serde_json::json!(ours), recorded);
    }
}
