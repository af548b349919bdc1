//! Node.js 18: what people say of its event loop.

use super::{Check, Client};

pub const CLIENT: Client = Client {
    name: "node",
    packages: &["nodejs"],
    prepare: None,
    checks: &[Check {
        name: "version",
        claim: "starts, and tells this library's version",
        command: &["node", "@version.js"],
        environment: &[],
    }],
};
