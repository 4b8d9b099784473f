"""The Graph host: routes, queries, answers, batches, throttling and failures."""
