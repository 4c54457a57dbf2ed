//! The program: arguments in, exit status out.

use std::process::ExitCode;

use mqtt::exit::Exit;

fn main() -> ExitCode {
    let exit = mqtt::run(std::env::args_os());
    if let Exit::Signal(number) = exit {
        mqtt::signal::raise(number);
    }
    ExitCode::from(exit.code())
}
