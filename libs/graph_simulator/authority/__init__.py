"""The sign-in host: tokens, keys and discovery (Microsoft Entra, client credentials)."""
