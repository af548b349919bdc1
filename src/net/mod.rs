//! Addresses, names and encodings.

mod address;
mod interfaces;
pub(crate) mod idna;
pub(crate) mod sockaddr;
mod wtf8;
