//! The program: arguments in, exit status out.

use mqtt::exit::Exit;

fn main() -> ! {
    let exit = mqtt::run(std::env::args_os());
    if let Exit::Signal(number) = exit {
        mqtt::signal::raise(number);
    }
    // Exit without running destructors: output is flushed and there are no exit handlers.
    signal_hook::low_level::exit(exit.code().into())
}
