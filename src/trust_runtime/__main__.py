"""`python -m trust_runtime`."""

from trust_runtime.cli.main import main

main()
