use super::*;
use proptest::prelude::*;
use std::future::poll_fn;
use std::io::Write as _;

/// A reader that returns its content in pieces of given sizes.
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
    up_to(u64::MAX, pieces).into_iter().map(|line| line.unwrap()).collect()
}

fn up_to(most_bytes: u64, pieces: Vec<Vec<u8>>) -> Vec<Result<Vec<u8>, GivenUp>> {
    ended_by(b'\n', most_bytes, pieces)
}

fn ended_by(terminator: u8, most_bytes: u64, pieces: Vec<Vec<u8>>) -> Vec<Result<Vec<u8>, GivenUp>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut lines = Lines::read_up_to(most_bytes, Pieces(pieces), terminator).unwrap();
        let mut read = Vec::new();
        loop {
            match poll_fn(|cx| lines.poll_next(cx)).await {
                NextInput::Payload(line) => read.push(Ok(line.to_vec())),
                NextInput::GivenUp(given_up) => read.push(Err(given_up)),
                NextInput::Invalid(error) => panic!("{error}"),
                NextInput::End => return read,
            }
        }
    })
}

#[test]
fn line_rules() {
    assert_eq!(all(vec![]), Vec::<Vec<u8>>::new());
    assert_eq!(all(vec![b"a\n\nb\r\nc".to_vec()]), [&b"a"[..], b"", b"b\r", b"c"]);
    assert_eq!(all(vec![b"\n".to_vec()]), [b""]);
    let long = vec![b'x'; 300_000];
    assert_eq!(all(vec![[&long[..], b"\ny\n"].concat()]), [&long[..], b"y"]);
    let ended_by_nul = ended_by(0, u64::MAX, vec![b"a\nb\0\0c".to_vec()]);
    assert_eq!(ended_by_nul, [Ok(b"a\nb".to_vec()), Ok(Vec::new()), Ok(b"c".to_vec())]);
}

/// The result does not depend on the read position.
#[test]
fn last_whole_line_of_a_file_is_found() {
    let long = "x".repeat(BLOCK_BYTES);
    for (content, expected) in [
        ("", None),
        ("a", None),
        ("a\n", Some("a")),
        ("a\nb\ntorn", Some("b")),
        (&format!("{long}{long}\nb\n"), Some("b")),
        (&format!("b\n{long}\n"), None),
        ("\x1f\u{8b}\n", Some("\x1f\u{8b}")),
    ] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        assert_eq!(last_line_of(&file, b'\n').as_deref(), expected.map(str::as_bytes), "{content:.10}");
    }
    let mut compressed = tempfile::tempfile().unwrap();
    compressed.write_all(b"\x1f\x8b\x08\n").unwrap();
    assert_eq!(last_line_of(&compressed, b'\n'), None);
}

/// The line is not kept, and the next line is read normally.
#[test]
fn a_line_that_is_too_long() {
    let long = |bytes| vec![b'x'; bytes];
    let most = 200_000;
    let input = [&long(most), &b"\na\n"[..], &long(300_000), b"\n\n", &long(most + 1)].concat();
    let lines = up_to(most as u64, vec![input]);
    let is_over = |line: &Result<Vec<u8>, GivenUp>| {
        line.as_ref().is_err_and(|given_up| (most as u64 + 1..=300_000).contains(&given_up.bytes))
    };
    assert_eq!(lines.len(), 5);
    assert_eq!([&lines[0], &lines[1], &lines[3]], [&Ok(long(most)), &Ok(b"a".to_vec()), &Ok(Vec::new())]);
    assert!(is_over(&lines[2]) && is_over(&lines[4]), "{:?}", [&lines[2], &lines[4]]);
    let mut begun = Begun::new(10);
    for _ in 0..100 {
        begun.extend(b"abc");
        assert!(begun.kept.capacity() <= 20, "what is given up takes no memory");
    }
}

/// There may be less memory than a message needs.
#[test]
fn a_line_without_memory() {
    let mut begun = Begun { no_memory: true, ..Begun::new(10) };
    begun.extend(b"abc");
    let error = begun.end().unwrap().unwrap_err().error(false);
    assert_eq!(error.to_string(), "its 3 bytes: out of memory");
    begun.extend(b"d");
    assert_eq!(begun.end(), Some(Ok(b"d".to_vec())));
}

/// Its end may never come.
#[test]
fn endless_line_is_given_up_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let given_up = runtime.block_on(async {
        let mut lines = Lines::read_up_to(1_000_000, std::io::repeat(b'x'), b'\n').unwrap();
        poll_fn(|cx| lines.poll_next(cx)).await
    });
    assert!(matches!(given_up, NextInput::GivenUp(given_up) if given_up.bytes > 1_000_000));
    let mut begun = Begun::new(4);
    begun.extend(b"abcde");
    assert_eq!(begun.give_up(), Some(GivenUp::too_long(5)));
    begun.extend(b"f");
    assert_eq!((begun.give_up(), begun.end(), begun.is_empty()), (None, None, true));
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
