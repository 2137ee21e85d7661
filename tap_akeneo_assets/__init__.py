"""Singer tap for the assets of an Akeneo PIM."""
