"""Inquiries and their answers: selection, release rule, decryption, sums, transcripts (protocol, 8 to 13)."""
