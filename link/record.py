#!/usr/bin/env python3
"""Writes link/startup.ld anew: the functions that a one-shot `pub`, a short `sub` and a small load
run, as callgrind sees them. Needs valgrind and binutils; takes the time of a release build.
"""
import collections
import os
import re
import subprocess
import tempfile

os.chdir(os.path.dirname(os.path.abspath(__file__)) + "/..")
TARGET = "target/record"
MQTT = f"{TARGET}/release/mqtt"
RUNS = (
    "pub -t start -m order -r",
    "sub -t start -C 1",
    "bench conn --clients 2 --hold 100ms --threads 1",
)


def pattern(symbol):
    """The symbol without the hashes, which the next compiler would make others."""
    return re.sub(r"Cs[0-9A-Za-z]+_(?=\d)", "Cs*_", re.sub(r"17h[0-9a-f]{16}E", "17h*", symbol))


def record(command, port, sizes):
    """The symbols that a run of the program goes through."""
    with tempfile.NamedTemporaryFile("r") as out:
        callgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no"]
        callgrind += ["--compress-strings=no", f"--callgrind-out-file={out.name}"]
        command = [*callgrind, MQTT, *command.split(), "--port", port]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        names = re.findall(r"^fn=(.*?)(?:'\d+)?$", out.read(), re.M)
    return sorted(name for name in set(names) if name in sizes)


# Without the order of before: patterns of a few functions would take their neighbours along.
environment = os.environ | {
    "CARGO_PROFILE_RELEASE_STRIP": "none",
    "CARGO_TARGET_DIR": TARGET,
    # Valgrind shows programs no vDSO, which is where rustix would look for the clock.
    "RUSTFLAGS": "--cfg=rustix_use_libc",
    "MQTT_LINK_ORDER": "none",
}
subprocess.run(["cargo", "build", "--release"], check=True, env=environment)
sizes = {}
for line in subprocess.check_output(["nm", "-S", "--defined-only", MQTT], text=True).splitlines():
    match line.split():
        case [_, size, kind, name] if kind in "tTwW":
            sizes[name] = int(size, 16)

with subprocess.Popen([MQTT, "broker", "--port", "0"], stdout=subprocess.PIPE, text=True) as broker:
    try:
        port = re.search(r":(\d+)\b", broker.stdout.readline())[1]
        seen = [record(command, port, sizes) for command in RUNS]
    finally:
        broker.terminate()


def total(names):
    """Bytes per pattern."""
    sums = collections.Counter()
    for name in names:
        sums[pattern(name)] += sizes[name]
    return sums


all_of = total(sizes)
# Command by command, and last in each a pattern that stands for much that does not run
# (`Arc<T>::drop_slow`).
order = {}
for names in seen:
    run = total(names)
    patterns = [it for it in run if it not in order]
    order |= dict.fromkeys(sorted(patterns, key=lambda it: all_of[it] > 3 * run[it]))
with open("link/startup.ld", "w") as script:
    script.write("/* Made by link/record.py, used by build.rs. */\n")
    script.write("SECTIONS\n{\n  .text.startup_order :\n  {\n")
    script.writelines(f"    *(.text.{it} .text.unlikely.{it})\n" for it in order)
    script.write("  }\n}\nINSERT BEFORE .text;\n")
print(f"{len(order)} patterns, {sum(all_of[it] for it in order)} bytes")
