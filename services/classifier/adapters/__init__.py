"""The technologies behind the classifier's ports, one module each."""
