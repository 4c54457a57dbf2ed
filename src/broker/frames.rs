//! Decoder for WebSocket frames from a client. It returns payload bytes at once, so that frames of any length
//! take no memory (RFC 6455, section 5).

/// Maximum size of a frame's head.
const HEAD_BYTES: usize = 14;
/// Maximum payload of a control frame (section 5.5).
const CONTROL_BYTES: u64 = 125;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A protocol violation, with the status code for the close frame (section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Violation(pub(super) u16);

pub(super) const PROTOCOL_ERROR: Violation = Violation(1002);
/// A text message; MQTT allows only binary messages ([MQTT-6.0.0-1]).
const UNSUPPORTED_DATA: Violation = Violation(1003);

/// A decoder for frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Remaining payload bytes of the frame.
    left: u64,
    mask: [u8; 4],
    /// Unmasked bytes of the frame.
    at: usize,
    opcode: u8,
    /// Whether the decoder is inside a frame.
    inside: bool,
    /// Whether the decoder is inside a fragmented message.
    in_message: bool,
    control: Vec<u8>,
}

/// A received control frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Control {
    Close,
    Ping(Vec<u8>),
}

impl Frames {
    /// Moves the payload of data frames to the start of `bytes`, and returns its length. Control frames are
    /// passed to `on_control`.
    pub(super) fn decode(
        &mut self,
        bytes: &mut [u8],
        mut on_control: impl FnMut(Control),
    ) -> Result<usize, Violation> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() || (self.inside && self.left == 0) {
            if !self.inside {
                from = self.take_head(bytes, from)?;
                continue;
            }
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - from);
            let is_control = self.opcode >= CLOSE;
            for place in from..from + length {
                let byte = bytes[place] ^ self.mask[self.at & 3];
                self.at += 1;
                if is_control {
                    self.control.push(byte);
                } else {
                    bytes[to] = byte;
                    to += 1;
                }
            }
            from += length;
            self.left -= length as u64;
            if self.left == 0 {
                self.inside = false;
                let control = std::mem::take(&mut self.control);
                match self.opcode {
                    CLOSE => on_control(Control::Close),
                    PING => on_control(Control::Ping(control)),
                    _ => {}
                }
            }
        }
        Ok(to)
    }

    /// Reads bytes of a frame's head; returns the position after them.
    fn take_head(&mut self, bytes: &[u8], mut from: usize) -> Result<usize, Violation> {
        loop {
            let needed = self.head_needed();
            if self.head_bytes == needed && needed > 2 {
                self.begin()?;
                return Ok(from);
            }
            let Some(byte) = bytes.get(from) else { return Ok(from) };
            self.head[self.head_bytes] = *byte;
            self.head_bytes += 1;
            from += 1;
        }
    }

    /// The length of the head, as far as it is known.
    fn head_needed(&self) -> usize {
        if self.head_bytes < 2 {
            return 2;
        }
        let extended = match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        // Includes a mask; `begin` refuses frames without one.
        2 + extended + 4
    }

    fn begin(&mut self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        let (is_final, reserved, opcode) = (first & FIN != 0, first & 0x70, first & 0x0F);
        // Clients must mask their frames (section 5.1).
        if reserved != 0 || second & MASKED == 0 {
            return Err(PROTOCOL_ERROR);
        }
        let extended = self.head_bytes - 6;
        let length = match extended {
            0 => u64::from(second & !MASKED),
            _ => self.head[2..2 + extended].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        match opcode {
            CONTINUATION if self.in_message => self.in_message = !is_final,
            BINARY if !self.in_message => self.in_message = !is_final,
            TEXT => return Err(UNSUPPORTED_DATA),
            CLOSE | PING | PONG if is_final && length <= CONTROL_BYTES => {}
            _ => return Err(PROTOCOL_ERROR),
        }
        if length >> 63 != 0 {
            return Err(PROTOCOL_ERROR);
        }
        self.mask.copy_from_slice(&self.head[2 + extended..6 + extended]);
        (self.left, self.at, self.opcode) = (length, 0, opcode);
        (self.inside, self.head_bytes) = (true, 0);
        Ok(())
    }
}

/// The head of an outgoing frame, which is never masked, and its length.
pub(super) fn head(opcode: u8, length: usize) -> ([u8; 10], usize) {
    let mut head = [0; 10];
    head[0] = FIN | opcode;
    match u16::try_from(length) {
        Ok(short @ ..=125) => {
            head[1] = short.to_be_bytes()[1];
            (head, 2)
        }
        Ok(short) => {
            head[1] = 126;
            head[2..4].copy_from_slice(&short.to_be_bytes());
            (head, 4)
        }
        Err(_) => {
            head[1] = 127;
            head[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            (head, 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let (mut head, length) = head(0, payload.len());
        head[0] = first;
        head[1] |= MASKED;
        let mask = [1, 2, 3, 4];
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        head[..length].iter().copied().chain(mask).chain(masked).collect()
    }

    /// The payload and control frames of `bytes`, decoded in pieces of this length.
    fn decoded(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<Control>), Violation> {
        let (mut frames, mut data, mut controls) = (Frames::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let length = frames.decode(&mut piece, |control| controls.push(control))?;
            data.extend_from_slice(&piece[..length]);
        }
        Ok((data, controls))
    }

    #[test]
    fn messages_in_fragments_with_control_frames_between_are_one_stream() {
        let long = vec![7; 70_000];
        let bytes = [
            frame(0x02, b"ab"),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x80, b"cd"),
            frame(0x8A, b"pong"),
            frame(0x82, &long),
            frame(0x82, &long[..300]),
            frame(0x88, &[3, 232]),
        ]
        .concat();
        let expected = [&b"abcd"[..], &long, &long[..300]].concat();
        for piece in [1, 2, 7, 4096, bytes.len()] {
            let (data, controls) = decoded(&bytes, piece).unwrap();
            assert_eq!(data, expected, "{piece}");
            assert_eq!(controls, [Control::Ping(b"ping".to_vec()), Control::Close], "{piece}");
        }
    }

    #[test]
    fn protocol_violations_have_their_status_codes() {
        let unmasked = vec![0x82, 1, 0, 0, 0, 0, 0];
        for (bytes, violation) in [
            (unmasked, PROTOCOL_ERROR),
            (frame(0x81, b"text"), UNSUPPORTED_DATA),
            (frame(0xC2, b""), PROTOCOL_ERROR),
            (frame(0x80, b""), PROTOCOL_ERROR),
            (frame(0x83, b""), PROTOCOL_ERROR),
            (frame(0x09, b""), PROTOCOL_ERROR),
            (frame(0x89, &[0; 126]), PROTOCOL_ERROR),
            ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), PROTOCOL_ERROR),
            (vec![0x82, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], PROTOCOL_ERROR),
        ] {
            assert_eq!(decoded(&bytes, 3), Err(violation), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, piece in 1_usize..9) {
            let _ = decoded(&bytes, piece);
        }
    }
}
