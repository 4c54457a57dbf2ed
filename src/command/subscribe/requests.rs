//! SUBSCRIBE and UNSUBSCRIBE of a run, and what the broker answers.

use bytes::BytesMut;

use super::Subscriber;
use super::config::FilterOptions;
use super::filters::Granted;
use super::stages::{MARKER_TOKEN, Requests, UNSUBSCRIBE_TOKEN};
use crate::client::handler::Flow;
use crate::client::session::Session;
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
        for (token, group) in self.groups.iter().enumerate() {
            let subscriptions: Vec<Subscription<'_>> =
                group.filters.iter().map(|options| options.subscription()).collect();
            session.subscribe(out, &subscriptions, &group.properties, token as u64);
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

    /// Says which filters were refused; there is nothing to stay for if all of them were.
    pub(super) fn subscribed(&mut self, token: u64, reasons: &[u8], properties: &Properties<'_>) -> Flow {
        let Some(group) = usize::try_from(token).ok().and_then(|index| self.groups.get(index)) else {
            return Flow::Continue;
        };
        for (options, reason) in group.filters.iter().zip(reasons) {
            let FilterOptions { filter, qos, .. } = options;
            let reason = ReasonCode(*reason);
            if reason.is_failure() {
                let what = format!("subscription to '{}' refused", cut(filter));
                let error = Error::refused(what, reason, properties).of(Denial::Suback);
                // The last one is said when it is known whether it is the reason to leave.
                if let Some(earlier) = self.refused.replace(error) {
                    self.diagnostics.error(&earlier);
                }
                self.selector.is_refused(filter);
                self.shower.is_refused(filter);
                self.count_refused += 1;
                continue;
            }
            let (granted, filter) = (reason.0, cut(filter));
            let is_lower = granted < *qos as u8;
            if is_lower {
                self.diagnostics
                    .warning(format_args!("the broker grants QoS {granted} for '{filter}', not QoS {qos}"));
            }
            if let Some(all) = &mut self.granted {
                all.add(&filter, is_lower.then_some(granted));
            }
        }
        if self.count_refused == self.config.filters.len() {
            self.all_refused = self.refused.take();
            return Flow::Stop;
        }
        if let Some(error) = self.refused.take() {
            self.diagnostics.error(&error);
            self.some_refused = true;
        }
        self.diagnostics.change_event("subscribed", "subscribed");
        self.say_subscribed();
        Flow::Continue
    }

    /// Says what there is to wait for. A drawing on the terminal is left alone.
    fn say_subscribed(&mut self) {
        if self.granted.as_mut().is_some_and(Granted::is_last)
            && let Some(granted) = self.granted.take()
            && !self.shower.draws()
        {
            self.diagnostics.state(format_args!("subscribed to {granted}"));
        }
    }

    /// Says which filters stay subscribed to; if all of them do and that was all there was to do, it
    /// failed.
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
