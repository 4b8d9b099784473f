"""`undeliver broker`: what operators do to the message broker."""
