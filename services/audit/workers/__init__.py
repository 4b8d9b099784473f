"""The loop that writes down what passes over the exchange."""
