//! A reader that stops, and one that leaves.
#![cfg(target_os = "linux")]

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::OFlags;

use super::{Reader, Stdout};
use crate::error::Error;

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn pipe() -> (Stdout, std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let inherited = writer.try_clone().unwrap();
    (Stdout::instead(OwnedFd::from(writer).into()), reader, inherited)
}

async fn gone(reader: &mut Reader) {
    std::future::poll_fn(|context| reader.poll_gone(context)).await;
}

/// Writes more than a pipe or socket holds, checks that the runtime continues, then reads everything.
async fn stalls_without_blocking(mut stdout: Stdout, mut reader: impl std::io::Read + Send + 'static) {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    stdout.buffer().extend_from_slice(&sent);
    tokio::select! {
        biased;
        result = stdout.flush() => panic!("nobody reads, yet everything was written: {result:?}"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    assert!(stdout.waiting_bytes() > 0);
    stdout.buffer().extend_from_slice(b"more");
    let reading = std::thread::spawn(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        read
    });
    stdout.flush().await.unwrap();
    assert_eq!(stdout.waiting_bytes(), 0);
    drop(stdout);
    let read = reading.join().unwrap();
    assert!(read[..sent.len()] == sent && &read[sent.len()..] == b"more");
}

#[test]
fn a_full_pipe_does_not_stop_the_runtime() {
    in_runtime(async {
        let (stdout, reader, inherited) = pipe();
        drop(inherited);
        stalls_without_blocking(stdout, reader).await;
    });
}

#[test]
fn a_full_socket_does_not_stop_the_runtime() {
    in_runtime(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        stalls_without_blocking(Stdout::instead(OwnedFd::from(ours).into()), theirs).await;
    });
}

#[test]
fn the_inherited_descriptor_stays_as_it_was() {
    in_runtime(async {
        let (mut stdout, mut reader, inherited) = pipe();
        stdout.buffer().extend_from_slice(b"x");
        stdout.flush().await.unwrap();
        reader.read_exact(&mut [0]).unwrap();
        assert!(!rustix::fs::fcntl_getfl(&inherited).unwrap().contains(OFlags::NONBLOCK));
    });
}

#[test]
fn a_reader_that_left_is_noticed_by_writing() {
    in_runtime(async {
        let (mut stdout, reader, _inherited) = pipe();
        stdout.buffer().extend_from_slice(b"x");
        stdout.flush().await.unwrap();
        drop(reader);
        stdout.buffer().extend_from_slice(b"x");
        assert!(matches!(stdout.flush().await, Err(Error::OutputClosed)));
    });
}

#[test]
fn a_reader_that_left_is_noticed_without_writing() {
    in_runtime(async {
        let (mut stdout, reader, inherited) = pipe();
        let mut watched = Reader::of(inherited);
        tokio::select! {
            biased;
            () = gone(&mut watched) => panic!("the reader is there"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        // Watching must not consume the readiness event that writing waits for.
        stdout.buffer().extend_from_slice(b"x");
        stdout.flush().await.unwrap();
        drop(reader);
        gone(&mut watched).await;
        gone(&mut watched).await;
    });
}

#[test]
fn a_socket_whose_other_end_left_is_noticed() {
    in_runtime(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut watched = Reader::of(&ours);
        let mut stdout = Stdout::instead(OwnedFd::from(ours).into());
        stdout.buffer().extend_from_slice(b"x");
        stdout.flush().await.unwrap();
        drop(theirs);
        gone(&mut watched).await;
    });
}

#[test]
fn a_reader_that_left_before_the_first_write() {
    in_runtime(async {
        let (mut stdout, reader, inherited) = pipe();
        drop(reader);
        gone(&mut Reader::of(inherited)).await;
        stdout.buffer().extend_from_slice(b"x");
        assert!(matches!(stdout.flush().await, Err(Error::OutputClosed)));
    });
}

/// Nothing was ever written to it, and nothing will be.
#[test]
fn silent_socket_whose_other_end_left_is_noticed() {
    in_runtime(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut watched = Reader::of(&ours);
        drop(theirs);
        gone(&mut watched).await;
    });
}

/// The other end stays open, and only stops reading: before the watch, during it, and with output that waits.
#[test]
fn unix_socket_that_is_not_read_any_more_is_noticed() {
    in_runtime(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.shutdown(std::net::Shutdown::Read).unwrap();
        gone(&mut Reader::of(&ours)).await;

        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut watched = Reader::of(&ours);
        tokio::select! {
            biased;
            () = gone(&mut watched) => panic!("the reader is there"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        theirs.shutdown(std::net::Shutdown::Read).unwrap();
        gone(&mut watched).await;

        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut watched = Reader::of(&ours);
        ours.set_nonblocking(true).unwrap();
        while std::io::Write::write(&mut &ours, &[0; 4096]).is_ok() {}
        tokio::select! {
            biased;
            () = gone(&mut watched) => panic!("the reader is slow, but there"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        // The probe has put nothing between the bytes.
        let mut taken = 0;
        theirs.set_nonblocking(true).unwrap();
        while let Ok(count @ 1..) = std::io::Read::read(&mut &theirs, &mut [0; 8192]) {
            taken += count;
        }
        assert_eq!(taken % 4096, 0);
        theirs.shutdown(std::net::Shutdown::Read).unwrap();
        gone(&mut watched).await;
    });
}

/// A TCP peer that has sent its last byte may continue to read; a reset ends it.
#[test]
fn half_closed_tcp_peer_is_a_reader_until_it_resets() {
    in_runtime(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        let mut watched = Reader::of(&ours);
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        tokio::select! {
            biased;
            () = gone(&mut watched) => panic!("it still reads"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
        drop(peer);
        gone(&mut watched).await;
    });
}

/// A file has no reader that could leave.
#[test]
fn file_has_no_reader() {
    in_runtime(async {
        let mut watched = Reader::of(std::fs::File::open("/dev/null").unwrap());
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(watched.poll_gone(context)));
        assert!(polled.await.is_pending());
    });
}

#[test]
fn a_stalled_write_ends_when_the_reader_leaves() {
    in_runtime(async {
        let (mut stdout, reader, _inherited) = pipe();
        stdout.buffer().resize(1_000_000, b'x');
        let leaving = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(reader);
        });
        assert!(matches!(stdout.flush().await, Err(Error::OutputClosed)));
        leaving.await.unwrap();
    });
}
