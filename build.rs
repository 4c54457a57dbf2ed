//! Links the compiler's unwinder statically: one shared library less saves every start of the
//! program a tenth of its system calls.

use std::env;
use std::path::Path;
use std::process::Command;

/// The static half of `libgcc_s.so.1`; every GCC on a glibc system has it.
const ARCHIVE: &str = "libgcc_eh.a";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    let is_native = env::var("HOST") == env::var("TARGET");
    if is_native
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && linker_has_archive()
    {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// A linker that does not have the file answers with its name alone.
fn linker_has_archive() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into());
    let answer = Command::new(linker).arg(format!("-print-file-name={ARCHIVE}")).output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}
