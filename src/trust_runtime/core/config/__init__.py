"""Configuration keys, their rules, and how documents change."""
