//! Addresses, names and encodings.

mod address;
mod interfaces;
pub(crate) mod sockaddr;
