//! BIND and Knot Resolver: servers that speak UDP and TCP at once.

use super::{Check, Client};

pub const BIND: Client = Client {
    name: "bind",
    packages: &["bind9", "bind9-dnsutils"],
    prepare: None,
    checks: &[Check {
        name: "serve",
        claim: "named serves a zone to dig over UDP and TCP, with transfers and a reload",
        command: &["sh", "@serve.sh"],
        environment: &[],
    }],
};

pub const KRESD: Client = Client {
    name: "kresd",
    packages: &["knot-resolver", "bind9-dnsutils"],
    prepare: None,
    checks: &[Check {
        name: "serve",
        claim: "kresd answers from hints and policies over UDP and TCP",
        command: &["sh", "@serve.sh"],
        environment: &[],
    }],
};
