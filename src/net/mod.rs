//! Addresses, names and encodings.

pub(crate) mod address;
pub(crate) mod idna;
mod interfaces;
pub(crate) mod sockaddr;
mod wtf8;
