"""Gives every message a disposition with reasons, and asks for its retraction where policy says."""
