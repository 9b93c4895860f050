//! The macros as a user meets them: what compiles and runs, what does not compile and where the message points,
//! and tests that `#[sward::test]` runs itself.
//!
//! `ui/fail/*.stderr` is what rustc 1.95 prints, and is compared with that version alone. Where a message or the
//! runtime's signatures change, run this with `TRYBUILD=overwrite` and read the difference: each error must lie on what
//! the user wrote.

use std::io::{self, Write};
use std::process::Command;

/// The compiler whose messages `ui/fail` has, as it begins its version.
const RUSTC: &str = "rustc 1.95.";

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    let version = rustc_version();
    if version.starts_with(RUSTC) {
        cases.compile_fail("ui/fail/*.rs");
    } else {
        // Not by `println`, which nobody sees where the test passes.
        let skipped = "ui/fail is skipped: its messages are those of";
        writeln!(io::stderr(), "{skipped} {RUSTC}*, this is {version}").expect("an open stderr");
    }
}

/// What the compiler that cargo uses says of itself.
fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).arg("--version").output();
    let output = output.unwrap_or_else(|error| panic!("{rustc:?} does not run: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

mod test_attribute {
    use std::num::ParseIntError;
    use std::process::{ExitCode, Termination};

    #[sward::test]
    fn runs_in_a_greenlet() {
        let current = sward::current().id();
        assert_ne!(sward::go!(sward::current().id()).join().unwrap(), current);
    }

    #[sward::test(workers = 1, homes = "fixed", stack_size = 128 * 1024)]
    fn takes_arguments() {
        assert_eq!(sward::go!(1 + 1).join().unwrap(), 2);
    }

    #[sward::test]
    fn returns_a_result() -> Result<(), ParseIntError> {
        let seven: u32 = sward::go!("7".parse()).join().unwrap()?;
        assert_eq!(seven, 7);
        Ok(())
    }

    #[sward::test]
    fn returns_what_is_not_named() -> impl Termination {
        ExitCode::SUCCESS
    }

    #[sward::test]
    #[should_panic(expected = "out of luck")]
    fn panics() {
        panic!("out of luck");
    }

    #[sward::test(workers = 1)]
    #[should_panic]
    #[allow(clippy::unused_unit, reason = "the macro has to see it")]
    fn panics_with_an_explicit_unit() -> () {
        sward::go!(panic!("out of luck")).join().unwrap();
    }

    #[sward::test]
    #[ignore = "shows that the attribute is kept: it fails when it runs"]
    fn is_ignored() {
        panic!("ran although ignored");
    }

    // A function of the name that the macro's own might have had.
    fn body() -> u8 {
        1
    }

    #[sward::test]
    fn hides_nothing() {
        assert_eq!(body(), 1);
    }
}
