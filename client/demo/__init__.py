"""The demo: a whole consortium on this machine, every lender a process with keys, stores and TLS of its own.

leash       lets no node outlive the demo
ports       loopback ports for the nodes
processes   the commands of the node, and the running nodes
founding    homes, cards, manifest, signatures
feeds       what each lender reports, and what each sees alone
show        the steps in order, up to the answer
"""
