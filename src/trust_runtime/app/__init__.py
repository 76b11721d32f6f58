"""The one place where everything meets."""
