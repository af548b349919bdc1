//! Shared libraries.
