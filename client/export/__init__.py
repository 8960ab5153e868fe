"""Logs as folders of static files that any transparency-log tool can check (protocol, "Tiles and receipts")."""
