"""Messages between runtimes over Eclipse Zenoh 1.7.2."""
