"""One workload a module: what runs, and the reference that runs beside it."""
