"""Auditing a consortium from outside (design section 2): every log, read over any source, trusting none.

reading      from a member's node or a folder of tiles, block by block: every entry hashed, every head's signature and
             root checked, and of what was read the little that verdicts rest on kept, whatever a member appends
judging      what the logs say together: witnesses, forks, manifests and votes, key ceremonies, challenges, clocks
keeping      what the last audit saw and found: the next goes on from there, and no log shrinks or changes between
watching     audits one after the other, and their metrics
transcripts  saved answers, without any secret, over logs that are read through
report       what was found, for programs; view: for a terminal; page: for people
scope        what is to be audited, and how
auditor      all of it in order, and the verdict
"""
