//! Exit statuses.

/// The exit status of the program; one table for all subcommands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// Failed: network, TLS, file, protocol violation.
    Failure,
    /// Invalid command line.
    Usage,
    /// Completed with a negative result.
    Negative,
    /// A signal ended a run, which ends only by signals, before there was a connection: success in this
    /// program's own manner.
    Unconnected,
    /// A timeout set by the user expired (the number is mosquitto's).
    TimedOut,
    /// The broker's failing Reason Code, 128–162 ([MQTT-2.4], values ≥ 0x80).
    Reason(u8),
    /// The exit status of the command that was run (`mqtt broker -- COMMAND`).
    Command(u8),
    /// A status from the table of another program, whose manner this run uses.
    Foreign(u8),
    /// A signal ended the run: it is raised again, so that the caller sees it.
    Signal(i32),
}

impl Exit {
    /// The number for the operating system; for [`Exit::Signal`] the shell's convention, used only if the
    /// signal cannot be raised again.
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
