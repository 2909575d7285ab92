//! Python's process: a line of JSON in, a line of JSON out.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = include_str!("../../../bench/hessian.py");

/// It ends when this is dropped.
pub struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it with the networks and the data of `case`; fails if it has no PyTorch.
    pub fn start(python: &Path, case: &Value) -> Result<Peer, String> {
        let file = std::env::temp_dir().join(format!("hessian_bench_{}.json", std::process::id()));
        std::fs::write(&file, case.to_string())
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let own = std::env::var("RAYON_NUM_THREADS").ok();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = own.and_then(|own| own.parse().ok()).unwrap_or(cores);
        let child = Command::new(python)
            .args(["-c", PROGRAM])
            .arg(&file)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", python.display()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("Python has no pipes".into());
        };
        let stdout = BufReader::new(stdout);
        let mut peer = Peer {
            child,
            stdin,
            stdout,
        };
        // It has read the file once it answers.
        let ready = peer.ask(&serde_json::json!({"what": "gradient", "network": "mlp"}));
        let _ = std::fs::remove_file(&file);
        ready.map(|_| peer)
    }

    pub fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let ended = || "Python ended; what it said stands above".to_owned();
        let sent = writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush());
        sent.map_err(|_| ended())?;
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(read) if read > 0 => {}
            _ => return Err(ended()),
        }
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| format!("Python answered {}", line.trim()))?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
