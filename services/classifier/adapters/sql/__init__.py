"""The classifier's SQL: migrations, and named statements."""
