//! Reports the messages left in a spool, and stores messages that are removed from it without being sent: one
//! record per line in a file next to the spool, which `mqtt pub --json --keep-retain` publishes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::spool::SpoolOptions;
use crate::error::Error;
use crate::output::{Diagnostics, put_sent_record};
use crate::platform::files;
use crate::protocol::wire::Publish;
use crate::quantity::counted;
use crate::quotation::shown;
use crate::storage::spool::{Envelope, Left, Spool, SpooledMessage};

/// The file for the removed messages of one spool.
#[derive(Debug)]
pub(super) struct AsideFile(PathBuf);

impl AsideFile {
    pub(super) fn of(spool: &Path) -> Self {
        let mut name = spool.as_os_str().to_owned();
        name.push(".aside");
        Self(name.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Adds a message. It is then on the disk, and may be marked as done in the spool.
    pub(super) fn add(&self, message: &SpooledMessage) -> Result<(), Error> {
        let Envelope { qos, retain, topic, properties } = &*message.envelope;
        let publish = Publish {
            dup: false,
            qos: *qos,
            retain: *retain,
            packet_identifier: 0,
            topic: topic.as_bytes(),
            properties: properties.view(),
            payload: &message.payload,
        };
        let mut line = Vec::new();
        put_sent_record(&mut line, &publish);
        line.push(b'\n');
        self.append(&line).map_err(|error| Error::file(format!("cannot write {}", self.0.display()), error))
    }

    /// The advice about messages that were in flight when the broker ended the connection.
    pub(super) fn advice(&self, first: &SpooledMessage, last: &SpooledMessage, count: usize) -> String {
        let (path, number) = (self.0.display(), first.place);
        if count == 1 {
            format!(
                "{} was in flight when the broker ended the connection; if that happens again, --set-aside {number} moves it to {path}",
                NamedMessage(first)
            )
        } else {
            let (last_number, topics) =
                (last.place, [first, last].map(|message| shown(&message.envelope.topic)));
            format!(
                "{count} messages of the spool, from number {number} (to '{}') to {last_number} (to '{}'), were in flight when the broker ended the connection; if that happens again, -M 1 finds the one at which it does",
                topics[0], topics[1]
            )
        }
    }

    fn append(&self, line: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // Only the owner may read payloads.
        files::private(&mut options);
        let mut file = options.open(&self.0)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(line).and_then(|()| file.sync_all()) {
            // An incomplete line would damage the next one.
            let _ = file.set_len(before);
            return Err(error);
        }
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        // A file system may not be able to synchronise folders; the file exists anyway.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// Removes the messages that the user names. All of them are looked up before the first is removed.
pub(super) fn set_aside(
    spool: &mut Spool,
    left: &mut Left,
    options: &SpoolOptions,
    aside: &AsideFile,
    diagnostics: &Diagnostics,
) -> Result<(), Error> {
    let mut found = Vec::new();
    let numbers: BTreeSet<u64> = options.set_aside.iter().copied().collect();
    for number in numbers {
        let message = spool.find(number)?.ok_or_else(|| {
            let path = options.path.display();
            Error::usage(format!("--set-aside: {path} has no message {number}"))
                .with_hint("a run that ends at a message, or keeps it, names its number")
        })?;
        found.push(message);
    }
    for message in found {
        aside.add(&message)?;
        spool.set_aside(message.place);
        spool.write()?;
        left.messages -= 1;
        left.sent_messages.retain(|one| one.place != message.place);
        let path = aside.path().display();
        diagnostics.state(format_args!("{} moved to {path}", NamedMessage(&message)));
    }
    Ok(())
}

/// Shows a message by its number and topic.
pub(super) struct NamedMessage<'a>(pub(super) &'a SpooledMessage);

impl fmt::Display for NamedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}, to '{}',", self.0.place, shown(&self.0.envelope.topic))
    }
}

/// Reports the messages that an earlier run left.
pub(super) fn report_left(diagnostics: &Diagnostics, options: &SpoolOptions, left: &Left) {
    let path = options.path.display();
    if left.damaged_bytes > 0 {
        let (bytes, messages) = (left.damaged_bytes, left.messages);
        diagnostics.warning(format_args!(
            "{path} is damaged or was cut off: {} of it left out, {} sent",
            counted(bytes, "byte"),
            counted(messages, "whole message")
        ));
        match &left.kept_damage {
            Some(Ok(kept)) => {
                diagnostics.warning(format_args!("what was left out is kept in {}", kept.display()));
            }
            Some(Err(why)) => diagnostics.warning(format_args!("what was left out cannot be kept: {why}")),
            None => {}
        }
    } else if left.messages > 0 {
        let messages = counted(left.messages, "message");
        diagnostics.state(format_args!("{path}: sending {messages} of an earlier run first"));
    }
}
