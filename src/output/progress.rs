//! Progress of long work, on standard error if it is a terminal.
//!
//! The work only stores a number. A task of the runtime reads it at intervals and draws, so the work runs at
//! the same speed with and without a display, and short work shows none.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::time::MissedTickBehavior;

use super::Diagnostics;
use super::screen::Screen;
use crate::quantity::duration;

/// Work that ends earlier shows no progress.
const FIRST_DRAWN_AFTER: Duration = Duration::from_millis(500);
const DRAWN_EVERY: Duration = Duration::from_millis(100);

const BYTES: &str = "{bytes} of {total_bytes} [{bar:30}] {bytes_per_sec}, {eta} left";
const MESSAGES: &str = "{human_pos} of {human_len} [{bar:30}] {rate}, {eta} left";
const CASES: &str = "{human_pos} of {human_len} [{bar:30}] {eta} left";
const FOUND: &str = "{human_pos} found, {rate}";
const INPUT: &str = "{bytes} of {total_bytes} [{bar:30}] {eta} left";
const RECORDED: &str = "{recorded} of {whole} recorded [{bar:30}] {eta} left";
const LINES: &str = "lines: {human_pos}, {rate}";

fn style(template: &str) -> Result<ProgressStyle, TemplateError> {
    // indicatif's own rate has four decimals.
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    // Milliseconds shown as whole seconds.
    let seconds = |millis: u64| duration(Duration::from_secs(millis / 1000));
    let recorded = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}", seconds(state.pos()));
    };
    let whole = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}", seconds(state.len().unwrap_or_default()));
    };
    let style = ProgressStyle::with_template(template)?.with_key("rate", rate);
    Ok(style.with_key("recorded", recorded).with_key("whole", whole).progress_chars("=> "))
}

/// A count with an optional display. Dropping it clears the display.
#[derive(Debug)]
pub struct Progress {
    done: Arc<AtomicU64>,
    drawn: Option<(ProgressBar, tokio::task::AbortHandle)>,
}

impl Progress {
    /// Of `total` bytes.
    #[must_use]
    pub fn bytes(diagnostics: &Diagnostics, total: u64) -> Self {
        Self::of(diagnostics, Some(total), BYTES)
    }

    /// Of `total` messages.
    #[must_use]
    pub fn messages(diagnostics: &Diagnostics, total: u64) -> Self {
        Self::of(diagnostics, Some(total), MESSAGES)
    }

    /// Of `total` cases with different durations.
    #[must_use]
    pub fn cases(diagnostics: &Diagnostics, total: u64) -> Self {
        Self::of(diagnostics, Some(total), CASES)
    }

    /// A search with an unknown total.
    #[must_use]
    pub fn found(diagnostics: &Diagnostics) -> Self {
        Self::of(diagnostics, None, FOUND)
    }

    /// An input of `total` bytes, whose lines may be sent at recorded times.
    #[must_use]
    pub fn input(diagnostics: &Diagnostics, total: u64) -> Self {
        Self::of(diagnostics, Some(total), INPUT)
    }

    /// A recording of this duration; the number is in milliseconds.
    #[must_use]
    pub fn recorded(diagnostics: &Diagnostics, whole: Duration) -> Self {
        Self::of(diagnostics, Some(u64::try_from(whole.as_millis()).unwrap_or(u64::MAX)), RECORDED)
    }

    /// Lines of input with an unknown total.
    #[must_use]
    pub fn lines(diagnostics: &Diagnostics) -> Self {
        if std::io::stdin().is_terminal() {
            // The user types the lines, and a display would overwrite them.
            return Self { done: Arc::default(), drawn: None };
        }
        Self::of(diagnostics, None, LINES)
    }

    fn of(diagnostics: &Diagnostics, total: Option<u64>, template: &str) -> Self {
        if !diagnostics.is_interactive() {
            return Self { done: Arc::default(), drawn: None };
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        // With an invalid template indicatif shows its own; the tests read both.
        if let Ok(style) = style(template) {
            bar.set_style(style);
        }
        diagnostics.make_room_for(bar.clone());
        Self::drawn(bar, || ProgressDrawTarget::term_like(Box::new(Screen::default())))
    }

    fn drawn(bar: ProgressBar, target: impl FnOnce() -> ProgressDrawTarget + Send + 'static) -> Self {
        let done = Arc::<AtomicU64>::default();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Self { done, drawn: None };
        };
        let (seen, shown) = (Arc::clone(&done), bar.clone());
        let task = runtime.spawn(async move {
            tokio::time::sleep(FIRST_DRAWN_AFTER).await;
            let mut target = Some(target);
            let mut ticks = tokio::time::interval(DRAWN_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Some(target) = target.take() {
                    shown.set_draw_target(target());
                }
                shown.set_position(seen.load(Ordering::Relaxed));
                shown.tick();
            }
        });
        Self { done, drawn: Some((bar, task.abort_handle())) }
    }

    /// Sets the amount done since the start.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// Adds to the amount done.
    pub fn add(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Calls `write` for the same screen while the display is hidden.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.drawn {
            Some((bar, _)) => bar.suspend(write),
            None => write(),
        }
    }

    /// Clears the display. The run's result is reported elsewhere.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((bar, task)) = &self.drawn {
            task.abort();
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{StandardStream, Verbosity};
    use std::sync::Mutex;

    /// A terminal that keeps everything written to it.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl indicatif::TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            self.write_str("<clear>")
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn on_screen(total: Option<u64>, template: &str) -> (Progress, Paper) {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(style(template).unwrap());
        let screen = Paper::default();
        let term = screen.clone();
        (Progress::drawn(bar, move || ProgressDrawTarget::term_like(Box::new(term))), screen)
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_is_shown_and_cleared() {
        let (progress, screen) = on_screen(Some(2048), BYTES);
        progress.set(512);
        tokio::time::sleep(Duration::from_millis(499)).await;
        assert_eq!(screen.text(), "");
        progress.add(512);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(screen.text().contains("1.00 KiB of 2.00 KiB [===============>"), "{}", screen.text());
        progress.finish();
        assert!(screen.text().ends_with("<clear>"), "{}", screen.text());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_have_a_total() {
        let (progress, screen) = on_screen(Some(100_000), MESSAGES);
        progress.set(50_000);
        tokio::time::sleep(Duration::from_millis(501)).await;
        assert!(screen.text().contains("50,000 of 100,000 [===============>"), "{}", screen.text());
    }

    #[tokio::test(start_paused = true)]
    async fn other_lines_take_the_place_of_the_display() {
        let (progress, screen) = on_screen(Some(3), CASES);
        progress.set(1);
        tokio::time::sleep(Duration::from_millis(501)).await;
        assert!(screen.text().contains("1 of 3 [==========>"), "{}", screen.text());
        assert!(!screen.text().contains("/s"), "{}", screen.text());
        progress.suspend(|| assert!(screen.text().ends_with("<clear>"), "{}", screen.text()));
        progress.finish();
    }

    #[tokio::test(start_paused = true)]
    async fn recorded_time_is_shown_as_time() {
        let (progress, screen) = on_screen(Some(7_200_400), RECORDED);
        progress.set(3_600_900);
        tokio::time::sleep(Duration::from_millis(501)).await;
        assert!(screen.text().contains("1h of 2h recorded [===============>"), "{}", screen.text());
    }

    #[tokio::test(start_paused = true)]
    async fn lines_have_no_total() {
        let (progress, screen) = on_screen(None, LINES);
        progress.set(1_234_567);
        tokio::time::sleep(Duration::from_millis(501)).await;
        assert!(screen.text().contains("lines: 1,234,567, "), "{}", screen.text());
    }

    #[tokio::test(start_paused = true)]
    async fn short_work_shows_nothing() {
        let (progress, screen) = on_screen(None, LINES);
        progress.set(5);
        tokio::time::sleep(Duration::from_millis(400)).await;
        progress.finish();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!screen.text().contains("lines"), "{}", screen.text());
    }

    #[tokio::test]
    async fn no_progress_without_a_terminal_or_with_quiet() {
        let shows = |verbosity, is_terminal| {
            let stream = StandardStream { is_terminal, color: false };
            let diagnostics = Diagnostics::into_writer(verbosity, stream, std::io::sink());
            Progress::lines(&diagnostics).drawn.is_some()
        };
        assert!(shows(Verbosity::Normal, true));
        assert!(!shows(Verbosity::Normal, false));
        assert!(!shows(Verbosity::Quiet, true));
        // With packets scrolling by, a bar would only disturb.
        assert!(!shows(Verbosity::Debug, true));
    }
}
