"""The outside world: each folder knows one neighbour, speaks its language, and does not know the other folders."""
