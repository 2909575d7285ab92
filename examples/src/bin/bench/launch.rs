//! How each contender's process is started.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use kiln::device::Backend;

use crate::case;
use crate::contender::Contender;
use crate::process::Process;

/// PyTorch's side, handed to Python on the command line: the program runs from anywhere.
const PYTORCH: &str = include_str!("../../../bench/pytorch.py");

/// What every process is started with.
pub struct Launcher {
    /// This program, or a copy of it with the ndarray backend in it.
    pub program: PathBuf,
    /// This program with the ndarray backend in it, if there is one.
    pub with_ndarray: Option<PathBuf>,
    pub python: PathBuf,
    pub batch: usize,
    pub threads: usize,
    pub quick: bool,
}

impl Launcher {
    /// Starts the process of `contender`.
    pub fn start(&self, contender: Contender) -> Result<Process, String> {
        Process::start(contender, self.command(contender)?)
    }

    fn command(&self, contender: Contender) -> Result<Command, String> {
        let mut command = match contender {
            Contender::PyTorch => {
                let mut command = Command::new(&self.python);
                let images = case::images(self.quick);
                let numbers = [self.batch, images, self.threads].map(|n| n.to_string());
                command.args(["-c", PYTORCH]).args(numbers);
                command
            }
            Contender::NdArray => {
                let program = self.with_ndarray.as_ref().ok_or("it was left out")?;
                let mut command = self.worker(program.clone(), contender);
                command.env("KILN_DEVICE", "ndarray");
                command
            }
            Contender::Declared | Contender::ByHand | Contender::Burn => {
                let mut command = self.worker(self.program.clone(), contender);
                if std::env::var_os("KILN_DEVICE").is_none_or(|name| name.is_empty())
                    && Backend::Flex.is_compiled()
                {
                    command.env("KILN_DEVICE", "flex");
                }
                command
            }
        };
        let threads = OsString::from(self.threads.to_string());
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, &threads);
        }
        Ok(command)
    }

    fn worker(&self, program: PathBuf, contender: Contender) -> Command {
        let mut command = Command::new(program);
        let batch = self.batch.to_string();
        command.args(["--worker", contender.name(), "--batch", &batch]);
        command.args(self.quick.then_some("--quick"));
        command
    }
}
