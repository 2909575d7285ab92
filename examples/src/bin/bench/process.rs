//! A contender's process, and how the parent speaks with it: a line of words in, a line of JSON
//! out.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::contender::Contender;

/// How much of what a dead process wrote to its standard error is shown.
const LAST_LINES: usize = 6;

/// A running contender. It ends when this is dropped.
pub struct Process {
    contender: Contender,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
    about: Value,
    alive: bool,
}

impl Process {
    /// Starts `command` and waits until it says what it is.
    pub fn start(contender: Contender, mut command: Command) -> Result<Self, String> {
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            format!("cannot run {program}: {error}")
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(format!("the process of {contender} has no pipes"));
        };
        let mut process = Process {
            contender,
            child,
            stdin,
            stdout: BufReader::new(stdout),
            stderr: Some(thread::spawn(move || last_lines(stderr))),
            about: Value::Null,
            alive: true,
        };
        process.about = process.answer()?;
        Ok(process)
    }

    pub fn contender(&self) -> Contender {
        self.contender
    }

    /// What the process said of itself: versions, threads, device.
    pub fn about(&self) -> &Value {
        &self.about
    }

    /// Whether there is any use in asking.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Sends a line and waits for the answer.
    pub fn ask(&mut self, request: &str) -> Result<Value, String> {
        let sent = writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush());
        match sent {
            Ok(()) => self.answer(),
            Err(_) => Err(self.obituary()),
        }
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(0) | Err(_) => return Err(self.obituary()),
            Ok(_) => {}
        }
        let answer: Value = serde_json::from_str(&line)
            .map_err(|_| format!("{} answered {:?}", self.contender, line.trim()))?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }

    /// Why the process is no more.
    fn obituary(&mut self) -> String {
        self.alive = false;
        let status = self.child.wait();
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let tail = self.stderr.take().and_then(|reader| reader.join().ok());
        match tail.filter(|tail| !tail.is_empty()) {
            Some(tail) => format!("the process ended ({status}): {tail}"),
            None => format!("the process ended ({status})"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end and keeps the last lines, joined to one.
fn last_lines(stream: impl Read) -> String {
    let mut last = VecDeque::new();
    for line in BufReader::new(stream).lines().map_while(io::Result::ok) {
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.make_contiguous().join(" | ")
}
