"""trust-runtime: a fleet of PLC runtimes that operate as one cloud."""

__version__ = "0.1.0"
