"""What a lender has out to a borrower: loans, feeds, positions and the entries that hold them (protocol, 7)."""
