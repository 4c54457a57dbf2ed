//! Command lines with unusual values, and connections other than plain TCP, for the comparison with the real
//! clients.

use mqtt::protocol::{Protocol, QoS};

use crate::compat::{PUB, RR, SUB};
use crate::compat_cases::{Case, Script, case, plain};
use crate::support::packets::Message;
use crate::ways::Gate;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = topics();
    cases.extend(texts());
    cases.extend(hosts());
    cases.extend(messages());
    cases.extend(formats());
    cases.extend(answers());
    cases.extend(ways());
    cases
}

fn topics() -> Vec<Case> {
    vec![
        plain(PUB, "-t \"\" -m x").differs(&["2.1 topics"]),
        plain(PUB, "-t LONG -m x"),
        plain(PUB, "-t DEEP -m x").differs(&["2.1 topics"]),
        plain(PUB, "-t � -m x"),
        plain(PUB, "-t a/+/b -m x"),
        plain(PUB, "-t # -m x"),
        plain(PUB, "-t / -m x -q 1"),
        plain(PUB, "-t a␣b -m x -q 1"),
        plain(SUB, "-t LONG"),
        plain(SUB, "-t �"),
        plain(SUB, "-t a+/b"),
        plain(SUB, "-t #/a"),
        plain(SUB, "-t a -T �"),
        plain(SUB, "-t a -U �"),
        plain(SUB, "-t a -t a -t a -E"),
        plain(SUB, "-t $share/g+/a -E -W 1"),
        plain(SUB, "-t $share/g -E -W 1").differs(&["shared"]),
        plain(RR, "-t \"\" -e b -m x").differs(&["2.1 topics"]),
        plain(RR, "-t a -e � -m x"),
        plain(RR, "-t a -e + -m x"),
        plain(PUB, "-t a -m x -q 1 --will-topic �"),
        plain(PUB, "-t a -m x -q 1 --will-topic w --will-payload �"),
    ]
}

fn texts() -> Vec<Case> {
    vec![
        plain(PUB, "-t a -m � -q 1"),
        plain(PUB, "-t a -m x -q 1 -i �").differs(&["identifier"]),
        plain(PUB, "-t a -m x -q 1 -u � -P x"),
        plain(PUB, "-t a -m x -q 1 -u LONG"),
        plain(PUB, "-t a -m x -q 1 -i LONG").differs(&["long"]),
        plain(PUB, "-t a -m x -q 1 -u u -P LONG").differs(&["long"]),
        plain(PUB, "-t a -m x -q 1 --will-topic w --will-payload LONG").differs(&["long"]),
        plain(PUB, "-t a -m x -q 1 -D publish content-type �"),
        plain(PUB, "-t a -m x -q 1 -D publish content-type LONG").differs(&["long"]),
        plain(PUB, "-t a -m x -q 1 -D publish correlation-data �"),
        plain(PUB, "-t a -m x -q 1 -D publish correlation-data LONG"),
        plain(PUB, "-t a -m x -q 1 -D publish user-property \"\" \"\""),
        plain(PUB, "-t a -m x -q 1 -D publish user-property k LONG").differs(&["long"]),
        plain(PUB, "-t a -m x -q 1 -D publish user-property � v"),
        plain(PUB, "-t a -m x -q 1 -D publish message-expiry-interval ␣12x"),
        plain(PUB, "-t a -m x -q 1 -D publish response-topic a/#").differs(&["properties"]),
        plain(PUB, "-t a -m x -q 1 -D publish topic-alias 0").differs(&["properties"]),
        plain(PUB, "-t a -m x -q 1 -D connect receive-maximum 0").differs(&["properties"]),
        plain(PUB, "-t a -m x -q 1 -D connect session-expiry-interval 5 -x 7").differs(&["properties"]),
        plain(PUB, "-t a -m x -q 1 -D connect session-expiry-interval 5 -c -i me").differs(&["expiry"]),
        plain(PUB, "-t a -m x -q 1 -D connect user-property k v -V 311").differs(&["properties"]),
        plain(SUB, "-t a -E -D subscribe subscription-identifier 268435455"),
        plain(SUB, "-t a -E -D subscribe subscription-identifier 268435456"),
        plain(SUB, "-t a -E -D subscribe subscription-identifier 0 -W 1").differs(&["properties"]),
        plain(PUB, "-t a -m x -q +1"),
        plain(PUB, "-t a -m x -q ␣1x"),
        plain(PUB, "-t a -m x -q \"\"").differs(&["barrier"]),
        plain(PUB, "-t a -m x -q 1 --repeat 2x --repeat-delay -0"),
        plain(SUB, "-t a -C 1e3 -W 1"),
        plain(SUB, "-t a -W 1.9"),
    ]
}

fn hosts() -> Vec<Case> {
    vec![
        plain(PUB, "-t a -m x -h a,b").differs(&["errors"]),
        plain(PUB, "-t a -m x -h localhost,127.0.0.1").differs(&["errors"]),
        plain(SUB, "-t a -h \"\" -W 1").differs(&["errors"]),
        plain(SUB, "-t a -h localhost:PORT").differs(&["errors"]),
        plain(RR, "-t a -e b -m x -h [::1]").differs(&["errors"]),
        plain(PUB, "-t a -m x -h mqtt://localhost").differs(&["errors"]),
        plain(PUB, "-t a -m x -A nonsense.invalid").differs(&["errors"]),
        plain(PUB, "-t a -m x -p 1").differs(&["connect"]),
        plain(SUB, "-t a -p 1").differs(&["connect"]),
        plain(RR, "-t a -e b -m x -p 1").differs(&["connect"]),
        plain(PUB, "-t a -m x -p 1 --quiet"),
        plain(PUB, "-t a -m x --unix HOME/none -p 0").differs(&["connect"]),
        plain(PUB, "-p PORT -m x -L mqtt://localhost:99999/a").differs(&["2.1 texts"]),
        plain(PUB, "-m x -q 1 -L mqtt://@localhost:PORT/a"),
        plain(PUB, "-m x -q 1 -L mqtt://:@localhost:PORT/a"),
        plain(SUB, "-E -L mqtt://u:p:q@localhost:PORT/a"),
    ]
}

fn messages() -> Vec<Case> {
    vec![
        plain(PUB, "-t a -f HOME/none").differs(&["2.1 texts"]),
        plain(PUB, "-t a -f \"\"").differs(&["2.1 texts"]),
        plain(PUB, "-f HOME/none").differs(&["2.1 texts"]),
        plain(PUB, "-t a -f HOME/none --quiet"),
        plain(PUB, "-t a -q 1 -f HOME/two"),
        plain(PUB, "-t a -q 1 -f HOME/empty"),
        plain(PUB, "-s"),
        plain(PUB, "-t a -s --quiet"),
        plain(RR, "-t a -e b -f HOME/none -W 1").differs(&["2.1 rr"]),
        plain(RR, "-t a -e b -s -W 1").differs(&["2.1 rr"]),
        plain(PUB, "-t a -l -q 1 -r").fed(b"\n"),
        plain(PUB, "-t a -l -q 1 -k 9").fed(&[b'x'; 5000]),
        plain(PUB, "-t a -l -q 1 -k 10").fed(b"\xff\n\xfe"),
        plain(PUB, "-t a -l -q 2 -V 5 -D publish topic-alias 2").fed(b"a\nb\nc"),
        plain(PUB, "-t a -l -q 1 -M 1").fed(b"a\nb\nc\n"),
        plain(PUB, "-t a -s -q 1 --repeat 2").fed(b"a\nb"),
        plain(PUB, "-q 1").with_options("-t a\n-m x\n\n   \n#x\n-q 0"),
        plain(PUB, "-q 1").with_options("-t a\n-m x\n-r yes\n"),
        plain(PUB, "-q 1").with_options("-t\ta\n"),
        plain(PUB, "-q 1").with_options("--version\n").differs(&["usage"]),
        plain(PUB, "-q 1").with_options("-t a\n-m x\0y\n").differs(&["options-file"]),
    ]
}

fn formats() -> Vec<Case> {
    let one = || Script::sends(&[("a/b", b"hello")]);
    let mut cases: Vec<Case> = [
        "@Q@q@!%q",
        "@E@O@v@K@L@f@i",
        "@ü|@-|@_",
        "@%@%%@@",
        "ü%p",
        "�%p",
        "%5%%5q%05r%5P%5D",
        "%.t|%.0t|%0t|%0p|%00p|%000p",
        "%300t|%-300p|%0300l",
        "@d@F@D@A@a@b@B@C@e@g@G@h@j@m@n@t@p@u@U@V@w@W@y@z@Z@@",
    ]
    .iter()
    .map(|format| case(SUB, format!("-t a -C 1 -F {format}"), one()))
    .collect();
    cases.extend([
        case(SUB, "-t a -C 1 -F \"\"", one()),
        case(SUB, "-t a -C 1 -F %*p", one()).differs(&["2.1 format"]),
        case(SUB, "-t a -C 1 -F %10x|%-10x|%010X|%3x", one()).differs(&["2.1 format"]),
        case(SUB, "-t a -C 1 -F @5", one()).differs(&["time-digit"]),
        plain(SUB, "-t a -F %-"),
        plain(SUB, "-t a -F %-0p -W 1"),
        plain(SUB, "-t a -F %."),
        plain(SUB, "-t a -F %1"),
        plain(SUB, "-t a -F %ü").differs(&["letters"]),
        plain(SUB, "-t a -F \\ü").differs(&["letters"]),
        plain(SUB, "-t a -F %99999% -W 1").differs(&["width"]),
        plain(SUB, "-t a -F %99999t -W 1").differs(&["width"]),
        plain(RR, "-t a -e b -m x -F %v"),
    ]);
    cases
}

fn answers() -> Vec<Case> {
    let refusing = |reason| Script { reason, ..Script::accepts() };
    let ending = || Script { disconnects: Some(139), ..Script::accepts() };
    let denying = || Script { denies: true, ..Script::accepts() };
    let retained = Message::new("a", b"x").retained().at(QoS::AtLeastOnce, 4);
    vec![
        case(PUB, "-t a -m x -q 1 -V 5", refusing(135)),
        case(PUB, "-t a -m x -q 2 -V 5", refusing(151)),
        case(PUB, "-t a -m x -q 1 -V 5 --quiet", refusing(135)),
        case(PUB, "-t a -m x -q 1 -V 5 -d", refusing(135)),
        case(PUB, "-t a -m x -q 1 -V 5 --repeat 2", refusing(135)),
        case(PUB, "-t a -l -q 1 -V 5", refusing(135)).fed(b"a\nb\n"),
        case(PUB, "-t a -m x -q 1 -V 5 -k 20", refusing(16)),
        case(RR, "-t a -e b -m x -q 1 -W 1", refusing(135)).differs(&["rr-refused"]),
        case(PUB, "-t a -m x -q 1 -V 5", ending()).differs(&["errors"]),
        case(RR, "-t a -e b -m x", ending()).differs(&["rr-ended"]),
        case(PUB, "-t a -l -q 1", Script::refuses(5)).fed(b"a\n"),
        case(PUB, "-t a -l -q 1 -V 5", Script::refuses(135)).fed(b"a\n"),
        case(PUB, "-t a -m x", Script::refuses(9)).differs(&["return-code"]),
        case(PUB, "-t a -m x -V 5", Script::refuses(1)).differs(&["broken-packets"]),
        case(RR, "-t a -e b -m x -V 311", Script::refuses(1)).differs(&["rr-return-code"]),
        case(RR, "-t a -e b -m x", denying()).differs(&["rr-disconnect", "errors"]),
        case(SUB, "-t a --quiet", denying()),
        case(PUB, "-t a -m x -q 1 -k 5", Script::default()).differs(&["2.1 texts"]),
        case(RR, "-t a -e b -m x -k 5", Script::default()).differs(&["rr-disconnect", "2.1 texts"]),
        case(SUB, "-t a -C 1 -R -W 1", Script::accepts().then(&retained, Protocol::V3_1_1)),
        case(SUB, "-t a -C 1 -q 1 --quiet", Script::accepts().then(&retained, Protocol::V3_1_1)),
    ]
}

/// TLS, a proxy and a Unix socket. The server sees the same packets.
fn ways() -> Vec<Case> {
    let answered = || Script::accepts().replies(&Message::new("b", b"response"), Protocol::V5);
    let mut cases: Vec<Case> = [
        "--cafile CA",
        "--cafile CA --tls-alpn mqtt",
        "--cafile CA --tls-version tlsv1.2",
        "--cafile CA --tls-version tlsv1.3",
        "--cafile CA --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 --tls-version tlsv1.2",
        "--cafile CA --insecure",
        "--insecure --tls-version tlsv1.2 --cafile CA",
        "--cafile CA -h 127.0.0.1",
        "--cafile CA -V 5 -d -i me",
    ]
    .iter()
    .map(|options| plain(PUB, format!("-t a -m x -q 1 {options}")).through(Gate::Tls))
    .collect();
    for line in [
        "-t a -m x --cafile STRANGER",
        "-t a -m x --cafile STRANGER --insecure",
        "-t a -m x --cafile STRANGER -d",
    ] {
        cases.push(plain(PUB, line).through(Gate::Tls).differs(&["tls-failure"]));
    }
    cases.extend([
        plain(SUB, "-t a -E --cafile CA").through(Gate::Tls),
        case(RR, "-t a -e b -m x --cafile CA", answered()).through(Gate::Tls).differs(&["rr-disconnect"]),
        plain(SUB, "-t a -E --cafile CA").differs(&["tls-failure"]),
        plain(PUB, "-t a -m x -q 1").through(Gate::Tls).differs(&["2.1 plain"]),
        plain(PUB, "-t a -m x --cafile HOME/none"),
        plain(SUB, "-t a --cafile HOME/empty").differs(&["2.1 texts"]),
        plain(PUB, "-t a -m x --cafile CA --cert HOME/none --key HOME/none"),
        plain(PUB, "-t a -m x --cafile CA --tls-version tlsv1.9"),
        plain(PUB, "-t a -m x --cafile CA --key CA --cert CA --keyform no"),
        plain(PUB, "-t a -m x --psk xy --psk-identity me"),
        plain(PUB, "-t a -m x -q 1 --unix SOCKET").through(Gate::Unix),
        plain(SUB, "-t a -E -p 99 -h nowhere --unix SOCKET").through(Gate::Unix),
        plain(SUB, "-t a -E -h SOCKET -p 0").through(Gate::Unix),
        case(RR, "-t a -e b -m x --unix SOCKET", answered()).through(Gate::Unix).differs(&["rr-disconnect"]),
        plain(PUB, "-t a -m x --unix no -h nowhere.invalid -p 9").differs(&["errors"]),
        plain(PUB, "-t a -m x -q 1 -h localhost -p BROKER --proxy socks5h://localhost:PORT")
            .through(Gate::Socks5),
        plain(PUB, "-t a -m x -q 1 -h 127.0.0.1 -p BROKER --proxy socks5h://u:p%3a%25@127.0.0.1:PORT")
            .through(Gate::Socks5),
        plain(SUB, "-t a -E -h no.such -p BROKER --proxy socks5h://localhost:PORT").through(Gate::Socks5),
        plain(SUB, "-t a -E -p BROKER --proxy socks5h://u@localhost:PORT")
            .through(Gate::Socks5)
            .differs(&["proxy"]),
        case(RR, "-t a -e b -m x -p BROKER --proxy socks5h://localhost:PORT", answered())
            .through(Gate::Socks5)
            .differs(&["rr-disconnect"]),
        plain(PUB, "-t a -m x -p 9 --proxy socks5h://127.0.0.1:1").differs(&["connect"]),
    ]);
    cases
}
