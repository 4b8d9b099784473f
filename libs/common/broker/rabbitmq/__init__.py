"""RabbitMQ 3.10 and later, for services on several machines.

The user that a connection signs in as is the publisher: `user_id` is set on every message, and the
broker refuses another's (DESIGN: who may say what).
"""
