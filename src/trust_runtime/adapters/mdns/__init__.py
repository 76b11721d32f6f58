"""Finding addresses of peers by mDNS; the only home of the `zeroconf` library."""
