"""Records whose author must prove them well-formed (protocol, 19); the proof itself is `ledger.wellformed`."""
