"""A node's part in the shared keys: ceremonies, shares, and answers as custodian."""
