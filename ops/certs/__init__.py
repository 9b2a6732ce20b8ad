"""The example PKI and the check of what is in use."""
