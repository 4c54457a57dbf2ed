//! Clearing: list, ask, back up, publish empty retained messages, and verify.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::attention::Attention;
use super::backup::Backup;
use super::entry::{Fate, RetainedTopic};
use super::listing::Listing;
use super::report::{ClearReport, Parts, ScanReport, left};
use super::scan::{Looking, Scanned, first_scan, scan};
use super::send::{self, OutgoingMessage};
use super::{Clear, Config};
use crate::client::options::ClientOptions;
use crate::client::session::Session;
use crate::error::Error;
use crate::exit::Exit;
use crate::notation::printable;
use crate::output::{Diagnostics, can_ask, confirm};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{QoS, topic};
use crate::quantity::counted;
use crate::quotation::cut;

/// How often a message that is still there unchanged is cleared.
const PASSES: u32 = 2;

/// The wait before a second verification: a cluster may acknowledge a message before all of its nodes have it.
const SETTLING: Duration = Duration::from_secs(1);

#[allow(clippy::too_many_lines, reason = "the steps of a run, one after the other")]
pub(super) async fn run(config: &Config, clear: &Clear, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let asks = !clear.dry_run && !clear.yes;
    if asks && !can_ask(diagnostics) {
        return Err(Error::usage(
            "cannot ask for confirmation: standard input or standard error is not a terminal",
        )
        .with_hint("--yes clears without asking, --dry-run only shows what it would clear"));
    }
    let attention = Attention::start(config.timeout)?;
    // A list depends on its reader; a clearing does not.
    let mut attention = if clear.dry_run { attention.for_reader() } else { attention };
    let mode = if clear.dry_run { "dry-run" } else { "clear" };
    let created = match clear.backup.clone() {
        None => Ok(None),
        Some(path) => attention.blocking(move || Backup::create(&path)).await.map(Some),
    };
    let mut backup = match created {
        Ok(backup) => backup,
        Err(error) => {
            return Err(
                report_unmade(config, mode, &clear.scan.filters, error, &mut attention, diagnostics).await
            );
        }
    };
    let mut client = config.client.clone();
    let mut shown = Listing::default();
    let looking = Looking::Selected { with_preview: asks || !config.json };
    let scanned =
        first_scan(&mut client, &clear.scan, looking, backup.as_mut(), &mut attention, diagnostics).await;
    if let (Some(backup), None) = (&mut backup, &scanned.error) {
        backup.keep()?;
    }
    let scan_report = ScanReport::of(&scanned);
    let Scanned { entries, ended_by, refused, unselected, in_order, error, .. } = scanned;
    let mut run = ClearRun {
        config,
        client: &client,
        clear,
        diagnostics,
        attention,
        backup,
        entries,
        unselected,
        verification: None,
        passes: 0,
        in_order,
        declined: false,
        incomplete: !refused.is_empty() || !ended_by.is_complete(),
        unverified: Vec::new(),
    };
    if !config.json {
        for entry in &run.entries {
            shown.put(&entry.line(), &mut run.attention, diagnostics).await?;
        }
        shown.flush(&mut run.attention, diagnostics).await?;
    }
    ended_by.warn(&clear.scan, diagnostics);
    let while_listing = error.is_some();
    let result = match error {
        Some(error) => Err(error),
        None if clear.dry_run || run.entries.iter().all(|entry| entry.fate != Fate::Kept) => Ok(()),
        None => run.clear().await,
    };
    let why = result.as_ref().err().map(ToString::to_string);
    let parts = Parts {
        mode,
        filters: &clear.scan.filters,
        scan: Some(&scan_report),
        verification: run.verification.as_ref(),
        passes: run.passes,
        error: why.as_deref(),
    };
    let mut reported = Ok(());
    if config.json {
        let report = ClearReport::new(&parts, &run.entries);
        reported = report.write(&mut shown, &mut run.attention, diagnostics).await;
    } else {
        for entry in &run.entries {
            if let Some(why) = entry.fate.why_left().filter(|_| result.is_ok() && !run.declined) {
                let line = format!("{}  {why}", printable(&*entry.topic));
                shown.put(&line, &mut run.attention, diagnostics).await?;
            }
        }
    }
    let written = reported.and(shown.flush(&mut run.attention, diagnostics).await);
    match (&result, run.entries.len()) {
        (Err(Error::Signal(_)), 0) if while_listing => {
            diagnostics.state("ended while listing: nothing was cleared");
        }
        (Err(_), 0) if while_listing => {}
        (_, found) if while_listing => {
            diagnostics.state(format_args!("ended while listing, {found} found: nothing was cleared"));
        }
        (result, _) => run.summary(result.is_err()),
    }
    result.and(written)?;
    if clear.dry_run && shown.is_closed {
        return Err(Error::OutputClosed);
    }
    let something = left(&run.entries) > 0 || run.incomplete;
    Ok(if something { Exit::Negative } else { Exit::Success })
}

/// Writes the report of a run that failed because of a file; returns the error to end with.
pub(super) async fn report_unmade(
    config: &Config,
    mode: &'static str,
    filters: &[String],
    error: Error,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Error {
    if config.json && !matches!(error, Error::Usage { .. }) {
        let why = error.to_string();
        let mut shown = Listing::default();
        let parts = Parts { mode, filters, error: Some(&why), ..Parts::default() };
        // The first error is the one to end with.
        if ClearReport::new(&parts, &[]).write(&mut shown, attention, diagnostics).await.is_ok() {
            let _ = shown.flush(attention, diagnostics).await;
        }
    }
    error
}

struct ClearRun<'a> {
    config: &'a Config,
    /// The broker of all steps.
    client: &'a ClientOptions,
    clear: &'a Clear,
    diagnostics: &'a Diagnostics,
    attention: Attention,
    backup: Option<Backup>,
    /// Sorted by topic.
    entries: Vec<RetainedTopic>,
    /// The number of further messages that the first scan has found.
    unselected: u64,
    /// The last verification.
    verification: Option<ScanReport>,
    passes: u32,
    /// What the scans have found out about the broker's order.
    in_order: bool,
    /// Whether the user declined.
    declined: bool,
    /// Whether messages may be left that were never seen.
    incomplete: bool,
    /// Filters that were refused in the last verification.
    unverified: Vec<String>,
}

impl ClearRun<'_> {
    async fn clear(&mut self) -> Result<(), Error> {
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Kept) {
            entry.fate = Fate::NotSent;
        }
        if !self.clear.yes && !self.confirmed().await? {
            self.declined = true;
            return Ok(());
        }
        if let Some(backup) = &mut self.backup {
            backup.needed();
        }
        let until = self.clear.until_clear.map(|limit| Instant::now() + limit);
        loop {
            self.attention.within(std::future::ready(())).await?;
            let total = self.entries.iter().filter(|entry| entry.fate == Fate::NotSent).count() as u64;
            let mut work = Clearing { entries: &mut self.entries, next: 0 };
            self.passes += 1;
            send::send(
                self.client,
                &mut work,
                total,
                self.config.limits(),
                &mut self.attention,
                self.diagnostics,
            )
            .await?;
            if self.passes > 1 {
                self.attention.within(tokio::time::sleep(SETTLING)).await?;
            }
            self.verify().await?;
            if !self.choose_again(until.is_some_and(|until| Instant::now() < until)) {
                return Ok(());
            }
        }
    }

    async fn confirmed(&mut self) -> Result<bool, Error> {
        // The user must see the list before confirming it, and the terminal does not show it if it goes to a
        // file or a later report.
        if self.config.json || !self.diagnostics.terminal().stdout.is_terminal {
            for entry in &self.entries {
                self.diagnostics.plain(&entry.line());
            }
        }
        let count = self.entries.iter().filter(|entry| entry.fate == Fate::NotSent).count();
        let question = format!("Clear {}?", counted(count as u64, "retained message"));
        self.attention.within(confirm(self.diagnostics, &question)).await?
    }

    /// Verifies with a new subscription on a new connection.
    async fn verify(&mut self) -> Result<(), Error> {
        // New values are cleared only with --until-clear, and then they belong into the backup too.
        let backup = self.backup.as_mut().filter(|_| self.clear.until_clear.is_some());
        let looking = Looking::Again(&self.entries);
        let options = &self.clear.scan;
        let (attention, diagnostics) = (&mut self.attention, self.diagnostics);
        let scanned =
            scan(self.client, options, looking, self.in_order, backup, attention, diagnostics).await;
        self.verification = Some(ScanReport::of(&scanned));
        self.in_order = scanned.in_order;
        if let Some(error) = scanned.error {
            return Err(error);
        }
        if let Some(backup) = &mut self.backup {
            backup.keep()?;
        }
        scanned.ended_by.warn(options, diagnostics);
        let is_complete = scanned.ended_by.is_complete();
        self.incomplete |= !is_complete || !scanned.refused.is_empty();
        self.unverified = scanned.refused.into_iter().map(|(filter, _)| filter).collect();
        let looked_under: Vec<&String> =
            options.filters.iter().filter(|filter| !self.unverified.contains(filter)).collect();
        let is_seen = |name: &str| {
            let matches = |filter: &&String| topic::matches(filter.as_bytes(), name.as_bytes());
            is_complete && looked_under.iter().any(matches)
        };
        judge(&mut self.entries, scanned.entries, is_seen);
        Ok(())
    }

    /// Selects the messages to be cleared again; returns whether there are any.
    fn choose_again(&mut self, new_ones_too: bool) -> bool {
        let mut any = false;
        for entry in &mut self.entries {
            let again = match entry.fate {
                Fate::StillThere => self.passes < PASSES || new_ones_too,
                Fate::Republished | Fate::Appeared => new_ones_too,
                _ => false,
            };
            if again {
                entry.fate = Fate::NotSent;
                any = true;
            }
        }
        any
    }

    fn summary(&self, interrupted: bool) {
        let total = self.entries.len();
        let count = |fate: Fate| self.entries.iter().filter(|entry| entry.fate == fate).count();
        if interrupted && self.passes == 0 {
            return self.diagnostics.state("ended early: nothing was cleared");
        }
        if interrupted {
            let (unsent, unconfirmed) = (count(Fate::NotSent), count(Fate::Unconfirmed));
            let done = total - unsent - unconfirmed;
            return self.diagnostics.state(format_args!(
                "ended early: {done} of {total} answered, {unconfirmed} sent without an answer, {unsent} not sent; \
                 run it again{} to continue",
                if self.passes > 0 && self.backup.is_some() { ", with another file for --backup," } else { "" }
            ));
        }
        match (total, left(&self.entries)) {
            (0, _) if self.incomplete => {}
            (0, _) if self.unselected > 0 => {
                let received = counted(self.unselected, "retained message");
                self.diagnostics.state(format_args!("{received} received, none selected"));
            }
            (0, _) => self.diagnostics.state("no retained messages received"),
            (_, _) if self.declined => self.diagnostics.state("nothing was cleared"),
            (_, _) if self.clear.dry_run => {
                self.diagnostics.state(format_args!("{total} would be cleared"));
            }
            (_, 0) if self.unverified.is_empty() => {
                self.diagnostics.state(format_args!("{total} cleared, and verified that none is left"));
            }
            (_, left) => {
                let cleared = count(Fate::Cleared);
                let left = if left > 0 { format!(", {left} left") } else { String::new() };
                let unknown = self.unknown();
                self.diagnostics.state(format_args!("{cleared} cleared{left}{unknown}"));
            }
        }
    }

    /// The text about filters that could not be verified, for the end of the summary.
    fn unknown(&self) -> String {
        match &self.unverified[..] {
            [] => String::new(),
            [one] => format!("; whether anything is left under '{}' is unknown", cut(one)),
            many => {
                let many = counted(many.len() as u64, "refused filter");
                format!("; whether anything is left under {many} is unknown")
            }
        }
    }
}

/// Compares the messages found now with those to be cleared. `is_seen` tells whether a message of this topic
/// would have been received.
fn judge(entries: &mut Vec<RetainedTopic>, seen: Vec<RetainedTopic>, is_seen: impl Fn(&str) -> bool) {
    let mut still = vec![false; entries.len()];
    let mut appeared = Vec::new();
    for mut now in seen {
        let Ok(index) = entries.binary_search_by(|entry| entry.topic.cmp(&now.topic)) else {
            now.fate = Fate::Appeared;
            appeared.push(now);
            continue;
        };
        let entry = &mut entries[index];
        still[index] = true;
        if matches!(entry.fate, Fate::Refused(_) | Fate::NotInBackup) {
            continue;
        }
        // A topic stays marked as appeared until it is cleared itself.
        let same = entry.fingerprint == now.fingerprint;
        entry.fate = match entry.fate {
            Fate::Appeared => Fate::Appeared,
            _ if same => Fate::StillThere,
            _ => Fate::Republished,
        };
        (entry.fingerprint, entry.payload_bytes) = (now.fingerprint, now.payload_bytes);
    }
    for (entry, still) in entries.iter_mut().zip(still) {
        if !still && entry.fate != Fate::NotSent && is_seen(&entry.topic) {
            entry.fate = Fate::Cleared;
        }
    }
    entries.extend(appeared);
    entries.sort_by(|one, other| one.topic.cmp(&other.topic));
}

/// The topics to clear, by index in the list.
struct Clearing<'a> {
    entries: &'a mut [RetainedTopic],
    next: usize,
}

impl send::SendWork for Clearing<'_> {
    fn next(&mut self, session: &Session) -> Result<Option<OutgoingMessage>, Error> {
        let offset = self.entries[self.next..].iter().position(|entry| entry.fate == Fate::NotSent);
        let Some(index) = offset.map(|offset| self.next + offset) else { return Ok(None) };
        self.next = index + 1;
        let entry = &mut self.entries[index];
        entry.fate = Fate::Unconfirmed;
        // [MQTT-3.3.1-6]: an empty payload removes the retained message.
        let qos = QoS::AtLeastOnce.min(session.limits().maximum_qos);
        let template = PublishTemplate::new(
            session.protocol(),
            entry.topic.as_bytes(),
            qos,
            true,
            &PropertyBlock::default(),
        );
        Ok(Some(OutgoingMessage { template, payload: Bytes::new(), token: index as u64 }))
    }

    fn ended(&mut self, token: u64, outcome: Result<(), ReasonCode>) {
        let Some(entry) = usize::try_from(token).ok().and_then(|index| self.entries.get_mut(index)) else {
            return;
        };
        entry.fate = match outcome {
            Ok(()) => Fate::Acknowledged,
            Err(reason) => Fate::Refused(reason),
        };
    }
}

/// The default duration of `--until-clear`.
pub const DEFAULT_UNTIL_CLEAR: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(topic: &str, fingerprint: u64, fate: Fate) -> RetainedTopic {
        RetainedTopic {
            topic: topic.into(),
            payload_bytes: 1,
            fingerprint,
            qos: QoS::AtMostOnce,
            fate,
            preview: Box::default(),
        }
    }

    #[test]
    fn topics_that_are_still_there_are_classified() {
        let refused = Fate::Refused(ReasonCode::NOT_AUTHORIZED);
        let mut entries = vec![
            entry("b", 1, Fate::Acknowledged),
            entry("c", 1, Fate::Acknowledged),
            entry("d", 1, refused),
            entry("e", 1, Fate::Acknowledged),
            entry("f", 1, refused),
        ];
        let again =
            ["a", "c", "d", "e"].map(|topic| entry(topic, u64::from(topic == "e") + 1, Fate::Kept)).into();
        judge(&mut entries, again, |_| true);
        let fates: Vec<(&str, Fate)> = entries.iter().map(|entry| (&*entry.topic, entry.fate)).collect();
        let expected = [
            ("a", Fate::Appeared),
            ("b", Fate::Cleared),
            ("c", Fate::StillThere),
            ("d", refused),
            ("e", Fate::Republished),
            ("f", Fate::Cleared),
        ];
        assert_eq!(fates, expected);
    }

    #[test]
    fn incomplete_verification_proves_nothing() {
        let mut entries = vec![entry("a", 1, Fate::Acknowledged), entry("b", 1, Fate::Acknowledged)];
        judge(&mut entries, vec![entry("a", 1, Fate::Kept)], |_| false);
        assert_eq!(entries[0].fate, Fate::StillThere);
        assert_eq!(entries[1].fate, Fate::Acknowledged);
        assert_eq!(left(&entries), 2);
    }
}
