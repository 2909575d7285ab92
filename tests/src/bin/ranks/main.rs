//! What the tests of several processes run under `mpirun`: `ranks CASE .. FOLDER`. Each rank writes
//! what it came to, or its error, into a file of the folder that is named after the rank.

mod ends;
mod speed;
mod train;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use kiln::exchange::{Exchange, Mpi};
use serde_json::{Value, json};
use train::Told;

/// What a case comes to on a rank.
type Outcome = Result<Value, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut exchange = Mpi::new()?;
    if arguments.contains(&"stop") || arguments.contains(&"late") {
        exchange = exchange.patience(Duration::from_secs(2));
    }
    let (outcome, folder) = match arguments {
        ["speed"] => return speed::print(&exchange),
        ["exchanges", folder] => (ends::exchanges(&exchange), folder),
        ["late", folder] => (ends::late(&exchange), folder),
        ["ends", how, folder] => (ends::ends(&exchange, how), folder),
        ["train", told @ .., folder] => {
            let told = told
                .iter()
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            (train::train(&exchange, &Told(told.collect())), folder)
        }
        _ => {
            return Err(
                "usage: ranks speed | exchanges DIR | late DIR | ends HOW DIR | train KEY=VALUE .. DIR".into(),
            );
        }
    };
    let file = Path::new(folder).join(format!("{}.json", exchange.rank()));
    let written = match &outcome {
        Ok(value) => json!({ "value": value }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    std::fs::write(file, written.to_string())?;
    outcome.map(drop)
}
