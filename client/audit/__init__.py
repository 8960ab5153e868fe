"""Auditing a consortium from outside (design section 2): every log read through any member's node, trusting none.

follower      one log, block by block: every entry hashed, every head's signature and root checked
witnesses     the heads that all members hold, to see whether they were shown the same logs
tally         what a log holds: kinds of entries, and those that the key ceremony is replayed from
receipts      some receipts, fetched and checked
proofs        the proof of every position, on all cores
transcripts   saved transcripts, without any secret
memory        what the last audit saw, so that a log cannot shrink or change between two
auditor       all of it in order, and the verdict
"""
