"""`undeliver database`: makes a database ready for the services."""
