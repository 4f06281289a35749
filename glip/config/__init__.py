"""Options of a config and of the command line, put where the parts read them."""
