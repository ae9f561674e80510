"""Recommender room: losses, networks and rankings for what a household buys next."""
