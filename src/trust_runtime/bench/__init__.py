"""Measures what the product promises, beside references that run in the same round."""
