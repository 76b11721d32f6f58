"""Keys, certificates and signed tokens; the only home of the `cryptography` library."""
