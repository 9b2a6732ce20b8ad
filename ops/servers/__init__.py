"""Private servers on free ports, from the installed programs: for tests, and for figures of several nodes."""
