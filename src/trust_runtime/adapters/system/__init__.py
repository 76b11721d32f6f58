"""The machine and the process: clocks, chance, the host's name, log lines."""
