//! Neovim, and luv without it: libuv as Lua sees it.

use super::{Check, Client};

pub const NEOVIM: Client = Client {
    name: "neovim",
    packages: &["neovim", "neovim-runtime"],
    prepare: None,
    checks: &[
        Check {
            name: "jobs",
            claim: "jobs, terminals, remote calls between editors",
            command: &nvim("@jobs.lua"),
            environment: &[],
        },
        Check {
            name: "loop",
            claim: "vim.loop: timers, files, sockets, processes, watched files, the pool",
            command: &nvim("@loop.lua"),
            environment: &[],
        },
    ],
};

const fn nvim(script: &'static str) -> [&'static str; 9] {
    [
        "nvim",
        "--headless",
        "-u",
        "NONE",
        "-i",
        "NONE",
        "-n",
        "-S",
        script,
    ]
}

pub const LUV: Client = Client {
    name: "luv",
    packages: &["lua-luv", "lua5.1"],
    prepare: None,
    checks: &[Check {
        name: "loop",
        claim: "phases, timers, TCP, UDP, files, processes, signals, threads",
        command: &["lua5.1", "@loop.lua"],
        environment: &[],
    }],
};
