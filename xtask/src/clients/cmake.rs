//! CMake, with make and ninja, and ctest: child processes in great numbers.

use super::{Check, Client};

pub const CLIENT: Client = Client {
    name: "cmake",
    packages: &["cmake", "ninja-build", "make", "gcc", "libc6-dev"],
    prepare: None,
    checks: &[
        Check {
            name: "make",
            claim: "configures, builds with make -j and tests a project with ctest -j",
            command: &["sh", "@project.sh", "Unix Makefiles"],
            environment: &[],
        },
        Check {
            name: "ninja",
            claim: "configures, builds with ninja and tests a project with ctest -j",
            command: &["sh", "@project.sh", "Ninja"],
            environment: &[],
        },
    ],
};
