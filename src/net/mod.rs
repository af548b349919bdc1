//! Addresses, names and encodings.
