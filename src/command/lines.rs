//! Standard input as lines, read ahead by a thread of its own: standard input may be a file, a
//! terminal or a pipe, and only a thread can wait for all of them without holding up the link.
//!
//! Lines are slices of the blocks read, so a line costs no allocation; two blocks wait at most,
//! which bounds memory and holds back the writer of the pipe.

use std::io::Read;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::error::Error;

const BLOCK_BYTES: usize = 64 * 1024;
const BLOCKS_AHEAD: usize = 2;

/// Lines of standard input, without their newline.
#[derive(Debug)]
pub(super) struct Lines {
    blocks: mpsc::Receiver<std::io::Result<Bytes>>,
    block: Bytes,
    /// The beginning of a line that went over the end of a block.
    begun: BytesMut,
    ended: bool,
}

impl Lines {
    /// Starts to read `input`.
    pub(super) fn read(input: impl Read + Send + 'static) -> Self {
        let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
        std::thread::spawn(move || read_blocks(input, &sender));
        Self { blocks, block: Bytes::new(), begun: BytesMut::new(), ended: false }
    }

    /// The next line; `Ready(None)` at the end. A last line without a newline counts, an empty rest
    /// does not.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.block) {
                let line = self.block.split_to(end);
                self.block.advance(1);
                if self.begun.is_empty() {
                    return Poll::Ready(Ok(Some(line)));
                }
                self.begun.extend_from_slice(&line);
                return Poll::Ready(Ok(Some(self.begun.split().freeze())));
            }
            if !self.block.is_empty() {
                self.begun.extend_from_slice(&self.block);
                self.block = Bytes::new();
            }
            if self.ended {
                let last = (!self.begun.is_empty()).then(|| self.begun.split().freeze());
                return Poll::Ready(Ok(last));
            }
            match ready!(self.blocks.poll_recv(cx)) {
                Some(Ok(block)) => self.block = block,
                Some(Err(error)) => return Poll::Ready(Err(Error::file("standard input", error))),
                None => self.ended = true,
            }
        }
    }
}

fn read_blocks(mut input: impl Read, sender: &mpsc::Sender<std::io::Result<Bytes>>) {
    let mut buffer = BytesMut::new();
    loop {
        // Lines in use hold their block, so a block is never written again, only used up.
        if buffer.len() < BLOCK_BYTES / 8 {
            buffer = BytesMut::zeroed(BLOCK_BYTES);
        }
        let block = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(buffer.split_to(count).freeze()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = block.is_err();
        if sender.blocking_send(block).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::poll_fn;

    /// A reader that hands out what it holds in pieces of given sizes.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            while self.0.first().is_some_and(Vec::is_empty) {
                self.0.remove(0);
            }
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let count = piece.len().min(buffer.len());
            buffer[..count].copy_from_slice(&piece[..count]);
            piece.drain(..count);
            Ok(count)
        }
    }

    fn all(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lines = Lines::read(Pieces(pieces));
            let mut read = Vec::new();
            while let Some(line) = poll_fn(|cx| lines.poll_next(cx)).await.unwrap() {
                read.push(line.to_vec());
            }
            read
        })
    }

    #[test]
    fn line_rules() {
        assert_eq!(all(vec![]), Vec::<Vec<u8>>::new());
        assert_eq!(all(vec![b"a\n\nb\r\nc".to_vec()]), [&b"a"[..], b"", b"b\r", b"c"]);
        assert_eq!(all(vec![b"\n".to_vec()]), [b""]);
        let long = vec![b'x'; 300_000];
        assert_eq!(all(vec![[&long[..], b"\ny\n"].concat()]), [&long[..], b"y"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn however_the_input_is_cut(pieces in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![Just(b'\n'), any::<u8>()], 0..50), 0..20)) {
            let whole = pieces.concat();
            let mut expected: Vec<Vec<u8>> = whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) { expected.pop(); }
            prop_assert_eq!(all(pieces), expected);
        }
    }
}
