"""Reaching a runtime beside the mesh: datagrams and bare connections."""
