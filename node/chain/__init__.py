"""The logs of a running node: its own, replicas of the others', and who has witnessed what."""
