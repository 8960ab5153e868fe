"""Who is in the consortium and what they agreed on: manifests, how they follow each other, members and their keys."""
