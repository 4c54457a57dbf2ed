//! The Protocol Buffers wire format, as far as Sparkplug uses it: fields that borrow from the payload.
//!
//! Nothing is copied into structures. A metric may have only two bytes on the wire, so a payload of a few MiB
//! would need hundreds of times its size in a generated reader's structures.

/// A decoded item, or the error in the payload.
pub(super) type Read<T> = Result<T, String>;

/// A message, a text or bytes within a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WirePart<'a> {
    pub(super) bytes: &'a [u8],
    /// Its offset in the payload.
    pub(super) at: usize,
}

impl<'a> WirePart<'a> {
    /// A whole payload.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The fields of a message, in order.
    pub(super) fn fields(self) -> WireFields<'a> {
        WireFields { rest: self.bytes, at: self.at }
    }

    /// A text.
    pub(super) fn text(self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes).map_err(|_| format!("the text at byte {} is not UTF-8", self.at))
    }
}

/// The value of a field, by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WireValue<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Part(WirePart<'a>),
    Fixed32([u8; 4]),
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WireField<'a> {
    pub(super) number: u64,
    value: WireValue<'a>,
    at: usize,
}

impl<'a> WireField<'a> {
    /// A `uint64`.
    pub(super) fn unsigned(self) -> Read<u64> {
        if let WireValue::Varint(number) = self.value { Ok(number) } else { self.is_of_other_kind() }
    }

    /// A `uint32`: the lower half of a larger number, as Protocol Buffers define it.
    pub(super) fn unsigned_32(self) -> Read<u32> {
        self.unsigned().map(lower_half)
    }

    pub(super) fn boolean(self) -> Read<bool> {
        self.unsigned().map(|number| number != 0)
    }

    pub(super) fn float(self) -> Read<f32> {
        if let WireValue::Fixed32(bytes) = self.value {
            Ok(f32::from_le_bytes(bytes))
        } else {
            self.is_of_other_kind()
        }
    }

    pub(super) fn double(self) -> Read<f64> {
        if let WireValue::Fixed64(bytes) = self.value {
            Ok(f64::from_le_bytes(bytes))
        } else {
            self.is_of_other_kind()
        }
    }

    /// A nested message, or bytes.
    pub(super) fn part(self) -> Read<WirePart<'a>> {
        if let WireValue::Part(part) = self.value { Ok(part) } else { self.is_of_other_kind() }
    }

    pub(super) fn text(self) -> Read<&'a str> {
        self.part()?.text()
    }

    /// One number, or several in one field.
    pub(super) fn numbers(self, mut take: impl FnMut(u32)) -> Read<()> {
        let WireValue::Part(part) = self.value else { return self.unsigned_32().map(take) };
        let mut fields = part.fields();
        while !fields.rest.is_empty() {
            take(lower_half(fields.varint()?));
        }
        Ok(())
    }

    fn is_of_other_kind<T>(self) -> Read<T> {
        Err(format!("field {} at byte {} has the wrong wire type", self.number, self.at))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "what is cut off is not part of the number")]
fn lower_half(number: u64) -> u32 {
    number as u32
}

/// Reads the fields of a message, up to the first invalid one.
#[derive(Debug, Clone)]
pub(super) struct WireFields<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> WireFields<'a> {
    fn take(&mut self, length: u64) -> Read<&'a [u8]> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or_else(|| format!("the field at byte {} is cut off", self.at))?;
        self.rest = rest;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Read<[u8; LENGTH]> {
        let bytes = self.take(LENGTH as u64)?;
        bytes.try_into().map_err(|_| format!("the field at byte {} is cut off", self.at))
    }

    fn varint(&mut self) -> Read<u64> {
        let at = self.at;
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(format!("the number at byte {at} is too long"))
    }

    fn field(&mut self) -> Read<WireField<'a>> {
        let at = self.at;
        let key = self.varint()?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 || number > 0x1fff_ffff {
            return Err(format!("invalid field number {number} at byte {at}"));
        }
        let value = match kind {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let at = self.at;
                WireValue::Part(WirePart { bytes: self.take(length)?, at })
            }
            5 => WireValue::Fixed32(self.array()?),
            _ => return Err(format!("invalid wire type {kind} at byte {at}")),
        };
        Ok(WireField { number, value, at })
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Read<WireField<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Writes the fields of a message.
#[derive(Debug, Default)]
pub(super) struct WireMessage(pub(super) Vec<u8>);

impl WireMessage {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(0x80 | number.to_le_bytes()[0]);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn key(&mut self, number: u32, kind: u8) {
        self.varint(u64::from(number) << 3 | u64::from(kind));
    }

    pub(super) fn unsigned(&mut self, number: u32, value: u64) {
        self.key(number, 0);
        self.varint(value);
    }

    pub(super) fn double(&mut self, number: u32, value: f64) {
        self.key(number, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.key(number, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn message(&mut self, number: u32, value: &Self) {
        self.bytes(number, &value.0);
    }

    pub(super) fn float(&mut self, number: u32, value: f32) {
        self.key(number, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}
