"""What is made of what was read: forks, votes, ceremonies, clocks, inquiries, witnesses. One file a question."""
