//! The live view of `mqtt sub -w`.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::wait_until;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

fn view(broker: &Broker, options: &[&str]) -> Mqtt {
    let args = ["-t", "#", "-w"];
    let mqtt = broker.subscribe().args(args).args(options).env("TERM", "xterm");
    mqtt.on_a_terminal().stdout_on_a_terminal(80, 24)
}

fn broker() -> Broker {
    let broker = Broker::start();
    broker.publish().args(["-r", "-q", "1", "-t", "home/hall", "-m", "20.5"]).run().succeeds();
    broker
}

/// The terminal is restored when the user quits, and at a signal.
#[test]
fn terminal_is_given_back() {
    let broker = broker();
    let mut run = view(&broker, &[]).spawn();
    run.wait_for_stdout("home/hall").wait_for_stdout("20.5");
    run.write("q");
    let text = String::from_utf8(run.wait_for_end().exits(0).stdout).unwrap();
    assert!(text.starts_with(ENTER) && text.ends_with(LEAVE), "{text:?}");
    for signal in [Signal::INT, Signal::TERM] {
        let run = view(&broker, &[]).spawn();
        run.wait_for_stdout("home/hall").signal(signal);
        let text = String::from_utf8(run.wait_for_end().exits(0).stdout).unwrap();
        assert!(text.ends_with(LEAVE), "{text:?}");
    }
}

/// Standard error is the same terminal, and its text is not part of the view.
#[test]
fn terminal_is_given_back_when_a_program_does_not_end() {
    let broker = broker();
    let program = "if .topic == \"home/loop\" then (def f: f; f) else true end";
    let run = view(&broker, &["--where", program]).spawn();
    run.wait_for_stdout("home/hall");
    broker.publish().args(["-t", "home/loop", "-m", "x"]).run().succeeds();
    let outcome = run.wait_for_end().exits(1);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains(ENTER) && text.ends_with(LEAVE), "{text:?}");
    outcome.mentions("the jq program was ended at message 2 on 'home/loop': it took more than ");
}

#[test]
fn stopped_view_gives_the_terminal_back_and_goes_on() {
    let broker = broker();
    let mut run = view(&broker, &[]).spawn();
    run.wait_for_stdout("home/hall").signal(Signal::TSTP).wait_for_stdout(LEAVE);
    // The program stops itself after this, and an earlier SIGCONT is lost.
    let again = format!("{LEAVE}{ENTER}");
    wait_until(|| String::from_utf8_lossy(&run.signal(Signal::CONT).stdout()).contains(&again));
    run.write("q");
    run.wait_for_end().exits(0);
}

/// The whole picture is drawn again in the new size, and nothing beyond it.
#[test]
fn view_takes_the_new_size_of_the_terminal() {
    let broker = broker();
    let mut run = view(&broker, &[]).spawn();
    run.wait_for_stdout("home/hall").wait_for_stdout("\x1b[24;1H");
    // Opened without becoming the controlling terminal of the tests.
    let path = format!("/proc/{}/fd/1", run.child.id());
    let screen = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    for (columns, rows) in [(120, 40), (50, 8), (100, 30)] {
        let before = run.stdout().len();
        tcsetwinsize(&screen, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let last = format!("\x1b[{rows};1H");
        run.wait_until("the picture in its new size", |bytes| {
            let text = String::from_utf8_lossy(&bytes[before..]).into_owned();
            text.contains(&last) && text.contains("q quit")
        });
        let text = String::from_utf8(run.stdout()[before..].to_vec()).unwrap();
        let (_, picture) = text.split_once("\x1b[2J").unwrap_or_else(|| panic!("{text:?}"));
        assert!(picture.contains("1 topic") && picture.contains("home/hal"), "{picture:?}");
        let places = picture.split("\x1b[").filter_map(|part| part.split_once('H')?.0.split_once(';'));
        for (row, column) in places {
            let Ok((row, column)) = row.parse::<u16>().and_then(|row| Ok((row, column.parse::<u16>()?)))
            else {
                continue;
            };
            assert!(row <= rows && column <= columns, "{row};{column} in {columns}x{rows}: {picture:?}");
        }
    }
    drop(screen);
    run.write("q");
    run.wait_for_end().exits(0);
}

/// The last picture stays if the run ends by itself, but not if the user quits.
#[test]
fn last_picture_stays_on_the_terminal() {
    let broker = broker();
    for end in [["-C", "1"], ["-W", "1"]] {
        let outcome = view(&broker, &end).run();
        let text = String::from_utf8(outcome.stdout).unwrap();
        let (_, left) = text.split_once(LEAVE).unwrap_or_else(|| panic!("{text:?}"));
        let lines: Vec<&str> = left.lines().collect();
        assert!(lines[0].starts_with("1 topic  1 message") && !left.contains('\x1b'), "{text:?}");
        assert!(lines[2].contains(" R home/hall  20.5") && lines.len() == 3, "{text:?}");
    }
}

/// Without a usable screen, each message is a line with its topic, without control sequences.
#[test]
fn messages_are_written_as_they_come_where_nothing_can_be_drawn() {
    let broker = broker();
    let once = ["-t", "#", "-w", "-C", "1"];
    broker.subscribe().args(once).env("TERM", "xterm").run().succeeds().prints("home/hall 20.5\n");
    let json = broker.subscribe().args(once).args(["--json"]).run().succeeds();
    assert!(json.lines()[0].starts_with("{\"tst\":"), "{:?}", json.lines());
    let dumb = broker.subscribe().args(once).env("TERM", "dumb");
    dumb.on_a_terminal().stdout_on_a_terminal(80, 24).run().exits(0).prints("home/hall 20.5\r\n");
}

/// Lines are plain on a dumb terminal, without a keyboard, and with formats.
#[test]
fn plain_lines_stay_elsewhere() {
    let broker = broker();
    let plain = |mqtt: Mqtt| {
        let run = mqtt.spawn();
        run.wait_for_stdout("home/hall").signal(Signal::INT);
        let text = String::from_utf8(run.wait_for_end().exits(0).stdout).unwrap();
        assert!(!text.contains(ENTER), "{text:?}");
    };
    plain(view(&broker, &[]).env("TERM", "dumb"));
    plain(view(&broker, &["--json"]));
    plain(broker.subscribe().args(["-t", "#", "-w"]).env("TERM", "xterm").stdout_on_a_terminal(80, 24));
}
