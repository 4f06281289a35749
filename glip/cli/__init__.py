"""The command ``glip``: detecting, labelling, training, by words."""
