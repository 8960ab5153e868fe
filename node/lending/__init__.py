"""What a node does for its own lender: the book, feeds and questions."""
