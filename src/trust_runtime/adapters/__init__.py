"""The edges: each folder is the only home of its library."""
