"""Holds: the site's own word that nothing is to be changed for a while, with a reason and an end."""
