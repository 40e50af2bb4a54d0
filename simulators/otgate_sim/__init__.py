"""Simulated field devices with a plant behind them, and the lab that runs the whole product."""
