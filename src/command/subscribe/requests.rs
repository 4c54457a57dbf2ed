//! Requests to the broker and its responses: SUBSCRIBE and UNSUBSCRIBE.

use bytes::BytesMut;

use super::Subscriber;
use super::config::FilterOptions;
use super::filters::Granted;
use super::stages::{MARKER_TOKEN, Requests, UNSUBSCRIBE_TOKEN};
use crate::client::handler::Flow;
use crate::client::session::{DeniedFilter, Session};
use crate::command::resubscribing::tell_refused;
use crate::command::stored::Care;
use crate::error::{Denial, Error};
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Subscription;
use crate::quotation::cut;

impl Subscriber<'_> {
    pub(super) fn send_requests(&mut self, session: &mut Session, out: &mut BytesMut) {
        self.count_refused = 0;
        self.count_subscribing = self.groups.len();
        if let Some(granted) = &mut self.granted {
            granted.begin(self.groups.len());
        }
        self.resubscribing.stop();
        for (token, group) in self.groups.iter_mut().enumerate() {
            group.ask(session, out, token as u64, |_| true);
        }
        let filters: Vec<&str> = self.config.unsubscribe.iter().map(String::as_str).collect();
        if !filters.is_empty() {
            session.unsubscribe(out, &filters, &self.config.unsubscribe_properties, UNSUBSCRIBE_TOKEN);
        }
        if let Some(end) = &mut self.end_of_retained {
            if let Some(filter) = end.marker_filter() {
                let marker = Subscription {
                    filter,
                    qos: QoS::AtMostOnce,
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: 0,
                };
                session.subscribe(out, &[marker], &PropertyBlock::default(), MARKER_TOKEN);
            }
            end.begin(Care::Last);
        }
        self.requests = Requests::Sent;
    }

    /// Retries the filters that were refused for now.
    pub(super) fn ask_again(&mut self, session: &mut Session, out: &mut BytesMut) {
        for (token, group) in self.groups.iter_mut().enumerate() {
            if group.ask(session, out, token as u64, |filter| filter.is_refused_for_now) {
                self.count_subscribing += 1;
                self.requests = Requests::Sent;
            }
        }
    }

    /// Whether filters that were granted before are retried after a refusal that may pass: not in a run that
    /// ends with the responses, as it would end before the retry.
    fn asks_again(&self) -> bool {
        !self.config.ends_with_answers() && self.end_of_retained.is_none()
    }

    /// Reports the refused filters; if all of them were refused, the run ends.
    pub(super) fn subscribed(&mut self, token: u64, reasons: &[u8], properties: &Properties<'_>) -> Flow {
        let asks_again = self.asks_again();
        let Some(group) = usize::try_from(token).ok().and_then(|index| self.groups.get_mut(index)) else {
            return Flow::Continue;
        };
        let mut is_news = false;
        for (index, reason) in group.asked.iter().zip(reasons) {
            let filtered = &mut group.filters[*index];
            let FilterOptions { filter, qos, .. } = filtered.options;
            let reason = ReasonCode(*reason);
            let was_refused_for_now = std::mem::take(&mut filtered.is_refused_for_now);
            if reason.is_failure() {
                let what = format!("subscription to '{}' refused", cut(filter));
                let error = Error::refused(what, reason, properties).of(Denial::Suback);
                if asks_again && filtered.was_granted && self.resubscribing.may_pass(&error) {
                    filtered.is_refused_for_now = true;
                    if !was_refused_for_now {
                        tell_refused(&error, self.diagnostics);
                    }
                    continue;
                }
                self.selector.is_refused(filter);
                self.shower.is_refused(filter);
                // The last refusal is reported when it is known whether it ends the run.
                if let Some(earlier) = self.refused.replace(error) {
                    self.diagnostics.error(&earlier);
                }
                self.count_refused += 1;
                let refused = || DeniedFilter { filter: (**filter).into(), reason };
                self.refused_filter.get_or_insert_with(refused);
                continue;
            }
            filtered.was_granted = true;
            let (granted, filter) = (reason.0, cut(filter));
            if was_refused_for_now {
                self.diagnostics.change("subscribed", format_args!("subscribed to '{filter}' again"));
            } else {
                is_news = true;
            }
            let is_lower = granted < *qos as u8;
            if is_lower {
                self.diagnostics
                    .warning(format_args!("the broker grants QoS {granted} for '{filter}', not QoS {qos}"));
            }
            if let Some(all) = &mut self.granted {
                all.add(&filter, is_lower.then_some(granted));
            }
        }
        if group.filters.iter().any(|filter| filter.is_refused_for_now) {
            self.resubscribing.wait();
        } else if !self.groups.iter().flat_map(|group| &group.filters).any(|filter| filter.is_refused_for_now)
        {
            self.resubscribing.granted();
        }
        if self.count_refused == self.config.filters.len() {
            self.all_refused = self.refused.take();
            return Flow::Stop;
        }
        if let Some(error) = self.refused.take() {
            self.diagnostics.error(&error);
            self.some_refused = true;
        }
        if is_news {
            self.diagnostics.change_event("subscribed", "subscribed");
        }
        self.say_subscribed();
        Flow::Continue
    }

    /// Tells the user what the run waits for, unless a drawing occupies the terminal.
    fn say_subscribed(&mut self) {
        if self.granted.as_mut().is_some_and(Granted::is_last)
            && let Some(granted) = self.granted.take()
            && !self.shower.draws()
        {
            self.diagnostics.state(format_args!("subscribed to {granted}"));
        }
    }

    /// Reports the filters that are still subscribed to; if that applies to all and unsubscribing was the
    /// only task, the run failed.
    pub(super) fn unsubscribed(&mut self, reasons: &[u8], properties: &Properties<'_>) {
        let filters = self.config.unsubscribe.iter();
        let mut refused: Vec<Error> = filters
            .zip(reasons.iter().map(|reason| ReasonCode(*reason)))
            .filter(|(_, reason)| reason.is_failure())
            .map(|(filter, reason)| {
                Error::refused(format!("unsubscription from '{}' refused", cut(filter)), reason, properties)
                    .of(Denial::Suback)
            })
            .collect();
        if refused.len() == self.config.unsubscribe.len() && self.config.filters.is_empty() {
            self.all_refused = refused.pop();
        }
        self.some_refused |= !refused.is_empty();
        for error in &refused {
            self.diagnostics.error(error);
        }
    }
}
