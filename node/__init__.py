"""One lender's running node: services, gossip, the book, the custodian."""
