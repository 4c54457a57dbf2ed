//! The start of a `mqtt pub` that sends one message: what it loads, and how many system calls the run takes.

use std::ffi::OsString;

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;

use super::records::{expect_leave, take};
use crate::support::mqtt::Mqtt;
use crate::support::packets::Message;
use crate::support::server::Server;
use crate::support::{can_trace, program};

/// A build for Linux with glibc takes 98 of them; `mosquitto_pub` takes 120. Other systems load other libraries.
const MOST_SYSTEM_CALLS: usize = 120;

/// The libraries of the system. Decoders and other features are part of the program, and none of them is prepared
/// before it is used.
const LIBRARIES: [&str; 4] = ["libc.", "libm.", "libgcc_s.", "ld.so."];

#[test]
fn one_shot_publish_loads_only_the_libraries_of_the_system() {
    if !can_trace() {
        return;
    }
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, &Message::new("a", b"x").at(QoS::AtLeastOnce, 0));
        expect_leave(&mut peer, V5);
    });
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let port = server.port().to_string();
    let words: [OsString; 4] = ["-f".into(), "-o".into(), trace.clone().into(), program().into()];
    Mqtt::new(words)
        .instead("strace")
        .args(["pub", "-h", "127.0.0.1", "-p", &port, "-V", "5", "-t", "a", "-q", "1", "-m", "x"])
        .run()
        .succeeds();
    let trace = std::fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> = trace.lines().filter(|line| line.contains('(')).collect();
    assert!(calls.iter().any(|call| call.contains(" connect(")), "{trace}");
    assert!(calls.len() <= MOST_SYSTEM_CALLS, "{} system calls:\n{trace}", calls.len());
    for call in calls {
        assert!(!call.contains(" clone") && !call.contains(" fork"), "a thread or process: {call}");
        let Some((_, path)) = call.split_once(" openat(AT_FDCWD, \"") else { continue };
        let (path, _) = path.split_once('"').unwrap();
        let name = path.rsplit('/').next().unwrap();
        let is_of_system = ["/proc/", "/sys/", "/dev/"].iter().any(|folder| path.starts_with(folder));
        let is_library = LIBRARIES.iter().any(|library| name.starts_with(library));
        assert!(is_of_system || is_library || call.contains("ENOENT"), "{call}");
    }
}
