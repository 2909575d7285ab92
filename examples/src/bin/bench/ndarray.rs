//! This program once more, with the ndarray backend in it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kiln::device::Backend;
use serde_json::Value;

/// The program with the ndarray backend: this one if it has it, else one that is built now, from
/// the sources that this one was built from. It lies beside this one as `bench-ndarray`.
pub fn program(own: &Path) -> Result<PathBuf, String> {
    if Backend::NdArray.is_compiled() {
        return Ok(own.to_owned());
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    if !manifest.exists() {
        return Err(format!(
            "its sources are no longer at {}",
            manifest.display()
        ));
    }
    eprintln!("this program lacks the ndarray backend: building it once more with it ..");
    // What cargo builds takes the place of this program, so this one is kept aside meanwhile.
    let aside = beside(own, "bench-aside");
    let said = |doing: &str, error: io::Error| format!("cannot {doing}: {error}");
    let _ = fs::remove_file(&aside);
    fs::hard_link(own, &aside).map_err(|error| said("keep this program", error))?;
    let built = build(&manifest, own);
    let kept = match &built {
        Ok(built) => {
            let kept = beside(own, "bench-ndarray");
            let _ = fs::remove_file(&kept);
            fs::rename(built, &kept)
                .map(|()| kept)
                .map_err(|error| said("move what was built", error))
        }
        Err(error) => Err(error.clone()),
    };
    fs::rename(&aside, own).map_err(|error| said("put this program back", error))?;
    // Where nothing was built both are still one file, and renaming does nothing.
    let _ = fs::remove_file(&aside);
    kept
}

/// Runs cargo; the path of the program that it made.
fn build(manifest: &Path, own: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from(env!("CARGO")));
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bin", "bench"]);
    command.args(["--features", "ndarray"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.arg("--manifest-path").arg(manifest);
    // Where this program was built, its dependencies are compiled already.
    if let Some(profile) = own.parent().filter(|folder| folder.ends_with("release"))
        && let Some(target) = profile.parent()
    {
        command.arg("--target-dir").arg(target);
    }
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo failed ({})", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| {
        let ours = message["target"]["name"] == "bench";
        let program = message["executable"].as_str().filter(|_| ours);
        program.map(PathBuf::from)
    });
    programs
        .next()
        .ok_or_else(|| "cargo names no program".to_owned())
}

fn beside(own: &Path, name: &str) -> PathBuf {
    own.with_file_name(name)
}
