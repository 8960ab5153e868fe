"""Audits one after the other, and what a watch tells while it goes on."""
