"""One lender's running node.

chain        gossip, appending, witnessing, freezing
custody      a custodian's shares, key ceremonies, answers to others' queries
lending      feeds and the book, questions and decisions
challenges   proving one's own records well-formed, and doubting others'
monitoring   borrowers that are watched
homes        the home directory: keys, certificates, founding, changes of membership
wire         gRPC over mutual TLS, the gate and its limits
web          HTTPS for auditors, the tlog-witness endpoint, metrics
upkeep       the stores: LevelDB, disks, fsck, backup
services     one file for each gRPC service: they translate
assembly     the parts put together; runtime: with files, sockets and signals
"""
