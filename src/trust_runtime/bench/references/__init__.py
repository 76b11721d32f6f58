"""The bare libraries and the bare disk: what no product could be faster than.

Nothing here imports the product, so that no reference can share its weaknesses.
"""
