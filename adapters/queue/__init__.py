"""Queues as a door: a record system publishes what it sends, and consumes what comes for it and what became of it."""
