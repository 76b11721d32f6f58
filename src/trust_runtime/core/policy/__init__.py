"""May it be done: the checks of a decision, in order."""
