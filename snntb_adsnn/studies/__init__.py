"""Many simulations of one network: sweeps, arousal, search for precision; workers."""
