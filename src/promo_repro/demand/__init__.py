"""Demand room: panels, metrics, cells, forecasters, back-test, orders, and D5's listing."""
