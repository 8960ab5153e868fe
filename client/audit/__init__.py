"""Auditing a consortium from outside (design section 2): every log, read over any source, trusting none.

source, tiles       where an audit reads from: a member's node, or a folder of tiles
digest, workers     what is taken out of a block, on all cores
follower            one log, block by block: every entry hashed, every head's signature and root checked
one_log             all of it for one log, from where the last audit stopped
tally               what a log holds; and what is kept of it:
    kept, ballots, accusations, challenges    the few entries that verdicts rest on, bounded whatever a member appends
    asking, clock, timeline                   quotas, inquiries over heads, times
claims, witnesses   the heads that all members hold, to see whether they were shown the same logs
standing            how far each log is witnessed, by the manifest or by an auditor's policy, and when its author spoke
ceremonies, voting, lineages, forks, judging  what the logs say together
receipts, proofs    some receipts, fetched and checked; the proof of every position, on all cores
transcripts, shelf  saved transcripts, without any secret, over logs that are read through
memory              what the last audit saw, so that the next goes on from there and no log shrinks or changes between
report, view, page  what was found: for programs, for a terminal, for people
keeping, docket, watch, metrics  audits one after the other
auditor             all of it in order, and the verdict
"""
