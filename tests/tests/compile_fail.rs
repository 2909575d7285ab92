//! What the compiler says to a wrong declaration: each case of `tests/ui` with its message.
//!
//! After a change of a message, `TRYBUILD=overwrite cargo test -p kiln-tests --test compile_fail`
//! writes the new ones; read every difference before it is committed.

#[test]
fn a_mistake_is_reported_at_its_token_and_nothing_else_is() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
