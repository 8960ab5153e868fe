"""Logs as they are stored and replicated: entries, blocks, the store they lie in, and how they are checked."""
