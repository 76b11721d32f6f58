"""What things are: frozen types, with no behaviour beyond checking themselves."""
