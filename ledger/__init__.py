"""The core of Plimsoll: pure. No network, no clock, no environment; time, randomness and storage are handed in."""
