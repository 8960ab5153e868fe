"""A whole portfolio screened: cases in, one row an answer out, so that it can go on wherever it was left."""
