//! The chapters of the API, under the names that they have on docs.libuv.org.

pub struct Chapter {
    /// The name of its page, here and there: `tcp` for `tcp.html`.
    pub name: &'static str,
    pub title: &'static str,
    /// What it is about, in a sentence.
    pub about: &'static str,
    /// Beginnings of names that belong here, wherever the header has them.
    prefixes: &'static [&'static str],
}

const fn chapter(
    name: &'static str,
    title: &'static str,
    about: &'static str,
    prefixes: &'static [&'static str],
) -> Chapter {
    Chapter {
        name,
        title,
        about,
        prefixes,
    }
}

/// In the order of docs.libuv.org.
pub const CHAPTERS: &[Chapter] = &[
    chapter(
        "errors",
        "Error handling",
        "Error codes, their names and their messages.",
        &["uv_errno"],
    ),
    chapter(
        "version",
        "Version-checking macros and functions",
        "The version of libuv that the library answers for.",
        &["uv_version"],
    ),
    chapter(
        "loop",
        "uv_loop_t — Event loop",
        "What handles and requests run on: one loop for each thread that wants one.",
        &["uv_loop_"],
    ),
    chapter(
        "handle",
        "uv_handle_t — Base handle",
        "What all handles have in common.",
        &["uv_handle_", "uv_any_handle"],
    ),
    chapter(
        "request",
        "uv_req_t — Base request",
        "What all requests have in common.",
        &["uv_req_", "uv_any_req"],
    ),
    chapter(
        "timer",
        "uv_timer_t — Timer handle",
        "Calls back after a time, once or repeatedly.",
        &["uv_timer_"],
    ),
    chapter(
        "prepare",
        "uv_prepare_t — Prepare handle",
        "Calls back in each iteration, right before the loop polls.",
        &["uv_prepare_"],
    ),
    chapter(
        "check",
        "uv_check_t — Check handle",
        "Calls back in each iteration, right after the loop has polled.",
        &["uv_check_"],
    ),
    chapter(
        "idle",
        "uv_idle_t — Idle handle",
        "Calls back in each iteration, and keeps the loop from blocking.",
        &["uv_idle_"],
    ),
    chapter(
        "async",
        "uv_async_t — Async handle",
        "Calls back on the loop when another thread asks for it.",
        &["uv_async_"],
    ),
    chapter(
        "poll",
        "uv_poll_t — Poll handle",
        "Reports the readiness of a descriptor that the program owns.",
        &["uv_poll_"],
    ),
    chapter(
        "signal",
        "uv_signal_t — Signal handle",
        "Reports signals on the loop.",
        &["uv_signal_"],
    ),
    chapter(
        "process",
        "uv_process_t — Process handle",
        "Starts other programs, and reports how they end.",
        &["uv_process_"],
    ),
    chapter(
        "stream",
        "uv_stream_t — Stream handle",
        "Reading and writing, for TCP, pipe and TTY handles alike.",
        &["uv_stream_"],
    ),
    chapter(
        "tcp",
        "uv_tcp_t — TCP handle",
        "TCP connections and servers.",
        &["uv_tcp_"],
    ),
    chapter(
        "pipe",
        "uv_pipe_t — Pipe handle",
        "Unix sockets and pipes, which can also pass handles between processes.",
        &["uv_pipe_"],
    ),
    chapter("tty", "uv_tty_t — TTY handle", "Terminals.", &["uv_tty_"]),
    chapter(
        "udp",
        "uv_udp_t — UDP handle",
        "Datagrams, multicast included.",
        &["uv_udp_"],
    ),
    chapter(
        "fs_event",
        "uv_fs_event_t — FS Event handle",
        "Reports changes of files and folders as the system notices them.",
        &["uv_fs_event"],
    ),
    chapter(
        "fs_poll",
        "uv_fs_poll_t — FS Poll handle",
        "Reports changes of a file by asking for its state again and again.",
        &["uv_fs_poll_"],
    ),
    chapter(
        "fs",
        "File system operations",
        "Operations on files and folders, at once or with a callback.",
        &["uv_fs_", "uv_dir", "uv_stat"],
    ),
    chapter(
        "threadpool",
        "Thread pool work scheduling",
        "Runs work of the program on a pool of threads.",
        &["uv_work_", "uv_after_work_", "uv_threadpool_size"],
    ),
    chapter(
        "dns",
        "DNS utility functions",
        "Names to addresses and back, on the pool.",
        &["uv_getaddrinfo_", "uv_getnameinfo_"],
    ),
    chapter(
        "dll",
        "Shared library handling",
        "Opens shared libraries and finds their symbols.",
        &["uv_lib_"],
    ),
    chapter(
        "threading",
        "Threading and synchronization utilities",
        "Threads, locks, semaphores, condition variables and barriers.",
        &[
            "uv_thread_",
            "uv_mutex_",
            "uv_rwlock_",
            "uv_sem_",
            "uv_cond_",
            "uv_key_",
            "uv_barrier_",
            "uv_once_",
            "uv_platform_sem_",
        ],
    ),
    chapter(
        "misc",
        "Miscellaneous utilities",
        "Memory, time, the system, addresses, text and random numbers.",
        &[
            "uv_random_",
            "uv_clock_",
            "uv_malloc_",
            "uv_realloc_",
            "uv_calloc_",
            "uv_free_func",
        ],
    ),
    chapter(
        "metrics",
        "Metrics operations",
        "What a loop has done, and how long it has waited.",
        &["uv_metrics_"],
    ),
];

/// The chapter whose names begin like this one; the longest beginning decides.
pub fn by_name(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for chapter in CHAPTERS {
        for prefix in chapter.prefixes.iter().filter(|p| name.starts_with(**p)) {
            if best.is_none_or(|(length, _)| prefix.len() > length) {
                best = Some((prefix.len(), chapter.name));
            }
        }
    }
    best.map(|(_, name)| name)
}

/// The chapters that a text links to by docs.libuv.org, in order.
pub fn linked(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for rest in text.split("docs.libuv.org/en/v1.x/").skip(1) {
        let page = rest.split(".html").next().unwrap_or_default();
        found.extend(CHAPTERS.iter().map(|c| c.name).find(|name| *name == page));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_decides() {
        assert_eq!(by_name("uv_fs_event_t"), Some("fs_event"));
        assert_eq!(by_name("UV_FS_O_APPEND"), Some("fs"));
        assert_eq!(by_name("uv_buf_t"), None);
    }

    #[test]
    fn links_name_chapters() {
        let text = "https://docs.libuv.org/en/v1.x/idle.html, \
                    https://docs.libuv.org/en/v1.x/tcp.html#c.uv_tcp_init \
                    https://docs.libuv.org/en/v1.x/api.html";
        assert_eq!(linked(text), ["idle", "tcp"]);
    }
}
