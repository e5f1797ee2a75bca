"""Runs container/compose.yaml with an OCI runtime alone, and looks at what comes of it."""
