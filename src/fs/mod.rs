//! File system operations.
