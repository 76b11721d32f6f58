"""What the shell may ask of the world: protocols only."""
