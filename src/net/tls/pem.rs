//! PEM in the forms found in practice: text around the blocks, byte-order marks, any line ends, old labels,
//! and damaged blocks. One reader for authorities, chains, keys and revocation lists.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Some programs omit the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The label of a private key in OpenSSH's format.
pub(super) const OPENSSH_KEY: &str = "OPENSSH PRIVATE KEY";

/// The content that a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PemKind {
    Certificate,
    /// A certificate followed by OpenSSL's trust settings.
    TrustedCertificate,
    RevocationList,
    /// PKCS#8.
    PrivateKey,
    EncryptedPrivateKey,
    /// PKCS#1.
    RsaPrivateKey,
    /// SEC1.
    EcPrivateKey,
    Other,
}

impl PemKind {
    pub(super) fn of(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            "X509 CRL" | "CRL" => Self::RevocationList,
            "PRIVATE KEY" => Self::PrivateKey,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedPrivateKey,
            "RSA PRIVATE KEY" => Self::RsaPrivateKey,
            "EC PRIVATE KEY" => Self::EcPrivateKey,
            _ => Self::Other,
        }
    }
}

/// One block, from its BEGIN line to its END line.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) label: String,
    pub(super) kind: PemKind,
    /// The number of the block in the file, from 1.
    number: usize,
    /// The line number of its BEGIN line, from 1.
    line: usize,
    /// Whether the private key is encrypted in OpenSSL's old format, by headers.
    pub(super) is_encrypted_by_headers: bool,
    /// The decoded content, or why it cannot be decoded.
    pub(super) content: Result<Vec<u8>, Damage>,
}

/// Why a block cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    NoEnd,
    Empty,
    /// Headers [RFC 1421] without the empty line after them.
    EndlessHeaders,
    NotBase64,
    /// The DER length is greater than the number of bytes present.
    CutOff {
        found: usize,
        expected: usize,
    },
    NotDer,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEnd => f.write_str("it has no END line: was the file cut off?"),
            Self::Empty => f.write_str("it is empty"),
            Self::EndlessHeaders => {
                f.write_str("it begins with headers, and the empty line between them and the data is missing")
            }
            Self::NotBase64 => f.write_str("invalid base64"),
            Self::CutOff { found, expected } => write!(f, "it is cut off after {found} of {expected} bytes"),
            Self::NotDer => f.write_str("it does not hold DER"),
        }
    }
}

/// The block's position, for messages: `block 2 (CERTIFICATE, line 31)`.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} ({}, line {})", self.number, self.label, self.line)
    }
}

/// All blocks of a file, in order.
pub(super) fn blocks(file: &[u8]) -> Vec<Block> {
    let text = as_bytes_of_text(file);
    let mut blocks = Vec::new();
    let (mut at, mut line, mut counted_to) = (0, 1, 0);
    while let Some(found) = memmem::find(&text[at..], BEGIN) {
        let begin = at + found;
        line += memchr::memchr_iter(b'\n', &text[counted_to..begin]).count();
        counted_to = begin;
        at = begin + BEGIN.len();
        let rest = &text[at..];
        let label_end = memmem::find(rest, DASHES).unwrap_or(0);
        let Some(label) = std::str::from_utf8(&rest[..label_end]).ok().filter(|label| is_label(label)) else {
            continue;
        };
        let body_start = at + label_end + DASHES.len();
        // A block without an END line must not swallow the next block.
        let body_limit =
            memmem::find(&text[body_start..], BEGIN).map_or(text.len(), |next| body_start + next);
        let end_line = [END, label.as_bytes(), DASHES].concat();
        let body = memmem::find(&text[body_start..body_limit], &end_line);
        let body = body.map(|length| &text[body_start..body_start + length]);
        let kind = PemKind::of(label);
        let (headers, encoded) = body.map_or((&[][..], &[][..]), headers_and_data);
        blocks.push(Block {
            label: label.to_owned(),
            kind,
            number: blocks.len() + 1,
            line,
            is_encrypted_by_headers: memmem::find(headers, b"ENCRYPTED").is_some(),
            content: match body {
                None => Err(Damage::NoEnd),
                Some(_) if encoded.is_empty() && !headers.is_empty() => Err(Damage::EndlessHeaders),
                Some(_) => decoded(encoded, kind),
            },
        });
        at = body.map_or(body_start, |body| body_start + body.len());
    }
    blocks
}

/// Labels are short and printable [RFC 7468, section 3]; anything else is text around the blocks.
fn is_label(label: &str) -> bool {
    const LONGEST: usize = 64;
    !label.is_empty() && label.len() <= LONGEST && label.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

/// The text of the file in single bytes. Windows tools also write UTF-16.
fn as_bytes_of_text(file: &[u8]) -> Cow<'_, [u8]> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Vec<u8> {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        units.map(|unit| u8::try_from(unit).unwrap_or(b'?')).collect()
    };
    match file {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(units(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(units(rest, u16::from_be_bytes)),
        // UTF-16 without a byte-order mark.
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => Cow::Owned(units(file, u16::from_le_bytes)),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => Cow::Owned(units(file, u16::from_be_bytes)),
        // A UTF-8 byte-order mark counts as text before a block.
        _ => Cow::Borrowed(file),
    }
}

/// Headers end with an empty line [RFC 1421, section 4.4]. Base64 has no colon.
fn headers_and_data(body: &[u8]) -> (&[u8], &[u8]) {
    if !body.contains(&b':') {
        return (&[], body);
    }
    let ends = [&b"\n\n"[..], b"\n\r\n", b"\r\r"];
    let end = ends.iter().filter_map(|end| Some(memmem::find(body, end)? + end.len())).min();
    body.split_at(end.unwrap_or(body.len()))
}

fn decoded(encoded: &[u8], kind: PemKind) -> Result<Vec<u8>, Damage> {
    let encoded: Vec<u8> = encoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if encoded.is_empty() {
        return Err(Damage::Empty);
    }
    let mut content = BASE64.decode(encoded).map_err(|_| Damage::NotBase64)?;
    if kind == PemKind::Other {
        return Ok(content);
    }
    let length = element_length(&content).ok_or(Damage::NotDer)?;
    if content.len() < length {
        return Err(Damage::CutOff { found: content.len(), expected: length });
    }
    // OpenSSL ignores trailing bytes, too.
    if kind != PemKind::TrustedCertificate {
        content.truncate(length);
    }
    Ok(content)
}

/// The length of the DER element at the start of `der`, which has to be a SEQUENCE.
pub(super) fn element_length(der: &[u8]) -> Option<usize> {
    const SEQUENCE: u8 = 0x30;
    match der {
        [SEQUENCE, short @ ..=0x7f, ..] => Some(2 + usize::from(*short)),
        [SEQUENCE, form @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(form & 0x7f);
            let length = rest.get(..count)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (2 + count).checked_add(length)
        }
        _ => None,
    }
}

/// Whether this is a PKCS#12 file: a SEQUENCE that begins with its version, 3 (RFC 7292, section 4).
pub(super) fn is_pkcs12(der: &[u8]) -> bool {
    let body = match der {
        [0x30, ..=0x80, body @ ..] => body,
        [0x30, form @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(form & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    body.starts_with(&[2, 1, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SEQUENCE with an INTEGER.
    const DER: &[u8] = &[0x30, 3, 2, 1, 5];
    const BODY: &str = "MAMCAQU=";

    #[test]
    fn pkcs12_is_told_from_other_der() {
        for pkcs12 in
            [&[0x30, 5, 2, 1, 3, 5, 0][..], &[0x30, 0x80, 2, 1, 3], &[0x30, 0x82, 9, 9, 2, 1, 3, 0x30]]
        {
            assert!(is_pkcs12(pkcs12), "{pkcs12:?}");
        }
        // Keys of PKCS#8 and SEC 1, a certificate, a cut one, PEM.
        for other in [
            &[0x30, 0x82, 9, 9, 2, 1, 0][..],
            &[0x30, 0x81, 9, 2, 1, 1],
            &[0x30, 0x82, 9, 9, 0x30, 0x82],
            &[0x30, 0x84, 9],
            b"-----BEGIN",
            DER,
        ] {
            assert!(!is_pkcs12(other), "{other:?}");
        }
    }

    fn block(label: &str) -> String {
        format!("-----BEGIN {label}-----\n{BODY}\n-----END {label}-----\n")
    }

    fn one(file: impl AsRef<[u8]>) -> Block {
        let mut blocks = blocks(file.as_ref());
        assert_eq!(blocks.len(), 1, "{blocks:?}");
        blocks.remove(0)
    }

    #[test]
    fn blocks_are_found_whatever_is_around_them() {
        let plain = block("CERTIFICATE");
        let utf16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("{mark}{plain}").encode_utf16().flat_map(bytes).collect()
        };
        for file in [
            plain.clone().into_bytes(),
            format!("\u{feff}{plain}").into_bytes(),
            plain.replace('\n', "\r\n").into_bytes(),
            plain.replace('\n', "\r").into_bytes(),
            plain.replace('\n', "").into_bytes(),
            format!("Bag Attributes\n  friendlyName: x\nsubject=CN = x\n{plain}the end").into_bytes(),
            format!("# paste below -----BEGIN here\n{plain}").into_bytes(),
            plain.replace('\n', "\n    ").into_bytes(),
            plain.replace('=', "").into_bytes(),
            utf16("\u{feff}", u16::to_le_bytes),
            utf16("\u{feff}", u16::to_be_bytes),
            utf16("", u16::to_le_bytes),
            utf16("", u16::to_be_bytes),
            [b"text in Latin-1: \xe9\n", plain.as_bytes()].concat(),
        ] {
            let found = one(&file);
            assert_eq!(found.content.as_deref(), Ok(DER), "{}", String::from_utf8_lossy(&file));
            assert_eq!(found.kind, PemKind::Certificate);
        }
    }

    #[test]
    fn blocks_are_counted_with_their_lines() {
        let file = format!("\u{feff}text\n{}{}", block("X"), block("X509 CERTIFICATE").trim_end());
        let file = file + &block("EC PRIVATE KEY");
        let places: Vec<String> = blocks(file.as_bytes()).iter().map(ToString::to_string).collect();
        let expected =
            ["block 1 (X, line 2)", "block 2 (X509 CERTIFICATE, line 5)", "block 3 (EC PRIVATE KEY, line 7)"];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_damaged_block_does_not_hide_the_next() {
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        for (damaged, damage) in [
            (format!("{begin}{BODY}\n"), Damage::NoEnd),
            (format!("{begin}{end}"), Damage::Empty),
            (format!("{begin}Proc-Type: x\n{BODY}\n{end}"), Damage::EndlessHeaders),
            (format!("{begin}A: b\r\n{BODY}\r\n{end}"), Damage::EndlessHeaders),
            (format!("{begin}MAM*AQU=\n{end}"), Damage::NotBase64),
            (format!("{begin}MAMCAQ==\n{end}"), Damage::CutOff { found: 4, expected: 5 }),
            (format!("{begin}aGVsbG8=\n{end}"), Damage::NotDer),
        ] {
            let found = blocks((damaged + &block("CERTIFICATE")).as_bytes());
            let contents: Vec<_> = found.into_iter().map(|block| block.content).collect();
            assert_eq!(contents, [Err(damage), Ok(DER.to_vec())]);
        }
        assert_eq!(one(begin).content, Err(Damage::NoEnd));
    }

    #[test]
    fn headers_are_told_from_data() {
        for line_end in ["\n", "\r\n"] {
            let headers =
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
            let file = format!("{headers}{BODY}\n-----END EC PRIVATE KEY-----\n").replace('\n', line_end);
            let found = one(file);
            assert!(found.is_encrypted_by_headers);
            assert_eq!(found.content.as_deref(), Ok(DER));
        }
        assert!(!one(block("EC PRIVATE KEY")).is_encrypted_by_headers);
    }

    #[test]
    fn data_after_the_certificate_is_ignored() {
        let trailing = BASE64.encode([DER, &[0x30, 0]].concat());
        let file = block("CERTIFICATE").replace(BODY, &trailing);
        assert_eq!(one(file).content.as_deref(), Ok(DER));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        proptest::proptest!(|(bytes: Vec<u8>, at in 0_usize..60, with: [u8; 3])| {
            blocks(&bytes);
            let mut file = block("TRUSTED CERTIFICATE").into_bytes();
            file.splice(at..at, with);
            blocks(&file);
            element_length(&bytes);
        });
    }
}
