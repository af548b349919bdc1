//! Node.js 18: a script for each claim that its documentation makes of its event loop.

use super::{Check, Client};

pub const CLIENT: Client = Client {
    name: "node",
    packages: &["nodejs", "openssl", "fakeroot"],
    prepare: None,
    checks: CHECKS,
};

const fn script(
    name: &'static str,
    claim: &'static str,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
) -> Check {
    Check {
        name,
        claim,
        command,
        environment,
    }
}

const CHECKS: &[Check] = &[
    script(
        "version",
        "starts, and reports this library's version",
        &["node", "@version.js"],
        &[],
    ),
    script(
        "read_file",
        "`fs.readFile` calls back on the loop, later, and never blocks it",
        &["node", "@read_file.js"],
        &[],
    ),
    // Cached files may be read in place: the thread is to be seen without that.
    script(
        "read_file_thread",
        "`fs.readFile` works on a thread of the pool",
        &["node", "@read_file.js"],
        &[("OXUV_FS_INLINE", "0")],
    ),
    script(
        "pool_size",
        "four pool threads by default; `UV_THREADPOOL_SIZE` from outside and from the script",
        &["node", "@pool_size.js"],
        &[],
    ),
    script(
        "pool_size_one",
        "one pool thread, which keeps the order of the jobs",
        &["node", "@pool_size.js"],
        &[("UV_THREADPOOL_SIZE", "1")],
    ),
    script(
        "pool_size_eight",
        "eight pool threads",
        &["node", "@pool_size.js"],
        &[("UV_THREADPOOL_SIZE", "8")],
    ),
    script(
        "pool_users",
        "`dns.lookup`, zlib and crypto work on the pool, sockets and timers do not",
        &["node", "@pool_users.js"],
        &[],
    ),
    script(
        "phase_order",
        "the order of ticks, promises, timers, poll, `setImmediate` and close callbacks",
        &["node", "@phase_order.js"],
        &[],
    ),
    script(
        "many_sockets",
        "10,000 concurrent sockets on one thread",
        &["node", "@many_sockets.js"],
        &[],
    ),
    script(
        "workers",
        "worker threads, each with a loop of its own",
        &["node", "@workers.js"],
        &[],
    ),
    script(
        "message_order",
        "ports and `BroadcastChannel`s with messages are called in the order of their making",
        &["node", "@message_order.js"],
        &[],
    ),
    script(
        "http_keep_alive",
        "an http server whose clients keep their connections",
        &["node", "@http_keep_alive.js"],
        &[],
    ),
    script(
        "http_pipelining",
        "2,000 pipelined requests answered in order",
        &["node", "@http_pipelining.js"],
        &[],
    ),
    script(
        "tls_sockets",
        "TLS with a certificate and with a pre-shared key; https",
        &["node", "@tls_sockets.js"],
        &[],
    ),
    script(
        "clusters",
        "cluster, with passed connections and with a shared listening socket",
        &["node", "@clusters.js"],
        &[],
    ),
    script(
        "child_ipc",
        "messages between processes",
        &["node", "@child_ipc.js"],
        &[],
    ),
    script(
        "child_stdio",
        "child processes: pipes, exit codes, signals, errors, `spawnSync`",
        &["node", "@child_stdio.js"],
        &[],
    ),
    script(
        "child_fakeroot",
        "children of other users under fakeroot",
        &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "fakeroot-sysv",
            "node",
            "@child_fakeroot.js",
        ],
        &[],
    ),
    script(
        "send_sockets",
        "connections, servers and datagram sockets passed to a child",
        &["node", "@send_sockets.js"],
        &[],
    ),
    script(
        "fs_watching",
        "`fs.watch`",
        &["node", "@fs_watching.js"],
        &[],
    ),
    script(
        "fs_watch_file",
        "`fs.watchFile`",
        &["node", "@fs_watch_file.js"],
        &[],
    ),
    script(
        "backpressure",
        "streams with backpressure",
        &["node", "@backpressure.js"],
        &[],
    ),
    script("signals", "signals", &["node", "@signals.js"], &[]),
    script("title", "`process.title`", &["node", "@title.js"], &[]),
    script(
        "loop_metrics",
        "`monitorEventLoopDelay` and `eventLoopUtilization`",
        &["node", "@loop_metrics.js"],
        &[],
    ),
    script(
        "datagrams",
        "datagrams: connected ones, IPv6, multicast, options",
        &["node", "@datagrams.js"],
        &[],
    ),
    script(
        "path_sockets",
        "sockets at a path, and named pipes",
        &["node", "@path_sockets.js"],
        &[],
    ),
    script(
        "fs_operations",
        "`fs.promises` and `FileHandle`: every kind of operation and its errors",
        &["node", "@fs_operations.js"],
        &[],
    ),
    script(
        "fs_folders",
        "`opendir`, `mkdtemp`, `copyFile`, trees made, copied and removed",
        &["node", "@fs_folders.js"],
        &[],
    ),
    script(
        "timer_kinds",
        "timers: never early, intervals, `ref`, `unref`, `refresh`",
        &["node", "@timer_kinds.js"],
        &[],
    ),
    script(
        "async_context",
        "`AsyncLocalStorage` over requests and handles of every kind",
        &["node", "@async_context.js"],
        &[],
    ),
    script(
        "readline_pipe",
        "readline on a pipe",
        &["node", "@readline_pipe.js"],
        &[],
    ),
    script(
        "uncaught",
        "exceptions in callbacks of every kind",
        &["node", "@uncaught.js"],
        &[],
    ),
    script(
        "os_values",
        "the values of `os` and `process`, compared with the system's own",
        &["node", "@os_values.js"],
        &[],
    ),
    script(
        "zlib_streams",
        "zlib streams",
        &["node", "@zlib_streams.js"],
        &[],
    ),
    script(
        "large_files",
        "large files through streams",
        &["node", "@large_files.js"],
        &[],
    ),
    script(
        "giving_up",
        "`AbortController` on reads, writes, requests and streams",
        &["node", "@giving_up.js"],
        &[],
    ),
    script(
        "half_open",
        "servers and sockets: half-open, reset, refused, closed at every stage",
        &["node", "@half_open.js"],
        &[],
    ),
    script("corked", "cork and writev", &["node", "@corked.js"], &[]),
    script(
        "resolver",
        "`dns.Resolver`: c-ares on `uv_poll`, over UDP and TCP",
        &["node", "@resolver.js"],
        &[],
    ),
];
