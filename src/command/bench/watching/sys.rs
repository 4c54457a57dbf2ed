//! Topics of the broker below `$SYS`, observed by a further client.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;

use super::broker::BrokerLook;
use super::samples::leading_number;
use crate::client::handler::{Flow, Handler};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
use crate::error::Error;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Subscription;

const FILTER: &str = "$SYS/#";

struct SysListener {
    look: Rc<RefCell<BrokerLook>>,
    is_subscribed: bool,
}

/// Records the numbers below `$SYS`, until the run ends.
pub(super) async fn listen(client: ClientOptions, run: u32, look: Rc<RefCell<BrokerLook>>) {
    let options = ClientOptions {
        client_identifier: format!("bench-{run:08x}-sys"),
        clean_start: true,
        session_expiry_interval: None,
        will: None,
        ..client
    };
    let mut listener = SysListener { look: Rc::clone(&look), is_subscribed: false };
    let ended = client::run(&options, &mut listener).await;
    let mut look = look.borrow_mut();
    look.sys_failed |= ended.is_err() && !look.is_over;
}

impl Handler for SysListener {
    fn on_connected(&mut self, _: &mut Session, _: &Connected) -> Result<(), Error> {
        self.is_subscribed = false;
        Ok(())
    }

    fn poll_fill(
        &mut self,
        _: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        // The director polls often enough, and this is polled with it.
        if self.look.borrow().is_over {
            return Poll::Ready(Ok(()));
        }
        if !std::mem::replace(&mut self.is_subscribed, true) {
            let subscription = Subscription {
                filter: FILTER,
                qos: QoS::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            };
            session.subscribe(out, &[subscription], &PropertyBlock::default(), 0);
        }
        Poll::Pending
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        let mut look = self.look.borrow_mut();
        match event {
            Event::Message(publish) => {
                if let (Ok(topic), Some(number)) =
                    (std::str::from_utf8(publish.topic), leading_number(publish.payload))
                {
                    let second = look.second();
                    look.sys.add(topic, second, number);
                }
            }
            Event::Subscribed { reasons, .. }
                if reasons.iter().any(|reason| ReasonCode(*reason).is_failure()) =>
            {
                look.sys_failed = true;
                return Ok(Flow::Stop);
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}
