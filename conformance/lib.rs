//! Empty: this package exists for its manifest.
