//! The completion of command lines, in the shells themselves.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::{Service as _, skip, write};

const SHELLS: [(&str, &str); 5] = [
    ("bash", "mqtt.bash"),
    ("zsh", "_mqtt"),
    ("fish", "mqtt.fish"),
    ("powershell", "_mqtt.ps1"),
    ("elvish", "mqtt.elv"),
];

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("completions").join(name)
}

/// The search path, starting with this program's folder.
fn path() -> String {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_mqtt")).parent().unwrap().display().to_string();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

fn has(shell: &str) -> bool {
    let found =
        Command::new(shell).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skip(&format!("{shell} is not installed"));
    }
    found
}

/// The installed scripts equal those that the program prints.
#[test]
fn scripts_are_those_of_the_package() {
    for (shell, file) in SHELLS {
        let run = Mqtt::new(["completions", shell]).run().exits(0);
        assert_eq!(run.stdout, std::fs::read(script(file)).unwrap(), "{shell}");
    }
    assert_eq!(std::fs::read_dir(script("")).unwrap().count(), SHELLS.len());
    Mqtt::new(["completions", "csh"]).run().fails(2, "invalid value 'csh'");
}

/// The answer to a script.
fn answer(words: &[&str]) -> Vec<String> {
    let words: String = words.iter().map(|word| format!("{word}\0")).collect();
    Mqtt::new(["__complete", "zsh"]).stdin(words).run().exits(0).lines()
}

fn retained(broker: &Broker, topics: &[&str]) {
    for topic in topics {
        broker.publish().args(["-t", topic, "-m", "1", "-q", "1", "-r"]).run().exits(0);
    }
}

/// One level at a time, from the broker of the command line.
#[test]
fn topics_are_those_of_the_retained_messages() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    retained(&broker, &["home/kitchen", "home/kitchen/temp", "home/hall", "garden/a b", "home/kitchen/hum"]);
    for (typed, expected) in [
        ("", &["garden/", "home/"][..]),
        ("ho", &["home/"]),
        ("home/", &["home/hall", "home/kitchen", "home/kitchen/"]),
        ("home/k", &["home/kitchen", "home/kitchen/"]),
        ("home/kitchen/", &["home/kitchen/hum", "home/kitchen/temp"]),
        ("+/kitchen/t", &["+/kitchen/temp"]),
        ("garden/", &["garden/a b"]),
        ("nosuch/", &[]),
        ("#/", &[]),
    ] {
        let lines = answer(&["mqtt", "sub", "-h", "127.0.0.1", "-p", &port, "-t", typed]);
        assert_eq!(lines.get(3..).unwrap_or_default(), expected, "{typed}");
    }
    // For any way to name the broker, and any position of a topic.
    let url = format!("mqtt://127.0.0.1:{port}");
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "c.toml", &format!("[profile.p]\nurl = '{url}'\n"));
    for line in [
        &["mqtt", "pub", "-L", &url, "ho"][..],
        &["mqtt", "pub", "-L", &url, "--will-topic=ho"],
        &["mqtt", "sub", "--config", &config, "--profile", "p", "$share/g/ho"],
        &["mqtt", "sub", "-L", &url, "--subscribe", "qos=1:ho"],
        &["mqtt", "retain-clear", "--url", &url, "x", "-T", "ho"],
        &["mqtt", "ping", &format!("127.0.0.1:{port}"), "--publish", "ho"],
    ] {
        let lines = answer(line);
        let begins = line.last().unwrap().strip_suffix("ho").unwrap();
        assert_eq!(lines.get(3..).unwrap_or_default(), [format!("{begins}home/")], "{line:?}");
    }
}

/// After any error the terminal of the user stays as it is, and no password is asked for.
#[test]
fn what_does_not_work_is_silent() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    retained(&broker, &["home/a"]);
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let command = format!("touch {}", mark.display());
    let fifo = folder.path().join("fifo").display().to_string();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let here = ["mqtt", "sub", "-h", "127.0.0.1", "-p", &port];
    for options in [
        &["-u", "me", "--password-prompt"][..],
        &["-u", "me", "--password-command", &command],
        &["-u", "me", "--password-file", &fifo],
        &["-o", &fifo],
        &["--cafile", "/nonexistent"],
        &["-p", "1"],
        &["--profile", "nosuch"],
        &["-V", "9"],
    ] {
        let line = [&here, options, &["-t", "ho"]].concat();
        let words: String = line.iter().map(|word| format!("{word}\0")).collect();
        let run = Mqtt::new(["__complete", "zsh"]).stdin(words).run().exits(0);
        assert!(run.stderr.is_empty(), "{options:?}: {run:?}");
        assert!(!String::from_utf8_lossy(&run.stdout).contains("home"), "{options:?}");
    }
    assert!(!mark.exists(), "the command of --password-command ran");
    for bytes in [&b""[..], b"\0", b"mqtt\0", b"\xff\0", b"mqtt\0pub\0-t\0a\nb\0"] {
        let run = Mqtt::new(["__complete", "bash"]).stdin(bytes).run().exits(0);
        assert!(run.stderr.is_empty(), "{run:?}");
    }
}

/// Profiles are read from the file that the command line names.
#[test]
fn profiles_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "c.toml", "[profile.home]\nhost = 'h'\n[profile.work]\n");
    let lines = answer(&["mqtt", "pub", "--config", &config, "--profile", ""]);
    assert_eq!(lines[3..], ["home", "work"]);
    let lines = answer(&["mqtt", "pub", &format!("--config={config}"), "--profile=w"]);
    assert_eq!(lines[1..], ["--profile=", "w", "--profile=work"]);
    assert_eq!(answer(&["mqtt", "pub", "--config", "/nonexistent", "--profile", ""]), ["words", "", ""]);
}

/// The completions of bash for these words, split as bash splits them.
fn bash(words: &[&str], line: &str) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    let code = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{}'; COMP_POINT=${{#COMP_LINE}}; _mqtt mqtt; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script("mqtt.bash").display(),
        quoted.join(" "),
        words.len() - 1,
        line.replace('\'', "'\\''")
    );
    let run = Mqtt::new(["--norc", "-c", &code]).instead("bash").env("PATH", path()).run().exits(0);
    assert!(run.stderr.is_empty(), "{words:?}: {run:?}");
    run.lines().into_iter().filter(|line| !line.is_empty()).collect()
}

#[test]
fn bash_completes() {
    if !has("bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "ca.pem", "");
    std::fs::create_dir(folder.path().join("certs")).unwrap();
    let (directory, begin) =
        (folder.path().join("certs").display().to_string(), folder.path().join("c").display().to_string());
    for (words, line, expected) in [
        (&["mqtt", "pub", "--cap"][..], "", &["--capath"][..]),
        (&["mqtt", "pub", "--qos", ""], "", &["0", "1", "2"]),
        (&["mqtt", "pub", "--qos="], "", &["--qos=0", "--qos=1", "--qos=2"]),
        // As bash splits them.
        (&["mqtt", "pub", "--qos", "="], "mqtt pub --qos=", &["0", "1", "2"]),
        (&["mqtt", "pub", "--qos", "=", "1"], "mqtt pub --qos=1", &["1"]),
        (&["mqtt", "pub", "-L", "mqtts"], "mqtt pub -L mqtts", &["mqtts://"]),
        (&["mqtt", "pub", "-L", "mqtts", ":"], "mqtt pub -L mqtts:", &["//"]),
        (&["mqtt", "pub", "--cafile", &begin], "", &[&*file, &*directory]),
        (&["mqtt", "pub", "--capath", &begin], "", &[&*directory]),
        (&["mqtt", "sub", "-C", ""], "", &[]),
        (&["mqtt", "pub", "-m", ""], "", &[]),
        (&["mqtt", "completions", "z"], "", &["zsh"]),
        (&["mqtt", "compat", "mosquitto_sub", "--cap"], "", &["--capath"]),
        (&["mqtt", "compat", "mosquitto_pub", "-q", ""], "", &["0", "1", "2"]),
        (&["mqtt", "broker", "--", "mqtt", "pub", "--capa"], "", &["--capath"]),
        (&["mqtt", "sub", "a", "--exec-argv", "--", "mqtt", "pub", "--capa"], "", &["--capath"]),
    ] {
        let mut offered = bash(words, line);
        offered.sort();
        assert_eq!(offered, expected, "{words:?}");
    }
    let broker = Broker::start();
    let port = broker.port().to_string();
    retained(&broker, &["home/a b/c", "home/it's", "$x/y"]);
    let here = |typed| [&["mqtt", "sub", "-h", "127.0.0.1", "-p", &port, "-t", typed][..]].concat();
    assert_eq!(bash(&here("home/"), ""), ["home/a\\ b/", "home/it\\'s"]);
    assert_eq!(bash(&here("'home/a"), ""), ["home/a b/"]);
    assert_eq!(bash(&here("'home/i"), ""), ["home/it'\\''s"]);
    assert_eq!(bash(&here("\"\\$x/"), ""), ["\\$x/y"]);
    // A closed quote is removed.
    assert_eq!(bash(&here("'home/a b/'"), ""), ["home/a\\ b/c"]);
    assert_eq!(bash(&here("home/a\\ b/"), ""), ["home/a\\ b/c"]);
}

#[test]
fn fish_completes() {
    if !has("fish") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ca.pem", "");
    std::fs::create_dir(folder.path().join("certs")).unwrap();
    let broker = Broker::start();
    let port = broker.port();
    retained(&broker, &["home/a b/c", "home/d"]);
    let (home, begin) = (folder.path().display().to_string(), folder.path().join("c").display().to_string());
    for (line, expected) in [
        ("mqtt pub --cap".to_owned(), vec!["--capath".to_owned()]),
        ("mqtt pub --qos=".into(), vec!["--qos=0".into(), "--qos=1".into(), "--qos=2".into()]),
        ("mqtt sub -C ".into(), vec![]),
        ("mqtt pub -h localh".into(), vec!["localhost".into()]),
        ("mqtt compat mosquitto_sub --cap".into(), vec!["--capath".into()]),
        ("mqtt broker -p 0 -- mqtt pub --capa".into(), vec!["--capath".into()]),
        (format!("mqtt pub --capath {begin}"), vec![format!("{begin}erts/")]),
        (format!("mqtt pub --cafile {begin}a"), vec![format!("{begin}a.pem")]),
        (format!("mqtt pub --cafile={begin}a"), vec![format!("--cafile={begin}a.pem")]),
        (format!("mqtt sub -h 127.0.0.1 -p {port} home/"), vec!["home/a b/".into(), "home/d".into()]),
        (format!("mqtt sub -h 127.0.0.1 -p {port} 'home/a"), vec!["home/a b/".into()]),
    ] {
        let code = format!("source {}; complete -C {}", script("mqtt.fish").display(), fish_quoted(&line));
        let fish =
            Mqtt::new(["--no-config", "-c", &code]).instead("fish").env("PATH", path()).env("HOME", &home);
        let lines = fish.run().exits(0).lines();
        let mut offered: Vec<&str> = lines.iter().map(|line| line.split('\t').next().unwrap()).collect();
        offered.sort_unstable();
        assert_eq!(offered, expected, "{line}");
    }
}

fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// An interactive shell that has loaded the script.
fn typed_at(shell: &str, arguments: &[&str], before: &str, file: &str, home: &std::path::Path) -> Running {
    let shell =
        Mqtt::new(arguments).instead(shell).env("PATH", path()).env("HOME", home).env("TERM", "xterm");
    let mut shell = shell.on_a_terminal_of_its_own().spawn();
    shell.write(format!("{before}source {}\necho re''ady\n", script(file).display()));
    shell.wait_for_stdout("ready");
    shell
}

/// Completes the line with the tab key and runs it: the message that comes back has the completed topic.
fn completes_a_topic_that_is_typed(shell: &str, arguments: &[&str], before: &str, file: &str) {
    if !has(shell) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    let topic = ["-t", "home/kitchen $1/temp", "-m", "23.4 degrees", "-q", "1", "-r"];
    broker.publish().args(topic).run().exits(0);
    let mut running = typed_at(shell, arguments, before, file, home.path());
    running.write(format!("mqtt sub -h 127.0.0.1 -p {} --retained-on\t-v ho\tki\tte\t\n", broker.port()));
    running.wait_for_stdout("home/kitchen $1/temp 23.4 degrees");
    running.write("mqtt completions elv\t\n");
    running.wait_for_stdout("# Completion of mqtt for elvish");
    running.write("exit\n");
    running.wait_for_end().exits(0);
}

#[test]
fn bash_completes_what_is_typed() {
    completes_a_topic_that_is_typed("bash", &["--norc", "--noprofile", "-i"], "", "mqtt.bash");
}

/// Commands that zsh needs before the script.
const ZSH_BEGIN: &str = "autoload -U compinit && compinit -u -D\n";

#[test]
fn zsh_completes_what_is_typed() {
    completes_a_topic_that_is_typed("zsh", &["-f", "-i"], ZSH_BEGIN, "_mqtt");
}

/// The line after the tab key, for words of each kind.
#[test]
fn zsh_completes_words_of_every_kind() {
    const SHOW_LINE: &str = "\x14";
    if !has("zsh") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let config = write(home.path(), "c.toml", "[profile.home]\nhost = 'h'\n[profile.work]\n");
    std::fs::create_dir(home.path().join("certs")).unwrap();
    let broker = Broker::start();
    let port = broker.port();
    retained(&broker, &["home/a b/c", "home/it's"]);
    let show = "show() { print -r -- \"<$BUFFER>\"; BUFFER=; }; zle -N show; bindkey '^T' show\n";
    let before = format!("{ZSH_BEGIN}{show}cd\n");
    let mut running = typed_at("zsh", &["-f", "-i"], &before, "_mqtt", home.path());
    for (typed, expected) in [
        ("mqtt pub --capa\t".to_owned(), "mqtt pub --capath ".to_owned()),
        ("mqtt retain-cl\t".into(), "mqtt retain-clear ".into()),
        ("mqtt pub --capath cer\t".into(), "mqtt pub --capath certs/".into()),
        ("mqtt sub -L mqtts\t".into(), "mqtt sub -L mqtts://".into()),
        (
            format!("mqtt pub --config {config} --profile wo\t"),
            format!("mqtt pub --config {config} --profile work "),
        ),
        ("mqtt pub -D publish content-t\t".into(), "mqtt pub -D publish content-type ".into()),
        ("mqtt pub --auth-method SCRAM-SHA-5\t".into(), "mqtt pub --auth-method SCRAM-SHA-512 ".into()),
        ("mqtt compat mosquitto_sub --capa\t".into(), "mqtt compat mosquitto_sub --capath ".into()),
        (
            "mqtt compat mosquitto_pub -D will will-d\t".into(),
            "mqtt compat mosquitto_pub -D will will-delay-interval ".into(),
        ),
        ("mqtt broker -- mqtt pub --capa\t".into(), "mqtt broker -- mqtt pub --capath ".into()),
        (format!("mqtt sub -p {port} home/a\t"), format!("mqtt sub -p {port} home/a\\ b/")),
        (format!("mqtt sub -p {port} -t home/i\t"), format!("mqtt sub -p {port} -t home/it\\'s ")),
        // No completion for an arbitrary value, or for a value that is not a file.
        ("mqtt sub -C \t".into(), "mqtt sub -C ".into()),
        ("mqtt pub -m cer\t".into(), "mqtt pub -m cer".into()),
    ] {
        running.write(format!("{typed}{SHOW_LINE}"));
        running.wait_for_stdout(&format!("<{expected}>\n"));
    }
    running.write("exit\n");
    running.wait_for_end().exits(0);
}
