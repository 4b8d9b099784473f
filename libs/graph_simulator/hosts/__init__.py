"""HTTP: the sign-in host, the Graph host, and the admin's paths on it."""
