//! What the linker can do for the start of the program, which is most of a one-shot `pub`:
//! the compiler's unwinder linked statically (one shared library less saves every run a tenth of
//! its system calls), and the functions that run at the start put side by side (the kernel maps
//! 64 KiB around each one touched: scattered over the program they cost 2 MiB of memory).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The static half of `libgcc_s.so.1`; every GCC on a glibc system brings it along.
const ARCHIVE: &str = "libgcc_eh.a";
/// The linker script with the order of the functions.
const ORDER: &str = "link/startup.ld";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={ORDER}");
    for variable in ["RUSTC_LINKER", "MQTT_LINK_ORDER"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || env::var("HOST") != env::var("TARGET") {
        return;
    }
    if is("CARGO_CFG_TARGET_ENV", "gnu") && linker_has_archive() {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    if is("PROFILE", "release") && !is("MQTT_LINK_ORDER", "none") {
        let flag = format!("-Wl,-T,{}", directory("CARGO_MANIFEST_DIR").join(ORDER).display());
        if links_with(&flag) {
            println!("cargo:rustc-link-arg-bins={flag}");
        } else {
            println!("cargo:warning=the linker takes no linker script: each run will need 2 MiB more memory");
        }
    }
}

/// A linker that does not know the file answers with its name alone.
fn linker_has_archive() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into());
    let answer = Command::new(linker).arg(format!("-print-file-name={ARCHIVE}")).output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}

/// Whether an empty program can be linked with the flag: not every linker reads scripts, and only
/// the compiler knows which linker it takes.
fn links_with(flag: &str) -> bool {
    let source = directory("OUT_DIR").join("empty.rs");
    let mut compile = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    compile.arg(&source).arg("-o").arg(source.with_extension("out"));
    compile.args(["-C", &format!("link-arg={flag}")]);
    compile.args(env::var("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}")));
    if let Ok(flags) = env::var("CARGO_ENCODED_RUSTFLAGS") {
        compile.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    }
    fs::write(&source, "fn main() {}\n").is_ok() && compile.output().is_ok_and(|done| done.status.success())
}

fn directory(variable: &str) -> PathBuf {
    env::var_os(variable).map_or_else(PathBuf::new, PathBuf::from)
}
