# What personality.rs has for other machines than PowerPC.
.weak rust_eh_personality
.hidden rust_eh_personality
rust_eh_personality:
.long 0
