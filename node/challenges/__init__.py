"""Challenges (docs/protocol.md, section 19): proving one's own records, doubting others', and answering in public."""
