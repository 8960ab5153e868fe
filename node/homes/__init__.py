"""A lender's home directory: its files, keys, certificates and manifests."""
