//! The program: arguments in, exit status out.

use mqtt::exit::Exit;

fn main() -> ! {
    let exit = mqtt::run(std::env::args_os());
    if let Exit::Signal(number) = exit {
        mqtt::signal::raise(number);
    }
    // At once: all is said and written, and nothing is registered to be done at the end.
    signal_hook::low_level::exit(exit.code().into())
}
