//! Mutexes and their kin.
