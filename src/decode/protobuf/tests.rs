//! The schema of these tests has each type once.

use std::path::PathBuf;

use proptest::prelude::*;
use prost_reflect::prost_types::FileDescriptorSet;
use protox::Compiler;
use tempfile::TempDir;

use super::*;
use crate::decode::{MOST_DECODED_BYTES, MOST_NESTING};
use crate::notation::hex;

const ALL: &str = include_str!("schemas/all.proto");
const OLD: &str = include_str!("schemas/proto2.proto");

/// A temporary folder of files.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn schemas(&self, names: &[&str]) -> Schemas {
        Schemas::new(names.iter().map(|name| self.path(name)).collect(), Vec::new(), None)
    }

    /// The error of the schema, without the folder's path.
    fn refused(&self, names: &[&str]) -> String {
        let folder = format!("{}/", self.0.path().display());
        self.schemas(names).message(Some("t.All")).unwrap_err().to_string().replace(&folder, "")
    }
}

fn message(text: &str, name: &str) -> MessageType {
    Folder::new(&[("a.proto", text)]).schemas(&["a.proto"]).message(Some(name)).unwrap()
}

fn all() -> MessageType {
    message(ALL, "t.All")
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "").as_bytes()).unwrap()
}

fn decoded(message: &MessageType, bytes: &[u8]) -> String {
    match message.decode(bytes) {
        Ok(content) => String::from_utf8(content.bytes).unwrap(),
        Err(why) => format!("error: {why}"),
    }
}

/// Wire forms, taken from the encoding guide where it has an example.
#[test]
fn wire_forms() {
    let all = all();
    for (hex, json) in [
        ("", "{}"),
        ("18 9601", r#"{"i32":150}"#),
        ("18 ffffffffffffffffff01", r#"{"i32":-1}"#),
        ("20 ffffffffffffffffff01", r#"{"i64":"-1"}"#),
        ("30 ffffffffffffffffff01", r#"{"u64":"18446744073709551615"}"#),
        ("38 03", r#"{"s32":-2}"#),
        ("72 07 74657374696e67", r#"{"s":"testing"}"#),
        ("7a 02 00ff", r#"{"by":"AP8="}"#),
        ("8a01 03 18 9601", r#"{"child":{"i32":150}}"#),
        ("9a01 06 038e029ea705", r#"{"numbers":[3,270,86942]}"#),
        ("9801 03 9801 8e02 9801 9ea705", r#"{"numbers":[3,270,86942]}"#),
        ("8001 01", r#"{"mode":"ON"}"#),
        ("8001 07", r#"{"mode":7}"#),
        ("aa01 05 0a01 62 10 02 aa01 05 0a01 61 10 01", r#"{"counts":{"a":1,"b":2}}"#),
        ("c801 00", r#"{"maybe":0}"#),
        // The last member of a oneof counts.
        ("c001 05 ba01 01 78", r#"{"name":"x"}"#),
        ("18 00 72 00", "{}"),
        ("15 ffff7f7f", r#"{"f":3.4028234663852886e+38}"#),
        ("15 0000c07f 09 000000000000f0ff", r#"{"d":"-Infinity","f":"NaN"}"#),
        ("ca02 05 0d 0000c07f", r#"{"real":"NaN"}"#),
    ] {
        assert_eq!(decoded(&all, &bytes(hex)), json, "{hex}");
    }
}

/// JSON that is encoded and decoded comes back unchanged, and the schema's field names are accepted as well.
#[test]
fn json_comes_back() {
    let all = all();
    for json in [
        r#"{"d":1.5,"f":0.1,"i32":-2147483648,"i64":"-9223372036854775808","u32":4294967295,"u64":"18446744073709551615"}"#,
        r#"{"s32":-1,"s64":"-2","f32":3,"f64":"4","sf32":-5,"sf64":"-6","b":true,"s":"é\n","by":"AAH/","mode":"LOST"}"#,
        r#"{"child":{"child":{"s":"x"}},"children":[{},{"b":true}],"numbers":[0,1],"texts":["",""]}"#,
        r#"{"counts":{"a":0,"b":-1,"c":2},"parts":{"-1":{},"7":{"i32":1}},"flags":{"false":"no","true":"yes"}}"#,
        r#"{"name":""}"#,
        r#"{"id":"0","maybe":0}"#,
        r#"{"at":"2026-11-20T09:38:06.123456Z","took":"-1.500s"}"#,
        r#"{"at":"0001-01-01T00:00:00Z"}"#,
        r#"{"struct":{"a":[1.0,"x",null,{"b":true}]},"value":null,"list":[1.5,[]],"empty":{},"null":null}"#,
        r#"{"wrapped":0.0,"mask":"a,bC.d","modes":["ON","OFF",9],"snakeCaseName":"x","big":"0","raw":"","real":1.5}"#,
        r#"{"any":{"@type":"type.googleapis.com/t.All","i32":7}}"#,
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"2026-11-20T09:38:06Z"}}"#,
        r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Empty","value":{}}}}"#,
        r#"{"d":"Infinity","f":"-Infinity","wrapped":"NaN"}"#,
    ] {
        // NullValue in a field of its own has its default value.
        let expected = json.replace(r#","null":null"#, "");
        let encoded = all.encode(json.as_bytes()).unwrap_or_else(|why| panic!("{json}: {why}"));
        assert_eq!(decoded(&all, &encoded), expected);
    }
    for (json, same) in [
        (r#"{"snake_case_name":"x"}"#, r#"{"snakeCaseName":"x"}"#),
        (r#"{"i64":5,"i32":"6","mode":1,"by":"_-8"}"#, r#"{"i32":6,"i64":"5","by":"/+8=","mode":"ON"}"#),
        (r#"{"at":"2026-11-20T10:38:06+01:00"}"#, r#"{"at":"2026-11-20T09:38:06Z"}"#),
        (r#"{"s":null,"child":null}"#, "{}"),
    ] {
        assert_eq!(decoded(&all, &all.encode(json.as_bytes()).unwrap()), same, "{json}");
    }
    for (json, why) in [
        ("", "not a t.All: EOF while parsing a value at line 1 column 0"),
        ("[]", "not a t.All: invalid type: sequence, expected a map"),
        (r#"{"tmp":1}"#, "not a t.All: unrecognized field name 'tmp' at line 1 column 6"),
        (r#"{"i32":2147483648}"#, "not a t.All: "),
        (r#"{"i32":1.5}"#, "not a t.All: expected integer value at line 1 column 10"),
        (r#"{"mode":"HALF"}"#, "not a t.All: "),
        (r#"{"at":"yesterday"}"#, "not a t.All: "),
        (r#"{"name":"x","id":1}"#, "not a t.All: "),
        (r#"{"any":{"@type":"x/t.None"}}"#, "not a t.All: "),
        ("{} {}", "not a t.All: trailing characters at line 1 column 4"),
    ] {
        let error = all.encode(json.as_bytes()).unwrap_err();
        assert!(error.starts_with(why), "{json}: {error}");
    }
}

#[test]
fn proto2_has_groups_required_fields_and_extensions() {
    let old = message(OLD, "old.Reading");
    for (hex, json) in [
        ("08 01 15 0000a441", r#"{"id":1,"value":20.5}"#),
        // Packed and unpacked lists are read, whichever the schema declares.
        ("08 01 18 01 1a 02 0304", r#"{"id":1,"plain":["-1","-2","2"]}"#),
        ("08 01 23 2a 01 78 24 23 24", r#"{"id":1,"part":[{"name":"x"},{}]}"#),
        ("08 01 30 01", r#"{"id":1,"kind":"COLD"}"#),
        ("08 01 a206 01 79", r#"{"id":1,"[old.place]":"y"}"#),
        ("08 00", r#"{"id":0}"#),
        // Incomplete messages are shown.
        ("", "{}"),
        ("08 01 23 2a 01 78", "error: at byte 6, field part: the group 4 has no end"),
        ("08 01 24", "error: at byte 2: the end of group 4, which has not begun"),
    ] {
        assert_eq!(decoded(&old, &bytes(hex)), json, "{hex}");
    }
    let json = r#"{"id":1,"part":[{"name":"x"}],"[old.place]":"y"}"#;
    assert_eq!(decoded(&old, &old.encode(json.as_bytes()).unwrap()), json);
    assert_eq!(old.encode(b"{}").unwrap_err(), "the required field 'id' is missing");
}

#[test]
fn fields_without_a_schema_are_left_out_and_named() {
    let all = all();
    let content = all.decode(&bytes("18 01 f83f 05 fa3f 01 00 fb3f 08 01 fc3f")).unwrap();
    assert_eq!(content.bytes, br#"{"i32":1}"#);
    assert_eq!(content.left_out.as_deref(), Some("field 1023 of t.All"));
    // Also in nested messages and in an Any.
    for hex in ["8a01 03 f83f 05", "e201 0e 0a 07 782f742e416c6c 12 03 f83f 05"] {
        let left_out = all.decode(&bytes(hex)).unwrap().left_out;
        assert_eq!(left_out.as_deref(), Some("field 1023 of t.All"), "{hex}");
    }
    assert_eq!(all.decode(&bytes("18 01")).unwrap().left_out, None);
}

#[test]
fn errors_name_the_byte_and_the_field() {
    let all = all();
    for (hex, why) in [
        ("18", "at byte 1, field i32: the payload ends inside a value"),
        ("18 ff", "at byte 2, field i32: the payload ends inside a value"),
        ("18 ffffffffffffffffff02", "at byte 1, field i32: a number of more than 64 bits"),
        ("09 00", "at byte 1, field d: the payload ends inside a value"),
        ("72 05 6869", "at byte 1, field s: a length of 5 bytes, of which 2 are there"),
        ("72 03 68ff69", "at byte 3, field s: the text is not UTF-8"),
        (
            "7a ffffffffffffffffff01",
            "at byte 1, field by: a length of 18446744073709551615 bytes, of which 0 are there",
        ),
        ("18 01 8a01 02 72 05", "at byte 6, field child.s: a length of 5 bytes, of which 0 are there"),
        ("18 01 8a01 01 18", "at byte 6, field child.i32: the payload ends inside a value"),
        ("8a01 01 18 00", "at byte 4, field child.i32: the field ends inside a value"),
        ("9201 02 72 00 9201 02 18 80", "at byte 10, field children.i32: the payload ends inside a value"),
        (
            "1d 00000000",
            "at byte 1, field i32: the schema has a varint here and the payload 32 bits; it may be another message",
        ),
        ("00", "at byte 0: no field has the number 0"),
        ("1e", "at byte 0: no field has the wire type 6"),
        ("f8ffffffff01 00", "at byte 0: no field has the number 8589934591"),
        ("9a01 02 01 80", "at byte 5, field numbers: the payload ends inside a value"),
        ("e201 05 12 03 f83f05", "at byte 8, field any: the schema has no message for ''"),
        ("e201 09 0a 07 782f6e6f6e6521", "at byte 5, field any: the schema has no message for 'x/none!'"),
        (
            "e201 0d 0a 07 782f742e416c6c 12 02 1880",
            "at byte 16, field any.i32: the payload ends inside a value",
        ),
        ("8a01 0c d201 09 08 8080808080808002", "child: at: timestamp out of range"),
        (
            "7b 22 61",
            "at byte 1, field by: the schema has a length and bytes here and the payload a group; it may be another message",
        ),
    ] {
        let result = all.decode(&bytes(hex)).map(|content| String::from_utf8(content.bytes).unwrap());
        assert_eq!(result, Err(why.to_owned()), "{hex}");
    }
}

/// A field with this number, and its content after a length.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
    let mut bytes = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut bytes);
    encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn bombs_are_refused() {
    let all = all();
    let nested = |number: u32, levels: usize| (0..levels).fold(Vec::new(), |inner, _| field(number, &inner));
    assert!(all.decode(&nested(17, MOST_NESTING)).is_ok());
    let why = all.decode(&nested(17, MOST_NESTING + 1)).unwrap_err();
    assert!(why.ends_with("nested deeper than 100 levels"), "{why}");
    assert!(all.decode(&nested(17, 100_000)).unwrap_err().ends_with("nested deeper than 100 levels"));
    // A list counts as a level of JSON.
    assert!(all.decode(&nested(18, MOST_NESTING / 2)).is_ok());
    assert!(all.decode(&nested(18, MOST_NESTING / 2 + 1)).is_err());
    // Nested groups in an unknown field.
    assert!(
        all.decode(&[0xfb, 0x3f].repeat(200_000)).unwrap_err().ends_with("nested deeper than 100 levels")
    );
    // An Any nested in an Any in an Any.
    let any =
        |content: &[u8]| [field(1, b"type.googleapis.com/google.protobuf.Any"), field(2, content)].concat();
    let anys = |levels: usize| field(28, &(0..levels).fold(Vec::new(), |inner, _| any(&inner)));
    assert!(all.decode(&anys(50)).is_ok());
    assert!(all.decode(&anys(2_000)).unwrap_err().ends_with("nested deeper than 100 levels"));
    // Many values in few bytes.
    let many = "its values take more than 128 MiB of memory";
    assert!(all.decode(&field(19, &vec![0; 3_000_000])).unwrap_err().ends_with(many));
    assert!(all.decode(&field(18, &[0x18, 1]).repeat(300_000)).unwrap_err().ends_with(many));
    assert!(all.decode(&[0xf8, 0x3f, 0].repeat(3_000_000)).unwrap_err().ends_with(many));
    // A payload that decodes to more than the limit.
    let large = all.decode(&field(15, &vec![0; MOST_DECODED_BYTES * 3 / 4 + 1])).unwrap_err();
    assert_eq!(large, "it decodes to more than 64 MiB");
}

#[test]
fn byte_order_mark_of_a_schema_is_not_part_of_it() {
    let text = "\u{feff}syntax = \"proto3\";\nimport \"b.proto\";\nmessage A {\n  B b = 1;\n}\n";
    let imported = "\u{feff}syntax = \"proto3\";\nmessage B {\n  int32 x = 1;\n}\n";
    let folder = Folder::new(&[("a.proto", text), ("b.proto", imported)]);
    folder.schemas(&["a.proto"]).message(Some("A")).unwrap();
}

#[test]
fn errors_of_schemas_have_file_line_and_column() {
    for (text, why) in [
        ("syntax = \"proto3\";\nmessage A {\n  int32 a = x;\n}\n", "a.proto:3:13: "),
        ("syntax = \"proto3\";\nmessage A {\n  int33 a = 1;\n}\n", "a.proto:3:3: "),
        ("syntax = \"proto3\";\nmessage A {\n  int32 a = 1;\n  int32 b = 1;\n}\n", "a.proto:4:"),
        ("syntax = \"proto3\";\nimport \"none.proto\";\n", "a.proto:2:1: import 'none.proto' not found"),
        ("syntax = \"proto3\";\nimport \"a.proto\";\n", "a.proto: import cycle detected: a.proto -> a.proto"),
        ("syntax = \"proto3\";\nimport \"../b.proto\";\n", "a.proto:2:"),
        ("syntax = \"proto4\";\n", "a.proto:1:10: unknown syntax 'proto4'"),
        ("message \u{1}", "a.proto:1:9: "),
        ("syntax = \"proto3\";\nmessage A {\n  int32 x = 1;\n", "a.proto:4:1: expected "),
        ("hunter2 x\n", "a.proto:1:1: it does not begin like a .proto file"),
        ("// me\n/* x */ ; me:hunter2\n", "a.proto:2:11: it does not begin like a .proto file"),
        ("message hunter2\n", "a.proto:2:1: expected "),
        ("syntax = \"proto3\"", "a.proto:1:18: expected ';'"),
        ("syntax = \"proto3\";\n/* open\n", "a.proto:3:1: expected "),
        ("package a;\npackage b;\n", "a.proto:2:"),
    ] {
        let refused = Folder::new(&[("a.proto", text)]).refused(&["a.proto"]);
        assert!(refused.starts_with(why), "{text}: {refused}");
    }
    let imported = Folder::new(&[
        ("a.proto", "syntax = \"proto3\"; import \"b/c.proto\";"),
        ("b/c.proto", "syntax = \"proto3\";\nmessage {"),
    ]);
    let refused = imported.refused(&["a.proto"]);
    assert!(refused.starts_with("b/c.proto:2:9: "), "{refused}");
    let around = Folder::new(&[
        ("a.proto", "syntax = \"proto3\"; import \"b.proto\";"),
        ("b.proto", "syntax = \"proto3\"; import \"c.proto\";"),
        ("c.proto", "syntax = \"proto3\"; import \"a.proto\";"),
    ]);
    let refused = around.refused(&["a.proto"]);
    assert!(
        refused.ends_with("import cycle detected: a.proto -> b.proto -> c.proto -> a.proto"),
        "{refused}"
    );
    assert!(Folder::new(&[]).refused(&["none.proto"]).starts_with("none.proto: "));
    assert_eq!(Schemas::default().message(Some("t.All")).unwrap_err().to_string(), "protobuf needs a schema");
}

#[test]
fn bytes_that_are_no_schema_are_refused() {
    let folder = Folder::new(&[("empty", ""), ("a.proto", ALL)]);
    for (content, why) in [
        (&b"\x0a\xff\xff\xff\xff\xff"[..], "neither a .proto file nor a descriptor set: "),
        (b"\x0a\x00\x10\x01", ""),
        (b"\x00\x01\x02", "neither a .proto file nor a descriptor set: "),
    ] {
        std::fs::write(folder.path("x.pb"), content).unwrap();
        let refused = folder.refused(&["x.pb"]);
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(folder.refused(&["empty"]), "the schema has no message 't.All'");
    std::fs::write(folder.path("latin.proto"), b"// \xe9\n").unwrap();
    assert_eq!(folder.refused(&["latin.proto"]), "latin.proto: byte 3 is not UTF-8");
}

/// The compiler reads brackets and imports by recursion.
#[test]
fn deep_schemas_are_refused() {
    let deep = |open: &str, close: &str| {
        format!(
            "syntax = \"proto3\";\noption (x) = {{ {}{} }};\n",
            open.repeat(1_000_000),
            close.repeat(1_000_000)
        )
    };
    for (open, close) in
        [("a{", "}"), ("a:[", "]"), ("/**//* // */a{", "}"), ("a{ # }\n", "}"), ("a{\"}\\\"}\"", "}")]
    {
        let refused = Folder::new(&[("a.proto", &deep(open, close))]).refused(&["a.proto"]);
        assert!(refused.ends_with("brackets are nested deeper than 100 levels"), "{refused}");
    }
    let brackets = "// {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\n/* [[[[[[[[[ */".repeat(10);
    let flat = format!("{brackets}\n{ALL}");
    assert!(Folder::new(&[("a.proto", &flat)]).schemas(&["a.proto"]).message(Some("t.All")).is_ok());

    let file = |number: usize| {
        let text = format!("syntax = \"proto3\"; import \"{}.proto\";", number + 1);
        (format!("{number}.proto"), text)
    };
    let last = (format!("{}.proto", MOST_SCHEMA_FILES - 1), ALL.to_owned());
    let chain: Vec<(String, String)> = (0..MOST_SCHEMA_FILES - 1).map(file).chain([last]).collect();
    let mut files: Vec<(&str, &str)> = chain.iter().map(|(name, text)| (&name[..], &text[..])).collect();
    let refused = Folder::new(&files).refused(&["0.proto"]);
    assert_eq!(refused, "the schema has more than 5000 files");
    files.truncate(1000);
    let end = files.len() - 1;
    files[end].1 = "syntax = \"proto3\"; package t; message All {}";
    assert!(Folder::new(&files).schemas(&["0.proto"]).message(Some("t.All")).is_ok());
}

/// The compiler needs long for thousands of errors.
#[test]
fn time_for_a_schema_is_limited() {
    let fields: Vec<String> = (0..2000).map(|number| format!("  int32 field_{number} = 1;\n")).collect();
    let text = format!("syntax = \"proto3\";\nmessage A {{\n{}}}\n", fields.concat());
    let folder = Folder::new(&[("a.proto", &text)]);
    let read = |limit| schema::Schema::read(&[folder.path("a.proto")], &[], limit).unwrap_err().to_string();
    assert_eq!(read(std::time::Duration::ZERO), "not compiled after 0s");
    assert!(read(schema::MOST_SCHEMA_TIME).ends_with("a.proto:4:19: field number '1' is already used"));
}

#[test]
fn imports_are_searched_beside_the_file_and_in_given_folders() {
    let folder = Folder::new(&[
        ("plant/a.proto", "syntax = \"proto3\"; package t; import \"b.proto\"; message All { B b = 1; }"),
        ("plant/b.proto", "syntax = \"proto3\"; package t; import \"lib/c.proto\"; message B { C c = 1; }"),
        ("other/lib/c.proto", "syntax = \"proto3\"; package t; message C { int32 x = 1; }"),
    ]);
    let schemas = |files: &[&str], folders: &[&str]| {
        let paths = |names: &[&str]| names.iter().map(|name| folder.path(name)).collect();
        Schemas::new(paths(files), paths(folders), None)
    };
    let found = schemas(&["plant/a.proto"], &["other"]).message(Some("t.All")).unwrap();
    assert_eq!(decoded(&found, &bytes("0a 04 0a 02 08 01")), r#"{"b":{"c":{"x":1}}}"#);
    // One file under two names, given twice, is one file.
    let both = ["plant/a.proto", "plant/b.proto", "plant/b.proto"];
    assert!(schemas(&both, &["other", ""]).message(Some("t.All")).is_ok());
    let missing = schemas(&["plant/a.proto"], &[]).message(Some("t.All")).unwrap_err();
    assert!(missing.to_string().ends_with("b.proto:1:31: import 'lib/c.proto' not found"), "{missing}");
    assert!(missing.hint().unwrap().starts_with("--proto-path DIR"));
    // A file may be named relative to a folder of imports.
    let mut below = Schemas::new(vec!["lib/c.proto".into()], vec![folder.path("other")], Some("t.C".into()));
    assert!(below.message(None).is_ok());
    assert_eq!(below.unused(), None);
}

#[test]
fn descriptor_sets_are_schemas() {
    let folder = Folder::new(&[("a.proto", ALL), ("old.proto", OLD)]);
    let mut compiler = Compiler::new([folder.0.path()]).unwrap();
    compiler.include_imports(true).open_files(["a.proto", "old.proto"]).unwrap();
    std::fs::write(folder.path("set"), compiler.encode_file_descriptor_set()).unwrap();
    let from_set = folder.schemas(&["set"]).message(Some("t.All")).unwrap();
    let json = r#"{"i32":1,"at":"2026-11-20T09:38:06Z"}"#;
    assert_eq!(decoded(&from_set, &all().encode(json.as_bytes()).unwrap()), json);
    assert!(folder.schemas(&["set"]).message(Some("old.Reading")).is_ok());
    // A .proto file may import files of a descriptor set given with it.
    let more = "syntax = \"proto3\"; import \"a.proto\"; message More { t.All all = 1; }";
    std::fs::write(folder.path("more.proto"), more).unwrap();
    assert!(folder.schemas(&["more.proto", "set"]).message(Some("More")).is_ok());
    // A syntax that the library does not support.
    let mut editions = FileDescriptorSet::decode(&std::fs::read(folder.path("set")).unwrap()[..]).unwrap();
    editions.file.last_mut().unwrap().syntax = Some("editions".into());
    std::fs::write(folder.path("new"), editions.encode_to_vec()).unwrap();
    let refused = folder.refused(&["new"]);
    assert_eq!(refused, "new: 'old.proto' has the syntax 'editions'; proto2 and proto3 are supported");
    // A descriptor set without its imports.
    compiler.include_imports(false);
    std::fs::write(folder.path("set"), compiler.encode_file_descriptor_set()).unwrap();
    assert!(folder.schemas(&["set"]).message(Some("t.All")).is_ok(), "what google has is built in");
}

#[test]
fn unknown_messages_have_near_names() {
    let folder = Folder::new(&[("a.proto", ALL), ("old.proto", OLD)]);
    let mut schemas = folder.schemas(&["a.proto", "old.proto"]);
    let mut hint = |name: &str| schemas.message(Some(name)).unwrap_err().hint().unwrap();
    assert_eq!(hint("old.Readng"), "did you mean 'old.Reading'?");
    assert_eq!(hint("Reading"), "did you mean 'old.Reading'?");
    assert_eq!(hint("plant.Reading"), "did you mean 'old.Reading'?");
    assert_eq!(hint("zzz"), "it defines 't.All', 'old.Reading', 'old.Reading.Part'");
    assert!(schemas.message(Some(".t.All")).is_ok());
    assert!(schemas.message(Some("google.protobuf.Timestamp")).is_ok(), "what is imported can be named");
    let none = schemas.message(None).unwrap_err();
    assert_eq!(none.to_string(), "protobuf needs the name of a message");
    assert!(none.hint().unwrap().contains("'old.Reading'"));
}

/// Valid and invalid contents for fields of `t.All`.
fn wire(level: u32) -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![1_u32..42, Just(1023)];
    let varint = (number.clone(), any::<u64>(), 0_u32..64).prop_map(|(number, value, shift)| {
        let mut bytes = Vec::new();
        prost_reflect::prost::encoding::uint64::encode(number, &(value >> shift), &mut bytes);
        bytes
    });
    let fixed = (number.clone(), any::<[u8; 8]>(), any::<bool>()).prop_map(|(number, value, is_long)| {
        let wire = if is_long { 1 } else { 5 };
        let mut bytes = Vec::new();
        prost_reflect::prost::encoding::encode_varint(u64::from(number << 3 | wire), &mut bytes);
        bytes.extend_from_slice(&value[..if is_long { 8 } else { 4 }]);
        bytes
    });
    let text = (number.clone(), "[a-z/.]{0,6}").prop_map(|(number, text)| field(number, text.as_bytes()));
    let noise = (number.clone(), proptest::collection::vec(any::<u8>(), 0..8))
        .prop_map(|(number, content)| field(number, &content));
    let leaf = prop_oneof![4 => varint, 2 => fixed, 2 => text, 1 => noise];
    if level == 0 {
        return proptest::collection::vec(leaf, 0..6).prop_map(|parts| parts.concat()).boxed();
    }
    let nested = (number, wire(level - 1)).prop_map(|(number, content)| field(number, &content));
    let parts = proptest::collection::vec(prop_oneof![2 => leaf, 1 => nested], 0..6);
    parts.prop_map(|parts| parts.concat()).boxed()
}

/// Any payload is decoded or refused, and a decoded one stays the same when it is encoded and decoded again.
fn is_answered(message: &MessageType, payload: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(content) = message.decode(payload) else { return Ok(false) };
    let json = String::from_utf8(content.bytes).unwrap();
    let value = serde_json::from_str::<serde_json::Value>(&json);
    prop_assert!(value.is_ok(), "{}", json);
    // An Any without a type and a null other than NULL_VALUE can be written, but not read.
    if json.contains(r#""any":{}"#) || json.contains(r#""null":null"#) {
        return Ok(true);
    }
    let encoded = message.encode(json.as_bytes());
    prop_assert!(encoded.is_ok(), "{}: {:?}", json, encoded);
    let again = message.decode(&encoded.unwrap()).map(|content| String::from_utf8(content.bytes).unwrap());
    prop_assert_eq!(again, Ok(json));
    Ok(true)
}

#[test]
fn decoded_payload_is_unchanged_after_encoding() {
    let all = all();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
    let decoded = std::cell::Cell::new(0);
    let result = runner.run(&wire(2), |payload| {
        decoded.set(decoded.get() + u32::from(is_answered(&all, &payload)?));
        Ok(())
    });
    result.unwrap();
    assert!(decoded.get() > 300, "{} of 3000 payloads were decoded", decoded.get());
}

#[test]
fn any_bytes_are_decoded_or_refused() {
    let (all, old) = (all(), message(OLD, "old.Reading"));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
    let payloads = proptest::collection::vec(any::<u8>(), 0..60);
    runner
        .run(&payloads, |payload| {
            is_answered(&all, &payload)?;
            let _ = old.decode(&payload);
            Ok(())
        })
        .unwrap();
}

/// The message, if the schema has it. The compiler may refuse a schema but must not panic, which ends the
/// program.
fn usable(folder: &Folder, file: &str, name: &str) -> Result<Option<MessageType>, TestCaseError> {
    match folder.schemas(&[file]).message(Some(name)) {
        Err(error) => {
            prop_assert_ne!(error.to_string(), schema::PANICKED);
            Ok(None)
        }
        Ok(message) => Ok(Some(message)),
    }
}

/// A damaged descriptor set is refused or used.
#[test]
fn damaged_descriptor_sets_are_refused_or_used() {
    let folder = Folder::new(&[("old.proto", OLD)]);
    let mut compiler = Compiler::new([folder.0.path()]).unwrap();
    compiler.open_file("old.proto").unwrap();
    let whole = compiler.encode_file_descriptor_set();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let damage = proptest::collection::vec((0..whole.len(), any::<u8>()), 1..4);
    runner
        .run(&damage, |damage| {
            let mut set = whole.clone();
            for (at, byte) in damage {
                set[at] = byte;
            }
            std::fs::write(folder.path("set"), set).unwrap();
            if let Some(message) = usable(&folder, "set", "old.Reading")? {
                let _ = message.decode(&bytes("08 01 15 0000a441 18 01 23 2a 01 78 24 30 01 a206 01 79"));
                let _ = message.encode(br#"{"id":1,"value":2.5,"part":[{"name":"x"}]}"#);
            }
            Ok(())
        })
        .unwrap();
}

/// A damaged `.proto` file is refused or used.
#[test]
fn damaged_sources_are_refused_or_used() {
    let folder = Folder::new(&[]);
    let words = [
        "{", "}", "[", "]", "(x)", "=", ";", "-1", "message", "option", "extend", "oneof", "map<", "\"",
        "/*", "reserved",
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(500));
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, 0..words.len()), 1..4);
    runner
        .run(&(damage, any::<bool>()), |(damage, is_old)| {
            let mut text = if is_old { OLD } else { ALL }.to_owned();
            for (at, length, word) in damage {
                let at = at.index(text.len());
                let end = (at + length).min(text.len());
                text.replace_range(at..end, words[word]);
            }
            std::fs::write(folder.path("a.proto"), &text).unwrap();
            if let Some(message) = usable(&folder, "a.proto", "t.All")? {
                is_answered(&message, &bytes("18 01 8a01 03 18 9601 aa01 05 0a01 62 10 02"))?;
            }
            Ok(())
        })
        .unwrap();
}
