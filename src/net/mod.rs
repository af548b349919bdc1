//! Addresses, names and encodings.

mod address;
pub(crate) mod idna;
mod interfaces;
pub(crate) mod sockaddr;
mod wtf8;
