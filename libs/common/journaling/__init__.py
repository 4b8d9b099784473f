"""Received bytes, understood: journal reports, plain copies, users' reports. Pure functions.

Ingest takes mail in with it, and the classifier's commands unwrap files with it. It imports no
third-party package: worker processes load it and must start fast.
"""
