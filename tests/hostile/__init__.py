"""Bad input at every door: what goes in, how it is damaged, what counts as right."""
