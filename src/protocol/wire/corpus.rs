//! Valid and invalid packets of brokers: the seeds of fuzzing. Packets that once caused a fault are added
//! here.

/// In hexadecimal, without blanks; `'` only helps the reader.
const PACKETS: &[&str] = &[
    // CONNACK: 3.1.1, session present, refused; 5 without properties, as mosquitto sends it, with all
    // properties; cut off.
    "20'02'0000",
    "20'02'0100",
    "20'02'0005",
    "20'03'000000",
    "20'09'00'00'06'22000a'210014",
    "20'2d'00'00'2a'11ffffffff'210014'2401'2501'2700010000'12000461757430'220005'2801'2901'2a01'13003c'1c000362'3a31",
    "20'03'008700",
    // PUBLISH at each QoS, with DUP and RETAIN; 5 with properties, with an alias set and then used.
    "30'05'000161'6869",
    "31'05'000161'6869",
    "32'07'000161'0001'6869",
    "3a'07'000161'0001'6869",
    "34'07'000161'0002'6869",
    "3c'07'000161'0002'6869",
    "30'06'000161'00'6869",
    "32'08'000161'0001'00'6869",
    "34'08'000161'0003'00'6869",
    "30'09'000161'03'230001'6869",
    "30'08'0000'03'230001'6869",
    "30'2c'000161'27'0101'020000003c'03000a746578742f706c61696e'0800017209000163'0b01'0b02'2600016b000176'78",
    // PUBACK, PUBREC, PUBREL, PUBCOMP: short, with Reason Code, with Reason String; identifiers 1 to 3.
    "40'02'0001",
    "40'04'0001'10'00",
    "40'03'0001'97",
    "40'08'0001'97'04'1f000171",
    "50'02'0002",
    "50'03'0002'91",
    "62'02'0002",
    "62'03'0003'92",
    "70'02'0002",
    "70'03'0002'92",
    // SUBACK and UNSUBACK with the first identifiers that a client assigns.
    "90'03'0001'02",
    "90'03'0003'80",
    "90'04'0001'00'02",
    "90'04'0003'00'87",
    "b0'02'0001",
    "b0'04'0001'00'11",
    // PINGRESP; DISCONNECT in mosquitto's short form, and in full; AUTH.
    "d0'00",
    "e0'00",
    "e0'01'8e",
    "e0'02'8b'00",
    "e0'0b'9c'09'1c000662'3a31383833",
    "f0'0b'18'09'150001'73'160002'6162",
    // Packets that a broker must not send.
    "10'0c'00044d515454'04'02'003c'0000",
    "82'06'0001'000161'00",
    "a2'05'0001'000161",
    "c0'00",
    "00'00",
    // PUBLISH with invalid topic names.
    "30'04'00012b'00",
    "30'06'0003610062'00",
    "30'04'0001ff'00",
    // Malformed: Remaining Length, QoS 3, lengths beyond the end, identifier 0, truncated properties.
    "30'ffffffff01",
    "30'ffffff7f",
    "36'07'000161'0001'6869",
    "30'03'0009'61",
    "32'05'000161'0000",
    "30'05'000161'05'23",
    "40'01'00",
    "20'01'00",
];

/// All packets as bytes.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    PACKETS
        .iter()
        .map(|text| {
            let digits: Vec<u8> = text
                .bytes()
                .filter_map(|byte| char::from(byte).to_digit(16))
                .map(|d| u8::try_from(d).unwrap())
                .collect();
            digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
        })
        .collect()
}
