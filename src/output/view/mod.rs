//! The live view of `sub -w`: a list of topics that the user can scroll, sort, filter and pause, with the
//! latest message of one topic in full.
//!
//! Only the changed cells are written, at most ten times a second.

mod draw;
mod keys;
mod screen;
mod topics;

use std::collections::HashSet;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::keys::TypedKey;
use self::screen::ViewScreen;
use self::topics::{ListRow, TopicOrder, ViewedTopics};
use super::Stdout;
use crate::error::Error;
use crate::protocol::wire::Publish;

pub use self::screen::{give_terminal_back, is_possible};

/// The interval between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// The state of the view, as changed by keys.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is switched by a key of its own, or by the link")]
struct ViewState {
    broker: String,
    topics: ViewedTopics,
    /// The topics shown while the view is paused.
    frozen: Option<Box<ViewedTopics>>,
    order: TopicOrder,
    is_tree: bool,
    /// The closed levels of the tree.
    closed: HashSet<String>,
    filter: String,
    is_typing: bool,
    has_detail: bool,
    /// The topic whose message is shown in full, and the first line shown of it.
    detail_of: String,
    detail_top: usize,
    /// The number of its lines shown at the last drawing, and whether more follow.
    detail_height: usize,
    has_more_detail: bool,
    is_connected: bool,
    /// The item at the cursor: the name of a topic, or of a level with its slash.
    cursor: Option<String>,
    /// The first row shown.
    top: usize,
    /// The number of list rows at the last drawing.
    height: usize,
    rows: Vec<ListRow>,
}

impl ViewState {
    fn new(broker: &str, now: Instant) -> Self {
        Self {
            broker: broker.to_owned(),
            topics: ViewedTopics::new(now),
            frozen: None,
            order: TopicOrder::Topic,
            is_tree: false,
            closed: HashSet::new(),
            filter: String::new(),
            is_typing: false,
            has_detail: false,
            detail_of: String::new(),
            detail_top: 0,
            detail_height: 1,
            has_more_detail: false,
            is_connected: true,
            cursor: None,
            top: 0,
            height: 1,
            rows: Vec::new(),
        }
    }

    fn shown(&self) -> &ViewedTopics {
        self.frozen.as_deref().unwrap_or(&self.topics)
    }

    fn name_of<'a>(&'a self, row: &'a ListRow) -> &'a str {
        match row {
            ListRow::Topic(place) => &self.shown().all[*place].name,
            ListRow::Level { prefix, .. } => prefix,
        }
    }

    /// The index of the row at the cursor.
    fn place(&self) -> usize {
        let cursor = self.cursor.as_deref();
        self.rows.iter().position(|row| Some(self.name_of(row)) == cursor).unwrap_or(0)
    }

    /// Builds the rows, and keeps the cursor visible.
    fn make_rows(&mut self, height: usize) {
        self.topics.order_names();
        self.rows = if self.is_tree {
            self.shown().tree(&self.filter, &self.closed)
        } else {
            self.shown().list(self.order, &self.filter)
        };
        self.height = height.max(1);
        // Without a cursor the list stays at its first row.
        let place = self.place();
        self.top = self.top.min(place).max((place + 1).saturating_sub(self.height));
    }

    fn move_to(&mut self, place: usize) {
        let place = place.min(self.rows.len().saturating_sub(1));
        self.cursor = self.rows.get(place).map(|row| self.name_of(row).to_owned());
    }

    /// Processes a key; returns whether it ends the run.
    fn key(&mut self, key: TypedKey) -> bool {
        let place = self.place();
        match key {
            TypedKey::Up => self.move_to(place.saturating_sub(1)),
            TypedKey::Down if self.cursor.is_none() => self.move_to(place),
            TypedKey::Down => self.move_to(place + 1),
            TypedKey::PageUp if self.has_detail => {
                self.detail_top = self.detail_top.saturating_sub(self.detail_height);
            }
            TypedKey::PageDown if self.has_detail => {
                self.detail_top += if self.has_more_detail { self.detail_height } else { 0 };
            }
            TypedKey::PageUp => self.move_to(place.saturating_sub(self.height)),
            TypedKey::PageDown => self.move_to(place + self.height),
            TypedKey::Home => self.move_to(0),
            TypedKey::End => self.move_to(usize::MAX),
            TypedKey::Escape if self.is_typing || !self.filter.is_empty() => {
                self.is_typing = false;
                self.filter.clear();
            }
            TypedKey::Escape => self.has_detail = false,
            TypedKey::Enter if self.is_typing => self.is_typing = false,
            TypedKey::Backspace if self.is_typing => {
                self.filter.pop();
            }
            TypedKey::Character(character) if self.is_typing => self.filter.push(character),
            TypedKey::Enter => self.enter(place),
            TypedKey::Left => self.open(place, false),
            TypedKey::Right => self.open(place, true),
            TypedKey::Character(character) => return self.command(character),
            TypedKey::Backspace => {}
        }
        false
    }

    fn command(&mut self, character: char) -> bool {
        match character {
            'q' => return true,
            '/' => self.is_typing = true,
            's' => self.order = self.order.next(),
            't' => self.is_tree = !self.is_tree,
            'p' | ' ' if self.frozen.take().is_none() => {
                self.topics.order_names();
                self.frozen = Some(Box::new(self.topics.clone()));
            }
            'k' => drop(self.key(TypedKey::Up)),
            'j' => drop(self.key(TypedKey::Down)),
            'g' => self.move_to(0),
            'G' => self.move_to(usize::MAX),
            _ => {}
        }
        false
    }

    /// Opens or closes the item at the cursor.
    fn enter(&mut self, place: usize) {
        match self.rows.get(place) {
            Some(ListRow::Level { is_open, .. }) => self.open(place, !is_open),
            Some(ListRow::Topic(_)) => {
                self.move_to(place);
                self.has_detail = !self.has_detail;
            }
            None => {}
        }
    }

    fn open(&mut self, place: usize, open: bool) {
        if let Some(ListRow::Level { prefix, .. }) = self.rows.get(place) {
            let prefix = prefix.clone();
            self.cursor = Some(prefix.clone());
            if open {
                self.closed.remove(&prefix);
            } else {
                self.closed.insert(prefix);
            }
        }
    }
}

/// A live view on the terminal of standard output.
#[derive(Debug)]
pub struct TopicView {
    state: ViewState,
    screen: Option<ViewScreen>,
    clock: Interval,
    /// When the messages of the current batch were received.
    now: Option<Instant>,
    is_changed: bool,
    /// The cells that the terminal shows.
    drawn: Buffer,
    next: Buffer,
    /// Whether the content of the terminal is unknown.
    is_disturbed: bool,
    /// Whether the user has ended the run.
    is_left: bool,
}

impl TopicView {
    /// The terminal is unchanged until [`TopicView::connected`].
    #[must_use]
    pub fn new(broker: &str) -> Self {
        let mut clock = interval(PAUSE);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: ViewState::new(broker, Instant::now()),
            screen: None,
            clock,
            now: None,
            is_changed: true,
            drawn: Buffer::default(),
            next: Buffer::default(),
            is_disturbed: true,
            is_left: false,
        }
    }

    /// A link is up: takes over the terminal, unless it has already.
    ///
    /// # Errors
    /// The terminal cannot be set up.
    pub fn connected(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.screen.is_none() {
            self.screen = Some(ViewScreen::enter(out)?);
        }
        self.link_is(true);
        Ok(())
    }

    /// Sets whether there is a link. Messages about it may have overwritten the screen.
    pub fn link_is(&mut self, connected: bool) {
        self.state.is_connected = connected;
        (self.is_changed, self.is_disturbed) = (true, true);
    }

    /// Processes a message; `error` tells why its payload was not decoded.
    pub fn message(&mut self, publish: &Publish<'_>, error: Option<&str>) {
        let now = *self.now.get_or_insert_with(Instant::now);
        self.state.topics.take(publish, error, now);
        self.is_changed |= self.state.frozen.is_none();
    }

    /// Ends a batch: later messages get a new time.
    pub fn batch_is_over(&mut self) {
        self.now = None;
    }

    /// Processes keys and draws. Ready when the user ends the run, or the terminal fails.
    pub fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        if let Some(screen) = &mut self.screen {
            while let Poll::Ready(bytes) = screen.poll_typed(cx) {
                for key in keys::keys(&bytes) {
                    if self.state.key(key) {
                        self.is_left = true;
                        return Poll::Ready(Error::OutputClosed);
                    }
                    // The next key uses the rows that this one has changed.
                    let height = self.state.height;
                    self.state.make_rows(height);
                }
                self.is_changed = true;
            }
            match screen.poll_stopped(cx, stdout) {
                Poll::Ready(Ok(())) => (self.is_changed, self.is_disturbed) = (true, true),
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {}
            }
        }
        while self.clock.poll_tick(cx).is_ready() {
            let now = Instant::now();
            // Ages change as well.
            self.is_changed |= self.state.topics.make_rates(now) && self.state.frozen.is_none();
            let size = screen::size();
            let is_resized = self.next.area != Rect::new(0, 0, size.0, size.1);
            // Nothing is drawn for a terminal that does not accept output.
            if self.screen.is_some() && (self.is_changed || is_resized) && stdout.waiting_bytes() == 0 {
                self.draw(size, now, stdout.buffer());
            }
        }
        match stdout.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        }
    }

    fn draw(&mut self, size: (u16, u16), now: Instant, out: &mut Vec<u8>) {
        let area = Rect::new(0, 0, size.0, size.1);
        let all_anew = std::mem::take(&mut self.is_disturbed) || self.drawn.area != area;
        if all_anew {
            self.drawn = Buffer::empty(area);
        }
        self.next = Buffer::empty(area);
        draw::draw(&mut self.state, &mut self.next, now);
        self.is_changed = false;
        screen::put_changes(out, &self.drawn, &self.next, all_anew);
        std::mem::swap(&mut self.drawn, &mut self.next);
        self.next.area = area;
    }

    /// Restores the terminal.
    pub fn leave(&mut self, out: &mut Vec<u8>) {
        if let Some(screen) = self.screen.take() {
            screen.leave(out);
        }
    }

    /// Restores the terminal, and leaves the last picture on it if the run ended by itself.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.screen.is_none() {
            return;
        }
        self.leave(out);
        if !self.is_left {
            for line in draw::last_picture(&mut self.state, screen::size(), Instant::now()) {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
        }
    }
}
