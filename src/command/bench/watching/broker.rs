//! Observes the broker during the load once a second: its process, its page of metrics and its topics below
//! `$SYS`. The observation does not delay the load: it runs in the director's thread, with its own timeouts.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

use super::super::engine::fleet::Fleet;
use super::super::report::broker::{BrokerReport, SampleSource};
use super::super::report::finding::Note;
use super::options::WatchOptions;
use super::process::{BrokerProcess, ProcessUse};
use super::samples::{BrokerSamples, MOST_NAMES};
use super::sys;
use crate::alarm::now;
use crate::net::page::{PageAddress, PageFault};
use crate::output::Diagnostics;

/// The interval of observations.
const EVERY: Duration = Duration::from_secs(1);
/// The timeout of a page, shorter than the interval.
const PAGE_LIMIT: Duration = Duration::from_millis(800);
/// Maximum size of a page.
const MOST_PAGE_BYTES: usize = 1 << 20;

/// Observations of the broker.
#[derive(Debug)]
pub(super) struct BrokerLook {
    /// When the run started.
    began: u64,
    /// Whether the run has ended.
    pub(super) is_over: bool,
    process: ProcessLook,
    page: PageLook,
    pub(super) sys: BrokerSamples,
    pub(super) sys_failed: bool,
}

#[derive(Debug, Default)]
struct ProcessLook {
    last: Option<(u64, ProcessUse)>,
    share: Option<f64>,
    /// In seconds of the run.
    ended: Option<f64>,
}

#[derive(Debug)]
struct PageLook {
    samples: BrokerSamples,
    read: u64,
    empty: u64,
    failed: u64,
    why: Option<PageFault>,
}

/// Observations of the process in one second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessSecond {
    /// CPU time divided by the time; with several threads it may exceed 1.
    pub(super) cpu_share: Option<f64>,
    /// Since the start of the process.
    pub(super) cpu_s: f64,
    pub(super) resident_bytes: u64,
    pub(super) descriptors: Option<u64>,
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Observes the broker during a run.
pub(super) struct BrokerWatch<'a> {
    look: Rc<RefCell<BrokerLook>>,
    work: Vec<Work<'a>>,
    process: Option<BrokerProcess>,
    has_page: bool,
    has_sys: bool,
}

impl<'a> BrokerWatch<'a> {
    /// `None` if nothing is to be observed.
    pub(super) fn new(
        options: &'a WatchOptions,
        process: Option<BrokerProcess>,
        fleet: &Fleet,
        diagnostics: &'a Diagnostics,
    ) -> Option<Self> {
        let look = Rc::new(RefCell::new(BrokerLook {
            began: fleet.began,
            is_over: false,
            process: ProcessLook::default(),
            page: PageLook {
                samples: BrokerSamples::new(SampleSource::Metrics, options.metric_names.clone()),
                read: 0,
                empty: 0,
                failed: 0,
                why: None,
            },
            sys: BrokerSamples::new(SampleSource::Sys, Vec::new()),
            sys_failed: false,
        }));
        let mut work: Vec<Work<'a>> = Vec::new();
        if let Some(process) = &process {
            work.push(Box::pin(watch_process(process.clone(), Rc::clone(&look))));
        }
        if let Some(page) = &options.broker_metrics {
            work.push(Box::pin(read_page(page, Rc::clone(&look), diagnostics)));
        }
        if options.broker_sys {
            work.push(Box::pin(sys::listen(fleet.load.client.clone(), fleet.run, Rc::clone(&look))));
        }
        let (has_page, has_sys) = (options.broker_metrics.is_some(), options.broker_sys);
        let is_needed = !work.is_empty();
        is_needed.then(|| Self { look, work, process, has_page, has_sys })
    }

    /// Continues the observations that are due.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.work.retain_mut(|work| work.as_mut().poll(cx) == Poll::Pending);
    }

    /// The last observation of the process, while it runs.
    pub(super) fn process(&self) -> Option<ProcessSecond> {
        let look = self.look.borrow();
        let (_, used) = look.process.last.filter(|_| look.process.ended.is_none())?;
        Some(ProcessSecond {
            cpu_share: look.process.share,
            cpu_s: used.cpu_s,
            resident_bytes: used.resident_bytes,
            descriptors: used.descriptors,
        })
    }

    /// Ends the observations; the client for `$SYS` disconnects.
    pub(super) fn end(&self) {
        self.look.borrow_mut().is_over = true;
    }

    /// The observations.
    pub(super) fn finish(&mut self) -> BrokerReport {
        self.work.clear();
        let mut look = self.look.borrow_mut();
        let mut notes = Vec::new();
        if let Some(second) = look.process.ended {
            notes.push(Note::BrokerProcessEnded { after_us: second * 1e6 });
        } else if look.process.last.is_some_and(|(_, used)| used.descriptors.is_none()) {
            notes.push(Note::BrokerDescriptorsUnread);
        }
        let page = &look.page;
        if let Some(why) = page.why {
            notes.push(Note::BrokerPageFailed { failed: page.failed, of: page.failed + page.read, why });
        }
        if page.empty > 0 {
            notes.push(Note::BrokerPageEmpty { empty: page.empty, of: page.read });
        }
        let left_out = page.samples.most_left_out() + look.sys.most_left_out();
        if left_out > 0 {
            notes.push(Note::BrokerNumbersLeftOut { left_out, kept: MOST_NAMES as u64 });
        }
        let missing = page.samples.missing().count() as u64;
        if self.has_page && page.read > 0 && missing > 0 {
            notes.push(Note::BrokerMetricsMissing(missing));
        }
        let sys = look.sys.finish();
        if look.sys_failed {
            notes.push(Note::BrokerSysFailed);
        } else if self.has_sys && sys.is_empty() {
            notes.push(Note::BrokerSysSilent);
        }
        let mut samples = look.page.samples.finish();
        samples.extend(sys);
        BrokerReport { process: self.process.as_ref().map(|process| process.name.clone()), samples, notes }
    }
}

impl BrokerLook {
    /// The time, in seconds of the run.
    #[allow(clippy::cast_precision_loss, reason = "to the millisecond")]
    pub(super) fn second(&self) -> f64 {
        (now().saturating_sub(self.began) / 1_000_000) as f64 / 1e3
    }
}

impl ProcessLook {
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    fn add(&mut self, at: u64, used: ProcessUse) {
        self.share = self.last.map(|(before, earlier)| {
            let passed = at.saturating_sub(before).max(1) as f64 / 1e9;
            ((used.cpu_s - earlier.cpu_s).max(0.0) / passed * 1e4).round() / 1e4
        });
        self.last = Some((at, used));
    }
}

fn each_second() -> Interval {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn watch_process(process: BrokerProcess, look: Rc<RefCell<BrokerLook>>) {
    let mut ticks = each_second();
    loop {
        ticks.tick().await;
        let used = process.read();
        let mut look = look.borrow_mut();
        if let Some(used) = used {
            look.process.add(now(), used);
        } else {
            look.process.ended = Some(look.second());
            return;
        }
    }
}

async fn read_page(address: &PageAddress, look: Rc<RefCell<BrokerLook>>, diagnostics: &Diagnostics) {
    let mut ticks = each_second();
    loop {
        ticks.tick().await;
        let page = address.read(MOST_PAGE_BYTES, PAGE_LIMIT).await;
        let mut look = look.borrow_mut();
        let second = look.second();
        match page {
            Ok(page) => {
                look.page.read += 1;
                look.page.empty += u64::from(!look.page.samples.add_page(&page, second));
            }
            Err(why) => {
                if look.page.failed == 0 {
                    diagnostics.warning(format_args!("{address}: {why}; the run continues without it"));
                }
                look.page.failed += 1;
                look.page.why = Some(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_share_is_of_the_time_between_two_observations() {
        let used = |cpu_s| ProcessUse { cpu_s, resident_bytes: 1, descriptors: None };
        let mut look = ProcessLook::default();
        look.add(0, used(7.0));
        assert_eq!(look.share, None);
        look.add(2_000_000_000, used(8.5));
        assert_eq!(look.share, Some(0.75));
        look.add(2_000_000_000, used(8.5));
        assert_eq!(look.share, Some(0.0));
    }
}
