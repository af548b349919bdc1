//! Addresses, names and encodings.

pub(crate) mod sockaddr;
