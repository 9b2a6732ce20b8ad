"""The reference pages: made from the tables that the code itself reads, and kept equal to them by a test."""
