//! Everything that is tested from outside, as one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod bench;
mod bench_phases;
mod bulk;
mod command_line;
mod connect;
mod generated;
mod messages;
mod publish;
mod publish_lines;
mod reconnect;
mod retain_clear;
mod subscribe;
mod support;
mod tls;
mod ways;
mod will_test;
