"""What each endpoint does with a request that passed every stage before it."""
