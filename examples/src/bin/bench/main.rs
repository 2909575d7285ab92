//! Times Kiln beside Burn and PyTorch, in turns within one run.

mod case;
mod contender;
mod environment;
mod launch;
mod memory;
mod ndarray;
mod options;
mod process;
mod ratios;
mod results;
mod rounds;
mod run;
mod table;
mod worker;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use kiln_examples::finish;

fn main() -> ExitCode {
    let options = options::Options::parse();
    let out = &mut io::stdout().lock();
    finish(match options.worker() {
        Some(work) => worker::serve(work, io::stdin().lock(), out),
        None => run::run(&options, out),
    })
}
