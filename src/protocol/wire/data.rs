//! The data types that packets are made of ([MQTT-1.5]): integers, strings and binary data.

use std::borrow::Cow;

use bytes::BufMut;

use super::super::reason::ReasonCode;
use super::{Malformed, PacketType};

/// A reader of the body of one packet.
#[derive(Clone)]
pub(in crate::protocol) struct FieldReader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) packet: PacketType,
}

impl<'a> FieldReader<'a> {
    pub(in crate::protocol) fn new(body: &'a [u8], packet: PacketType) -> Self {
        Self { rest: body, packet }
    }

    /// A reader of a part; its errors name the same packet.
    pub(in crate::protocol) fn over(&self, part: &'a [u8]) -> Self {
        Self { rest: part, packet: self.packet }
    }

    pub(in crate::protocol) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[cold]
    pub(in crate::protocol) fn malformed(&self, what: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed::new(Some(self.packet), what, ReasonCode::MALFORMED_PACKET)
    }

    #[cold]
    pub(in crate::protocol) fn protocol_error(&self, what: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed::protocol_error(self.packet, what)
    }

    pub(in crate::protocol) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.malformed("packet ends inside a field")),
        }
    }

    pub(in crate::protocol) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(in crate::protocol) fn u16(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(in crate::protocol) fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A Variable Byte Integer in the least number of bytes ([MQTT-1.5.5-1]).
    pub(in crate::protocol) fn variable_byte_integer(&mut self) -> Result<u32, Malformed> {
        let before = self.rest.len();
        let value = self.padded_integer()?;
        if before - self.rest.len() > 1 && value >> (7 * (before - self.rest.len() - 1)) == 0 {
            return Err(self.malformed("Variable Byte Integer with more bytes than it needs"));
        }
        Ok(value)
    }

    /// The same in any number of bytes: small devices write the Remaining Length in a fixed number.
    pub(in crate::protocol) fn padded_integer(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed("Variable Byte Integer of more than 4 bytes"))
    }

    pub(in crate::protocol) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(in crate::protocol) fn text(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.binary()?;
        self.text_of(bytes)
    }

    /// The text of binary data.
    ///
    /// # Errors
    /// It is not a UTF-8 Encoded String.
    pub(in crate::protocol) fn text_of(&self, bytes: &'a [u8]) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed("a string is not UTF-8"))?;
        if memchr::memchr(0, bytes).is_some() {
            return Err(self.malformed("a string contains U+0000"));
        }
        Ok(text)
    }
}

/// Appends a Variable Byte Integer; `value` is at most 268,435,455.
pub(in crate::protocol) fn put_variable_byte_integer(out: &mut impl BufMut, mut value: u32) {
    loop {
        let byte = value.to_le_bytes()[0] & 0x7F;
        value >>= 7;
        if value == 0 {
            return out.put_u8(byte);
        }
        out.put_u8(byte | 0x80);
    }
}

/// Appends binary data with its two-byte length; `bytes` is at most 65,535 long.
pub(in crate::protocol) fn put_binary(out: &mut impl BufMut, bytes: &[u8]) {
    out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(bytes);
}
