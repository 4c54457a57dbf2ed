//! Runs the commands of disturbances at their times, and reports the start of each disturbance. The load
//! threads disconnect their clients themselves.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::super::exec::{CommandEnd, CommandInput, CommandOptions, Commands, ExecCommand, ExecOutput};
use super::config::Load;
use super::disturbance::{Disturbances, Disturbing};
use crate::alarm::now;
use crate::output::Diagnostics;
use crate::quantity::duration;

/// The outcome of a disturbance.
#[derive(Debug, Clone, Default)]
pub(super) struct Disturbed {
    /// When its command ended.
    pub(super) ended: Option<u64>,
    /// Why its command failed.
    pub(super) failure: Option<String>,
}

/// The disturbances of a run.
pub(super) struct Disturber<'a> {
    disturbances: &'a Disturbances,
    commands: Commands<'a>,
    diagnostics: &'a Diagnostics,
    /// The time of each disturbance; empty until the start of the measurement is known.
    marks: Vec<u64>,
    begun: usize,
    /// Whether this process runs the commands: one shard runs them for all.
    runs_commands: bool,
    disturbed: Vec<Disturbed>,
}

impl<'a> Disturber<'a> {
    pub(super) fn new(load: &'a Load, options: &'a CommandOptions, diagnostics: &'a Diagnostics) -> Self {
        let disturbances = &load.disturbances;
        let runs_commands = load.shard.as_ref().is_none_or(|shard| shard.number == 1);
        let commands = Commands::new(options, ExecOutput::Collected { most_bytes: 0 });
        let disturbed = vec![Disturbed::default(); disturbances.all.len()];
        Self { disturbances, commands, diagnostics, marks: Vec::new(), begun: 0, runs_commands, disturbed }
    }

    /// `measure` is the start of the measurement.
    pub(super) fn start(&mut self, measure: u64) {
        self.marks = self.disturbances.marks(measure);
    }

    /// Starts no further disturbances.
    pub(super) fn stop(&mut self) {
        self.marks.truncate(self.begun);
    }

    /// Starts due disturbances, and records the ends of commands. Returns the time of the next disturbance.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<u64> {
        while let Some(mark) = self.marks.get(self.begun)
            && *mark <= now()
        {
            let disturbance = &self.disturbances.all[self.begun];
            let at = duration(disturbance.at);
            self.diagnostics.state(format_args!("disturbance at {at}: {}", disturbance.what));
            if let (Disturbing::Command(command), true) = (&disturbance.what, self.runs_commands) {
                // Standard output is reserved for the report.
                let command = ExecCommand::Shell(format!("exec >&2\n{command}").into());
                let (payload, variables) = (Arc::from([]), Vec::new());
                let input =
                    CommandInput { command: &command, topic: b"", payload: &payload, variables: &variables };
                self.commands.start(self.begun as u64, &input);
            }
            self.begun += 1;
        }
        while self.runs()
            && let Poll::Ready((number, end)) = self.commands.poll_ended(cx)
        {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let Some(disturbed) = self.disturbed.get_mut(place) else { continue };
            disturbed.ended = Some(now());
            disturbed.failure = match end {
                CommandEnd::Succeeded(_) => None,
                CommandEnd::Failed(error) | CommandEnd::Unwritten(error) => Some(error.to_string()),
                CommandEnd::Killed => Some("it was still running at the end of the run".into()),
            };
            if let Some(why) = &disturbed.failure {
                let at = duration(self.disturbances.all[place].at);
                self.diagnostics.state(format_args!("the command at {at} failed: {why}"));
            }
        }
        self.marks.get(self.begun).copied()
    }

    /// Whether a command is running.
    pub(super) fn runs(&self) -> bool {
        self.commands.count() > 0
    }

    /// Kills the running commands.
    pub(super) fn kill(&self) {
        self.commands.kill();
    }

    /// The outcome of each started disturbance.
    pub(super) fn finish(&mut self) -> Vec<Disturbed> {
        let mut disturbed = std::mem::take(&mut self.disturbed);
        disturbed.truncate(self.begun);
        disturbed
    }
}
