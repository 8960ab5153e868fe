"""Who has seen which head: cosignatures, witnessed heads, forks and what becomes of them (protocol, 18)."""
