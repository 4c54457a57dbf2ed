//! Exit statuses.

/// The exit status of the program. One table for every subcommand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// Could not do it: network, TLS, file, protocol violation.
    Failure,
    /// The command line was wrong.
    Usage,
    /// Done, and the answer is no.
    Negative,
    /// A signal ended a run whose only end it is, before there was a connection: done, in this program's manner.
    Unconnected,
    /// A time limit the user set was reached (the number is mosquitto's).
    TimedOut,
    /// The broker's failing Reason Code, 128–162 ([MQTT-2.4], values ≥ 0x80).
    Reason(u8),
    /// The exit status of the command that was run (`mqtt broker -- COMMAND`).
    Command(u8),
    /// A status of another program's table, whose manner this run has.
    Foreign(u8),
    /// A signal ended the run: it is raised again, so that the caller sees it.
    Signal(i32),
}

impl Exit {
    /// The number handed to the operating system; for [`Exit::Signal`] the shell's
    /// convention, used only where the signal cannot be raised again.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success | Self::Unconnected => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Negative => 3,
            Self::TimedOut => 27,
            Self::Reason(code) | Self::Command(code) | Self::Foreign(code) => code,
            Self::Signal(number) => 128 + u8::try_from(number).unwrap_or(127),
        }
    }
}
