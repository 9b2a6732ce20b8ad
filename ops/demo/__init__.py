"""`samhub demo`: a small sector on one machine, its faults included, told line by line."""
