"""Moves a whole store from one database to another: streamed, into an empty one, and compared row by row afterwards."""
