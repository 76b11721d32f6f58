"""The project folder: its lock, who may read it, and what a new one holds."""
