"""The shell: gather facts, ask core, perform effects."""
