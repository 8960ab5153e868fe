"""What a lender misjudges because it learns late what others have lent (docs/gain.md)."""
