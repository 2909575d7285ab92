//! How long `cargo check` takes for a declared ResNet-50 and for the same by hand, in turns.
//!
//! `cargo bench -p kiln-tests --bench compile_time`. The first run checks Burn, for minutes; what
//! is measured is the crate of the network alone. The macro is compiled with optimisation, as
//! `[profile.dev.build-override] opt-level = 3` does it in any crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const BY_HAND: &str = include_str!("by_hand.rs");
const RESNETS: &str = include_str!("../../../models/src/resnet.rs");
const ROUNDS: usize = 15;

fn main() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tests.join("../target/compile-time");
    let declared = RESNETS
        .rfind("model! {")
        .map(|start| {
            format!(
                "//! ResNet-50, declared.\nuse kiln::model;\n{}",
                &RESNETS[start..]
            )
        })
        .expect("the last declaration is ResNet-50");
    assert!(declared.contains("pub struct ResNet50 "));
    println!(
        "lines: declared {}, by hand {}",
        declared
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .count(),
        BY_HAND
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .count(),
    );
    let crates = [("declared", declared.as_str()), ("by_hand", BY_HAND)]
        .map(|(name, code)| package(&folder.join(name), name, code, tests));
    for package in &crates {
        check(package, &folder);
    }
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (package, times) in crates.iter().zip(&mut times) {
            times.push(check(package, &folder));
        }
    }
    let mut ratios: Vec<f64> = times[0]
        .iter()
        .zip(&times[1])
        .map(|(declared, by_hand)| declared.as_secs_f64() / by_hand.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    for (name, times) in ["declared", "by hand"].iter().zip(&mut times) {
        times.sort();
        println!("{name}: {:.0} ms", 1e3 * times[ROUNDS / 2].as_secs_f64());
    }
    let [low, middle, high] = [ROUNDS / 4, ROUNDS / 2, 3 * ROUNDS / 4].map(|i| ratios[i]);
    println!("declared / by hand: {middle:.2} ({low:.2} to {high:.2})");
}

/// A crate of one file that depends on kiln alone.
fn package(folder: &Path, name: &str, code: &str, tests: &Path) -> PathBuf {
    let runtime = tests.join("../runtime");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nkiln = \
         {{ path = {runtime:?} }}\n\n[profile.dev.build-override]\nopt-level = 3\n\n[workspace]\n"
    );
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest");
    fs::write(folder.join("src/lib.rs"), code).expect("the code");
    fs::copy(tests.join("../Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    folder.to_owned()
}

/// Checks the crate anew.
fn check(package: &Path, target: &Path) -> Duration {
    let file = package.join("src/lib.rs");
    let code = fs::read(&file).expect("the code");
    fs::write(&file, code).expect("the code");
    let start = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", target.join("target"))
        .status()
        .expect("cargo runs");
    assert!(status.success());
    start.elapsed()
}
