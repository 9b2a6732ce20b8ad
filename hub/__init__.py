"""The kernel: knows what a message is and what must happen to it; has no sockets, no files, no clock and no dice."""
