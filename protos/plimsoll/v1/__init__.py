"""Version 1 of the wire and of the stored entries."""
