//! The program `stacks` runs random stacks of layers; it fails where a shape is not the inferred one.

use std::process::Command;

#[test]
fn the_shapes_of_random_stacks_are_those_that_run() {
    let output = Command::new(env!("CARGO_BIN_EXE_stacks")).output();
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    let [out, err] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{out}{err}");
    println!("{out}");
}
