"""Is it proven? Signatures, encryption and certificates, as plain functions over bytes."""
