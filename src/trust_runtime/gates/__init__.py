"""Gates: fixed lists of checks over real processes, for release and for whoever doubts (17)."""
