"""A lender's home directory: what lies where, and what its files say."""
