"""What audits leave for the next one: what was seen, and what was found."""
