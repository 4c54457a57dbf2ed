//! `--restore` and `--export`: copies between a file and the broker, without clearing.

use std::path::Path;

use bytes::Bytes;

use super::super::attention::{Attention, report_change};
use super::Config;
use super::backup::{Backup, BackupRecords, may_wait};
use super::clear::report_unmade;
use super::entry::{Fate, RetainedTopic, fingerprint};
use super::listing::Listing;
use super::report::{ClearReport, Parts, ScanReport, left};
use super::scan::{Looking, ScanOptions, first_scan};
use super::send::{self, OutgoingMessage};
use crate::client::session::Session;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::names_stdout;
use crate::notation::printable;
use crate::output::Diagnostics;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};
use crate::quantity::counted;
use crate::quotation::cut;

/// `--export`: a backup without clearing.
pub(super) async fn export(
    config: &Config,
    options: &ScanOptions,
    file: &Path,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let attention = Attention::start(config.timeout)?;
    let (mut attention, name) = if names_stdout(file) {
        (attention.for_reader(), "standard output".to_owned())
    } else {
        (attention, file.display().to_string())
    };
    let path = file.to_owned();
    let mut backup = match attention.blocking(move || Backup::create(&path)).await {
        Ok(backup) => backup,
        Err(error) => {
            let filters = &options.filters;
            return Err(report_unmade(config, "export", filters, error, &mut attention, diagnostics).await);
        }
    };
    let mut client = config.client.clone();
    let looking = Looking::Selected { with_preview: false };
    let mut scanned =
        first_scan(&mut client, options, looking, Some(&mut backup), &mut attention, diagnostics).await;
    let error = scanned.error.take();
    if error.is_none() {
        backup.keep()?;
        backup.needed();
    }
    let complete = scanned.ended_by.is_complete() && scanned.refused.is_empty();
    let is_missing = |entry: &&RetainedTopic| entry.fate == Fate::NotInBackup;
    let missing: Vec<&RetainedTopic> = scanned.entries.iter().filter(is_missing).collect();
    let count = scanned.entries.len() - missing.len();
    scanned.ended_by.warn(options, diagnostics);
    if config.json {
        let report = ScanReport::of(&scanned);
        let why = error.as_ref().map(ToString::to_string);
        let parts = Parts {
            mode: "export",
            filters: &options.filters,
            scan: Some(&report),
            error: why.as_deref(),
            ..Parts::default()
        };
        let mut shown = Listing::default();
        ClearReport::new(&parts, &scanned.entries).write(&mut shown, &mut attention, diagnostics).await?;
        shown.flush(&mut attention, diagnostics).await?;
    }
    if matches!(error, Some(Error::OutputClosed)) {
        return Err(Error::OutputClosed);
    }
    if let Some(error) = error {
        diagnostics.state(format_args!("ended early: {count} found, nothing was kept"));
        return Err(error);
    }
    if missing.is_empty() {
        diagnostics.state(format_args!("{count} written to {name}"));
    } else {
        diagnostics.warning(not_written(&missing));
        diagnostics.state(format_args!("{count} written to {name}, {} not", missing.len()));
    }
    Ok(if complete { Exit::Success } else { Exit::Negative })
}

/// Maximum number of topics named in a warning.
const MOST_NAMED: usize = 5;

/// The warning about messages that were found but not written to the file.
fn not_written(missing: &[&RetainedTopic]) -> String {
    let names: Vec<String> =
        missing.iter().take(MOST_NAMED).map(|entry| format!("'{}'", cut(&entry.topic))).collect();
    let (names, count) = (names.join(", "), counted(missing.len() as u64, "message"));
    let end = if missing.len() > MOST_NAMED { ", …: --json names each of them" } else { "" };
    format!("{count} found, but not written: the scan was ended before it had their own QoS ({names}{end})")
}

/// `--restore`: publishes the messages of a backup. A reader of standard output that leaves ends the wait for a
/// pipe, which may be endless. It does not end a restore that has begun.
pub(super) async fn run(config: &Config, file: &Path, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let attention = Attention::start(config.timeout)?;
    let mut attention = if may_wait(file) { attention.for_reader() } else { attention };
    let path = file.to_owned();
    let open = move || BackupRecords::open(&path).and_then(|mut records| Ok((check(&mut records)?, records)));
    let (total, records) = match attention.blocking(open).await {
        Ok(opened) => opened,
        Err(Error::OutputClosed) => {
            diagnostics.state("standard output was closed before the backup was read: nothing was restored");
            return Ok(Exit::Failure);
        }
        Err(error) => {
            return Err(report_unmade(config, "restore", &[], error, &mut attention, diagnostics).await);
        }
    };
    attention.without_reader();
    let mut work = Restoring { records, entries: Vec::new(), unanswerable: 0 };
    let mut client = config.client.clone();
    let result = match attention.within(client.settle(|change| report_change(diagnostics, change))).await {
        Ok(Ok(())) => {
            send::send(&client, &mut work, total, config.limits(), &mut attention, diagnostics).await
        }
        Ok(Err(error)) | Err(error) => Err(error),
    };
    let Restoring { entries, unanswerable, .. } = work;
    let mut shown = Listing::default();
    let mut reported = Ok(());
    if config.json {
        let why = result.as_ref().err().map(ToString::to_string);
        let parts = Parts { mode: "restore", passes: 1, error: why.as_deref(), ..Parts::default() };
        let report = ClearReport::new(&parts, &entries);
        reported = report.write(&mut shown, &mut attention, diagnostics).await;
    } else {
        for entry in &entries {
            if let Some(why) = entry.fate.why_left() {
                let line = format!("{}  {why}", printable(&*entry.topic));
                shown.put(&line, &mut attention, diagnostics).await?;
            }
        }
    }
    let written = reported.and(shown.flush(&mut attention, diagnostics).await);
    let left = left(&entries);
    let restored = entries.len() - left;
    if unanswerable > 0 {
        diagnostics.warning(format_args!(
            "{} sent at QoS 0 or over MQTT 3.x, where a broker cannot report a refusal",
            counted(unanswerable, "message")
        ));
    }
    diagnostics.state(format_args!("{restored} of {total} restored"));
    result.and(written)?;
    Ok(if restored as u64 == total { Exit::Success } else { Exit::Negative })
}

/// Reads the whole file once before any connection is made: half a restore would be worse than an error.
/// Returns the number of records.
fn check(records: &mut BackupRecords) -> Result<u64, Error> {
    let mut count = 0;
    while records.next()?.is_some() {
        count += 1;
    }
    records.rewind()?;
    Ok(count)
}

struct Restoring {
    records: BackupRecords,
    /// One entry for each record taken so far, in order; its index is its token.
    entries: Vec<RetainedTopic>,
    /// The number of messages whose refusal the broker cannot report.
    unanswerable: u64,
}

impl send::SendWork for Restoring {
    fn next(&mut self, session: &Session) -> Result<Option<OutgoingMessage>, Error> {
        while let Some(record) = self.records.next()? {
            let token = self.entries.len() as u64;
            let lacks_v5 = !record.properties.is_empty() && session.protocol() != Protocol::V5;
            self.entries.push(RetainedTopic {
                topic: record.topic.as_str().into(),
                payload_bytes: record.payload.len() as u64,
                fingerprint: fingerprint(&record.payload),
                qos: record.qos,
                fate: if lacks_v5 { Fate::NeedsV5 } else { Fate::Unconfirmed },
                preview: Box::default(),
            });
            if !lacks_v5 {
                let answered = record.qos != QoS::AtMostOnce && session.protocol() == Protocol::V5;
                self.unanswerable += u64::from(!answered);
                let topic = record.topic.as_bytes();
                let template =
                    PublishTemplate::new(session.protocol(), topic, record.qos, true, &record.properties);
                return Ok(Some(OutgoingMessage { template, payload: Bytes::from(record.payload), token }));
            }
        }
        Ok(None)
    }

    fn ended(&mut self, token: u64, outcome: Result<(), ReasonCode>) {
        let Some(entry) = usize::try_from(token).ok().and_then(|index| self.entries.get_mut(index)) else {
            return;
        };
        entry.fate = match outcome {
            Ok(()) => Fate::Restored,
            Err(reason) => Fate::Refused(reason),
        };
    }
}
