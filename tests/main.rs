//! All integration tests in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::float_cmp,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::naive_bytecount,
    clippy::items_after_statements,
    reason = "tests are read more often than run: plain code, however slow; counts in JSON are exact"
)]

mod architecture;
mod authentication;
mod bench;
mod bench_disturb;
mod bench_limit;
mod bench_operations;
mod bench_payloads;
mod bench_phases;
mod bench_prometheus;
mod bench_queue;
mod bench_reconnect;
mod bench_reports;
mod bench_scenarios;
mod bench_setup;
mod bench_shard_clocks;
mod bench_shard_engines;
mod bench_shard_failures;
mod bench_shards;
mod bench_shares;
mod bench_stages;
mod bench_tls;
mod bench_truth;
mod bench_watch;
mod broker;
mod bulk;
mod certificates;
mod command_line;
mod compat;
mod compat_cases;
mod compat_differences;
mod compat_differential;
mod compat_every_option;
mod compat_hostile;
mod compat_practice;
mod compat_scripts;
mod completions;
mod config;
mod connect;
mod decode;
mod dependencies;
mod discovery;
mod documents;
mod events;
mod exec;
mod faults;
mod files;
mod floods;
mod generated;
mod hang_ups;
mod hostile;
mod inputs;
mod jq;
mod limits;
mod long_texts;
mod manual_examples;
mod memory;
mod message_files;
mod messages;
mod misplaced_secrets;
mod one_shot;
mod options_files;
mod out_of_memory;
mod output_closed;
mod persistence;
mod ping;
mod profile_host;
mod profiles;
mod properties;
mod protobuf;
mod publish;
mod publish_lines;
mod reconnect;
mod records;
mod redirect;
mod refused_resources;
mod relay;
mod replay;
mod request;
mod request_links;
mod request_rounds;
mod respond;
mod respond_exec;
mod retain_clear;
mod retain_clear_ends;
mod retain_clear_scale;
mod retain_restore;
mod retries;
mod rotation;
mod secrets;
mod secrets_repeated;
mod select;
mod selection;
mod set_aside;
mod silence;
mod slow_files;
mod sparkplug;
mod spool;
mod stats;
mod stored;
mod subscribe;
#[allow(dead_code, reason = "a kit: not every test needs every part of it")]
mod support;
mod terminal;
mod tls;
mod tls_options;
mod versions;
mod versions_parallel;
mod view;
mod ways;
mod will_test;
