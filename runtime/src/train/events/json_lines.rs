//! Metrics as JSON lines.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::train::{EpochRecord, Flow, Hook, HookError, Run, StepRecord};

/// Writes every [`StepRecord`] and every [`EpochRecord`] to a file, one JSON object a line.
///
/// ```json
/// {"kind":"step","step":50,"epoch":1,"loss":2.1,"rate":0.05,"gradient_norm":0.9,"examples_per_second":91000.0}
/// {"kind":"epoch","epoch":1,"steps":89,"loss":1.7,"rate":0.05,"validation":{"loss":0.9,"accuracy":0.81},..}
/// ```
///
/// A number that is not finite is `null`. The file begins anew with the training; where that is
/// [resumed](crate::train::Checkpoints::resume), lines behind the checkpoint are cut off, so that no
/// step stands there twice. A line is in the file once its record is there, so that another program can
/// follow it.
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::train::JsonLines;
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
/// let file = std::env::temp_dir().join("metrics.jsonl");
/// Trainer::new(model, Plain::new(), Constant::new())
///     .hook(JsonLines::new(&file))
///     .quiet()
///     .fit(digits()?)?;
/// let last = std::fs::read_to_string(file)?.lines().last().map(str::to_owned);
/// assert!(last.unwrap().starts_with(r#"{"kind":"epoch","epoch":1,"#));
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    /// How long the file was at the checkpoint.
    length: Option<u64>,
    file: Option<BufWriter<File>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Step(&'a StepRecord),
    Epoch(&'a EpochRecord),
}

impl JsonLines {
    /// Writes to the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        JsonLines {
            path: path.into(),
            length: None,
            file: None,
        }
    }

    fn write(&mut self, line: &Line) -> Result<Flow, HookError> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", self.path.display());
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(line)? + "\n";
            let written = file.write_all(line.as_bytes()).and_then(|()| file.flush());
            written.map_err(|error| failed(&error))?;
        }
        Ok(Flow::Continue(()))
    }
}

/// The length of the lines in `file` until the step `last`.
fn until(file: &File, last: u64) -> std::io::Result<u64> {
    let mut length = 0;
    for line in BufReader::new(file).lines() {
        let line = line?;
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        let step = value["step"].as_u64().or(value["steps"].as_u64());
        if step.is_none_or(|step| step > last) {
            break;
        }
        length += line.len() as u64 + 1;
    }
    Ok(length)
}

impl<M> Hook<M> for JsonLines {
    fn name(&self) -> &'static str {
        "JsonLines"
    }

    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        let open = || {
            let mut options = OpenOptions::new();
            let mut file = options
                .create(true)
                .read(true)
                .write(true)
                .truncate(false)
                .open(&self.path)?;
            let length = match (self.length, run.steps) {
                (Some(length), _) => length.min(file.metadata()?.len()),
                (None, 0) => 0,
                // The checkpoint knows nothing of it: what came until then stays.
                (None, steps) => until(&file, steps)?,
            };
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok::<_, std::io::Error>(file)
        };
        let file = open().map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.file = Some(BufWriter::new(file));
        Ok(())
    }

    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        self.write(&Line::Step(step))
    }

    fn epoch(&mut self, epoch: &EpochRecord, _: &M) -> Result<Flow, HookError> {
        self.write(&Line::Epoch(epoch))
    }

    fn save(&mut self) -> Result<Value, HookError> {
        let position = self.file.as_mut().map(Seek::stream_position).transpose()?;
        Ok(position.or(self.length).into())
    }

    fn restore(&mut self, state: &Value) -> Result<(), HookError> {
        self.length = state.as_u64();
        Ok(())
    }
}
