//! Addresses, names and encodings.

pub(crate) mod address;
pub(crate) mod idna;
pub(crate) mod interfaces;
pub(crate) mod sockaddr;
pub(crate) mod wtf8;
