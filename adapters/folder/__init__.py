"""Folders as a door: `outbox/` to hand over, `inbox/` to receive, `receipts/` to read what became of it."""
