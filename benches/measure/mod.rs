//! Common parts of the benchmarks: running the program, and measuring its cost.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};

pub(crate) const MQTT: &str = env!("CARGO_BIN_EXE_mqtt");
pub(crate) const ROUNDS: usize = 5;

/// The resources that one run of a child process used.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

pub(crate) fn seconds(usage: &Usage) -> f64 {
    let time = |value: nix::sys::time::TimeVal| {
        Duration::new(u64::try_from(value.tv_sec()).unwrap(), u32::try_from(value.tv_usec()).unwrap() * 1000)
    };
    (time(usage.user_time()) + time(usage.system_time())).as_secs_f64()
}

/// Runs a command until it ends, and discards its output.
pub(crate) fn run(program: &str, arguments: &[String], input: Option<&[u8]>) -> Cost {
    let before = seconds(&getrusage(UsageWho::RUSAGE_CHILDREN).unwrap());
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let feeder = input.map(|input| {
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        thread::spawn(move || drop(stdin.write_all(&input)))
    });
    let mut stdout = child.stdout.take().unwrap();
    let mut sink = vec![0; 1 << 16];
    while stdout.read(&mut sink).is_ok_and(|count| count > 0) {}
    child.wait().unwrap();
    let wall = start.elapsed().as_secs_f64();
    if let Some(feeder) = feeder {
        feeder.join().unwrap();
    }
    Cost { cpu: seconds(&getrusage(UsageWho::RUSAGE_CHILDREN).unwrap()) - before, wall }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
