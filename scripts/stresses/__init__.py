"""The work of scripts/stress."""
