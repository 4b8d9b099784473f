"""Microsoft Graph by the SDK's request adapter; JSON by hand: its models cost 5 ms each."""
