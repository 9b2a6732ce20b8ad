"""The promises on odd days: hubs, partners and record systems for a told time, faults by a told seed, all counted from outside.

`make soak ARGS="--minutes 60"` writes docs/promises.md from what it counted; tests/blackbox runs some seconds of the same.
"""
