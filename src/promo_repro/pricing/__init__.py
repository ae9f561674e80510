"""Pricing room: optimal and dynamic prices, markdown, bandit pricing, VCG."""
