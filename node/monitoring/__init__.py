"""Watching this lender's own borrowers after a loan: the list, the questions, what they find, and who is told."""
