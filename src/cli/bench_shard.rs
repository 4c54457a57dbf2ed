//! The options of a load that runs as several processes: the part of this process, and how all parts start
//! together.

use std::ffi::OsString;
use std::time::Duration;

use clap::ValueEnum;

use super::payload::ENVIRONMENT;
use super::value;
use crate::command::bench::config::{Load, Mode, Rate, StopAfter};
use crate::command::bench::operation::OperationKind;
use crate::command::bench::{ClockShift, LoadShard, SharedStart};
use crate::command::input::{LookUp, Moment};
use crate::error::Error;
use crate::protocol::topic;

/// More shards than any job scheduler starts at once.
const MOST_SHARDS: u32 = 100_000;
/// Further levels follow the topic.
const LONGEST_BARRIER_BYTES: usize = 1000;
/// The default timeout of the shards' wait for each other.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(60);

/// The reaction of the others when a shard fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum WhenShardFails {
    /// End their measurement, and report
    #[default]
    Stop,
    /// Run to the end
    Continue,
}

/// The part of the load that this process has.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Shards")]
#[allow(clippy::doc_markdown, reason = "help texts are not Markdown")]
pub(super) struct ShardArgs {
    /// Be part I of N of this load, from 1/N to N/N; or auto, from the variables of the job scheduler
    ///
    /// All N processes get the same command line, but for I. Each has its share of clients, rates, topics, credentials and local
    /// addresses; mqtt bench merge makes one report of theirs. auto takes I and N from JOB_COMPLETION_INDEX and
    /// JOB_COMPLETIONS, SLURM_PROCID and SLURM_NTASKS, OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE, all of which count from 0,
    /// or from PARALLEL_SEQ and PARALLEL_JOBS, which count from 1, and prints which. Local addresses are dealt out: the first to
    /// part 1, the second to part 2, and so on. --fail-if is looked at by mqtt bench merge.
    #[arg(long, value_name = "I/N|auto", value_parser = shard)]
    shard: Option<ShardName>,

    /// Name of the run, the same in all of its shards, and another in each run
    ///
    /// Letters, digits, '-', '_' and '.', 64 at most. --shard auto under Slurm takes it from SLURM_JOB_ID and SLURM_STEP_ID.
    #[arg(long, value_name = "NAME", value_parser = run_id, requires = "shard")]
    run_id: Option<String>,

    /// Start the load at this time, such as 2026-11-20T10:00:00Z; by then all clients have to be connected
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "shard", conflicts_with = "barrier")]
    start_at: Option<Moment>,

    /// Start when all shards are ready: they exchange messages below this topic
    ///
    /// Each shard makes one more connection, which publishes and subscribes to TOPIC/#. Shard 1 names the start when all are
    /// there. Shards that are missing, doubled, of another configuration or late are named.
    #[arg(long, value_name = "TOPIC", value_parser = barrier_topic, requires = "shard")]
    barrier: Option<String>,

    /// Longest wait for the other shards [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration, requires = "barrier")]
    barrier_timeout: Option<Duration>,

    /// What to do when another shard fails: stop, or continue [default: stop]
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true, requires = "barrier")]
    if_shard_fails: Option<WhenShardFails>,

    /// For tests: shift the clock by AHEAD nanoseconds; it gains GAINS nanoseconds a second from the time SINCE
    #[arg(long, hide = true, value_name = "AHEAD,GAINS,SINCE", value_parser = clock_shift, allow_hyphen_values = true,
          requires = "barrier")]
    test_clock: Option<ClockShift>,
}

/// The shard as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShardName {
    Auto,
    Part { number: u32, of: u32 },
}

fn shard(text: &str) -> Result<ShardName, String> {
    const FORM: &str = "use I/N, from 1/N to N/N, such as 3/16, or auto";
    if text == "auto" {
        return Ok(ShardName::Auto);
    }
    let (number, of) = text.split_once('/').ok_or(FORM)?;
    let parsed = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten().ok_or(FORM)
    };
    let (number, of) = (parsed(number)?, parsed(of)?);
    check_part(number, of)?;
    Ok(ShardName::Part { number, of })
}

fn check_part(number: u32, of: u32) -> Result<(), String> {
    if of == 0 || of > MOST_SHARDS {
        return Err(format!("there may be 1 to {MOST_SHARDS} shards, and not {of}"));
    }
    if number == 0 || number > of {
        return Err(format!("shards of {of} are numbered from 1 to {of}, and {number} is none of them"));
    }
    Ok(())
}

fn run_id(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_allowed) {
        return Err("use 1 to 64 letters, digits, '-', '_' and '.'".into());
    }
    Ok(text.to_owned())
}

fn moment(text: &str) -> Result<Moment, String> {
    match Moment::parse(text)? {
        moment @ Moment::Once(_) => Ok(moment),
        Moment::OfDay(_) | Moment::EndOfDay => {
            Err("name the day as well, for example 2026-11-20T10:00:00Z".into())
        }
    }
}

fn barrier_topic(text: &str) -> Result<String, String> {
    topic::check_name(text.as_bytes()).map_err(|why| why.to_string())?;
    // The broker may refuse longer topics, and control characters.
    let is_long = text.len() > LONGEST_BARRIER_BYTES || text.chars().any(char::is_control);
    if text.starts_with('$') || text.ends_with('/') || is_long {
        return Err(
            "use a short topic such as bench-barrier, which neither begins with $ nor ends with /".into()
        );
    }
    Ok(text.to_owned())
}

fn clock_shift(text: &str) -> Result<ClockShift, String> {
    const FORM: &str = "use AHEAD,GAINS,SINCE, three whole numbers of nanoseconds";
    let parts: Vec<&str> = text.split(',').collect();
    let [ahead, gains, since] = parts[..] else { return Err(FORM.into()) };
    match (ahead.parse(), gains.parse::<i32>(), since.parse()) {
        (Ok(ahead), Ok(gains), Ok(since)) if gains.unsigned_abs() < 1_000_000 => {
            Ok(ClockShift { ahead, gains, since })
        }
        _ => Err(FORM.into()),
    }
}

/// The variables in which a job scheduler names a part: its number, the number of parts, and the first
/// number.
struct ShardVariables {
    number: &'static str,
    of: &'static str,
    first: u32,
}

static ENGINES: [ShardVariables; 4] = [
    ShardVariables { number: "JOB_COMPLETION_INDEX", of: "JOB_COMPLETIONS", first: 0 },
    ShardVariables { number: "SLURM_PROCID", of: "SLURM_NTASKS", first: 0 },
    ShardVariables { number: "OMPI_COMM_WORLD_RANK", of: "OMPI_COMM_WORLD_SIZE", first: 0 },
    ShardVariables { number: "PARALLEL_SEQ", of: "PARALLEL_JOBS", first: 1 },
];

/// A part named by a job scheduler: its number from 1, the number of parts, and the origin of both.
type NamedPart = (u32, u32, String);

impl ShardVariables {
    /// The part in these variables, if they are set.
    fn part(&self, look_up: LookUp) -> Result<Option<NamedPart>, Error> {
        let Self { number, of, first } = self;
        let (Some(found), all) = (look_up(number), look_up(of)) else { return Ok(None) };
        let Some(all) = all else {
            let what = format!("--shard auto: {number} is set, and {of}, the number of all shards, is not");
            return Err(Error::usage(what).with_hint(format!("set {of}, or give --shard I/N")));
        };
        let wrong = |name: &str, value: &OsString, why: &str| {
            Error::usage(format!("--shard auto: {name} is '{}': {why}", value.to_string_lossy()))
        };
        let parsed = |name, value: &OsString| {
            let number = value.to_str().and_then(|text| text.parse::<u32>().ok());
            number.ok_or_else(|| wrong(name, value, "it is not a number"))
        };
        let (place, of_all) = (parsed(number, &found)?, parsed(of, &all)?);
        let part = place.checked_add(1 - first).ok_or_else(|| wrong(number, &found, "it is too large"))?;
        check_part(part, of_all)
            .map_err(|why| wrong(number, &found, &format!("{why} ({of} is {of_all})")))?;
        Ok(Some((part, of_all, format!("{number}={place} and {of}={of_all}"))))
    }
}

/// The part named by the job scheduler that started this process.
fn auto(look_up: LookUp) -> Result<NamedPart, Error> {
    let mut found: Option<NamedPart> = None;
    for engine in &ENGINES {
        let Some(part) = engine.part(look_up)? else { continue };
        match &found {
            Some(before) if (before.0, before.1) != (part.0, part.1) => {
                let what = format!("--shard auto: {} and {} name different shards", before.2, part.2);
                return Err(Error::usage(what).with_hint("give --shard I/N"));
            }
            Some(_) => {}
            None => found = Some(part),
        }
    }
    found.ok_or_else(|| {
        let names: Vec<&str> = ENGINES.iter().map(|engine| engine.number).collect();
        Error::usage(format!("--shard auto: no job scheduler variable is set ({})", names.join(", ")))
            .with_hint("give --shard I/N")
    })
}

/// The job scheduler's name for the run.
fn run_of_engine(look_up: LookUp) -> Option<String> {
    let text = |name| look_up(name)?.into_string().ok().filter(|text| run_id(text).is_ok());
    let job = text("SLURM_JOB_ID")?;
    Some(text("SLURM_STEP_ID").map_or_else(|| format!("slurm-{job}"), |step| format!("slurm-{job}.{step}")))
}

impl ShardArgs {
    /// Whether the load has parts.
    pub(super) fn is_given(&self) -> bool {
        self.shard.is_some()
    }

    /// The part, if the load has parts.
    pub(super) fn resolve(self) -> Result<Option<LoadShard>, Error> {
        self.resolve_in(ENVIRONMENT)
    }

    fn resolve_in(self, look_up: LookUp) -> Result<Option<LoadShard>, Error> {
        let Some(named) = self.shard else { return Ok(None) };
        let (number, of, source) = match named {
            ShardName::Part { number, of } => (number, of, None),
            ShardName::Auto => {
                let (number, of, source) = auto(look_up)?;
                (number, of, Some(source))
            }
        };
        let engine = source.is_some().then(|| run_of_engine(look_up)).flatten();
        let run_id = self.run_id.or(engine).ok_or_else(|| {
            Error::usage("--shard needs --run-id, the same in all shards and another in each run")
                .with_hint("for example --run-id \"$(date +%s)\", made once and given to every shard")
        })?;
        let start = match (self.start_at, self.barrier) {
            (Some(Moment::Once(time)), _) => SharedStart::At(time),
            (_, Some(topic)) => SharedStart::Barrier {
                topic,
                limit: self.barrier_timeout.unwrap_or(BARRIER_TIMEOUT),
                stops: self.if_shard_fails.unwrap_or_default() == WhenShardFails::Stop,
            },
            _ => SharedStart::Unaligned,
        };
        if matches!(start, SharedStart::At(time) if time <= std::time::SystemTime::now()) {
            return Err(Error::usage("--start-at: this time has passed"));
        }
        Ok(Some(LoadShard { number, of, run_id, start, source, clock_shift: self.test_clock }))
    }
}

/// Checks that a load with parts has no unsupported options.
///
/// # Errors
/// The unsupported option.
pub(super) fn check(load: &Load) -> Result<(), Error> {
    let Some(shard) = &load.shard else { return Ok(()) };
    let is_part = shard.of > 1;
    let has_barrier = matches!(shard.start, SharedStart::Barrier { .. });
    let is_counted = is_part && matches!(load.stop, StopAfter::Count(_));
    let does = |kind| load.groups().iter().any(|group| group.operation.is_some_and(|own| own.kind == kind));
    let refused = [
        (
            is_part && load.embedded.is_some(),
            "--embedded would start a broker for each shard; give the address of one",
        ),
        (
            is_part && load.abort_after.is_some(),
            "--abort-on-fail is not supported with --shard: no shard knows the figures of all",
        ),
        (
            is_part && does(OperationKind::Fetch) && !has_barrier,
            "--shard of retained needs --barrier: the shard that ends first would clear what the others still receive",
        ),
        (
            is_part && does(OperationKind::End) && !has_barrier,
            "--shard of wills needs --barrier: their latency is measured by one clock",
        ),
        (
            is_part && load.mode == Mode::EndToEnd && !load.stages.is_empty() && !has_barrier,
            "--stages of a load with subscribers needs --barrier: its shards have to begin a stage by one clock",
        ),
        (
            is_part && load.mode == Mode::EndToEnd && !load.disturbances.all.is_empty() && !has_barrier,
            "--disturb of a load with subscribers needs --barrier: its shards have to be disturbed by one clock",
        ),
        (
            is_part && !load.disturbances.all.is_empty() && shard.start == SharedStart::Unaligned,
            "--disturb with --shard needs --barrier or --start-at, so that all shards are disturbed together",
        ),
        (
            is_counted && load.mode == Mode::Subscribe,
            "--count of sub is not supported with --shard: no shard knows what the others get; use --duration",
        ),
        (
            is_counted && load.mode.receives_its_own() && load.rate == Rate::Max,
            "--count with --rate max is not supported with --shard: its shards end at different times; use --duration",
        ),
    ];
    if let Some((_, why)) = refused.into_iter().find(|(is_so, _)| *is_so) {
        return Err(Error::usage(why));
    }
    if load.mode.receives_its_own() && shard.of > 1 && shard.start == SharedStart::Unaligned {
        let what =
            "--shard of a load whose shards receive each other's messages needs --barrier or --start-at";
        return Err(Error::usage(what).with_hint("for example --barrier bench-barrier"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(shard: ShardName) -> ShardArgs {
        ShardArgs { shard: Some(shard), run_id: Some("r".into()), ..ShardArgs::default() }
    }

    fn found(look_up: LookUp) -> Result<(u32, u32, String), String> {
        let resolved = args(ShardName::Auto).resolve_in(look_up).map_err(|error| error.to_string())?;
        let shard = resolved.unwrap();
        Ok((shard.number, shard.of, shard.source.unwrap()))
    }

    fn set(name: &str, all: &[(&str, &str)]) -> Option<OsString> {
        all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    }

    #[test]
    fn parts_are_numbered_from_1() {
        assert_eq!(shard("3/16"), Ok(ShardName::Part { number: 3, of: 16 }));
        assert_eq!(shard("auto"), Ok(ShardName::Auto));
        for (bad, words) in [
            ("0/4", "from 1 to 4"),
            ("5/4", "from 1 to 4"),
            ("1/0", "1 to 100000"),
            ("3", "I/N"),
            ("a/b", "I/N"),
            ("+1/2", "I/N"),
        ] {
            assert!(shard(bad).unwrap_err().contains(words), "{bad}");
        }
    }

    #[test]
    fn every_engine_is_understood() {
        let part = found(|name| set(name, &[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "4")]));
        assert_eq!(part, Ok((1, 4, "JOB_COMPLETION_INDEX=0 and JOB_COMPLETIONS=4".into())));
        let part = found(|name| set(name, &[("SLURM_PROCID", "3"), ("SLURM_NTASKS", "4")]));
        assert_eq!(part.map(|part| (part.0, part.1)), Ok((4, 4)));
        let part = found(|name| set(name, &[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4")]));
        assert_eq!(part.map(|part| (part.0, part.1)), Ok((2, 4)));
        let part = found(|name| set(name, &[("PARALLEL_SEQ", "4"), ("PARALLEL_JOBS", "4")]));
        assert_eq!(part.map(|part| (part.0, part.1)), Ok((4, 4)), "it counts from 1");
    }

    #[test]
    fn what_an_engine_does_not_say_is_an_error() {
        let words = |look_up: LookUp| found(look_up).unwrap_err();
        assert!(words(|_| None).contains("no job scheduler variable is set"));
        let half = words(|name| set(name, &[("PARALLEL_SEQ", "1")]));
        assert!(half.contains("PARALLEL_JOBS") && half.contains("is not"), "{half}");
        let large = words(|name| set(name, &[("SLURM_PROCID", "4"), ("SLURM_NTASKS", "4")]));
        assert!(large.contains("SLURM_PROCID is '4'") && large.contains("SLURM_NTASKS is 4"), "{large}");
        let zero = words(|name| set(name, &[("PARALLEL_SEQ", "0"), ("PARALLEL_JOBS", "4")]));
        assert!(zero.contains("from 1 to 4"), "{zero}");
        let text = words(|name| set(name, &[("SLURM_PROCID", "x"), ("SLURM_NTASKS", "4")]));
        assert!(text.contains("not a number"), "{text}");
        let two = words(|name| {
            set(
                name,
                &[
                    ("SLURM_PROCID", "0"),
                    ("SLURM_NTASKS", "1"),
                    ("PARALLEL_SEQ", "2"),
                    ("PARALLEL_JOBS", "4"),
                ],
            )
        });
        assert!(two.contains("name different shards"), "{two}");
    }

    #[test]
    fn a_run_has_a_name() {
        let part = ShardName::Part { number: 1, of: 2 };
        let unnamed = ShardArgs { run_id: None, ..args(part) }.resolve_in(|_| None).unwrap_err();
        assert!(unnamed.to_string().contains("--run-id"), "{unnamed}");
        let slurm: LookUp = |name| {
            let all = [
                ("SLURM_PROCID", "0"),
                ("SLURM_NTASKS", "2"),
                ("SLURM_JOB_ID", "77"),
                ("SLURM_STEP_ID", "0"),
            ];
            set(name, &all)
        };
        let of_slurm = ShardArgs { run_id: None, ..args(ShardName::Auto) }.resolve_in(slurm).unwrap();
        assert_eq!(of_slurm.unwrap().run_id, "slurm-77.0");
        assert!(run_id("a/b").is_err() && run_id("").is_err() && run_id("2026-11-20_a.1").is_ok());
    }

    #[test]
    fn a_start_is_a_time_with_its_day() {
        assert!(moment("2026-11-20T10:00:00Z").is_ok());
        assert!(moment("10:00").unwrap_err().contains("day"));
        assert!(
            barrier_topic("a/#").is_err() && barrier_topic("$SYS").is_err() && barrier_topic("a/b").is_ok()
        );
    }
}
