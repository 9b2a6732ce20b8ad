"""Partners on your own machine: a small message handler for each, which misbehaves when it is asked to."""
