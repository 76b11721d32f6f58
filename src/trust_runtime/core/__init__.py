"""What to do: pure decisions on contracts."""
