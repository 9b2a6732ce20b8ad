"""The running hub: the web application, the worker that delivers and watches, and the two together."""
