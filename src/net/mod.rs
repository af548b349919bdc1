//! Addresses, names and encodings.

mod address;
pub(crate) mod sockaddr;
