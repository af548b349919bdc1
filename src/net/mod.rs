//! Addresses, names and encodings.

mod address;
pub(crate) mod idna;
pub(crate) mod sockaddr;
mod wtf8;
