//! uvloop of Debian: Python's asyncio on libuv.

use super::{Check, Client};

pub const CLIENT: Client = Client {
    name: "uvloop",
    packages: &["python3-uvloop", "python3", "openssl", "procps"],
    prepare: None,
    checks: &[
        check(
            "streams",
            "asyncio streams: TCP, Unix sockets, pipes, backpressure, plain sockets",
            &["python3", "@streams.py"],
        ),
        check(
            "datagrams",
            "asyncio datagrams: echoed, in bursts, large, refused",
            &["python3", "@datagrams.py"],
        ),
        check(
            "subprocesses",
            "asyncio subprocesses: pipes, status, signals, groups, descriptors",
            &["python3", "@subprocesses.py"],
        ),
        check(
            "signals",
            "signal handlers, a flood of signals, Ctrl-C",
            &["python3", "@signals.py"],
        ),
        check(
            "executors",
            "executors, calls from other threads, timers, names, forks",
            &["python3", "@executors.py"],
        ),
        check("tls", "TLS over asyncio streams", &["python3", "@tls.py"]),
    ],
};

const fn check(name: &'static str, claim: &'static str, command: &'static [&'static str]) -> Check {
    Check {
        name,
        claim,
        command,
        environment: &[],
    }
}
