"""Synthetic health messages of our own: valid, invented from end to end, made anew with every id and time they are given."""
